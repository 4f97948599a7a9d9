/* mysql.c -- how MySQL and MariaDB are asked.
 *
 * A dump with --single-transaction holds a metadata lock on the table that it reads, any other on
 * all of them; ALTER TABLE waits for it, a day by default, and every other statement on that table
 * waits behind the ALTER TABLE.  KILL QUERY does not free the lock of a client that stands still,
 * KILL CONNECTION does.  The number of a session is given to nobody else while the server lives, so
 * that number, the account, the client's address and the server's start name it exactly.
 *
 * No session bears a name here: program names are told to performance_schema only, which MariaDB
 * switches off by default.  What a dump does is told from the text of its statements. */
#include "db/server.h"

#include "base/embed.h"
#include "base/text.h"
#include "db/client.h"

EMBED(script_unnamed_mysql, "db/mysql/unnamed.sh");

enum { SQL_BYTES_MAX = 64 * 1024, MARIADB = 10 * 1000 * 1000 };

/* Names of locks have 64 characters at most. */
#define DATABASE "if(char_length(database()) > 40, sha1(database()), database())"
#define LOCK     "concat('crelease.', " DATABASE ")"
#define MARK     "concat('crelease-migration.', " DATABASE ")"

#define SEP "char(31 using utf8mb4)"
/* What is somebody else's text, in one line and without the separator. */
#define CLEAN(x)                                                                                   \
    "replace(replace(replace(replace(coalesce(" x                                                  \
    ", ''), char(10), ' '), char(13), ' '), char(9), ' '), char(31), ' ')"

#define DB   CLEAN("p.DB")
#define USER CLEAN("p.USER")
#define TEXT CLEAN("p.INFO")

#define PROCESSES "information_schema.PROCESSLIST p"
#define ME        "substring_index(user(), '@', 1)"

/* Nothing of the account's own settings; what is not there at once is not waited for.  Starts of
 * transactions are told in the machine's time zone. */
#define BEGIN                                                                                      \
    "SET NAMES utf8mb4;\n"                                                                         \
    "SET SESSION sql_mode = '', time_zone = 'SYSTEM', autocommit = 1, lock_wait_timeout = 5,"      \
    " group_concat_max_len = 1000000;\n"

/* In one statement both are of the same second. */
#define START                                                                                      \
    "SET @crelease_start = (SELECT cast(unix_timestamp() - VARIABLE_VALUE AS signed) FROM"         \
    " /*M! information_schema.GLOBAL_STATUS */ /*!50700 performance_schema.global_status */"       \
    " WHERE VARIABLE_NAME = 'Uptime');\n"
#define IDENTITY "concat(@crelease_start, '/', crc32(concat(p.USER, '@', p.HOST)))"

/* Not every server has these, and not every account may read them. */
#define HAS_PLUGIN                                                                                 \
    "(SELECT count(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'METADATA_LOCK_INFO'"    \
    " AND PLUGIN_STATUS = 'ACTIVE') > 0"
#define HAS                                                                                        \
    "(SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'performance_schema'"    \
    " AND TABLE_NAME IN "
#define HAS_NAMES HAS "('session_connect_attrs')) = 1"
#define HAS_LOCKS HAS "('metadata_locks', 'threads')) = 2"
/* Runs the statement @crelease_do. */
#define DO                                                                                         \
    "PREPARE crelease_do FROM @crelease_do;\n"                                                     \
    "EXECUTE crelease_do;\n"                                                                       \
    "DEALLOCATE PREPARE crelease_do;\n"

#define TRANSACTIONS                                                                               \
    " LEFT JOIN (SELECT trx_mysql_thread_id AS id, min(trx_started) AS started,"                   \
    "  max(trx_rows_modified + trx_rows_locked) = 0 AND max(trx_isolation_level) ="                \
    "  'REPEATABLE READ' AS quiet FROM information_schema.INNODB_TRX GROUP BY"                     \
    "  trx_mysql_thread_id) t ON t.id = p.ID"
#define AGE "greatest(0, coalesce(timestampdiff(SECOND, t.started, now()), p.TIME, 0))"

/* What mysqldump and mariadb-dump say and nobody else does. */
#define IS_DUMP                                                                                    \
    "(find_in_set(p.ID, @crelease_named) > 0 OR coalesce(p.INFO, '') LIKE"                         \
    " 'SELECT /*!40001 SQL_NO_CACHE */%' OR coalesce(p.INFO, '') LIKE"                             \
    " 'LOCK TABLES%READ /*!32311 LOCAL */%')"

