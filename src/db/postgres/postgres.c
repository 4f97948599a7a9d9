/* postgres.c -- how PostgreSQL is asked, 8.4 and later.
 *
 * What the versions call differently stands in the first part, and all that is asked is made of it:
 * nothing is sent to a server that it lacks.  A version of 0 is not known yet, and one that is
 * newer than those here is asked like the newest.
 *
 * What is relied on here was tried on each: a dump is one transaction with one virtual
 * transaction id, so pid and that id name it exactly, for any role; pg_cancel_backend answers yes
 * and does nothing to a dump that is idle in its transaction. */
#include "db/server.h"

#include "base/embed.h"
#include "base/text.h"
#include "db/postgres/unnamed.h"
#include "db/client.h"

EMBED(script_adopt, "db/postgres/unnamed.sh");

enum { SQL_BYTES_MAX = 32 * 1024 };

enum {
    FIRST = 80400,         /* with common table expressions */
    NAMED = 90000,         /* application_name */
    STATED = 90200,        /* pid, state and query; a role may end its own sessions */
    LOCK_TIMEOUT = 90300,  /* lock_timeout */
    MEMBERS = 90500,       /* a role may end sessions of those it is a member of; TABLESAMPLE */
    BLOCKING_PIDS = 90600, /* pg_blocking_pids, wait_event_type, pg_signal_backend */
    BACKEND_TYPE = 100000,
    BUILDS_SHOWN = 120000, /* pg_stat_progress_create_index */
    DETACHES = 140000,     /* and pg_stat_progress_copy, waitstart, the check of the connection */
};

#define A_COPIES_OUT DB_COPY_OUT("a.query")
#define B_COPIES_OUT DB_COPY_OUT("b.query")
#define NAMED_SO     "a.application_name = '%s' AND a.pid <> pg_backend_pid()"
#define ARGS         " -XAtqw -F \"$separator\" ${database:+-d \"$database\"} -f -"

/* What is asked stands between these two.  Names mean the server's own things then, whatever the
 * owner of the database has put into its schemas and its settings: who asks may be a superuser, and
 * runs nobody's operators, casts and functions.  In a transaction, so that nothing of it stays in a
 * session that a pooler hands to somebody else. */
#define BEGIN "BEGIN;\nSET LOCAL search_path = pg_catalog;\n"
#define END   "COMMIT;\n"

/* ---- versions ---- */

static bool has(long version, long since)
{
    return version == 0 || version >= since;
}

/* The sessions, with the columns of today.  Before 9.2 the state stands in the place of the
 * statement, in angle brackets. */
static const char *sessions(struct arena *a, long version)
{
    if (has(version, STATED))
        return "pg_catalog.pg_stat_activity";
    return arena_printf(
        a,
        "(SELECT s.datname, s.procpid AS pid, s.usesysid, s.usename, %s AS application_name,"
        " s.client_port, s.backend_start, s.xact_start, s.query_start,"
        " CASE WHEN s.current_query LIKE '<IDLE>%%'"
        " THEN lower(translate(s.current_query, '<>', ''))"
        " WHEN s.current_query NOT LIKE '<%%' THEN 'active' END AS state,"
        " CASE WHEN s.current_query NOT LIKE '<%%' THEN s.current_query END AS query"
        " FROM pg_catalog.pg_stat_activity s)",
        has(version, NAMED) ? "s.application_name" : "''::text");
}

/* Whether this role, me, may end a session of the role o; about superusers see there. */
static const char *may_end(long version)
{
    return has(version, BLOCKING_PIDS)
               ? "(pg_has_role(o.oid, 'USAGE') OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles g"
                 " WHERE g.rolname = 'pg_signal_backend' AND pg_has_role(g.oid, 'USAGE')))"
           : has(version, MEMBERS) ? "pg_has_role(o.oid, 'USAGE')"
           : has(version, STATED)  ? "o.oid = me.oid"
                                   : "false"; /* superusers may */
}

static const char *product(struct arena *a, long version)
{
    return version < BACKEND_TYPE
               ? arena_printf(a, "PostgreSQL %ld.%ld", version / 10000, version / 100 % 100)
               : arena_printf(a, "PostgreSQL %ld", version / 10000);
}

