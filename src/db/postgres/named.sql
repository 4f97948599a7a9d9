-- Which sessions of this database have a name that crelease gives?
-- Rows: orphan APPLICATION PID START TRANSACTION.  Whether its run has ended is not known here.
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'orphan', a.application_name, a.pid,
  coalesce((extract(epoch FROM a.backend_start) * 1000000)::bigint::text, ''),
  coalesce((SELECT l.virtualxid FROM pg_catalog.pg_locks l WHERE l.pid = a.pid
   AND l.locktype = 'virtualxid' AND l.granted AND l.virtualxid = l.virtualtransaction LIMIT 1), '')
 FROM :sessions a WHERE a.datname = current_database() AND a.application_name LIKE 'crelease-%';
COMMIT;