#define MAY_END                                                                                    \
    "(p.USER = " ME " OR EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES g WHERE"         \
    " g.PRIVILEGE_TYPE IN ('SUPER', 'CONNECTION ADMIN', 'CONNECTION_ADMIN') AND g.GRANTEE ="       \
    " concat('''', replace(current_user(), '@', '''@'''), '''')))"

#define WAITS                                                                                      \
    "(p.STATE LIKE 'Waiting for%lock' AND p.STATE NOT LIKE '%user lock' OR"                        \
    " p.STATE = 'Waiting for table flush')"

/* ---- backups ---- */

/* Those who say that they are dumps: @crelease_named. */
#define NAMED                                                                                      \
    "SET @crelease_named = '', @crelease_do = IF(" HAS_NAMES ","                                   \
    " 'SELECT coalesce(group_concat(PROCESSLIST_ID), '''') INTO @crelease_named FROM"              \
    " performance_schema.session_connect_attrs WHERE ATTR_NAME = ''program_name'' AND ATTR_VALUE"  \
    " IN (''mysqldump'', ''mariadb-dump'', ''mysqlpump'')', 'DO 0');\n" DO

/* INNODB_TRX is refused to those without PROCESS; PROCESSLIST just shows them nobody else. */
static const char look_begin[] = BEGIN
    "SELECT concat_ws(" SEP ", 'account', concat(quote(substring_index(current_user(), '@', 1)),"
    " '@', quote(substring_index(current_user(), '@', -1))));\n"
    "SELECT concat_ws(" SEP ", 'version', if(version() LIKE '%MariaDB%', 10000000, 0) +"
    " substring_index(version(), '.', 1) * 10000 +"
    " substring_index(substring_index(version(), '.', 2), '.', -1) * 100 +"
    " cast(substring_index(substring_index(version(), '.', 3), '.', -1) AS unsigned));\n"
    "SELECT concat_ws(" SEP ", 'transactions', count(*)) FROM information_schema.INNODB_TRX;\n";

/* Locks on most tables: @crelease_like; on all of the server: @crelease_global; for how many
 * seconds one has been held, or the lock of migrations: @crelease_held, as ",SESSION:SECONDS". */
static const char look_locks[] =
    "SET @crelease_like = '', @crelease_global = '', @crelease_held = '', "
    "@crelease_tables = (SELECT count(*) FROM"
    " information_schema.TABLES WHERE TABLE_SCHEMA = database() AND TABLE_TYPE = 'BASE TABLE'),"
    " @crelease_plugin = " HAS_PLUGIN ", @crelease_schema = " HAS_LOCKS ";\n"
    "SET @crelease_do = CASE WHEN @crelease_plugin THEN\n"
    "'SELECT coalesce(group_concat(k.THREAD_ID), '''') INTO @crelease_like FROM (SELECT l.THREAD_ID"
    "  FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE = ''Table metadata lock''"
    "  AND l.LOCK_MODE IN (''MDL_SHARED_READ'', ''MDL_SHARED_READ_ONLY'')"
    "  AND l.TABLE_SCHEMA = database() GROUP BY l.THREAD_ID HAVING count(DISTINCT l.TABLE_NAME) >="
    "  greatest(3, 0.8 * @crelease_tables)) k'\n"
    "WHEN @crelease_schema THEN\n"
    "'SELECT coalesce(group_concat(k.id), '''') INTO @crelease_like FROM (SELECT h.PROCESSLIST_ID"
    "  AS id FROM performance_schema.metadata_locks l JOIN performance_schema.threads h ON"
    "  h.THREAD_ID = l.OWNER_THREAD_ID WHERE l.OBJECT_TYPE = ''TABLE'' AND l.LOCK_STATUS ="
    "  ''GRANTED'' AND l.LOCK_TYPE IN (''SHARED_READ'', ''SHARED_READ_ONLY'') AND l.OBJECT_SCHEMA"
    "  = database() AND h.PROCESSLIST_ID IS NOT NULL GROUP BY h.PROCESSLIST_ID HAVING"
    "  count(DISTINCT l.OBJECT_NAME) >= greatest(3, 0.8 * @crelease_tables)) k'\n"
    "ELSE 'DO 0' END;\n" DO "SET @crelease_do = CASE WHEN @crelease_plugin THEN\n"
    "'SELECT coalesce(group_concat(l.THREAD_ID), '''') INTO @crelease_global FROM"
    "  information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_MODE IN (''MDL_BACKUP_FTWRL1'',"
    "  ''MDL_BACKUP_FTWRL2'', ''MDL_BACKUP_WAIT_DDL'', ''MDL_BACKUP_WAIT_COMMIT'')'\n"
    "WHEN @crelease_schema THEN\n"
    "'SELECT coalesce(group_concat(h.PROCESSLIST_ID), '''') INTO @crelease_global FROM"
    "  performance_schema.metadata_locks l JOIN performance_schema.threads h ON h.THREAD_ID ="
    "  l.OWNER_THREAD_ID WHERE l.OBJECT_TYPE IN (''GLOBAL'', ''BACKUP LOCK'') AND l.LOCK_TYPE ="
    "  ''SHARED'' AND l.LOCK_STATUS = ''GRANTED'' AND h.PROCESSLIST_ID IS NOT NULL'\n"
    "ELSE 'DO 0' END;\n" DO "SET @crelease_do = if(@crelease_plugin,\n"
    "'SELECT coalesce(group_concat(concat('','', k.id, '':'', k.s) SEPARATOR ''''), '''') INTO"
    "  @crelease_held FROM (SELECT l.THREAD_ID AS id, floor(max(l.LOCK_TIME_MS) / 1000) AS s FROM"
    "  information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE <> ''User lock'' OR"
    "  l.TABLE_SCHEMA LIKE ''crelease.%'' GROUP BY l.THREAD_ID) k', 'DO 0');\n" DO;

