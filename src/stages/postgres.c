/* postgres.c -- how PostgreSQL is asked.
 *
 * What is relied on here was tried on 9.2 to 17: a dump is one transaction with one virtual
 * transaction id, so pid and that id name it exactly, for any role; pg_cancel_backend answers yes
 * and does nothing to a dump that is idle in its transaction. */
#include "stages/server.h"

#include "base/text.h"
#include "stages/adopt.h"
#include "stages/db.h"
#include "stages/stages.h"

enum { SQL_BYTES_MAX = 32 * 1024 };

#define ARGS " -XAtq -F \"$separator\" ${database:+-d \"$database\"} -f -"

/* ---- backups ---- */

/* Sessions that are, or look like, a backup of this database, and our own of this run.  A role
 * without rights sees the name, the locks and the virtual transaction, and NULL for the rest. */
static const char look_sql[] =
    "SET statement_timeout = '30s';\n"
    "SELECT 'version', current_setting('server_version_num');\n"
    "WITH k AS (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l\n"
    "  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')\n"
    "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace\n"
    "   AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'\n"
    "  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()\n"
    " WHERE l.locktype = 'relation' AND l.mode = 'AccessShareLock' AND l.granted GROUP BY l.pid),\n"
    "h AS (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l\n"
    "  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = current_database()\n"
    " WHERE l.locktype = 'advisory' AND (l.classid::bigint, l.objid::bigint) = (" HOLD_KEYS ")\n"
    "  AND l.objsubid = 2 AND l.granted),\n"
    "t AS (SELECT count(*) AS n FROM pg_catalog.pg_class c\n"
    "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace\n"
    " WHERE c.relkind IN ('r', 'p') AND s.nspname <> 'information_schema' AND s.nspname !~ "
    "'^pg_'),\n"
    "x AS (SELECT a.*, coalesce(k.n, 0) AS locked, t.n AS tables, v.virtualxid AS vxid,\n"
    "  CASE WHEN a.application_name = '%s' THEN 'own'\n"
    "       WHEN h.pid IS NOT NULL THEN\n"
    "         CASE WHEN a.application_name LIKE '" HOLD_MIGRATION
    "_%' THEN 'migration' ELSE 'hold' END\n"
    "       WHEN a.application_name = 'pg_dumpall' THEN 'pg_dumpall'\n"
    "       WHEN a.datname <> current_database() THEN NULL\n"
    "       WHEN a.application_name = 'pg_dump' THEN 'pg_dump'\n"
    "       WHEN coalesce(k.n, 0) >= 3 AND k.n >= 0.8 * t.n THEN 'dump-like'\n"
    "       WHEN " DB_COPY_OUT("a.query") " THEN 'copy' END AS kind\n"
    " FROM pg_catalog.pg_stat_activity a CROSS JOIN t LEFT JOIN k ON k.pid = a.pid LEFT JOIN h ON "
    "h.pid = a.pid\n"
    " LEFT JOIN pg_catalog.pg_locks v ON v.pid = a.pid AND v.locktype = 'virtualxid' AND "
    "v.granted\n"
    "  AND v.virtualxid = v.virtualtransaction WHERE a.pid <> pg_catalog.pg_backend_pid())\n"
    "SELECT 'session', x.kind, x.pid, coalesce(x.vxid, ''),\n"
    "  coalesce((extract(epoch FROM x.backend_start) * 1000000)::bigint::text, ''),\n"
    "  coalesce(floor(extract(epoch FROM clock_timestamp() - coalesce(x.xact_start, "
    "x.backend_start)))::bigint::text, ''),\n"
    "  translate(coalesce(x.datname::text, ''), chr(10) || chr(31), '  '),\n"
    "  translate(coalesce(x.usename::text, ''), chr(10) || chr(31), '  '),\n"
    "  translate(coalesce(x.application_name, ''), chr(10) || chr(31), '  '),\n"
    "  CASE WHEN x.kind IN ('pg_dump', 'dump-like', 'own') THEN\n"
    "         CASE WHEN x.vxid IS NULL THEN 'no' ELSE 'yes' END\n"
    "       WHEN x.kind IN ('hold', 'migration') THEN 'yes'\n"
    "       WHEN x.kind = 'pg_dumpall' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity "
    "o\n"
    "         WHERE o.application_name = 'pg_dump' AND o.datname > current_database()\n"
    "         AND o.datname <> 'template1') THEN 'yes' ELSE 'no' END,\n"
    "  CASE WHEN me.rolsuper THEN 'yes' WHEN o.rolsuper IS NOT FALSE THEN 'super'\n"
    "       WHEN pg_has_role(o.oid, 'USAGE') OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles g\n"
    "         WHERE g.rolname = 'pg_signal_backend' AND pg_has_role(g.oid, 'USAGE')) THEN 'yes'\n"
    "       ELSE 'no' END,\n"
    "  CASE WHEN x.query = '<insufficient privilege>' THEN '' ELSE\n"
    "   translate(substr(coalesce(x.query, ''), 1, 1000), chr(10) || chr(13) || chr(9) || chr(31), "
    "'    ') END,\n"
    "  coalesce(x.client_port::text, ''), x.locked, x.tables\n"
    "FROM x JOIN pg_catalog.pg_roles me ON me.rolname = current_user\n"
    "LEFT JOIN pg_catalog.pg_roles o ON o.oid = x.usesysid\n"
    "WHERE x.kind IS NOT NULL ORDER BY x.locked DESC, x.pid;\n";

