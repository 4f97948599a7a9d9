-- Pieces that several questions share.  In a question ':name' stands for the piece of that name.  Where a
-- piece has variants, the first one that the server's version allows is used; an unknown version counts as
-- the newest.

-- :sessions since 9.2
-- All sessions of the server.
pg_catalog.pg_stat_activity

-- :sessions since 9.0
-- With the column names of 9.2.  Before 9.2 the state takes the place of the statement, in angle brackets.
(SELECT s.datname, s.procpid AS pid, s.usesysid, s.usename, s.application_name AS application_name,
  s.client_port, s.backend_start, s.xact_start, s.query_start,
  CASE WHEN s.current_query LIKE '<IDLE>%' THEN lower(translate(s.current_query, '<>', ''))
       WHEN s.current_query NOT LIKE '<%' THEN 'active' END AS state,
  CASE WHEN s.current_query NOT LIKE '<%' THEN s.current_query END AS query
 FROM pg_catalog.pg_stat_activity s)

-- :sessions
-- Sessions have no names yet.
(SELECT s.datname, s.procpid AS pid, s.usesysid, s.usename, ''::text AS application_name,
  s.client_port, s.backend_start, s.xact_start, s.query_start,
  CASE WHEN s.current_query LIKE '<IDLE>%' THEN lower(translate(s.current_query, '<>', ''))
       WHEN s.current_query NOT LIKE '<%' THEN 'active' END AS state,
  CASE WHEN s.current_query NOT LIKE '<%' THEN s.current_query END AS query
 FROM pg_catalog.pg_stat_activity s)

-- :may_end since 9.6
-- Whether this role, me, is permitted to end a session of the role o, which is no superuser.
(pg_has_role(o.oid, 'USAGE') OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles g
  WHERE g.rolname = 'pg_signal_backend' AND pg_has_role(g.oid, 'USAGE')))

-- :may_end since 9.5
pg_has_role(o.oid, 'USAGE')

-- :may_end since 9.2
o.oid = me.oid

-- :may_end
-- Only superusers are.
false

-- :same_pid
-- Whether a is the session with that pid.
a.pid = :pid AND a.pid <> pg_backend_pid()

-- :same_start
-- Whether a started at that microsecond.
(extract(epoch FROM a.backend_start) * 1000000)::bigint = :start

-- :same_transaction
-- Whether a is in that virtual transaction.  A dump is one transaction, and any role may see its id, so pid
-- and virtual transaction name a dump exactly.
EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = a.pid
  AND l.locktype = 'virtualxid' AND l.granted AND l.virtualxid = :'transaction')

-- :is_own since 9.6
-- Whether a belongs to this run: by its name, or since the watchdog has recognised its connection
-- (unnamed.sh), which psql's variable 'unnamed' lists as pairs of pid and start.
(a.application_name = :'own' OR (a.pid, (extract(epoch FROM a.backend_start) * 1000000)::bigint) IN (VALUES :unnamed))
 AND a.pid <> pg_backend_pid()

-- :is_own
a.application_name = :'own' AND a.pid <> pg_backend_pid()

-- :is_server_process since 10
-- Whether b is not a client but a process of the server, such as autovacuum.
b.backend_type <> 'client backend'

-- :is_server_process
b.query ~ '^autovacuum: '

-- :waiting_since since 14
-- Since when a has waited for its lock.
coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT l.granted), a.query_start)

-- :waiting_since
a.query_start

-- :waiting since 9.6
-- w: the sessions of this run that wait for a lock, since when, how many wait behind them, and for what.
w AS (SELECT a.pid, :waiting_since AS since,
  (SELECT count(*) FROM pg_catalog.pg_stat_activity q
    WHERE q.wait_event_type = 'Lock' AND a.pid = ANY (pg_blocking_pids(q.pid))) AS behind,
  coalesce((SELECT l.locktype FROM pg_catalog.pg_locks l
    WHERE l.pid = a.pid AND NOT l.granted LIMIT 1), '') AS waits_for
 FROM pg_catalog.pg_stat_activity a WHERE :is_own AND a.wait_event_type = 'Lock')

-- :waiting
-- Before 9.6 there is no pg_blocking_pids.  c has the pairs of modes that exclude each other, and g has, for
-- each session that waits, those whose lock, or whose wish for one, excludes its own wish.  The order of the
-- queue is not visible: a session that only stands in front of ours is not named, and counts as one behind it.
l AS (SELECT * FROM pg_catalog.pg_locks),
c (held, wanted) AS (VALUES ('AccessShareLock', 'AccessExclusiveLock'),
  ('RowShareLock', 'ExclusiveLock'), ('RowShareLock', 'AccessExclusiveLock'),
  ('RowExclusiveLock', 'ShareLock'), ('RowExclusiveLock', 'ShareRowExclusiveLock'),
  ('RowExclusiveLock', 'ExclusiveLock'), ('RowExclusiveLock', 'AccessExclusiveLock'),
  ('ShareUpdateExclusiveLock', 'ShareUpdateExclusiveLock'), ('ShareUpdateExclusiveLock', 'ShareLock'),
  ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock'), ('ShareUpdateExclusiveLock', 'ExclusiveLock'),
  ('ShareUpdateExclusiveLock', 'AccessExclusiveLock'),
  ('ShareLock', 'RowExclusiveLock'), ('ShareLock', 'ShareUpdateExclusiveLock'),
  ('ShareLock', 'ShareRowExclusiveLock'), ('ShareLock', 'ExclusiveLock'), ('ShareLock', 'AccessExclusiveLock'),
  ('ShareRowExclusiveLock', 'RowExclusiveLock'), ('ShareRowExclusiveLock', 'ShareUpdateExclusiveLock'),
  ('ShareRowExclusiveLock', 'ShareLock'), ('ShareRowExclusiveLock', 'ShareRowExclusiveLock'),
  ('ShareRowExclusiveLock', 'ExclusiveLock'), ('ShareRowExclusiveLock', 'AccessExclusiveLock'),
  ('ExclusiveLock', 'RowShareLock'), ('ExclusiveLock', 'RowExclusiveLock'),
  ('ExclusiveLock', 'ShareUpdateExclusiveLock'), ('ExclusiveLock', 'ShareLock'),
  ('ExclusiveLock', 'ShareRowExclusiveLock'), ('ExclusiveLock', 'ExclusiveLock'),
  ('ExclusiveLock', 'AccessExclusiveLock'),
  ('AccessExclusiveLock', 'AccessShareLock'), ('AccessExclusiveLock', 'RowShareLock'),
  ('AccessExclusiveLock', 'RowExclusiveLock'), ('AccessExclusiveLock', 'ShareUpdateExclusiveLock'),
  ('AccessExclusiveLock', 'ShareLock'), ('AccessExclusiveLock', 'ShareRowExclusiveLock'),
  ('AccessExclusiveLock', 'ExclusiveLock'), ('AccessExclusiveLock', 'AccessExclusiveLock')),