/* The longest of its transaction, its locks and its statement. */
#define IS_HELD "locate(concat(',', p.ID, ':'), @crelease_held)"
#define HELD                                                                                       \
    "cast(substring_index(substring_index(@crelease_held, concat(',', p.ID, ':'), -1), ',', 1)"    \
    " AS signed)"
#define SECONDS "greatest(" AGE ", if(" IS_HELD ", " HELD ", 0))"

/* A transaction that only reads, with nothing running or what a dump asks between two tables: it is
 * that of a dump, maybe.  The last statement of who holds the lock of migrations was a sign of life
 * only. */
static const char look_sessions[] =
    "SET @crelease_hold = is_used_lock(" LOCK "), @crelease_mark = is_used_lock(" MARK ");\n"
    "SELECT concat_ws(" SEP ", 'session', p.kind, p.ID, " IDENTITY
    ", '', CASE WHEN p.kind NOT IN ('hold', 'migration') THEN " SECONDS " WHEN " IS_HELD
    " THEN " HELD " ELSE '' END, " DB ", " USER
    ", CASE p.kind WHEN 'hold' THEN 'crelease-hold' WHEN 'migration' THEN 'crelease-migration' ELSE"
    " p.kind END, CASE WHEN p.kind = 'maybe' THEN 'maybe' ELSE 'yes' END,"
    " CASE WHEN p.kind IN ('hold', 'migration') OR " MAY_END " THEN 'yes' ELSE 'no' END,"
    " left(" TEXT ", 100), CASE WHEN locate(':', p.HOST) THEN substring_index(p.HOST, ':', -1) WHEN"
    " p.HOST IN ('localhost', '') THEN '-1' ELSE '' END)\n"
    "FROM (SELECT p.*, CASE WHEN p.ID = @crelease_hold"
    " THEN if(@crelease_mark = p.ID, 'migration',   'hold')\n"
    "  WHEN find_in_set(p.ID, @crelease_global) THEN if(" IS_DUMP ", 'mysqldump', 'dump-like')\n"
    "  WHEN p.DB IS NULL OR p.DB <> database() THEN NULL\n"
    "  WHEN " IS_DUMP " THEN 'mysqldump'\n"
    "  WHEN find_in_set(p.ID, @crelease_like) THEN 'dump-like'\n"
    "  WHEN t.quiet AND (p.COMMAND = 'Sleep' OR p.INFO IS NULL OR p.INFO REGEXP"
    "   '^(SHOW |SAVEPOINT sp|ROLLBACK TO SAVEPOINT sp|SET |SELECT (engine|TRIGGER_NAME|column_name"
    "|@@collation_database|LOGFILE_GROUP_NAME|DISTINCT TABLESPACE_NAME))')"
    " THEN 'maybe' END AS   kind\n"
    " FROM " PROCESSES TRANSACTIONS " WHERE p.ID <> connection_id()) p" TRANSACTIONS
    " WHERE p.kind IS NOT NULL ORDER BY p.ID;\n";
static const char look_since[] =
    "SELECT concat_ws(" SEP ", 'since', p.ID, unix_timestamp() - " SECONDS
    ") FROM " PROCESSES TRANSACTIONS " WHERE p.DB = database() AND (t.id IS NOT NULL OR " IS_HELD
    ") AND p.ID <> connection_id();\n";

