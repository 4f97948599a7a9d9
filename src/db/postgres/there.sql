-- Which of these sessions are still there?  Rows: there PID.
-- Values: or_session, a condition on a for each, as " OR (...)" (fragments.sql: same_pid, same_start,
-- same_transaction).
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'there', a.pid FROM :sessions a WHERE false :or_session;
COMMIT;
