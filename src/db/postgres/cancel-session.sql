-- Cancel the statement of exactly one session.  Row: signalled RESULT; none when it is another session by now.
-- Values: session, a condition on a that names it (fragments.sql: same_pid, same_start, same_transaction).
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'signalled', pg_cancel_backend(a.pid) FROM :sessions a WHERE :session;
COMMIT;
