-- Who holds an advisory lock of this database?  Asked when a migration tool found its own lock taken.
-- Values: own, the name of the run's sessions.  Rows: blocker ... (server.h).
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT :blocker
FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l
  WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) p
CROSS JOIN (SELECT 0 AS behind, 'advisory'::text AS waits_for) w
:blocker_joins;
COMMIT;
