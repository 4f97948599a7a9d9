-- Who holds a lock of GET_LOCK?  Asked when a migration tool found its own lock taken.  Such locks belong to no
-- database: those of sessions that use this one count.  Rows: blocker ... (server.h).
:begin
:start
:named_dumps
SET @crelease_guess = 0, @crelease_ports = '', @crelease_addresses = '',
  @crelease_first = 9223372036854775807, @crelease_holders = '', @crelease_do = CASE
WHEN :has_plugin THEN
'SELECT coalesce(group_concat(DISTINCT l.THREAD_ID), '''') INTO @crelease_holders
  FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE = ''User lock''
  AND l.TABLE_SCHEMA NOT LIKE ''crelease%'''
WHEN :has_locks THEN
'SELECT coalesce(group_concat(DISTINCT h.PROCESSLIST_ID), '''') INTO @crelease_holders
  FROM performance_schema.metadata_locks l
  JOIN performance_schema.threads h ON h.THREAD_ID = l.OWNER_THREAD_ID
  WHERE l.OBJECT_TYPE = ''USER LEVEL LOCK'' AND l.LOCK_STATUS = ''GRANTED''
  AND l.OBJECT_NAME NOT LIKE ''crelease%'''
ELSE 'DO 0' END;
:execute
:blocker WHERE find_in_set(p.ID, @crelease_holders) > 0 AND p.DB = database();
