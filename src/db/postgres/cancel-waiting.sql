-- Cancel the statements of this run that have waited too long for a lock, or behind which too many sessions
-- queue.  9.0 and later; the end of every look of the watchdog.
-- Values: own, the name of the run's sessions; limit, as '500 ms'; max_blocked, a number; psql's variable
-- unnamed (unnamed.sh).
-- Rows: cancelled PID time|crowd BEHIND RESULT; helpless PID, for one that this role is not permitted to cancel.
BEGIN;
SET LOCAL search_path = pg_catalog;
WITH :waiting
SELECT 'cancelled', w.pid, CASE WHEN w.behind > :max_blocked THEN 'crowd' ELSE 'time' END, w.behind,
  pg_cancel_backend(w.pid) FROM w
 WHERE (w.behind > :max_blocked OR clock_timestamp() - w.since >= interval :'limit')
\if :since_9_2
;
\else
-- Before 9.2 only superusers are permitted to cancel, and an error would end the look.
 AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND me.rolsuper);
COMMIT;
BEGIN;
SET LOCAL search_path = pg_catalog;
WITH :waiting
SELECT 'helpless', w.pid FROM w WHERE clock_timestamp() - w.since >= interval :'limit'
 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles me WHERE me.rolname = current_user AND me.rolsuper);
\endif
COMMIT;
