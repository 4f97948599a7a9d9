#include "stages/blockers.h"

#include "base/text.h"
#include "stages/db.h"

enum { SHOWN_MAX = 120, BLOCKERS_MAX = 50, WORD_MAX = 63, SQL_BYTES_MAX = 16 * 1024 };

/* ---- what is asked ---- */

/* The fields of one row, of p.pid, with b its activity or NULLs, w.behind and w.waits_for.  A
 * session that holds share locks on most tables is a backup, whatever it calls itself. */
static void put_columns(struct buf *b, const char *own, long server_version)
{
    buf_printf(
        b,
        "SELECT 'blocker', p.pid, CASE WHEN p.pid = 0 THEN 'prepared'"
        " WHEN b.application_name = '%s' THEN 'own'"
        " WHEN b.application_name LIKE 'crelease-%%' THEN 'crelease'"
        " WHEN b.application_name IN ('pg_dump', 'pg_dumpall') OR b.query ~* '^copy .*to std'"
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
        "  regexp_replace(left(coalesce(b.query, ''), 1000), '[[:cntrl:]]', ' ', 'g') END");
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

static void put_waiters(struct buf *b, const struct blockers_watch *w)
{
    buf_printf(
        b,
        "WITH w AS (SELECT a.pid, %s AS since, (SELECT count(*) FROM pg_catalog.pg_stat_activity q"
        " WHERE q.wait_event_type = 'Lock' AND a.pid = ANY (pg_blocking_pids(q.pid))) AS behind,"
        " coalesce((SELECT l.locktype FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND NOT "
        "l.granted"
        " LIMIT 1), '') AS waits_for"
        " FROM pg_catalog.pg_stat_activity a WHERE %s AND a.wait_event_type = 'Lock') ",
        w->server_version >= 140000
            ? "coalesce((SELECT min(l.waitstart) FROM pg_catalog.pg_locks l WHERE l.pid = a.pid"
              " AND NOT l.granted), a.query_start)"
            : "a.query_start",
        w->tag);
}

const char *blockers_watch_sql(struct arena *a, const struct blockers_watch *w)
{
    const char *crowd =
        w->max_blocked < 0 ? "false" : arena_printf(a, "w.behind > %ld", w->max_blocked);
    struct buf b = buf_make(SQL_BYTES_MAX);

    put_waiters(&b, w);
    put_columns(&b, w->own, w->server_version);
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
               w->tag);
    put_waiters(&b, w);
    buf_printf(&b,
               "SELECT 'cancelled', w.pid, CASE WHEN %s THEN 'crowd' ELSE 'time' END, w.behind,"
               " pg_cancel_backend(w.pid) FROM w WHERE %s OR clock_timestamp() - w.since >= "
               "interval '%lld ms';",
               crowd, crowd, w->limit_ms);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

/* ---- what is answered ---- */

/* A word of PostgreSQL's own. */
static const char *word(struct arena *a, const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz ()_-");

    return arena_strndup(a, s, s[n] || n > WORD_MAX ? 0 : n);
}

bool blocker_read(struct arena *a, const char *line, struct blocker *ret)
{
    const char *f[14];

    for (size_t i = 0; i < sizeof f / sizeof *f; i++)
        f[i] = db_field(a, line, i);
    if (strcmp(f[0], "blocker") != 0 || !db_is_number(f[1]) || !*word(a, f[2]))
        return false;
    *ret = (struct blocker){
        .kind = word(a, f[2]),
        .pid = strtol(f[1], NULL, 10),
        .vxid = db_is_vxid(f[3]) ? f[3] : "",
        .start = db_is_number(f[4]) ? f[4] : "",
        .running_s = db_is_number(f[5]) ? strtoll(f[5], NULL, 10) : -1,
        .user = f[6],
        .application = f[7],
        .state = word(a, f[8]),
        .may_stop = strcmp(f[9], "yes") == 0,
        .behind = db_is_number(f[10]) ? strtol(f[10], NULL, 10) : 0,
        .waits_for = word(a, f[11]),
        .query = f[12],
    };
    return true;
}

static size_t skip_quoted(const char *s, bool backslashes)
{
    size_t n = 1;

    for (; s[n]; n++) {
        if (backslashes && s[n] == '\\' && s[n + 1])
            n++;
        else if (s[n] == '\'' && s[n + 1] == '\'')
            n++;
        else if (s[n] == '\'')
            return n + 1;
    }
    return n;
}

/* Of "$tag$ ... $tag$"; 0 when none begins here. */
static size_t skip_dollars(const char *s)
{
    size_t tag = 1 + strspn(s + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");

    if (s[tag] != '$')
        return 0;
    tag++;
    for (const char *at = s + tag; *at; at++)
        if (strncmp(at, s, tag) == 0)
            return (size_t)(at - s) + tag;
    return strlen(s);
}

const char *blocker_statement(struct arena *a, const char *query)
{
    struct buf b = buf_make(SHOWN_MAX + 8);
    size_t shown = 0;
    bool escapes = false;

    while (*query && shown < SHOWN_MAX) {
        size_t skip = *query == '\''  ? skip_quoted(query, escapes)
                      : *query == '$' ? skip_dollars(query)
                                      : 0;
        escapes = *query == 'E' || *query == 'e';
        if (skip) {
            buf_puts(&b, "'...'");
            shown += 5;
            query += skip;
            continue;
        }
        bool blank = *query == ' ' || (unsigned char)*query < 0x20 || *query == 0x7f;
        if (!blank || (b.len && b.text[b.len - 1] != ' ')) {
            buf_add(&b, blank ? " " : query, 1);
            shown++;
        }
        query++;
    }
    /* Not through the middle of a character. */
    while (*query && b.len && !text_is_utf8(b.text, b.len))
        b.text[--b.len] = '\0';
    while (b.len && !*query && (b.text[b.len - 1] == ' ' || b.text[b.len - 1] == ';'))
        b.len--;
    const char *text = arena_printf(a, "%.*s%s", (int)b.len, b.text, *query ? "..." : "");
    buf_free(&b);
    return text;
}

const char *blocker_text(struct arena *a, const struct blocker *b)
{
    const char *text;

    if (!b->pid)
        return "a prepared transaction (see pg_prepared_xacts)";
    text = *b->application ? arena_printf(a, "'%.60s'", b->application) : "a session";
    if (*b->user)
        text = arena_printf(a, "%s of %.40s", text, b->user);
    text = arena_printf(a, "%s, pid %ld", text, b->pid);
    if (*b->state)
        text = arena_printf(a, "%s, %s", text, b->state);
    if (b->running_s >= 0)
        text = arena_printf(a, "%s for %s", text, text_span(a, b->running_s * 1000));
    if (*b->query)
        text = arena_printf(a, "%s: %s", text, b->query);
    return text;
}

static bool is_same(const struct blocker *a, const struct blocker *b)
{
    return a->pid == b->pid && strcmp(a->vxid, b->vxid) == 0 && strcmp(a->start, b->start) == 0;
}

static struct blocker *known(const struct blockers *all, const struct blocker *one)
{
    for (size_t i = 0; i < all->n; i++)
        if (is_same(&all->v[i], one))
            return &all->v[i];
    return NULL;
}

static void tell(struct run *r, const struct step *s, size_t host, const struct blocker *b)
{
    const char *text =
        arena_printf(r->arena, "the migration waits for %s", blocker_text(r->arena, b));

    if (b->behind)
        text = arena_printf(r->arena, "%s; %ld %s behind it", text, b->behind,
                            b->behind == 1 ? "queues" : "queue");
    run_tell(r, (struct event){.kind = EVENT_BLOCKER,
                               .state = EVENT_WAITING,
                               .stage = s->name,
                               .host = r->recipe->hosts[host].name,
                               .blocker = b,
                               .detail = text});
}

static void add(struct run *r, const struct step *s, size_t host, struct blockers *all,
                struct blocker *one)
{
    struct blocker *was = known(all, one);

    if (was) {
        was->behind = one->behind > was->behind ? one->behind : was->behind;
        return;
    }
    if (all->n == BLOCKERS_MAX)
        return;
    /* Secrets first: cut in two they are not found any more. */
    one->query = blocker_statement(r->arena, run_redact(r, one->query));
    one->user = run_redact(r, one->user);
    one->application = run_redact(r, one->application);
    if (!all->v)
        all->v = arena_array(r->arena, BLOCKERS_MAX, sizeof *all->v);
    all->v[all->n++] = *one;
    tell(r, s, host, one);
}

void blockers_take(struct run *r, const struct step *s, size_t host, struct blockers *b,
                   const char *line)
{
    const char *what = db_field(r->arena, line, 0);
    const char *pid = db_field(r->arena, line, 1);
    const char *behind = db_field(r->arena, line, 3);
    struct blocker one;

    if (blocker_read(r->arena, line, &one)) {
        add(r, s, host, b, &one);
    } else if (strcmp(what, "behind") == 0 && db_is_number(pid)) {
        b->dump_behind = strtol(pid, NULL, 10);
    } else if (strcmp(what, "cancelled") == 0) {
        b->cancelled = true;
        if (strcmp(db_field(r->arena, line, 2), "crowd") == 0 && db_is_number(behind)) {
            b->crowded = true;
            b->crowd = strtol(behind, NULL, 10);
        }
    }
}

const struct blocker *blockers_first(const struct blockers *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->v[i].kind, "own") != 0)
            return &b->v[i];
    return b->n ? &b->v[0] : NULL;
}

