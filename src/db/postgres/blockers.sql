-- Whom do the sessions of this run wait for?  9.0 and later; asked at every look of the watchdog.
-- Values: own, the name of the run's sessions; psql's variable unnamed (unnamed.sh).  Rows: blocker ... (server.h).
--
-- Who holds the lock comes before those who only stand in front of us in the queue.
BEGIN;
SET LOCAL search_path = pg_catalog;
WITH :waiting
SELECT :blocker
FROM w
\if :since_9_6
CROSS JOIN LATERAL (SELECT DISTINCT u.u FROM unnest(pg_blocking_pids(w.pid)) u) p(pid)
:blocker_joins
ORDER BY b.wait_event_type IS NOT DISTINCT FROM 'Lock', b.xact_start;
\else
JOIN (SELECT DISTINCT g.waiter, g.pid FROM g WHERE g.granted) p ON p.waiter = w.pid
:blocker_joins
ORDER BY b.xact_start;
\endif
COMMIT;