static const char *look(struct arena *a, const char *own, long version)
{
    (void)own; /* a client that dies takes its waiting statement with it here */
    (void)version;
    return arena_printf(a, "%s%s%s%s%s", look_begin, START NAMED, look_locks, look_sessions,
                        look_since);
}

/* ---- one session ---- */

static const char *is_session(struct arena *a, const struct db_session *s)
{
    if (s->pid <= 0 || !db_is_vxid(s->transaction))
        return NULL;
    return arena_printf(a, "p.ID = %ld AND p.ID <> connection_id() AND " IDENTITY " = '%s'", s->pid,
                        s->transaction);
}

/* KILL takes no condition: the same session looks and kills.  In between only that one may end. */
static const char *end(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way)
{
    (void)version;
    const char *is = is_session(a, s);

    if (!is || way == WAY_CANCEL || application)
        return NULL;
    return arena_printf(
        a,
        BEGIN START "SET @crelease_it = (SELECT p.ID FROM " PROCESSES " WHERE %s);\n"
                    "SET @crelease_do = if(@crelease_it IS NULL, 'DO 0', concat('KILL CONNECTION ',"
                    " @crelease_it));\n" DO "SELECT concat_ws(" SEP
                    ", 'signalled', @crelease_it) FROM DUAL WHERE @crelease_it IS NOT NULL;\n",
        is);
}

static const char *there(struct arena *a, long version, const struct db_session *v, size_t n)
{
    (void)version;
    const char *text =
        BEGIN START "SELECT concat_ws(" SEP ", 'there', p.ID) FROM " PROCESSES " WHERE p.ID = 0";

    for (size_t i = 0; i < n; i++) {
        const char *is = is_session(a, &v[i]);
        if (!is)
            return NULL;
        text = arena_printf(a, "%s OR (%s)", text, is);
    }
    return arena_printf(a, "%s;\n", text);
}

/* ---- the migration's own ---- */

#define PORT    "substring_index(p.HOST, ':', -1)"
#define ADDRESS "left(p.HOST, char_length(p.HOST) - char_length(" PORT ") - 1)"
#define IS_DDL                                                                                     \
    "replace(coalesce(p.INFO, ''), char(10), ' ') REGEXP"                                          \
    " '^[[:space:]]*(/[*].*[*]/[[:space:]]*)*(alter|create|drop|rename|truncate|optimize|lock)"    \
    "[[:space:]]'"
#define IS_OWN                                                                                     \
    "(p.DB = database() AND p.ID <> connection_id() AND if(locate(':', p.HOST),"                   \
    " find_in_set(" PORT ", @crelease_ports) > 0 AND (find_in_set(" ADDRESS                        \
    ", @crelease_addresses) > 0 OR " ADDRESS " IN ('localhost', @@hostname,"                       \
    " substring_index(user(), '@', -1))), p.HOST = 'localhost' AND p.USER = " ME                   \
    " AND p.ID > @crelease_first AND " IS_DDL "))"
#define KEY    "concat(',', p.ID, '.', crc32(coalesce(p.INFO, '')), ':')"
#define NOW_MS "cast(unix_timestamp(sysdate(3)) * 1000 AS unsigned)"
#define SINCE                                                                                      \
    "cast(if(locate(" KEY                                                                          \
    ", @crelease_seen), substring_index(substring_index(@crelease_seen, " KEY                      \
    ", -1), ',', 1), " NOW_MS ") AS unsigned)"

/* Since when each waits is counted here: the server tells how long its statement has run. */
static const char waits_begin[] =
    "SET @crelease_first = coalesce(@crelease_first, is_used_lock(" LOCK "), connection_id());\n"
    "SET @crelease_seen = coalesce((SELECT group_concat(concat(" KEY ", " SINCE
    ") SEPARATOR '') FROM " PROCESSES
    " WHERE p.DB = database() AND p.ID <> connection_id() AND " WAITS "), '');\n"
    "SET @crelease_own = coalesce((SELECT group_concat(p.ID) FROM " PROCESSES " WHERE " IS_OWN
    " AND " WAITS "), '');\n"
    "SET @crelease_behind = (SELECT count(*) FROM " PROCESSES " WHERE p.DB = database() AND p.ID <>"
    " connection_id() AND " WAITS " AND NOT find_in_set(p.ID, @crelease_own));\n"
    "SELECT concat_ws(" SEP ", 'maybe', p.ID) FROM " PROCESSES " WHERE p.DB = database() AND p.ID"
    " <> connection_id() AND locate(':', p.HOST) AND " WAITS
    " AND NOT find_in_set(p.ID, @crelease_own) LIMIT 1;\n";