/* ---- backups ---- */

/* From 14 on, and only for those who may see it: a dump that writes moves here. */
static const char copied_sql[] =
    "SELECT 'copied', p.pid, p.bytes_processed::text FROM pg_catalog.pg_stat_progress_copy p\n"
    "WHERE p.bytes_processed IS NOT NULL;\n";

/* Sessions that are, or look like, a backup of this database, and our own of this run.  A role
 * without rights sees the name, the locks and the virtual transaction, and NULL for the rest. */
static const char *look(struct arena *a, const char *own, long version)
{
    const char *all = sessions(a, version);

    if (!has(version, FIRST))
        return NULL;
    return arena_printf(
        a,
        BEGIN
        "SET LOCAL statement_timeout = '30s';\n"
        "SELECT 'version', current_setting('server_version_num');\n"
        "WITH k AS (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l\n"
        "  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')\n"
        "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace\n"
        "   AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'\n"
        "  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()\n"
        " WHERE l.locktype = 'relation' AND l.mode = 'AccessShareLock'"
        " AND l.granted GROUP BY l.pid),\n"
        "h AS (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l\n"
        "  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()\n"
        " WHERE l.locktype = 'advisory' AND (l.classid::bigint, l.objid::bigint) = (" HOLD_KEYS
        ")\n"
        "  AND l.objsubid = 2 AND l.granted),\n"
        "t AS (SELECT count(*) AS n FROM pg_catalog.pg_class c\n"
        "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace\n"
        " WHERE c.relkind IN ('r', 'p') AND s.nspname <> 'information_schema'"
        " AND s.nspname !~ '^pg_'),\n"
        "x AS (SELECT a.*, coalesce(k.n, 0) AS locked, t.n AS tables, v.virtualxid AS vxid,\n"
        "  CASE WHEN a.application_name = '%s' THEN 'own'\n"
        "       WHEN h.pid IS NOT NULL THEN\n"
        "         CASE WHEN a.application_name LIKE '" HOLD_MIGRATION
        "_%%' THEN 'migration' ELSE 'hold' END\n"
        "       WHEN a.application_name = 'pg_dumpall' THEN 'pg_dumpall'\n"
        "       WHEN a.datname <> current_database() THEN NULL\n"
        "       WHEN a.application_name = 'pg_dump' THEN 'pg_dump'\n"
        "       WHEN coalesce(k.n, 0) >= 3 AND k.n >= 0.8 * t.n THEN 'dump-like'\n"
        "       WHEN " A_COPIES_OUT " THEN 'copy' END AS kind\n"
        " FROM %s a CROSS JOIN t LEFT JOIN k ON k.pid = a.pid LEFT"
        " JOIN h ON h.pid = a.pid\n"
        " LEFT JOIN pg_catalog.pg_locks v ON v.pid = a.pid"
        " AND v.locktype = 'virtualxid' AND "
        "v.granted\n"
        "  AND v.virtualxid = v.virtualtransaction"
        " WHERE a.pid <> pg_catalog.pg_backend_pid())\n"
        "SELECT 'session', x.kind, x.pid, coalesce(x.vxid, ''),\n"
        "  coalesce((extract(epoch FROM x.backend_start) *"
        " 1000000)::bigint::text, ''),\n"
        "  coalesce(floor(extract(epoch FROM clock_timestamp() -"
        " coalesce(x.xact_start, "
        "x.backend_start)))::bigint::text, ''),\n"
        "  translate(coalesce(x.datname::text, ''), chr(10) || chr(31), '  '),\n"
        "  translate(coalesce(x.usename::text, ''), chr(10) || chr(31), '  '),\n"
        "  translate(coalesce(x.application_name, ''), chr(10) || chr(31), '  '),\n"
        "  CASE WHEN x.kind IN ('pg_dump', 'dump-like', 'own') THEN\n"
        "         CASE WHEN x.vxid IS NULL THEN 'no' ELSE 'yes' END\n"
        "       WHEN x.kind IN ('hold', 'migration') THEN 'yes'\n"
        "       WHEN x.kind = 'pg_dumpall' AND NOT EXISTS (SELECT 1 FROM %s o\n"
        "         WHERE o.application_name = 'pg_dump'"
        " AND o.datname > current_database()\n"
        "         AND o.datname <> 'template1') THEN 'yes' ELSE 'no' END,\n"
        "  CASE WHEN me.rolsuper THEN 'yes' WHEN o.rolsuper IS NOT FALSE"
        " THEN 'super'\n"
        "       WHEN %s THEN 'yes' ELSE 'no' END,\n"
        "  CASE WHEN x.query = '<insufficient privilege>' THEN '' ELSE\n"
        "   translate(substr(coalesce(x.query, ''), 1, 1000), "
        "chr(10) || chr(13) || chr(9) || "
        "chr(31), "
        "'    ') END,\n"
        "  coalesce(x.client_port::text, ''), x.locked, x.tables\n"
        "FROM x JOIN pg_catalog.pg_roles me ON me.rolname = current_user\n"
        "LEFT JOIN pg_catalog.pg_roles o ON o.oid = x.usesysid\n"
        "WHERE x.kind IS NOT NULL ORDER BY x.locked DESC, x.pid;\n%s" END,
        own, all, all, may_end(version), version >= DETACHES ? copied_sql : "");
}