/* From 14 on, and only for those who may see it: a dump that writes moves here. */
static const char copied_sql[] =
    "SELECT 'copied', p.pid, p.bytes_processed::text FROM pg_catalog.pg_stat_progress_copy p\n"
    "WHERE p.bytes_processed IS NOT NULL;\n";

static const char *look(struct arena *a, const char *own, long version)
{
    const char *mark = strstr(look_sql, "%s");

    return arena_printf(a, "%.*s%s%s%s", (int)(mark - look_sql), look_sql, own, mark + 2,
                        version >= 140000 ? copied_sql : "");
}

/* ---- one session ---- */

/* A condition on the alias a that is true of exactly this session; NULL when too little of it could
 * be seen. */
static const char *is_session(struct arena *a, const struct session *s)
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
                            "%s AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = "
                            "a.pid AND l.locktype ="
                            " 'virtualxid' AND l.granted AND l.virtualxid = '%s')",
                            text, s->transaction);
    return text;
}

static const char *end(struct arena *a, const struct session *s, const char *application,
                       enum way way)
{
    const char *is = is_session(a, s);

    if (!is || (application && !server_is_name(application)))
        return NULL;
    return arena_printf(
        a, "SELECT 'signalled', %s(a.pid) FROM pg_catalog.pg_stat_activity a WHERE %s%s;\n",
        way == WAY_CANCEL ? "pg_cancel_backend" : "pg_terminate_backend", is,
        application ? arena_printf(a, " AND a.application_name = '%s'", application) : "");
}

static const char *there(struct arena *a, const struct session *v, size_t n)
{
    const char *text = "SELECT 'there', a.pid FROM pg_catalog.pg_stat_activity a WHERE false";

    for (size_t i = 0; i < n; i++) {
        const char *is = is_session(a, &v[i]);
        if (!is)
            return NULL;
        text = arena_printf(a, "%s OR (%s)", text, is);
    }
    return arena_printf(a, "%s;\n", text);
}

/* ---- who holds what ---- */

/* They stay in the database: the watch's answers lie in a file of the host.  Rather too much of a
 * statement is left out than too little. */
#define WITHOUT_LITERALS                                                                           \
    "$x$\\m[eE]'([^'\\\\]|\\\\.|'')*('|$)|'([^']|'')*('|$)|\\$([A-Za-z_]*)\\$.*?(\\$\\5\\$|$)$x$," \
    " '''...''', 'g'"

/* The fields of one row, of p.pid, with b its activity or NULLs, w.behind and w.waits_for.  A
 * session that holds share locks on most tables is a backup, whatever it calls itself. */
static void put_columns(struct buf *b, const char *own, long server_version)
{
    buf_printf(
        b,
        "SELECT 'blocker', p.pid, CASE WHEN p.pid = 0 THEN 'prepared'"
        " WHEN b.application_name = '%s' THEN 'own'"
        " WHEN b.application_name LIKE 'crelease-%%' THEN 'crelease'"
        " WHEN b.application_name IN ('pg_dump', 'pg_dumpall') OR " DB_COPY_OUT("b.query")
        ""
        "  OR b.query ~* '_pg_dump_cursor' THEN 'backup'"
        " WHEN %s THEN 'server'"
        " WHEN k.n >= 3 AND k.n >= 0.8 * (SELECT count(*) FROM pg_catalog.pg_class c"
        "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
        "  AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_') THEN 'backup'"
        " ELSE 'session' END,",
        own,
        server_version >= 100000 ? "b.backend_type <> 'client backend'"
                                 : "b.query ~ '^autovacuum: '");
    buf_puts(
        b,
        " coalesce((SELECT v.virtualxid FROM pg_catalog.pg_locks v WHERE v.pid = p.pid AND "
        "v.locktype ="
        "  'virtualxid' AND v.granted AND v.virtualxid = v.virtualtransaction LIMIT 1), ''),"
        " coalesce((extract(epoch FROM b.backend_start) * 1000000)::bigint::text, ''),"
        " coalesce(floor(extract(epoch FROM clock_timestamp() - b.xact_start))::bigint::text, ''),"
        " regexp_replace(coalesce(b.usename::text, ''), '[[:cntrl:]]', ' ', 'g'),"
        " regexp_replace(coalesce(b.application_name, ''), '[[:cntrl:]]', ' ', 'g'),"
        " coalesce(b.state, ''),"
        " CASE WHEN b.pid IS NULL OR b.pid = pg_backend_pid() THEN 'no' WHEN me.rolsuper THEN 'yes'"
        "  WHEN o.rolsuper IS NOT FALSE THEN 'no' WHEN pg_has_role(o.oid, 'USAGE')"
        "  OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles g WHERE g.rolname = 'pg_signal_backend'"
        "  AND pg_has_role(g.oid, 'USAGE')) THEN 'yes' ELSE 'no' END,"
        " w.behind, w.waits_for,"
        " CASE WHEN b.query = '<insufficient privilege>' THEN '' ELSE"
        "  regexp_replace(regexp_replace(left(coalesce(b.query, ''), 1000), " WITHOUT_LITERALS "),"
        " '[[:cntrl:]]', ' ', 'g') END");
}