g AS (SELECT o.pid AS waiter, coalesce(h.pid, 0) AS pid, h.granted FROM l o JOIN l h
  ON h.pid IS DISTINCT FROM o.pid AND h.locktype = o.locktype
  AND h.database IS NOT DISTINCT FROM o.database AND h.relation IS NOT DISTINCT FROM o.relation
  AND h.page IS NOT DISTINCT FROM o.page AND h.tuple IS NOT DISTINCT FROM o.tuple
  AND h.virtualxid IS NOT DISTINCT FROM o.virtualxid
  AND h.transactionid IS NOT DISTINCT FROM o.transactionid
  AND h.classid IS NOT DISTINCT FROM o.classid AND h.objid IS NOT DISTINCT FROM o.objid
  AND h.objsubid IS NOT DISTINCT FROM o.objsubid
  JOIN c ON c.held = h.mode AND c.wanted = o.mode WHERE NOT o.granted),
w AS (SELECT a.pid, a.query_start AS since,
  (SELECT count(DISTINCT g.waiter) FROM g WHERE g.pid = a.pid) AS behind, o.locktype AS waits_for
 FROM :sessions a JOIN l o ON o.pid = a.pid AND NOT o.granted WHERE :is_own)

-- :blocker
-- The fields of a row 'blocker' about p.pid: b is its session, or NULLs, and w.behind and w.waits_for tell of
-- who waits for it.  A session that holds share locks on most tables is a backup, whatever its name.  Literals
-- are cut out of its statement, rather too much than too little: the answers of the watchdog are kept in a
-- file on the host, and data of the database must not be.
'blocker', p.pid,
  CASE WHEN p.pid = 0 THEN 'prepared'
       WHEN b.application_name = :'own' THEN 'own'
       WHEN b.application_name LIKE 'crelease-%' THEN 'crelease'
       WHEN b.application_name IN ('pg_dump', 'pg_dumpall')
         OR (b.query ~* '^copy ' AND b.query !~* '^copy +[^( ].* from ')
         OR b.query ~* '_pg_dump_cursor' THEN 'backup'
       WHEN :is_server_process THEN 'server'
       WHEN k.n >= 3 AND k.n >= 0.8 * (SELECT count(*) FROM pg_catalog.pg_class c
         JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
         AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_') THEN 'backup'
       ELSE 'session' END,
  coalesce((SELECT v.virtualxid FROM pg_catalog.pg_locks v WHERE v.pid = p.pid
    AND v.locktype = 'virtualxid' AND v.granted AND v.virtualxid = v.virtualtransaction LIMIT 1), ''),
  coalesce((extract(epoch FROM b.backend_start) * 1000000)::bigint::text, ''),
  coalesce(floor(extract(epoch FROM clock_timestamp() - b.xact_start))::bigint::text, ''),
  regexp_replace(coalesce(b.usename::text, ''), '[[:cntrl:]]', ' ', 'g'),
  regexp_replace(coalesce(b.application_name, ''), '[[:cntrl:]]', ' ', 'g'),
  coalesce(b.state, ''),
  CASE WHEN b.pid IS NULL OR b.pid = pg_backend_pid() THEN 'no'
       WHEN me.rolsuper THEN 'yes'
       WHEN o.rolsuper IS NOT FALSE THEN 'no'
       WHEN :may_end THEN 'yes' ELSE 'no' END,
  w.behind, w.waits_for,
  CASE WHEN b.query = '<insufficient privilege>' THEN '' ELSE
    regexp_replace(regexp_replace(substr(coalesce(b.query, ''), 1, 1000),
      $x$\m[eE]'([^'\\]|\\.|'')*('|$)|'([^']|'')*('|$)|\$([A-Za-z_]*)\$.*?(\$\5\$|$)$x$, '''...''', 'g'),
      '[[:cntrl:]]', ' ', 'g') END

-- :blocker_joins
-- What the fields above are taken from.
LEFT JOIN :sessions b ON b.pid = p.pid
LEFT JOIN pg_catalog.pg_roles me ON me.rolname = current_user
LEFT JOIN pg_catalog.pg_roles o ON o.oid = b.usesysid
LEFT JOIN (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l
  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
   AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'
  WHERE l.mode = 'AccessShareLock' AND l.granted AND l.database = (SELECT d.oid
   FROM pg_catalog.pg_database d WHERE d.datname = current_database()) GROUP BY l.pid) k ON k.pid = p.pid
