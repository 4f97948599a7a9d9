-- Pieces that several questions share.  In a question ':name' stands for the piece of that name.  p is always
-- a row of information_schema.PROCESSLIST.

-- :begin
-- The account's own settings do not count, and a lock that is not there at once is not waited for.  Starts of
-- transactions are given in the time zone of the machine.
SET NAMES utf8mb4;
SET SESSION sql_mode = '', time_zone = 'SYSTEM', autocommit = 1, lock_wait_timeout = 5,
  group_concat_max_len = 1000000;

-- :start
-- When the server started: in one statement, so that both times are of the same second.
SET @crelease_start = (SELECT cast(unix_timestamp() - VARIABLE_VALUE AS signed) FROM
  /*M! information_schema.GLOBAL_STATUS */ /*!50700 performance_schema.global_status */
  WHERE VARIABLE_NAME = 'Uptime');

-- :identity
-- With the session's number this names exactly one session: the server gives a number to nobody else while it
-- lives.
concat(@crelease_start, '/', crc32(concat(p.USER, '@', p.HOST)))

-- :execute
-- Runs the statement @crelease_do, whose text depends on what the server has.
PREPARE crelease_do FROM @crelease_do;
EXECUTE crelease_do;
DEALLOCATE PREPARE crelease_do;

-- :lock_name
-- The migration lock.  Names of locks have 64 characters at most.
concat('crelease.', if(char_length(database()) > 40, sha1(database()), database()))

-- :mark_name
-- What a migration holds besides.
concat('crelease-migration.', if(char_length(database()) > 40, sha1(database()), database()))