/* ---- between two attempts ---- */

bool blockers_advisory(struct run *r, const struct step *s, size_t host, struct blockers *ret,
                       struct err *err)
{
    struct buf b = buf_make(SQL_BYTES_MAX);
    struct strs rows;
    const char *why;

    put_columns(&b, arena_printf(r->arena, "crelease-%s", r->plan->what.run), 90600);
    buf_puts(&b, " FROM (SELECT DISTINCT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = "
                 "'advisory' AND l.granted"
                 "  AND l.pid <> pg_backend_pid() AND l.database = (SELECT d.oid FROM "
                 "pg_catalog.pg_database d"
                 "  WHERE d.datname = current_database())) p CROSS JOIN (SELECT 0 AS behind, "
                 "'advisory'::text AS"
                 " waits_for) w");
    buf_puts(&b, joins);
    buf_puts(&b, ";\n");
    bool ok = db_ask(r, host, b.text, &rows, &why, err);
    buf_free(&b);
    for (size_t i = 0; ok && i < rows.n; i++) {
        struct blocker one;
        if (blocker_read(r->arena, rows.v[i], &one))
            add(r, s, host, ret, &one);
    }
    return ok;
}

/* " AND ..." that names exactly this session; NULL when too little of it could be seen. */
static const char *identity(struct arena *a, const struct blocker *b)
{
    const char *text = arena_printf(a, "a.pid = %ld", b->pid);

    if (!b->pid || (!*b->vxid && !*b->start))
        return NULL;
    if (*b->start)
        text =
            arena_printf(a, "%s AND (extract(epoch FROM a.backend_start) * 1000000)::bigint = %s",
                         text, b->start);
    if (*b->vxid)
        text = arena_printf(
            a,
            "%s AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND"
            " l.locktype = 'virtualxid' AND l.granted AND l.virtualxid = '%s')",
            text, b->vxid);
    return text;
}