/* Who holds locks on a table that the statement names; where locks cannot be read the dump, the
 * LOCK TABLES or the oldest transaction is guessed, and a guess is never ended. */
static const char waits_holders[] =
    "SET @crelease_holders = '', @crelease_guess = 0, @crelease_do = CASE\n"
    "WHEN @crelease_own = '' THEN 'DO 0'\n"
    "WHEN " HAS_PLUGIN " THEN\n"
    "'SELECT coalesce(group_concat(DISTINCT l.THREAD_ID), '''') INTO @crelease_holders FROM"
    "  information_schema.METADATA_LOCK_INFO l JOIN information_schema.PROCESSLIST w ON"
    "  find_in_set(w.ID, @crelease_own) WHERE l.THREAD_ID <> w.ID AND (l.LOCK_TYPE = ''Table"
    " metadata lock'' AND l.TABLE_SCHEMA = database() AND locate(l.TABLE_NAME, w.INFO) OR"
    "  l.LOCK_MODE IN (''MDL_BACKUP_FTWRL1'', ''MDL_BACKUP_FTWRL2'', ''MDL_BACKUP_WAIT_DDL'',"
    "  ''MDL_BACKUP_WAIT_COMMIT''))'\n"
    "WHEN " HAS_LOCKS " THEN\n"
    "'SELECT coalesce(group_concat(DISTINCT h.PROCESSLIST_ID), '''') INTO @crelease_holders FROM"
    "  performance_schema.metadata_locks w JOIN performance_schema.threads o ON o.THREAD_ID ="
    "  w.OWNER_THREAD_ID AND find_in_set(o.PROCESSLIST_ID, @crelease_own) JOIN"
    "  performance_schema.metadata_locks l ON l.OBJECT_TYPE = w.OBJECT_TYPE AND"
    "  l.OBJECT_SCHEMA <=> w.OBJECT_SCHEMA AND l.OBJECT_NAME <=> w.OBJECT_NAME AND l.LOCK_STATUS ="
    "  ''GRANTED'' AND l.OWNER_THREAD_ID <> w.OWNER_THREAD_ID JOIN performance_schema.threads h ON"
    "  h.THREAD_ID = l.OWNER_THREAD_ID WHERE w.LOCK_STATUS = ''PENDING'''\n"
    "ELSE 'DO 0' END;\n" DO
    "SET @crelease_do = if(@crelease_own = '' OR @crelease_holders <> '', 'DO 0',\n"
    "'SELECT p.ID, 1 INTO @crelease_holders, @crelease_guess FROM information_schema.PROCESSLIST p"
    "  LEFT JOIN (SELECT trx_mysql_thread_id AS id, min(trx_started) AS started FROM"
    "  information_schema.INNODB_TRX GROUP BY trx_mysql_thread_id) t ON t.id = p.ID WHERE p.DB ="
    "  database() AND p.ID <> connection_id() AND NOT find_in_set(p.ID, @crelease_own) AND (t.id IS"
    "  NOT NULL OR p.INFO LIKE ''SELECT /*!40001 SQL_NO_CACHE */%'' OR p.INFO LIKE ''LOCK"
    " TABLES%'') AND coalesce(p.STATE, '''') NOT LIKE ''Waiting for%'' ORDER BY p.INFO LIKE"
    "  ''SELECT /*!40001 SQL_NO_CACHE */%'' DESC, t.started IS NULL, t.started, p.ID LIMIT "
    "1');\n" DO;

/* Of two sessions of the migration one may wait for the other. */
#define BLOCKER(behind, waits_for)                                                                 \
    "SELECT concat_ws(" SEP ", 'blocker', p.ID, CASE WHEN " IS_OWN " THEN 'own' WHEN p.ID IN"      \
    " (coalesce(is_used_lock(" LOCK "), 0), coalesce(is_used_lock(" MARK                           \
    "), 0)) THEN 'crelease' WHEN " IS_DUMP " THEN 'backup' WHEN p.USER = 'system user' THEN"       \
    " 'server' ELSE 'session' END, " IDENTITY ", '', " AGE ", " USER ", '',"                       \
    " concat(CASE WHEN p.COMMAND <> 'Sleep' THEN 'active' WHEN t.id IS NULL THEN 'idle' ELSE"      \
    " 'idle in transaction' END, if(@crelease_guess, ' (a guess)', '')),"                          \
    " if(" MAY_END " AND NOT @crelease_guess, 'yes', 'no'), " behind ", '" waits_for               \
    "', left(" TEXT ", 1000)) FROM " PROCESSES TRANSACTIONS

