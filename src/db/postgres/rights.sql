-- What may this role see and end?  8.4 and later.  Row: rights ROLE SUPER SIGNAL STATS, each "yes" or empty.
BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = '5s';
SELECT 'rights', translate(current_user::text, chr(10) || chr(31), '  '),
  CASE WHEN (SELECT me.rolsuper FROM pg_catalog.pg_roles me WHERE me.rolname = current_user) THEN 'yes' ELSE '' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles g WHERE g.rolname = 'pg_signal_backend'
    AND pg_catalog.pg_has_role(g.oid, 'usage')) THEN 'yes' ELSE '' END,
  CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_roles g WHERE g.rolname = 'pg_read_all_stats'
    AND pg_catalog.pg_has_role(g.oid, 'usage')) THEN 'yes' ELSE '' END;
COMMIT;