/* All tables in pg_dump's order; then a few pages of each of the largest, each in a part of the
 * transaction that is taken back, so that its lock is held for a quarter of a second at most.  What
 * fails is left out, and so is what only the rules of somebody's row security could read.  By pages
 * and not by reltuples, which only ANALYZE keeps; by format(), since a cast of the row to text may
 * be the owner's. */
static const char sample_sql[] =
    "\\set ON_ERROR_STOP 0\n" BEGIN
    "SET LOCAL lock_timeout = '200ms';\nSET LOCAL row_security = off;\n"
    "SET LOCAL statement_timeout = '5s';\n"
    "SELECT 'table', translate(quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
    " chr(10) || chr(31), '  '), pg_table_size(c.oid)\n"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
    " WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'\n"
    " ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\" LIMIT 5000;\n"
    "SET LOCAL statement_timeout = '250ms';\n"
    "SELECT 'SAVEPOINT one',"
    " format('SELECT ''text'', %L, (coalesce(sum(octet_length(format(''%%s'', crelease_row.*))), 0)"
    " * %s / greatest(count(DISTINCT split_part(crelease_row.ctid::text, '','', 1)), 1))::bigint"
    " FROM ONLY %s crelease_row TABLESAMPLE SYSTEM (%s)',\n"
    "  translate(t.name, chr(10) || chr(31), '  '), t.pages, t.name,"
    " least(100, 3000.0 / greatest(t.pages, 1))),\n"
    "  'ROLLBACK TO one'\n"
    " FROM (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name,\n"
    "   pg_relation_size(c.oid) / current_setting('block_size')::int AS pages\n"
    "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace\n"
    "  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'\n"
    "   AND has_table_privilege(c.oid, 'SELECT')\n"
    "  ORDER BY pg_table_size(c.oid) DESC LIMIT 20) t\n\\gexec\n" END;

static const char *sample(struct arena *a, long version)
{
    (void)a;
    return version >= MEMBERS ? sample_sql : NULL;
}

/* ---- one session ---- */

/* A condition on the alias a that is true of exactly this session; NULL when too little of it could
 * be seen. */
static const char *is_session(struct arena *a, const struct db_session *s)
{
    const char *text = arena_printf(a, "a.pid = %ld AND a.pid <> pg_backend_pid()", s->pid);

    if (s->pid <= 0 || (!db_is_number(s->start) && !db_is_vxid(s->transaction)))
        return NULL;
    if (db_is_number(s->start))
        text =
            arena_printf(a, "%s AND (extract(epoch FROM a.backend_start) * 1000000)::bigint = %s",
                         text, s->start);
    if (db_is_vxid(s->transaction))
        text = arena_printf(a,
                            "%s AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l"
                            " WHERE l.pid = a.pid AND l.locktype ="
                            " 'virtualxid' AND l.granted AND l.virtualxid = '%s')",
                            text, s->transaction);
    return text;
}

