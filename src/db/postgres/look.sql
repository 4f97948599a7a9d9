-- Which sessions are, or look like, a backup of this database, or belong to this run?  8.4 and later.
-- Values: own, the name of the run's sessions.  Rows: version NUMBER; session ... (server.h); copied PID BYTES.
--
-- The version is told first, so that a server that is too old for the rest has told it before the error.  A
-- role without rights sees the name, the locks and the virtual transaction, and NULL for the rest.
BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL statement_timeout = '30s';
SELECT 'version', current_setting('server_version_num');
-- k: how many tables of this database each session has a share lock on.  h: who holds the migration lock.
-- t: how many tables there are.
WITH k AS (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
   AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
 WHERE l.locktype = 'relation' AND l.mode = 'AccessShareLock' AND l.granted GROUP BY l.pid),
h AS (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()
 WHERE l.locktype = 'advisory' AND (l.classid::bigint, l.objid::bigint) = (1668441452, 1)
  AND l.objsubid = 2 AND l.granted),
t AS (SELECT count(*) AS n FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'),
x AS (SELECT a.*, coalesce(k.n, 0) AS locked, t.n AS tables, v.virtualxid AS vxid,
  CASE WHEN a.application_name = :'own' THEN 'own'
       WHEN h.pid IS NOT NULL THEN
         CASE WHEN a.application_name LIKE 'crelease-migration-_%' THEN 'migration' ELSE 'hold' END
       WHEN a.application_name = 'pg_dumpall' THEN 'pg_dumpall'
       WHEN a.datname <> current_database() THEN NULL
       WHEN a.application_name = 'pg_dump' THEN 'pg_dump'
       WHEN coalesce(k.n, 0) >= 3 AND k.n >= 0.8 * t.n THEN 'dump-like'
       -- A COPY out of a table or a query.  The server cuts long statements, so the TO may be missing; a COPY
       -- into a table has a FROM behind the table's name.
       WHEN (a.query ~* '^copy ' AND a.query !~* '^copy +[^( ].* from ') THEN 'copy' END AS kind
 FROM :sessions a CROSS JOIN t LEFT JOIN k ON k.pid = a.pid LEFT JOIN h ON h.pid = a.pid
 LEFT JOIN pg_catalog.pg_locks v ON v.pid = a.pid AND v.locktype = 'virtualxid' AND v.granted
  AND v.virtualxid = v.virtualtransaction
 WHERE a.pid <> pg_catalog.pg_backend_pid())
SELECT 'session', x.kind, x.pid, coalesce(x.vxid, ''),
  coalesce((extract(epoch FROM x.backend_start) * 1000000)::bigint::text, ''),
  coalesce(floor(extract(epoch FROM clock_timestamp() - coalesce(x.xact_start, x.backend_start)))::bigint::text, ''),
  translate(coalesce(x.datname::text, ''), chr(10) || chr(31), '  '),
  translate(coalesce(x.usename::text, ''), chr(10) || chr(31), '  '),
  translate(coalesce(x.application_name, ''), chr(10) || chr(31), '  '),
  -- Does it block migrations?  A dump without a virtual transaction has ended its transaction.  A pg_dumpall
  -- between two databases does unless a pg_dump of a database behind this one runs.
  CASE WHEN x.kind IN ('pg_dump', 'dump-like', 'own') THEN
         CASE WHEN x.vxid IS NULL THEN 'no' ELSE 'yes' END
       WHEN x.kind IN ('hold', 'migration') THEN 'yes'
       WHEN x.kind = 'pg_dumpall' AND NOT EXISTS (SELECT 1 FROM :sessions o
         WHERE o.application_name = 'pg_dump' AND o.datname > current_database()
         AND o.datname <> 'template1') THEN 'yes' ELSE 'no' END,
  CASE WHEN me.rolsuper THEN 'yes' WHEN o.rolsuper IS NOT FALSE THEN 'super'
       WHEN :may_end THEN 'yes' ELSE 'no' END,
  CASE WHEN x.query = '<insufficient privilege>' THEN '' ELSE
   translate(substr(coalesce(x.query, ''), 1, 1000), chr(10) || chr(13) || chr(9) || chr(31), '    ') END,
  coalesce(x.client_port::text, ''), x.locked, x.tables
FROM x JOIN pg_catalog.pg_roles me ON me.rolname = current_user
LEFT JOIN pg_catalog.pg_roles o ON o.oid = x.usesysid
WHERE x.kind IS NOT NULL ORDER BY x.locked DESC, x.pid;
\if :known_14
-- Only for those who may see it: a dump that writes moves here.
SELECT 'copied', p.pid, p.bytes_processed::text FROM pg_catalog.pg_stat_progress_copy p
WHERE p.bytes_processed IS NOT NULL;
\endif
COMMIT;