/* Joins of these columns; p and w are there already. */
static const char joins[] =
    " LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid = p.pid"
    " LEFT JOIN pg_catalog.pg_roles me ON me.rolname = current_user"
    " LEFT JOIN pg_catalog.pg_roles o ON o.oid = b.usesysid"
    " LEFT JOIN (SELECT l.pid, count(DISTINCT l.relation) AS n FROM pg_catalog.pg_locks l"
    "  JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p')"
    "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace AND s.nspname <> "
    "'information_schema'"
    "   AND s.nspname !~ '^pg_'"
    "  WHERE l.mode = 'AccessShareLock' AND l.granted AND l.database = (SELECT d.oid FROM"
    "   pg_catalog.pg_database d WHERE d.datname = current_database()) GROUP BY l.pid) k ON k.pid "
    "= p.pid";

static void put_waiters(struct arena *a, struct buf *b, const struct waits *w)
{
    buf_printf(
        b,
        "WITH w AS (SELECT a.pid, %s AS since, (SELECT count(*) FROM pg_catalog.pg_stat_activity q"
        " WHERE q.wait_event_type = 'Lock' AND a.pid = ANY (pg_blocking_pids(q.pid))) AS behind,"
        " coalesce((SELECT l.locktype FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT "
        "l.granted"
        " LIMIT 1), '') AS waits_for"
        " FROM pg_catalog.pg_stat_activity a WHERE %s AND a.wait_event_type = 'Lock') ",
        w->version >= 140000
            ? "coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid"
              " AND NOT l.granted), a.query_start)"
            : "a.query_start",
        adopt_tag(a, w->own));
}