static const char *end(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way)
{
    const char *is = is_session(a, s);

    if (!is || (application && !server_is_name(application)))
        return NULL;
    return arena_printf(
        a, BEGIN "SELECT 'signalled', %s(a.pid) FROM %s a WHERE %s%s;\n" END,
        way == WAY_CANCEL ? "pg_cancel_backend" : "pg_terminate_backend", sessions(a, version), is,
        application ? arena_printf(a, " AND a.application_name = '%s'", application) : "");
}

static const char *right_missing(struct arena *a, long version, bool super, const char *user)
{
    const char *of_super = "database.psql in the recipe must be a superuser's for that"
                           " (sudo -n -u postgres psql)";

    if (super)
        return arena_printf(
            a, "it is a superuser's%s; %s",
            has(version, BLOCKING_PIDS) ? ", whose sessions pg_signal_backend does not reach" : "",
            of_super);
    if (!has(version, STATED))
        return arena_printf(a, "on %s only a superuser may stop it; %s", product(a, version),
                            of_super);
    return arena_printf(a,
                        "this role of the database may not stop it; it needs the role %s%s%s, or"
                        " database.psql in the recipe must be one that may",
                        has(version, BLOCKING_PIDS) ? "pg_signal_backend, or " : "", user,
                        has(version, BLOCKING_PIDS) ? " itself" : "");
}

static const char *there(struct arena *a, long version, const struct db_session *v, size_t n)
{
    const char *text =
        arena_printf(a, BEGIN "SELECT 'there', a.pid FROM %s a WHERE false", sessions(a, version));

    for (size_t i = 0; i < n; i++) {
        const char *is = is_session(a, &v[i]);
        if (!is)
            return NULL;
        text = arena_printf(a, "%s OR (%s)", text, is);
    }
    return arena_printf(a, "%s;\n" END, text);
}

/* A condition on the alias a: sessions of the run, since 9.6 also those of another name that were
 * found to be its (adopt.h). */
static const char *ours(struct arena *a, long version, const char *own)
{
    return has(version, BLOCKING_PIDS) ? adopt_tag(a, own) : arena_printf(a, NAMED_SO, own);
}

static const char *end_own(struct arena *a, long version, const char *own)
{
    return arena_printf(
        a,
        BEGIN "SELECT pg_terminate_backend(a.pid) FROM %s a"
              " WHERE " NAMED_SO ";\n" END "%s",
        sessions(a, version), own,
        has(version, BLOCKING_PIDS) ? arena_printf(a, BEGIN "%s\n" END, adopt_last_sql) : "");
}

static const char *named(struct arena *a, long version)
{
    return arena_printf(
        a,
        BEGIN
        "SELECT 'ghost', a.application_name, a.pid, coalesce((extract(epoch FROM a.backend_start) *"
        " 1000000)::bigint::text, ''), coalesce((SELECT l.virtualxid FROM pg_catalog.pg_locks l"
        " WHERE l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted AND l.virtualxid ="
        " l.virtualtransaction LIMIT 1), '') FROM %s a WHERE a.datname ="
        " current_database() AND a.application_name LIKE 'crelease-%%';\n" END,
        sessions(a, version));
}

/* ---- who holds what ---- */

/* They stay in the database: the watch's answers lie in a file of the host.  Rather too much of a
 * statement is left out than too little. */
#define WITHOUT_LITERALS                                                                           \
    "$x$\\m[eE]'([^'\\\\]|\\\\.|'')*('|$)|'([^']|'')*('|$)|\\$([A-Za-z_]*)\\$.*?(\\$\\5\\$|$)$x$," \
    " '''...''', 'g'"

/* The fields of one row, of p.pid, with b its activity or NULLs, w.behind and w.waits_for.  A
 * session that holds share locks on most tables is a backup, whatever it calls itself. */