static const char waits_tell[] = BLOCKER(
    "@crelease_behind", "metadata lock") " WHERE find_in_set(p.ID, @crelease_holders) > 0;\n";

/* An account that may not do so says it; one that has ended by itself is no matter. */
static const char waits_cancel[] =
    "SET @crelease_it = NULL, @crelease_do = 'DO 0';\n"
    "SELECT p.ID, concat('KILL QUERY ' /*M! , 'ID ', p.QUERY_ID */ /*!50700 , p.ID */) INTO"
    " @crelease_it, @crelease_do FROM " PROCESSES
    " WHERE find_in_set(p.ID, @crelease_own) > 0 AND " WAITS " AND (@crelease_crowd OR " NOW_MS
    " >= " SINCE " + @crelease_limit) LIMIT 1;\n"
    "PREPARE crelease_do FROM @crelease_do;\n"
    "EXECUTE crelease_do;\n"
    "SET @crelease_failed = @@error_count;\n"
    "SELECT concat_ws(" SEP ", if(@crelease_failed, 'helpless', 'cancelled'), @crelease_it,"
    " if(@crelease_crowd, 'crowd', 'time'), @crelease_behind) FROM DUAL WHERE @crelease_it IS NOT"
    " NULL AND (NOT @crelease_failed OR EXISTS (SELECT 1 FROM " PROCESSES " WHERE p.ID ="
    " @crelease_it AND " WAITS "));\n";

static const char *waits(struct arena *a, const struct waits *w)
{
    const char *crowd =
        w->max_blocked < 0 ? "0" : arena_printf(a, "@crelease_behind > %ld", w->max_blocked);
    const char *when =
        arena_printf(a, "SET @crelease_crowd = %s, @crelease_limit = %lld;\n", crowd, w->limit_ms);

    return arena_printf(a, "%s%s%s%s%s%s",
                        BEGIN START NAMED
                        "SET @crelease_ports = coalesce(@crelease_ports, ''), @crelease_addresses ="
                        " coalesce(@crelease_addresses, ''), @crelease_seen ="
                        " coalesce(@crelease_seen, '');\n",
                        waits_begin, waits_holders, waits_tell, when, waits_cancel);
}

/* Locks of GET_LOCK are nobody's database's: those of sessions that are in it. */
static const char *lock_holders(struct arena *a, long version, const char *own)
{
    (void)version;
    (void)own;
    return arena_printf(
        a, "%s%s",
        BEGIN START NAMED
        "SET @crelease_guess = 0, @crelease_ports = '', @crelease_addresses = '',"
        " @crelease_first = 9223372036854775807, @crelease_holders = '', @crelease_do = CASE\n"
        "WHEN " HAS_PLUGIN " THEN 'SELECT coalesce(group_concat(DISTINCT l.THREAD_ID), '''') INTO"
        "  @crelease_holders FROM information_schema.METADATA_LOCK_INFO l WHERE l.LOCK_TYPE ="
        "  ''User lock'' AND l.TABLE_SCHEMA NOT LIKE ''crelease%'''\n"
        "WHEN " HAS_LOCKS " THEN"
        " 'SELECT coalesce(group_concat(DISTINCT h.PROCESSLIST_ID), '''') INTO @crelease_holders"
        "  FROM performance_schema.metadata_locks l"
        " JOIN performance_schema.threads h ON h.THREAD_ID"
        "  = l.OWNER_THREAD_ID WHERE l.OBJECT_TYPE = ''USER LEVEL LOCK'' AND l.LOCK_STATUS ="
        "  ''GRANTED'' AND l.OBJECT_NAME NOT LIKE ''crelease%'''\n"
        "ELSE 'DO 0' END;\n" DO,
        BLOCKER(
            "0",
            "advisory") " WHERE find_in_set(p.ID, @crelease_holders) > 0 AND p.DB = database();\n");
}

/* ---- the schema ---- */

/* What migration tools keep their books in is not what they migrate. */
#define TABLE   CLEAN("t.TABLE_NAME")
#define COLUMN  CLEAN("t.COLUMN_NAME")
#define ROUTINE CLEAN("ROUTINE_NAME")
#define NOT_BOOKS                                                                                  \
    " NOT IN ('schema_migrations', 'ar_internal_metadata', 'django_migrations', 'migrations',"     \
    " 'alembic_version', 'flyway_schema_history', 'phinxlog', 'doctrine_migration_versions',"      \
    " 'knex_migrations', 'knex_migrations_lock', '_prisma_migrations', 'SequelizeMeta',"           \
    " 'DATABASECHANGELOG', 'DATABASECHANGELOGLOCK', 'goose_db_version', '__EFMigrationsHistory')"

