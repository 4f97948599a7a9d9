-- End all sessions of this run, when its command has ended.
-- Values: own, the name of the run's sessions; psql's variable unnamed (unnamed.sh).
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT pg_terminate_backend(a.pid) FROM :sessions a
 WHERE a.application_name = :'own' AND a.pid <> pg_backend_pid();
COMMIT;
\if :since_9_6
-- Those under another name belong to the application and live on: only their wait for a lock is cancelled.
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a
 WHERE (a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint) IN (VALUES :unnamed)
 AND a.wait_event_type = 'Lock';
COMMIT;
\endif