static void put_columns(struct buf *b, const char *own, long version)
{
    buf_printf(b,
               "SELECT 'blocker', p.pid, CASE WHEN p.pid = 0 THEN 'prepared'"
               " WHEN b.application_name = '%s' THEN 'own'"
               " WHEN b.application_name LIKE 'crelease-%%' THEN 'crelease'"
               " WHEN b.application_name IN ('pg_dump', 'pg_dumpall') OR " B_COPIES_OUT
               "  OR b.query ~* '_pg_dump_cursor' THEN 'backup' WHEN %s"
               " THEN 'server'"
               " WHEN k.n >= 3 AND k.n >= 0.8 * (SELECT count(*) FROM pg_catalog.pg_class c"
               "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace"
               " WHERE c.relkind IN ('r', 'p')"
               "  AND s.nspname <> 'information_schema'"
               " AND s.nspname !~ '^pg_') THEN 'backup'"
               " ELSE 'session' END,",
               own,
               has(version, BACKEND_TYPE) ? "b.backend_type <> 'client backend'"
                                          : "b.query ~ '^autovacuum: '");
    buf_printf(
        b,
        " coalesce((SELECT v.virtualxid FROM pg_catalog.pg_locks v WHERE v.pid = p.pid"
        " AND v.locktype ="
        "  'virtualxid' AND v.granted AND v.virtualxid = v.virtualtransaction LIMIT 1), ''),"
        " coalesce((extract(epoch FROM b.backend_start) * 1000000)::bigint::text, ''),"
        " coalesce(floor(extract(epoch FROM clock_timestamp() - b.xact_start))::bigint::text, ''),"
        " regexp_replace(coalesce(b.usename::text, ''), '[[:cntrl:]]', ' ', 'g'),"
        " regexp_replace(coalesce(b.application_name, ''), '[[:cntrl:]]', ' ', 'g'), "
        "coalesce(b.state, ''),"
        " CASE WHEN b.pid IS NULL OR b.pid = pg_backend_pid() THEN 'no' WHEN me.rolsuper THEN 'yes'"
        "  WHEN o.rolsuper IS NOT FALSE THEN 'no' WHEN %s"
        " THEN 'yes' ELSE 'no' END, w.behind, w.waits_for,"
        " CASE WHEN b.query = '<insufficient privilege>' THEN '' ELSE"
        "  regexp_replace(regexp_replace(substr(coalesce(b.query, ''), 1, 1000), " WITHOUT_LITERALS
        "), '[[:cntrl:]]', ' ', 'g') END",
        may_end(version));
}

/* Joins of these columns; p and w are there already. */
static void put_joins(struct buf *b, struct arena *a, long version)
{
    buf_printf(
        b,
        " LEFT JOIN %s b ON b.pid = p.pid"
        " LEFT JOIN pg_catalog.pg_roles me ON me.rolname = current_user"
        " LEFT JOIN pg_catalog.pg_roles o ON o.oid = b.usesysid"
        " LEFT JOIN (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l"
        "  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')"
        "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace AND s.nspname <>"
        "   'information_schema' AND s.nspname !~ '^pg_'"
        "  WHERE l.mode = 'AccessShareLock' AND l.granted AND l.database = (SELECT d.oid FROM"
        "   pg_catalog.pg_database d WHERE d.datname = current_database()) GROUP BY l.pid) k  ON"
        " k.pid = p.pid",
        sessions(a, version));
}

/* Of the eight modes of a lock, from the weakest, those that each excludes, as bits. */
static const char *const modes[] = {
    "AccessShare", "RowShare",          "RowExclusive", "ShareUpdateExclusive",
    "Share",       "ShareRowExclusive", "Exclusive",    "AccessExclusive"};
static const unsigned char excludes[] = {0x80, 0xc0, 0xf0, 0xf8, 0xec, 0xfc, 0xfe, 0xff};

/* In front of each statement of the watch: w, the sessions of ours that wait, since when, how many
 * wait for them, and for what.
 *
 * What pg_blocking_pids tells since 9.6 is made of the locks before: g has for each who waits those
 * whose lock, or wish for one, excludes the wish.  Whose wish came first is not to be seen there:
 * who only stands in front of us in the queue is not named, and counts as one behind us. */
