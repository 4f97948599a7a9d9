-- End exactly one session that an earlier run left behind, if it still has that name.  Row: signalled RESULT.
-- Values: session, a condition on a that names it (fragments.sql: same_pid, same_start, same_transaction);
-- application, its name.
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT 'signalled', pg_terminate_backend(a.pid) FROM :sessions a WHERE :session
 AND a.application_name = :'application';
COMMIT;