bool blockers_look(struct run *r, size_t host, const struct blockers *b, bool *ret_there,
                   struct err *err)
{
    struct buf sql = buf_make(SQL_BYTES_MAX * 2);
    struct strs rows;
    const char *why;

    *ret_there = true;
    buf_puts(&sql, "SELECT 'there', a.pid FROM pg_catalog.pg_stat_activity a WHERE false");
    for (size_t i = 0; i < b->n; i++) {
        const char *id = identity(r->arena, &b->v[i]);
        if (!id) {
            buf_free(&sql);
            return true;
        }
        buf_printf(&sql, " OR (%s)", id);
    }
    buf_puts(&sql, ";\n");
    bool ok = db_ask(r, host, sql.text, &rows, &why, err);
    buf_free(&sql);
    *ret_there = !ok || why || rows.n > 0;
    return ok;
}

bool blockers_end(struct run *r, size_t host, const struct blockers *b, size_t *ret_n,
                  struct err *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct blocker *one = &b->v[i];
        const char *id = identity(r->arena, one);
        struct strs rows;
        const char *why;
        if (strcmp(one->kind, "session") != 0 || !one->may_stop || !id ||
            strcmp(one->waits_for, "advisory") == 0)
            continue;
        const char *sql =
            arena_printf(r->arena,
                         "SELECT 'ended', pg_terminate_backend(a.pid) FROM"
                         " pg_catalog.pg_stat_activity a WHERE %s AND a.pid <> pg_backend_pid();\n",
                         id);
        if (!db_ask(r, host, sql, &rows, &why, err))
            return false;
        if (why)
            run_warn(r, r->recipe->hosts[host].name, "%s could not be ended: %s",
                     blocker_text(r->arena, one), why);
        else if (rows.n)
            run_warn(r, r->recipe->hosts[host].name, "ended, as migrate.blockers says: %s",
                     blocker_text(r->arena, one));
        *ret_n += !why;
    }
    return true;
}