static const char *waits(struct arena *a, const struct waits *w)
{
    const char *crowd =
        w->max_blocked < 0 ? "false" : arena_printf(a, "w.behind > %ld", w->max_blocked);
    struct buf b = buf_make(SQL_BYTES_MAX);

    if (w->version < 90600)
        return NULL; /* has no pg_blocking_pids */
    put_waiters(a, &b, w);
    put_columns(&b, w->own, w->version);
    buf_puts(&b, " FROM w CROSS JOIN LATERAL (SELECT DISTINCT u.u FROM "
                 "unnest(pg_blocking_pids(w.pid)) u) p(pid)");
    buf_puts(&b, joins);
    buf_puts(&b, ";\n");
    buf_printf(&b,
               "SELECT 'behind', q.pid FROM pg_catalog.pg_stat_activity q WHERE q.application_name "
               "= 'pg_dump'"
               " AND q.wait_event_type = 'Lock' AND EXISTS (SELECT 1 FROM "
               "pg_catalog.pg_stat_activity a WHERE %s"
               " AND a.pid = ANY (pg_blocking_pids(q.pid)));\n",
               adopt_tag(a, w->own));
    put_waiters(a, &b, w);
    buf_printf(&b,
               "SELECT 'cancelled', w.pid, CASE WHEN %s THEN 'crowd' ELSE 'time' END, w.behind,"
               " pg_cancel_backend(w.pid) FROM w WHERE %s OR clock_timestamp() - w.since >= "
               "interval '%lld ms';\n%s",
               crowd, crowd, w->limit_ms, adopt_look_sql);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

static const char *lock_holders(struct arena *a, const char *own)
{
    struct buf b = buf_make(SQL_BYTES_MAX);

    put_columns(&b, own, 90600);
    buf_puts(&b, " FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = "
                 "'advisory' AND l.granted"
                 "  AND l.pid <> pg_backend_pid() AND l.database = (SELECT d.oid FROM "
                 "pg_catalog.pg_database d"
                 "  WHERE d.datname = current_database())) p CROSS JOIN (SELECT 0 AS behind, "
                 "'advisory'::text AS"
                 " waits_for) w");
    buf_puts(&b, joins);
    buf_puts(&b, ";\n");
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

/* ---- what is left ---- */

/* One that is being built at this moment is not valid either. */
static const char indexes_sql[] = "SELECT 'index', regexp_replace(quote_ident(n.nspname) || '.' || "
                                  "quote_ident(c.relname), '[[:cntrl:]]', ' ', 'g')\n"
                                  " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid "
                                  "= i.indexrelid AND c.relkind = 'i'\n"
                                  " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
                                  "(NOT i.indisvalid OR NOT i.indisready)\n";
static const char built_now_sql[] =
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid "
    "= c.oid)\n";
static const char detaches_sql[] =
    "SELECT 'detach', regexp_replace(h.inhparent::regclass::text, '[[:cntrl:]]', ' ', 'g'),\n"
    " regexp_replace(h.inhrelid::regclass::text, '[[:cntrl:]]', ' ', 'g')\n"
    " FROM pg_catalog.pg_inherits h WHERE h.inhdetachpending ORDER BY 2, 3;\n";
static const char deadlocks_sql[] =
    "SELECT 'deadlocks', d.deadlocks FROM pg_catalog.pg_stat_database d WHERE d.datname = "
    "current_database();\n";

static const char *leftovers(struct arena *a, long version)
{
    return arena_printf(a, "SET search_path = pg_catalog;\n%s%s ORDER BY 2;\n%s%s", indexes_sql,
                        version >= 120000 ? built_now_sql : "",
                        version >= 140000 ? detaches_sql : "",
                        version >= 90200 ? deadlocks_sql : "");
}

/* ---- sessions of ours ---- */

/* Settings that are not known to a server are not there to be set.  Keepalives, for the session of
 * a machine that is gone: on a local socket they have no effect. */
#define LOCK_SQL                                                                                   \
    "SET application_name = '%s';\n"                                                               \
    "SELECT 'set', count(pg_catalog.set_config(s.name, v.value, false)) FROM "                     \
    "pg_catalog.pg_settings s"                                                                     \
    " JOIN (VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), ('idle_session_timeout', "   \
    "'%lds'),"                                                                                     \
    " ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', " \
    "'3'))"                                                                                        \
    " AS v (name, value) ON v.name = s.name;\n"                                                    \
    "SELECT 'lock ' || CASE WHEN pg_catalog.pg_try_advisory_lock(" HOLD_KEYS                       \
    ") THEN 't' ELSE 'f' END;\n"

static const char *lock(struct arena *a, const char *application, long idle_s)
{
    return arena_printf(a, LOCK_SQL, application, idle_s);
}

/* PGOPTIONS reaches everything that uses libpq, and node-postgres.  A server that does not know
 * a setting refuses the connection, so each goes only where it is known. */
static const char *environment(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options)
{
    if (version < 90300 || !options)
        return arena_printf(a, "export PGAPPNAME=%s\n", own);
    return arena_printf(
        a, "export PGAPPNAME=%s PGOPTIONS=\"${PGOPTIONS:+$PGOPTIONS }-c lock_timeout=%lld%s\"\n",
        own, lock_timeout_ms, version >= 140000 ? " -c client_connection_check_interval=2000" : "");
}

const struct server server_postgresql = {
    .name = "PostgreSQL",
    .ask = " -v ON_ERROR_STOP=1" ARGS,
    .feed = ARGS,
    .look = look,
    .end = end,
    .there = there,
    .named =
        "SELECT 'ghost', a.application_name, a.pid, coalesce((extract(epoch FROM a.backend_start) *"
        " 1000000)::bigint::text, ''), coalesce((SELECT l.virtualxid FROM pg_catalog.pg_locks l "
        "WHERE"
        " l.pid = a.pid AND l.locktype = 'virtualxid' AND l.granted AND l.virtualxid ="
        " l.virtualtransaction LIMIT 1), '') FROM pg_catalog.pg_stat_activity a WHERE a.datname ="
        " current_database() AND a.application_name LIKE 'crelease-%';\n",
    .size = "SET statement_timeout = '5s';\n"
            "SELECT 'size', pg_catalog.pg_database_size(pg_catalog.current_database());\n",
    .leftovers = leftovers,
    .waits = waits,
    .end_own = adopt_last_sql,
    .lock_holders = lock_holders,
    .lock = lock,
    .environment = environment,
};
