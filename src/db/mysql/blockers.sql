-- Whom does the migration wait for?  Asked at every look of the watchdog, in one session: @crelease_first and
-- @crelease_seen last from look to look, @crelease_ports and @crelease_addresses come from unnamed.sh.
-- Rows: maybe PID, a session that waits and may be the migration's; blocker ... (server.h).
:begin
:start
:named_dumps
SET @crelease_ports = coalesce(@crelease_ports, ''), @crelease_addresses = coalesce(@crelease_addresses, ''),
  @crelease_seen = coalesce(@crelease_seen, '');
SET @crelease_first = coalesce(@crelease_first, is_used_lock(:lock_name), connection_id());
SET @crelease_seen = coalesce((SELECT group_concat(concat(:wait_key, :waits_since_ms) SEPARATOR '')
  FROM information_schema.PROCESSLIST p
  WHERE p.DB = database() AND p.ID <> connection_id() AND :waits), '');
SET @crelease_own = coalesce((SELECT group_concat(p.ID) FROM information_schema.PROCESSLIST p
  WHERE :is_own AND :waits), '');
SET @crelease_behind = (SELECT count(*) FROM information_schema.PROCESSLIST p WHERE p.DB = database()
  AND p.ID <> connection_id() AND :waits AND NOT find_in_set(p.ID, @crelease_own));
SELECT concat_ws(char(31 using utf8mb4), 'maybe', p.ID) FROM information_schema.PROCESSLIST p
WHERE p.DB = database() AND p.ID <> connection_id() AND locate(':', p.HOST) AND :waits
  AND NOT find_in_set(p.ID, @crelease_own) LIMIT 1;
-- @crelease_holders: who holds locks on a table that the waiting statement names.
SET @crelease_holders = '', @crelease_guess = 0, @crelease_do = CASE
WHEN @crelease_own = '' THEN 'DO 0'
WHEN :has_plugin THEN
'SELECT coalesce(group_concat(DISTINCT l.THREAD_ID), '''') INTO @crelease_holders
  FROM information_schema.METADATA_LOCK_INFO l
  JOIN information_schema.PROCESSLIST w ON find_in_set(w.ID, @crelease_own)
  WHERE l.THREAD_ID <> w.ID AND (l.LOCK_TYPE = ''Table metadata lock'' AND l.TABLE_SCHEMA = database()
  AND locate(l.TABLE_NAME, w.INFO) OR l.LOCK_MODE IN (''MDL_BACKUP_FTWRL1'', ''MDL_BACKUP_FTWRL2'',
  ''MDL_BACKUP_WAIT_DDL'', ''MDL_BACKUP_WAIT_COMMIT''))'
WHEN :has_locks THEN
'SELECT coalesce(group_concat(DISTINCT h.PROCESSLIST_ID), '''') INTO @crelease_holders
  FROM performance_schema.metadata_locks w
  JOIN performance_schema.threads o ON o.THREAD_ID = w.OWNER_THREAD_ID
  AND find_in_set(o.PROCESSLIST_ID, @crelease_own)
  JOIN performance_schema.metadata_locks l ON l.OBJECT_TYPE = w.OBJECT_TYPE
  AND l.OBJECT_SCHEMA <=> w.OBJECT_SCHEMA AND l.OBJECT_NAME <=> w.OBJECT_NAME
  AND l.LOCK_STATUS = ''GRANTED'' AND l.OWNER_THREAD_ID <> w.OWNER_THREAD_ID
  JOIN performance_schema.threads h ON h.THREAD_ID = l.OWNER_THREAD_ID WHERE w.LOCK_STATUS = ''PENDING'''
ELSE 'DO 0' END;
:execute
-- Where locks cannot be read, the dump, the LOCK TABLES or the oldest transaction is guessed.  A guess is
-- never ended.
SET @crelease_do = if(@crelease_own = '' OR @crelease_holders <> '', 'DO 0',
'SELECT p.ID, 1 INTO @crelease_holders, @crelease_guess FROM information_schema.PROCESSLIST p
  LEFT JOIN (SELECT trx_mysql_thread_id AS id, min(trx_started) AS started FROM information_schema.INNODB_TRX
  GROUP BY trx_mysql_thread_id) t ON t.id = p.ID WHERE p.DB = database() AND p.ID <> connection_id()
  AND NOT find_in_set(p.ID, @crelease_own) AND (t.id IS NOT NULL
  OR p.INFO LIKE ''SELECT /*!40001 SQL_NO_CACHE */%'' OR p.INFO LIKE ''LOCK TABLES%'')
  AND coalesce(p.STATE, '''') NOT LIKE ''Waiting for%''
  ORDER BY p.INFO LIKE ''SELECT /*!40001 SQL_NO_CACHE */%'' DESC, t.started IS NULL, t.started, p.ID LIMIT 1');
:execute
:blocker WHERE find_in_set(p.ID, @crelease_holders) > 0;