static void put_waiters(struct buf *b, struct arena *a, const struct waits *w)
{
    buf_puts(b, BEGIN);
    if (has(w->version, BLOCKING_PIDS)) {
        buf_printf(
            b,
            "WITH w AS (SELECT a.pid, %s AS since, (SELECT count(*) FROM"
            " pg_catalog.pg_stat_activity q WHERE q.wait_event_type = 'Lock'"
            " AND a.pid = ANY (pg_blocking_pids(q.pid))) AS behind,"
            " coalesce((SELECT l.locktype FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT"
            " l.granted LIMIT 1), '') AS waits_for"
            " FROM pg_catalog.pg_stat_activity a WHERE %s AND a.wait_event_type = 'Lock') ",
            has(w->version, DETACHES)
                ? "coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid"
                  " AND NOT l.granted), a.query_start)"
                : "a.query_start",
            ours(a, w->version, w->own));
        return;
    }
    buf_puts(b, "WITH l AS (SELECT * FROM pg_catalog.pg_locks), c (held, wanted) AS (VALUES");
    for (size_t held = 0; held < 8; held++)
        for (size_t wanted = 0; wanted < 8; wanted++)
            if (excludes[held] & 1 << wanted)
                buf_printf(b, "%s ('%sLock', '%sLock')", held + wanted == 7 && !held ? "" : ",",
                           modes[held], modes[wanted]);
    buf_printf(
        b,
        "), g AS (SELECT o.pid AS waiter, coalesce(h.pid, 0) AS pid, h.granted FROM l o JOIN l h"
        " ON h.pid IS DISTINCT FROM o.pid AND h.locktype = o.locktype"
        " AND h.database IS NOT DISTINCT FROM o.database"
        " AND h.relation IS NOT DISTINCT FROM o.relation"
        " AND h.page IS NOT DISTINCT FROM o.page AND h.tuple IS NOT DISTINCT FROM o.tuple"
        " AND h.virtualxid IS NOT DISTINCT FROM o.virtualxid"
        " AND h.transactionid IS NOT DISTINCT FROM o.transactionid"
        " AND h.classid IS NOT DISTINCT FROM o.classid AND h.objid IS NOT DISTINCT FROM o.objid"
        " AND h.objsubid IS NOT DISTINCT FROM o.objsubid"
        " JOIN c ON c.held = h.mode AND c.wanted = o.mode WHERE NOT o.granted),"
        " w AS (SELECT a.pid, a.query_start AS since,"
        " (SELECT count(DISTINCT g.waiter) FROM g WHERE g.pid = a.pid) AS behind, o.locktype AS"
        " waits_for FROM %s a JOIN l o ON o.pid = a.pid AND NOT o.granted WHERE %s) ",
        sessions(a, w->version), ours(a, w->version, w->own));
}

