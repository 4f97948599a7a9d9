-- Which sessions are, or look like, a backup of this database?
-- Rows: account NAME; version NUMBER; transactions NUMBER; session ... (server.h); since PID UNIXTIME.
--
-- The account comes first, so that it can be named when the rest is refused: INNODB_TRX is refused to those
-- without PROCESS, while PROCESSLIST just shows them nobody else.
:begin
SELECT concat_ws(char(31 using utf8mb4), 'account', concat(quote(substring_index(current_user(), '@', 1)),
  '@', quote(substring_index(current_user(), '@', -1))));
SELECT concat_ws(char(31 using utf8mb4), 'version', if(version() LIKE '%MariaDB%', 10000000, 0) +
  substring_index(version(), '.', 1) * 10000 +
  substring_index(substring_index(version(), '.', 2), '.', -1) * 100 +
  cast(substring_index(substring_index(version(), '.', 3), '.', -1) AS unsigned));
SELECT concat_ws(char(31 using utf8mb4), 'transactions', count(*)) FROM information_schema.INNODB_TRX;
:start
:named_dumps
-- @crelease_like: sessions with read locks on most tables.  @crelease_global: with a lock on the whole server.
-- @crelease_held: for how many seconds a session has held a lock, or the migration lock, as ",SESSION:SECONDS".
SET @crelease_like = '', @crelease_global = '', @crelease_held = '',
  @crelease_tables = (SELECT count(*) FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = database() AND TABLE_TYPE = 'BASE TABLE'),
  @crelease_plugin = :has_plugin, @crelease_schema = :has_locks;
SET @crelease_do = CASE WHEN @crelease_plugin THEN
'SELECT coalesce(group_concat(k.THREAD_ID), '''') INTO @crelease_like FROM (SELECT l.THREAD_ID
  FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE = ''Table metadata lock''
  AND l.LOCK_MODE IN (''MDL_SHARED_READ'', ''MDL_SHARED_READ_ONLY'') AND l.TABLE_SCHEMA = database()
  GROUP BY l.THREAD_ID HAVING count(DISTINCT l.TABLE_NAME) >= greatest(3, 0.8 * @crelease_tables)) k'
WHEN @crelease_schema THEN
'SELECT coalesce(group_concat(k.id), '''') INTO @crelease_like FROM (SELECT h.PROCESSLIST_ID AS id
  FROM performance_schema.metadata_locks l
  JOIN performance_schema.threads h ON h.THREAD_ID = l.OWNER_THREAD_ID
  WHERE l.OBJECT_TYPE = ''TABLE'' AND l.LOCK_STATUS = ''GRANTED''
  AND l.LOCK_TYPE IN (''SHARED_READ'', ''SHARED_READ_ONLY'') AND l.OBJECT_SCHEMA = database()
  AND h.PROCESSLIST_ID IS NOT NULL GROUP BY h.PROCESSLIST_ID
  HAVING count(DISTINCT l.OBJECT_NAME) >= greatest(3, 0.8 * @crelease_tables)) k'
ELSE 'DO 0' END;
:execute
SET @crelease_do = CASE WHEN @crelease_plugin THEN
'SELECT coalesce(group_concat(l.THREAD_ID), '''') INTO @crelease_global
  FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_MODE IN (''MDL_BACKUP_FTWRL1'',
  ''MDL_BACKUP_FTWRL2'', ''MDL_BACKUP_WAIT_DDL'', ''MDL_BACKUP_WAIT_COMMIT'')'
WHEN @crelease_schema THEN
'SELECT coalesce(group_concat(h.PROCESSLIST_ID), '''') INTO @crelease_global
  FROM performance_schema.metadata_locks l
  JOIN performance_schema.threads h ON h.THREAD_ID = l.OWNER_THREAD_ID
  WHERE l.OBJECT_TYPE IN (''GLOBAL'', ''BACKUP LOCK'') AND l.LOCK_TYPE = ''SHARED''
  AND l.LOCK_STATUS = ''GRANTED'' AND h.PROCESSLIST_ID IS NOT NULL'
ELSE 'DO 0' END;
:execute
SET @crelease_do = if(@crelease_plugin,
'SELECT coalesce(group_concat(concat('','', k.id, '':'', k.s) SEPARATOR ''''), '''') INTO @crelease_held
  FROM (SELECT l.THREAD_ID AS id, floor(max(l.LOCK_TIME_MS) / 1000) AS s
  FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE <> ''User lock''
  OR l.TABLE_SCHEMA LIKE ''crelease.%'' GROUP BY l.THREAD_ID) k', 'DO 0');
:execute
-- A transaction that only reads, with nothing running or what a dump asks between two tables, may be a dump's.
-- The last statement of a holder of the migration lock was only a sign of life, so its age is that of the lock.
SET @crelease_hold = is_used_lock(:lock_name), @crelease_mark = is_used_lock(:mark_name);
SELECT concat_ws(char(31 using utf8mb4), 'session', p.kind, p.ID, :identity, '',
  CASE WHEN p.kind NOT IN ('hold', 'migration') THEN :seconds WHEN :is_held THEN :held ELSE '' END,
  :db, :user,
  CASE p.kind WHEN 'hold' THEN 'crelease-hold' WHEN 'migration' THEN 'crelease-migration' ELSE p.kind END,
  CASE WHEN p.kind = 'maybe' THEN 'maybe' ELSE 'yes' END,
  CASE WHEN p.kind IN ('hold', 'migration') OR :may_end THEN 'yes' ELSE 'no' END,
  left(:query, 100),
  CASE WHEN locate(':', p.HOST) THEN substring_index(p.HOST, ':', -1)
       WHEN p.HOST IN ('localhost', '') THEN '-1' ELSE '' END)
FROM (SELECT p.*,
  CASE WHEN p.ID = @crelease_hold THEN if(@crelease_mark = p.ID, 'migration', 'hold')
       WHEN find_in_set(p.ID, @crelease_global) THEN if(:is_dump, 'mysqldump', 'dump-like')
       WHEN p.DB IS NULL OR p.DB <> database() THEN NULL
       WHEN :is_dump THEN 'mysqldump'
       WHEN find_in_set(p.ID, @crelease_like) THEN 'dump-like'
       WHEN t.quiet AND (p.COMMAND = 'Sleep' OR p.INFO IS NULL OR p.INFO REGEXP
         '^(SHOW |SAVEPOINT sp|ROLLBACK TO SAVEPOINT sp|SET |SELECT (engine|TRIGGER_NAME|column_name|@@collation_database|LOGFILE_GROUP_NAME|DISTINCT TABLESPACE_NAME))')
         THEN 'maybe' END AS kind
  FROM information_schema.PROCESSLIST p :transactions WHERE p.ID <> connection_id()) p :transactions
WHERE p.kind IS NOT NULL ORDER BY p.ID;
SELECT concat_ws(char(31 using utf8mb4), 'since', p.ID, unix_timestamp() - :seconds)
FROM information_schema.PROCESSLIST p :transactions
WHERE p.DB = database() AND (t.id IS NOT NULL OR :is_held) AND p.ID <> connection_id();
