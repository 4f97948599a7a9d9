-- Which pg_dump waits for a session of this run?  9.0 and later; asked at every look of the watchdog.
-- Values: own, the name of the run's sessions; psql's variable unnamed (unnamed.sh).  Rows: behind PID.
BEGIN;
SET LOCAL search_path = pg_catalog;
\if :since_9_6
SELECT 'behind', q.pid FROM pg_catalog.pg_stat_activity q
 WHERE q.application_name = 'pg_dump' AND q.wait_event_type = 'Lock'
 AND EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity a WHERE :is_own
  AND a.pid = ANY (pg_blocking_pids(q.pid)));
\else
WITH :waiting
SELECT DISTINCT 'behind', q.pid FROM :sessions q JOIN g ON g.waiter = q.pid
 JOIN :sessions a ON a.pid = g.pid WHERE q.application_name = 'pg_dump' AND :is_own;
\endif
COMMIT;