/* Each table, column and routine with a digest of all that a statement can change about it, without
 * what changes with every row.  Columns only while there are not too many to keep. */
static const char tables_sql[] = BEGIN
    "SET @crelease_columns = (SELECT count(*) FROM information_schema.COLUMNS"
    " WHERE TABLE_SCHEMA = database());\n"
    "SELECT concat_ws(" SEP ", 'table', " TABLE ", md5(concat_ws('|',"
    " t.TABLE_TYPE, coalesce(t.ENGINE, ''), coalesce(t.ROW_FORMAT, ''), coalesce(t.TABLE_COLLATION,"
    " ''), coalesce(t.CREATE_OPTIONS, ''), if(t.TABLE_TYPE = 'VIEW', '', t.TABLE_COMMENT),"
    " coalesce(c.d, ''), coalesce(i.d, ''), coalesce(k.d, ''), coalesce(g.d, ''), coalesce(v.d, "
    "''),"
    " coalesce(s.d, ''))))\n"
    "FROM information_schema.TABLES t\n"
    "LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', COLUMN_NAME, COLUMN_TYPE,"
    " IS_NULLABLE, coalesce(COLUMN_DEFAULT, '~'), EXTRA) ORDER BY ORDINAL_POSITION)) AS d FROM"
    " information_schema.COLUMNS WHERE TABLE_SCHEMA = database() GROUP BY TABLE_NAME) c ON"
    " c.TABLE_NAME = t.TABLE_NAME\n"
    "LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', INDEX_NAME, SEQ_IN_INDEX,"
    " COLUMN_NAME, coalesce(SUB_PART, ''), NON_UNIQUE, INDEX_TYPE) ORDER BY INDEX_NAME,"
    " SEQ_IN_INDEX)) AS d FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = database() GROUP"
    " BY TABLE_NAME) i ON i.TABLE_NAME = t.TABLE_NAME\n"
    "LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', CONSTRAINT_NAME, COLUMN_NAME,"
    " coalesce(REFERENCED_TABLE_NAME, ''), coalesce(REFERENCED_COLUMN_NAME, '')) ORDER BY"
    " CONSTRAINT_NAME, ORDINAL_POSITION)) AS d FROM information_schema.KEY_COLUMN_USAGE WHERE"
    " TABLE_SCHEMA = database() GROUP BY TABLE_NAME) k ON k.TABLE_NAME = t.TABLE_NAME\n"
    "LEFT JOIN (SELECT EVENT_OBJECT_TABLE AS TABLE_NAME, md5(group_concat(concat_ws('|',"
    " TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, md5(ACTION_STATEMENT)) ORDER BY"
    " TRIGGER_NAME)) AS d FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = database()"
    " GROUP BY EVENT_OBJECT_TABLE) g ON g.TABLE_NAME = t.TABLE_NAME\n"
    "LEFT JOIN (SELECT TABLE_NAME, md5(VIEW_DEFINITION) AS d FROM information_schema.VIEWS WHERE"
    " TABLE_SCHEMA = database()) v ON v.TABLE_NAME = t.TABLE_NAME\n"
    "LEFT JOIN (SELECT TABLE_NAME, md5(group_concat(concat_ws('|', coalesce(PARTITION_NAME, ''),"
    " coalesce(SUBPARTITION_NAME, ''), coalesce(PARTITION_DESCRIPTION, '')) ORDER BY"
    " PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION)) AS d FROM"
    " information_schema.PARTITIONS WHERE TABLE_SCHEMA = database() GROUP BY TABLE_NAME) s ON"
    " s.TABLE_NAME = t.TABLE_NAME\n"
    "WHERE t.TABLE_SCHEMA = database() AND t.TABLE_NAME" NOT_BOOKS " ORDER BY t.TABLE_NAME;\n";
static const char columns_sql[] =
    "SELECT concat_ws(" SEP ", 'column', concat(" TABLE ", '.', " COLUMN
    "), left(md5(concat_ws('|', COLUMN_TYPE, IS_NULLABLE, coalesce(COLUMN_DEFAULT, '~'), EXTRA,"
    " coalesce(COLLATION_NAME, ''), COLUMN_COMMENT)), 8)) FROM information_schema.COLUMNS t WHERE"
    " TABLE_SCHEMA = database() AND @crelease_columns <= 10000 AND TABLE_NAME" NOT_BOOKS
    " ORDER BY TABLE_NAME, ORDINAL_POSITION;\n"
    "SELECT concat_ws(" SEP ", 'routine', " ROUTINE ", md5(concat_ws('|',"
    " ROUTINE_TYPE, coalesce(ROUTINE_DEFINITION, '')))) FROM information_schema.ROUTINES WHERE"
    " ROUTINE_SCHEMA = database() ORDER BY ROUTINE_TYPE, ROUTINE_NAME;\n";