static const char *waits(struct arena *a, const struct waits *w)
{
    const char *crowd =
        w->max_blocked < 0 ? "false" : arena_printf(a, "w.behind > %ld", w->max_blocked);
    bool shown = has(w->version, BLOCKING_PIDS);
    struct buf b = buf_make(SQL_BYTES_MAX);

    if (w->version < NAMED)
        return NULL; /* not to be told from others */
    put_waiters(&b, a, w);
    put_columns(&b, w->own, w->version);
    buf_puts(&b, shown ? " FROM w CROSS JOIN LATERAL (SELECT DISTINCT u.u FROM "
                         "unnest(pg_blocking_pids(w.pid)) u) p(pid)"
                       : " FROM w JOIN (SELECT DISTINCT g.waiter, g.pid FROM g WHERE g.granted) p"
                         " ON p.waiter = w.pid");
    put_joins(&b, a, w->version);
    /* Who holds the lock comes before those who only stand in front of us in the queue. */
    buf_puts(&b, shown ? " ORDER BY b.wait_event_type IS NOT DISTINCT FROM 'Lock', b.xact_start;\n"
                       : " ORDER BY b.xact_start;\n");
    buf_puts(&b, END);
    if (shown)
        buf_printf(&b,
                   BEGIN "SELECT 'behind', q.pid FROM pg_catalog.pg_stat_activity q WHERE"
                         " q.application_name = 'pg_dump' AND q.wait_event_type = 'Lock' AND EXISTS"
                         " (SELECT 1 FROM pg_catalog.pg_stat_activity a WHERE %s"
                         " AND a.pid = ANY (pg_blocking_pids(q.pid)));\n" END,
                   ours(a, w->version, w->own));
    else {
        put_waiters(&b, a, w);
        buf_printf(&b,
                   "SELECT DISTINCT 'behind', q.pid FROM %s q JOIN g ON g.waiter = q.pid JOIN %s a"
                   " ON a.pid = g.pid WHERE q.application_name = 'pg_dump' AND %s;\n" END,
                   sessions(a, w->version), sessions(a, w->version), ours(a, w->version, w->own));
    }
    put_waiters(&b, a, w);
    buf_printf(&b,
               "SELECT 'cancelled', w.pid, CASE WHEN %s THEN 'crowd' ELSE 'time' END, w.behind,"
               " pg_cancel_backend(w.pid) FROM w WHERE (%s"
               " OR clock_timestamp() - w.since >= interval '%lld ms')",
               crowd, crowd, w->limit_ms);
    /* There only superusers may, and others do not try. */
    if (!has(w->version, STATED)) {
        static const char super[] = "EXISTS (SELECT 1 FROM pg_catalog.pg_roles me"
                                    " WHERE me.rolname = current_user AND me.rolsuper)";
        buf_printf(&b, " AND %s;\n" END, super);
        put_waiters(&b, a, w);
        buf_printf(&b,
                   "SELECT 'helpless', w.pid FROM w WHERE clock_timestamp() - w.since >="
                   " interval '%lld ms' AND NOT %s",
                   w->limit_ms, super);
    }
    buf_puts(&b, ";\n" END);
    if (shown)
        buf_printf(&b, BEGIN "%s\n" END, adopt_look_sql);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

static const char *lock_holders(struct arena *a, long version, const char *own)
{
    struct buf b = buf_make(SQL_BYTES_MAX);

    buf_puts(&b, BEGIN);
    put_columns(&b, own, version);
    buf_puts(&b, " FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = "
                 "'advisory' AND l.granted"
                 "  AND l.pid <> pg_backend_pid() AND l.database = (SELECT d.oid"
                 " FROM pg_catalog.pg_database d"
                 "  WHERE d.datname = current_database())) p CROSS"
                 " JOIN (SELECT 0 AS behind, 'advisory'::text AS"
                 " waits_for) w");
    put_joins(&b, a, version);
    buf_puts(&b, ";\n" END);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

/* ---- what is left ---- */

/* One that is being built at this moment is not valid either. */
static const char indexes_sql[] =
    "SELECT 'index', regexp_replace(quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
    " '[[:cntrl:]]', ' ', 'g')\n"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
    " AND c.relkind = 'i'\n"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE (NOT i.indisvalid OR NOT i.indisready)\n";
static const char built_now_sql[] =
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p"
    " WHERE p.index_relid = c.oid)\n";
static const char detaches_sql[] =
    "SELECT 'detach', regexp_replace(h.inhparent::regclass::text, '[[:cntrl:]]', ' ', 'g'),\n"
    " regexp_replace(h.inhrelid::regclass::text, '[[:cntrl:]]', ' ', 'g')\n"
    " FROM pg_catalog.pg_inherits h WHERE h.inhdetachpending ORDER BY 2, 3;\n";
static const char deadlocks_sql[] =
    "SELECT 'deadlocks', d.deadlocks FROM pg_catalog.pg_stat_database d"
    " WHERE d.datname = current_database();\n";

static const char *leftovers(struct arena *a, long version)
{
    return arena_printf(a, BEGIN "%s%s ORDER BY 2;\n%s%s" END, indexes_sql,
                        version >= BUILDS_SHOWN ? built_now_sql : "",
                        version >= DETACHES ? detaches_sql : "",
                        version >= STATED ? deadlocks_sql : "");
}

/* ---- sessions of ours ---- */

/* Settings that are not known to a server are not there to be set.  Keepalives, for the session of
 * a machine that is gone: on a local socket they have no effect. */
#define LOCK_SQL                                                                                   \
    "%s"                                                                                           \
    "SELECT 'set', count(pg_catalog.set_config(s.name, v.value, false)) FROM "                     \
    "pg_catalog.pg_settings s"                                                                     \
    " JOIN (VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), ('idle_session_timeout', "   \
    "'%lds'),"                                                                                     \
    " ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', " \
    "'3'))"                                                                                        \
    " AS v (name, value) ON v.name = s.name;\n"                                                    \
    "SELECT 'lock ' || CASE WHEN pg_catalog.pg_try_advisory_lock(" HOLD_KEYS                       \
    ") THEN 't' ELSE 'f' END;\n"

static const char *lock(struct arena *a, long version, const char *application, long idle_s)
{
    const char *name =
        has(version, NAMED) ? arena_printf(a, "SET application_name = '%s';\n", application) : "";

    return arena_printf(a, BEGIN LOCK_SQL END, name, idle_s);
}

/* PGOPTIONS reaches everything that uses libpq, and node-postgres.  A server that does not know
 * a setting refuses the connection, so each goes only where it is known. */
static const char *environment(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options)
{
    if (version < LOCK_TIMEOUT || !options)
        return arena_printf(a, "export PGAPPNAME=%s\n", own);
    return arena_printf(
        a, "export PGAPPNAME=%s PGOPTIONS=\"${PGOPTIONS:+$PGOPTIONS }-c lock_timeout=%lld%s\"\n",
        own, lock_timeout_ms,
        version >= DETACHES ? " -c client_connection_check_interval=2000" : "");
}

/* ---- for people ---- */

static const char *mend(struct arena *a, const char *said, const char *account)
{
    (void)a;
    (void)said;
    (void)account;
    return NULL;
}

/* The message as a whole: tools and scripts speak of a "lock timeout" also when none was met. */
static const char *const lock_signs[] = {"55P03", "canceling statement due to lock timeout",
                                         "LockNotAvailable", "LockWaitTimeout", NULL};
static const char *const deadlock_signs[] = {"40P01", "Deadlocked", "deadlock detected",
                                             "DeadlockDetected", NULL};
static const char *const taken_signs[] = {"ConcurrentMigrationError", NULL};

/* What PgBouncer says of PGOPTIONS; psql and the drivers pass it on. */
static const char *const options_signs[] = {"unsupported startup parameter: options",
                                            "unsupported startup parameter in options", NULL};
static const char *const exists_signs[] = {"already exists",
                                           "PG::DuplicateTable",
                                           "PG::DuplicateColumn",
                                           "PG::DuplicateObject",
                                           "42P07",
                                           "42701",
                                           "42710",
                                           NULL};

const struct server server_postgresql = {
    .name = "PostgreSQL",
    .product = product,
    .dump = "pg_dump",
    .dump_all = "pg_dumpall",
    .programs = "pg_dump pg_dumpall",
    .deceived = "gzip -t or pg_restore -l",
    .unguarded = "going on, since no statement waits longer than lock_timeout",
    .undone = "that transaction was rolled back",
    .mend = mend,
    .lock_signs = lock_signs,
    .deadlock_signs = deadlock_signs,
    .taken_signs = taken_signs,
    .options_signs = options_signs,
    .exists_signs = exists_signs,
    .ask = " -v ON_ERROR_STOP=1" ARGS,
    .feed = ARGS,
    .hold = ARGS,
    .look = look,
    .end = end,
    .right_missing = right_missing,
    .there = there,
    .named = named,
    .size =
        BEGIN "SET LOCAL statement_timeout = '5s';\n"
              "SELECT 'size', pg_catalog.pg_database_size(pg_catalog.current_database());\n" END,
    .sample = sample,
    .leftovers = leftovers,
    .waits = waits,
    .clients = script_adopt,
    .watched_since = NAMED,
    .bounded_since = STATED,
    .end_own = end_own,
    .lock_holders = lock_holders,
    .lock = lock,
    .environment = environment,
};
