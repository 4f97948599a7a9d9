-- Try to take the migration lock, which a migration and a 'backups --hold' exclude each other with: the
-- advisory lock 1668441452, 1 (0x6372656c, "crel").  Row: lock t|f.
-- Values: application, the name of this session; idle, how long it may be idle, as '60s' or '0s'.
--
-- Settings that a server does not know are not in pg_settings and are not set.  The keepalives are for the
-- session of a machine that has died; on a local socket they have no effect.
BEGIN;
SET LOCAL search_path = pg_catalog;
\if :since_9_0
SET application_name = :'application';
\endif
SELECT 'set', count(pg_catalog.set_config(s.name, v.value, false)) FROM pg_catalog.pg_settings s
 JOIN (VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), ('idle_session_timeout', :'idle'),
  ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'))
  AS v (name, value) ON v.name = s.name;
SELECT 'lock ' || CASE WHEN pg_catalog.pg_try_advisory_lock(1668441452, 1) THEN 't' ELSE 'f' END;
COMMIT;