static const char *leftovers(struct arena *a, long version)
{
    (void)version;
    return arena_printf(a, "%s%s", tables_sql, columns_sql);
}

/* ---- sessions of ours ---- */

static const char *lock(struct arena *a, long version, const char *application, long idle_s)
{
    (void)version;
    bool migrates = strncmp(application, HOLD_MIGRATION, strlen(HOLD_MIGRATION)) == 0;

    return arena_printf(
        a,
        BEGIN "SET SESSION wait_timeout = %ld;\n"
              "SELECT concat('lock ', CASE WHEN get_lock(" LOCK ", 0) = 1 THEN %s ELSE 'f' END);\n",
        idle_s ? idle_s : 2147483, migrates ? "if(get_lock(" MARK ", 0) = 1, 't', 't')" : "'t'");
}

static const char *environment(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options)
{
    (void)a;
    (void)own;
    (void)version;
    (void)lock_timeout_ms;
    (void)options;
    return NULL; /* no variable reaches its clients */
}

/* ---- for people ---- */

static const char *product(struct arena *a, long version)
{
    long number = version % MARIADB;

    return arena_printf(a, "%s %ld.%ld.%ld", version >= MARIADB ? "MariaDB" : "MySQL",
                        number / 10000, number / 100 % 100, number % 100);
}

static const char *right_missing(struct arena *a, long version, bool super, const char *user)
{
    (void)version;
    (void)super;
    return arena_printf(a,
                        "the account of database.mysql may not stop it; it must be %s itself, or"
                        " have CONNECTION ADMIN (MariaDB), CONNECTION_ADMIN (MySQL 8) or SUPER",
                        user);
}

static const char *mend(struct arena *a, const char *said, const char *account)
{
    if (!strstr(said, "PROCESS privilege"))
        return NULL;
    return arena_printf(a, "without it other sessions are not seen: GRANT PROCESS ON *.* TO %s;",
                        *account ? account : "the account of database.mysql");
}

static const char *const lock_signs[] = {"Lock wait timeout exceeded",
                                         "ER_LOCK_WAIT_TIMEOUT",
                                         "ERROR 1205 ",
                                         "(1205,",
                                         "LockWaitTimeout",
                                         NULL};
static const char *const deadlock_signs[] = {"Deadlock found when trying to get lock",
                                             "ER_LOCK_DEADLOCK",
                                             "ERROR 1213 ",
                                             "(1213,",
                                             "Deadlocked",
                                             NULL};
static const char *const taken_signs[] = {"ConcurrentMigrationError", NULL};
static const char *const none[] = {NULL};
static const char *const exists_signs[] = {"already exists",
                                           "Duplicate column name",
                                           "Duplicate key name",
                                           "ERROR 1050 ",
                                           "ERROR 1060 ",
                                           "ERROR 1061 ",
                                           "(1050,",
                                           "(1060,",
                                           "(1061,",
                                           NULL};

#define ARGS                                                                                       \
    " --batch --skip-column-names --comments --connect-timeout=5 --skip-reconnect"                 \
    " --no-auto-rehash --database=\"$database\""

const struct server server_mysql = {
    .name = "MySQL",
    .product = product,
    .dump = "mysqldump",
    .programs = "mysqldump mariadb-dump",
    .deceived = "gzip -t",
    .unguarded = "going on, and a statement that meets a lock waits as long as the server's"
                 " lock_wait_timeout says",
    .undone = "changed nothing",
    .lasts = true,
    .keeps = true,
    .right_missing = right_missing,
    .mend = mend,
    .lock_signs = lock_signs,
    .deadlock_signs = deadlock_signs,
    .taken_signs = taken_signs,
    .options_signs = none,
    .exists_signs = exists_signs,
    .ask = ARGS,
    .feed = ARGS " --unbuffered --force",
    .hold = ARGS " --unbuffered", /* --force goes on without a connection */
    .look = look,
    .end = end,
    .there = there,
    .size = "SELECT concat_ws(char(31), 'size', cast(coalesce(sum(DATA_LENGTH + INDEX_LENGTH), 0)"
            " AS unsigned)) FROM information_schema.TABLES WHERE TABLE_SCHEMA = database();\n",
    .leftovers = leftovers,
    .waits = waits,
    .clients = script_unnamed_mysql,
    .lock_holders = lock_holders,
    .lock = lock,
    .environment = environment,
};