-- :db
-- Other people's text, in one line and without the separator.
replace(replace(replace(replace(coalesce(p.DB, ''), char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' ')

-- :user
replace(replace(replace(replace(coalesce(p.USER, ''), char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' ')

-- :query
replace(replace(replace(replace(coalesce(p.INFO, ''), char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' ')

-- :has_plugin
-- Whether MariaDB shows metadata locks.  Not every server does, and not every account may read them.
(SELECT count(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'METADATA_LOCK_INFO'
  AND PLUGIN_STATUS = 'ACTIVE') > 0

-- :has_names
-- Whether clients tell the names of their programs.
(SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'performance_schema'
  AND TABLE_NAME IN ('session_connect_attrs')) = 1

-- :has_locks
-- Whether MySQL shows metadata locks.
(SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'performance_schema'
  AND TABLE_NAME IN ('metadata_locks', 'threads')) = 2

-- :named_dumps
-- @crelease_named: the sessions whose client says that it is a dump.
SET @crelease_named = '', @crelease_do = IF(:has_names,
'SELECT coalesce(group_concat(PROCESSLIST_ID), '''') INTO @crelease_named
  FROM performance_schema.session_connect_attrs WHERE ATTR_NAME = ''program_name''
  AND ATTR_VALUE IN (''mysqldump'', ''mariadb-dump'', ''mysqlpump'')', 'DO 0');
:execute

-- :transactions
-- t: the session's transaction.  It is quiet when it has only read.
LEFT JOIN (SELECT trx_mysql_thread_id AS id, min(trx_started) AS started,
    max(trx_rows_modified + trx_rows_locked) = 0 AND max(trx_isolation_level) = 'REPEATABLE READ' AS quiet
  FROM information_schema.INNODB_TRX GROUP BY trx_mysql_thread_id) t ON t.id = p.ID

-- :age
-- For how many seconds the transaction, or else the statement, has run.
greatest(0, coalesce(timestampdiff(SECOND, t.started, now()), p.TIME, 0))

-- :is_held
-- Whether @crelease_held, ",SESSION:SECONDS...", has an entry for the session.
locate(concat(',', p.ID, ':'), @crelease_held)

-- :held
-- For how many seconds it has held its oldest lock.
cast(substring_index(substring_index(@crelease_held, concat(',', p.ID, ':'), -1), ',', 1) AS signed)

-- :seconds
-- The longest of its transaction, its locks and its statement.
greatest(:age, if(:is_held, :held, 0))

-- :is_dump
-- By its name, or by statements that only mysqldump and mariadb-dump send.
(find_in_set(p.ID, @crelease_named) > 0 OR coalesce(p.INFO, '') LIKE 'SELECT /*!40001 SQL_NO_CACHE */%'
  OR coalesce(p.INFO, '') LIKE 'LOCK TABLES%READ /*!32311 LOCAL */%')

-- :may_end
-- Whether this account is permitted to end the session.
(p.USER = substring_index(user(), '@', 1) OR EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES g
  WHERE g.PRIVILEGE_TYPE IN ('SUPER', 'CONNECTION ADMIN', 'CONNECTION_ADMIN')
  AND g.GRANTEE = concat('''', replace(current_user(), '@', '''@'''), '''')))

-- :waits
-- Whether its statement waits for a metadata lock.
(p.STATE LIKE 'Waiting for%lock' AND p.STATE NOT LIKE '%user lock' OR p.STATE = 'Waiting for table flush')

-- :port
-- Of the client.
substring_index(p.HOST, ':', -1)

-- :address
left(p.HOST, char_length(p.HOST) - char_length(:port) - 1)

-- :is_own
-- Whether the session is the migration's: over TCP its client's port belongs to a process of the command
-- (unnamed.sh); through a socket file it runs DDL and is younger than the watchdog.
(p.DB = database() AND p.ID <> connection_id() AND if(locate(':', p.HOST),
  find_in_set(:port, @crelease_ports) > 0 AND (find_in_set(:address, @crelease_addresses) > 0
    OR :address IN ('localhost', @@hostname, substring_index(user(), '@', -1))),
  p.HOST = 'localhost' AND p.USER = substring_index(user(), '@', 1) AND p.ID > @crelease_first
    AND replace(coalesce(p.INFO, ''), char(10), ' ') REGEXP
      '^[[:space:]]*(/[*].*[*]/[[:space:]]*)*(alter|create|drop|rename|truncate|optimize|lock)[[:space:]]'))

-- :wait_key
-- The entry of @crelease_seen for this wait: session and statement.
concat(',', p.ID, '.', crc32(coalesce(p.INFO, '')), ':')

-- :now_ms
cast(unix_timestamp(sysdate(3)) * 1000 AS unsigned)

-- :waits_since_ms
-- Since when it has waited, as counted here: the server only tells how long its statement has run.
cast(if(locate(:wait_key, @crelease_seen),
  substring_index(substring_index(@crelease_seen, :wait_key, -1), ',', 1), :now_ms) AS unsigned)

-- :blocker
-- Rows 'blocker': of two sessions of the migration one may wait for the other, so 'own' is possible.
SELECT concat_ws(char(31 using utf8mb4), 'blocker', p.ID,
  CASE WHEN :is_own THEN 'own'
       WHEN p.ID IN (coalesce(is_used_lock(:lock_name), 0), coalesce(is_used_lock(:mark_name), 0)) THEN 'crelease'
       WHEN :is_dump THEN 'backup'
       WHEN p.USER = 'system user' THEN 'server' ELSE 'session' END,
  :identity, '', :age, :user, '',
  concat(CASE WHEN p.COMMAND <> 'Sleep' THEN 'active' WHEN t.id IS NULL THEN 'idle' ELSE 'idle in transaction' END,
    if(@crelease_guess, ' (a guess)', '')),
  if(:may_end AND NOT @crelease_guess, 'yes', 'no'), :behind, :'waits_for', left(:query, 1000))
FROM information_schema.PROCESSLIST p :transactions

-- :same_session
-- Whether p is the session with that number and identity.
p.ID = :pid AND p.ID <> connection_id() AND :identity = :'transaction'

-- :not_records
-- Excludes the tables in which migration tools keep their records: these are not what they migrate.
NOT IN ('schema_migrations', 'ar_internal_metadata', 'django_migrations', 'migrations', 'alembic_version',
  'flyway_schema_history', 'phinxlog', 'doctrine_migration_versions', 'knex_migrations', 'knex_migrations_lock',
  '_prisma_migrations', 'SequelizeMeta', 'DATABASECHANGELOG', 'DATABASECHANGELOGLOCK', 'goose_db_version',
  '__EFMigrationsHistory')
