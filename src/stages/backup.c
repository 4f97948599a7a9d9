/* backup.c -- backups that would hold up a migration: seen, waited for, or stopped.
 *
 * pg_dump holds a share lock on every table until it ends; ALTER TABLE waits for it, and every
 * other query on that table then waits behind the ALTER TABLE.  What is relied on here was
 * tried on PostgreSQL 9.2 to 17: a dump is one transaction with one virtual transaction id, so
 * pid and that id name it exactly, for any role; pg_cancel_backend answers yes and does nothing
 * to a dump that is idle in its transaction, so the locks are looked at again after each step.  A
 * dump whose transaction was cancelled may stay connected until its client reads again: it has
 * no virtual transaction, holds no lock, and is in nobody's way. */
#include "stages/stages.h"

#include "base/text.h"
#include "stages/db.h"

#include <ctype.h>

enum {
    POLL_MS = 2000,
    CLEAR_MS = 1000,    /* between the two looks that must both see nothing */
    CANCEL_MS = 2000,   /* what a cancel may take before the session is ended */
    END_MS = 10000,
    BLIND_MS = 60000,   /* how long the database may be away while we wait */
    FIELDS = 12,
    JUST_BEGUN_S = 20,  /* what cron started a moment ago may not be in the database yet */
};

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
    "t AS (SELECT count(*) AS n FROM pg_catalog.pg_class c\n"
    "  JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace\n"
    " WHERE c.relkind IN ('r', 'p') AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_'),\n"
    "x AS (SELECT a.*, coalesce(k.n, 0) AS locked, v.virtualxid AS vxid,\n"
    "  CASE WHEN a.application_name = '%s' THEN 'own'\n"
    "       WHEN a.application_name = 'pg_dumpall' THEN 'pg_dumpall'\n"
    "       WHEN a.datname <> current_database() THEN NULL\n"
    "       WHEN a.application_name = 'pg_dump' THEN 'pg_dump'\n"
    "       WHEN coalesce(k.n, 0) >= 3 AND k.n >= 0.8 * t.n THEN 'dump-like'\n"
    "       WHEN a.query ~* '^copy .*to std' THEN 'copy' END AS kind\n"
    " FROM pg_catalog.pg_stat_activity a CROSS JOIN t LEFT JOIN k ON k.pid = a.pid\n"
    " LEFT JOIN pg_catalog.pg_locks v ON v.pid = a.pid AND v.locktype = 'virtualxid' AND v.granted\n"
    "  AND v.virtualxid = v.virtualtransaction WHERE a.pid <> pg_catalog.pg_backend_pid())\n"
    "SELECT 'session', x.kind, x.pid, coalesce(x.vxid, ''),\n"
    "  coalesce((extract(epoch FROM x.backend_start) * 1000000)::bigint::text, ''),\n"
    "  coalesce(floor(extract(epoch FROM clock_timestamp() - coalesce(x.xact_start, x.backend_start)))::bigint::text, ''),\n"
    "  translate(coalesce(x.datname::text, ''), chr(10) || chr(31), '  '),\n"
    "  translate(coalesce(x.usename::text, ''), chr(10) || chr(31), '  '),\n"
    "  translate(coalesce(x.application_name, ''), chr(10) || chr(31), '  '),\n"
    "  CASE WHEN x.kind IN ('pg_dump', 'dump-like', 'own') THEN\n"
    "         CASE WHEN x.vxid IS NULL THEN 'no' ELSE 'yes' END\n"
    "       WHEN x.kind = 'pg_dumpall' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity o\n"
    "         WHERE o.application_name = 'pg_dump' AND o.datname > current_database()\n"
    "         AND o.datname <> 'template1') THEN 'yes' ELSE 'no' END,\n"
    "  CASE WHEN me.rolsuper THEN 'yes' WHEN o.rolsuper IS NOT FALSE THEN 'no'\n"
    "       WHEN pg_has_role(o.oid, 'USAGE') OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles g\n"
    "         WHERE g.rolname = 'pg_signal_backend' AND pg_has_role(g.oid, 'USAGE')) THEN 'yes'\n"
    "       ELSE 'no' END,\n"
    "  CASE WHEN x.query = '<insufficient privilege>' THEN '' ELSE\n"
    "   translate(substr(coalesce(x.query, ''), 1, 100), chr(10) || chr(13) || chr(9) || chr(31), '    ') END\n"
    "FROM x JOIN pg_catalog.pg_roles me ON me.rolname = current_user\n"
    "LEFT JOIN pg_catalog.pg_roles o ON o.oid = x.usesysid\n"
    "WHERE x.kind IS NOT NULL ORDER BY x.locked DESC, x.pid;\n";

/* From 14 on, and only for those who may see it: a dump that writes moves here. */
static const char copied_sql[] =
    "SELECT 'copied', p.pid, p.bytes_processed::text FROM pg_catalog.pg_stat_progress_copy p\n"
    "WHERE p.bytes_processed IS NOT NULL;\n";

/* One row, cut into its fields. */
struct row {
    const char *field[FIELDS];
    size_t n;
};

static struct row cut_row(struct arena *a, const char *text, size_t len)
{
    struct row row = {.n = 0};
    const char *end = text + len;

    while (row.n < FIELDS) {
        size_t part = 0;
        while (text + part < end && text[part] != '\037')
            part++;
        row.field[row.n++] = arena_strndup(a, text, part);
        if (text + part == end)
            break;
        text += part + 1;
    }
    for (size_t i = row.n; i < FIELDS; i++)
        row.field[i] = "";
    return row;
}

static bool all_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

/* What goes into SQL again must look exactly like what PostgreSQL gives. */
static bool is_vxid(const char *s)
{
    size_t a = strspn(s, "0123456789");

    return a > 0 && s[a] == '/' && all_digits(s + a + 1);
}

/* Runs SQL on the database's host.  *ret_rows is NULL when the database did not answer, and
 * *ret_why says why; false only when the host itself was lost. */
static bool ask(struct run *r, size_t host, const char *sql, struct row **ret_rows, size_t *ret_n,
                const char **ret_why, struct err *err)
{
    struct strs lines;

    *ret_rows = NULL;
    *ret_n = 0;
    if (!db_ask(r, host, sql, &lines, ret_why, err))
        return false;
    if (*ret_why)
        return true;
    *ret_rows = arena_array(r->arena, lines.n + 1, sizeof **ret_rows);
    for (; *ret_n < lines.n; ++*ret_n)
        (*ret_rows)[*ret_n] = cut_row(r->arena, lines.v[*ret_n], strlen(lines.v[*ret_n]));
    return true;
}

/* Identity as it goes back into SQL: virtual transaction, start in microseconds (or nothing),
 * and whether this role may end it. */
static const char *identity_of(struct arena *a, const struct row *row)
{
    if (!is_vxid(row->field[3]) && !all_digits(row->field[4]))
        return NULL;
    return arena_printf(a, "%s %s %s", is_vxid(row->field[3]) ? row->field[3] : "-",
                        all_digits(row->field[4]) ? row->field[4] : "-", row->field[10]);
}

static struct backup backup_of(struct run *r, const struct row *row)
{
    bool age = all_digits(row->field[5]);

    return (struct backup){
        .kind = row->field[1],
        .pid = strtol(row->field[2], NULL, 10),
        .identity = identity_of(r->arena, row),
        .since_unix = all_digits(row->field[4]) ? strtoll(row->field[4], NULL, 10) / 1000000 : -1,
        .running_s = age ? strtoll(row->field[5], NULL, 10) : -1,
        .database = row->field[6],
        .user = row->field[7],
        .application = row->field[8],
        .query = *row->field[11] ? row->field[11] : NULL,
        .percent = -1,
        .eta_s = -1,
        .copied = -1,
        .blocks_migrations = strcmp(row->field[9], "yes") == 0,
    };
}

static void take_copied(struct backups *to, const struct row *row)
{
    if (!all_digits(row->field[1]) || !all_digits(row->field[2]))
        return;
    for (size_t i = 0; i < to->n; i++)
        if (to->v[i].pid == strtol(row->field[1], NULL, 10))
            to->v[i].copied = strtoll(row->field[2], NULL, 10);
}

/* version: of the server, 0 when it is not known yet. */
static bool look(struct run *r, size_t host, long version, struct backups *ret, struct backups *ret_own,
                 struct err *err)
{
    const char *tag = arena_printf(r->arena, "crelease-%s", *r->plan->what.run ? r->plan->what.run : "none");
    struct row *rows;
    size_t n;

    *ret = (struct backups){0};
    *ret_own = (struct backups){0};
    struct buf sql = buf_make(sizeof look_sql + sizeof copied_sql + 64);
    const char *mark = strstr(look_sql, "%s");
    buf_add(&sql, look_sql, (size_t)(mark - look_sql));
    buf_puts(&sql, tag);
    buf_puts(&sql, mark + 2);
    if (version >= 140000)
        buf_puts(&sql, copied_sql);
    bool ok = ask(r, host, sql.text, &rows, &n, &ret->why, err);
    buf_free(&sql);
    if (!ok)
        return false;
    ret->v = arena_array(r->arena, n + 1, sizeof *ret->v);
    ret_own->v = arena_array(r->arena, n + 1, sizeof *ret_own->v);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].field[0], "version") == 0) {
            ret->server_version = strtol(rows[i].field[1], NULL, 10);
        } else if (strcmp(rows[i].field[0], "session") == 0 && all_digits(rows[i].field[2])) {
            struct backups *to = strcmp(rows[i].field[1], "own") == 0 ? ret_own : ret;
            to->v[to->n++] = backup_of(r, &rows[i]);
        } else if (strcmp(rows[i].field[0], "copied") == 0) {
            take_copied(ret, &rows[i]);
        }
    }
    return true;
}

bool backup_look(struct run *r, size_t host, struct backups *ret, struct err *err)
{
    struct backups own;

    return look(r, host, 0, ret, &own, err);
}

/* Cancels or ends exactly this session: pid, virtual transaction and start in one statement.
 * Nobody else's is ever touched; when it is gone already, no row matches. */
static bool signal_session(struct run *r, size_t host, const struct backup *b, const char *function,
                           struct err *err)
{
    char vxid[64] = "-";
    char start[32] = "-";
    struct row *rows;
    size_t n;
    const char *why;

    if (!b->identity || sscanf(b->identity, "%63s %31s", vxid, start) != 2)
        return true;
    struct buf sql = buf_make(2048);
    buf_printf(&sql, "SELECT 'signalled', %s(a.pid) FROM pg_catalog.pg_stat_activity a WHERE a.pid = %ld",
               function, b->pid);
    if (is_vxid(vxid))
        buf_printf(&sql,
                   " AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = a.pid AND l.locktype ="
                   " 'virtualxid' AND l.granted AND l.virtualxid = '%s')",
                   vxid);
    if (all_digits(start))
        buf_printf(&sql, " AND (extract(epoch FROM a.backend_start) * 1000000)::bigint = %s", start);
    buf_puts(&sql, ";\n");
    bool ok = ask(r, host, sql.text, &rows, &n, &why, err);
    buf_free(&sql);
    if (ok && why)
        run_warn(r, r->recipe->hosts[host].name, "pid %ld could not be signalled: %s", b->pid, why);
    return ok;
}

bool backup_end_own(struct run *r, size_t host, struct err *err)
{
    struct backups others;
    struct backups own;

    if (!look(r, host, 0, &others, &own, err))
        return false;
    for (size_t i = 0; i < own.n; i++) {
        run_warn(r, r->recipe->hosts[host].name,
                 "a statement of an earlier attempt was still in the database (pid %ld): ended",
                 own.v[i].pid);
        if (!signal_session(r, host, &own.v[i], "pg_terminate_backend", err))
            return false;
    }
    return true;
}

long long backup_database_size(struct run *r, size_t host)
{
    struct err ignored = {.arena = r->arena};
    struct row *rows;
    size_t n;
    const char *why;
    const char *sql = "SET statement_timeout = '5s';\n"
                      "SELECT 'size', pg_catalog.pg_database_size(pg_catalog.current_database());\n";

    if (!ask(r, host, sql, &rows, &n, &why, &ignored) || why)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].field[0], "size") == 0 && all_digits(rows[i].field[1]))
            return strtoll(rows[i].field[1], NULL, 10);
    return -1;
}

void backup_expect(struct run *r, size_t host, struct backups *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].blocks_migrations) {
            struct trace t = {0};
            trace_follow(r, host, &t, &b->v[i]);
            return;
        }
}

/* The first that blocks, and how many do. */
static struct backup *first_blocking(const struct backups *b, size_t *ret_n)
{
    struct backup *first = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (!b->v[i].blocks_migrations)
            continue;
        first = first ? first : &b->v[i];
        ++*ret_n;
    }
    return first;
}

static bool may_stop(const struct backup *b)
{
    size_t len = b->identity ? strlen(b->identity) : 0;

    return len > 4 && strcmp(b->identity + len - 4, " yes") == 0;
}

static const char *describe(struct run *r, const struct backup *b)
{
    if (!b->pid)
        return "a backup that is to start";
    const char *text = arena_printf(r->arena, "%s of %s by %s, pid %ld", b->kind, b->database, b->user, b->pid);

    return b->running_s < 0
               ? text
               : arena_printf(r->arena, "%s, for %s", text, text_span(r->arena, b->running_s * 1000));
}

static bool in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err)
{
    return err_set(err, ERR_BACKUP, "%s is in the way: %s", describe(r, b), why);
}

/* Nothing that blocks is left, looked at until `ms` have passed. */
static bool gone_within(struct run *r, size_t host, long long ms, bool *ret_gone, struct err *err)
{
    long long deadline = loop_now() + ms;
    struct backups now;
    size_t n = 0;

    for (;;) {
        if (!backup_look(r, host, &now, err))
            return false;
        first_blocking(&now, &n);
        *ret_gone = !now.why && n == 0;
        if (*ret_gone || loop_now() >= deadline)
            return true;
        loop_turn(r->loop, loop_now() + 200);
    }
}

/* The gentle way first; every member of a parallel dump, since workers keep their locks. */
static bool stop_all(struct run *r, size_t host, const struct backups *b, struct err *err)
{
    static const struct {
        const char *function;
        long long wait_ms;
    } ways[] = {{"pg_cancel_backend", CANCEL_MS}, {"pg_terminate_backend", END_MS}};
    size_t n;
    const struct backup *first = first_blocking(b, &n);
    bool gone = false;

    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        if (one->blocks_migrations && strcmp(one->kind, "pg_dump") != 0)
            return in_the_way(r, one, arena_printf(r->arena, "it is a '%s' and not a pg_dump, and is"
                                                   " not stopped by crelease", one->kind), err);
        if (one->blocks_migrations && !may_stop(one))
            return in_the_way(r, one, "this role of the database may not stop it; database.psql in the"
                              " recipe must be one that may", err);
    }
    for (size_t w = 0; w < 2 && !gone; w++) {
        for (size_t i = 0; i < b->n; i++)
            if (b->v[i].blocks_migrations && !signal_session(r, host, &b->v[i], ways[w].function, err))
                return false;
        if (!gone_within(r, host, ways[w].wait_ms, &gone, err))
            return false;
    }
    if (!gone)
        return in_the_way(r, first, "it was told to end and did not", err);
    run_warn(r, r->recipe->hosts[host].name,
             "stopped %s; its output file is incomplete, whatever gzip -t says", describe(r, first));
    return true;
}

/* One wait, from the first look to the end of the last backup. */
struct wait {
    long long began_ms;
    long long blind_since_ms; /* 0: the last look saw something */
    enum policy policy;
    bool stopped; /* by us */
    long version; /* of the server */
    struct backup last; /* the one that was in the way; kind NULL: none was */
    long long last_ms;  /* when it was seen last */
    struct trace trace;
};

static void tell_backup(struct run *r, const struct step *s, size_t host, const struct wait *w,
                        const struct backup *b, enum event_state state, const char *detail)
{
    run_tell(r, (struct event){.kind = EVENT_BACKUP,
                               .state = state,
                               .stage = s->name,
                               .host = r->recipe->hosts[host].name,
                               .backup = b,
                               .detail = detail,
                               .waited_ms = loop_now() - w->began_ms,
                               .can_ask = r->interactive});
}

/* Seen nothing for too long is an answer of its own. */
static bool is_blind_too_long(struct wait *w, const char *why, struct err *err)
{
    if (!w->blind_since_ms)
        w->blind_since_ms = loop_now();
    if (loop_now() - w->blind_since_ms < BLIND_MS)
        return false;
    err_set(err, ERR_UNCERTAIN, "cannot see whether a backup still runs: %s", why);
    return true;
}

static bool limit_reached(struct run *r, struct wait *w, const struct backup *b, struct err *err)
{
    long long limit = r->recipe->backup.wait_limit_ms;

    if (w->policy != POLICY_WAIT || !limit || loop_now() - w->began_ms < limit)
        return false;
    if (r->recipe->backup.after_limit == POLICY_KILL) {
        w->policy = POLICY_KILL;
        return false;
    }
    in_the_way(r, b, arena_printf(r->arena, "waited for %s, which is the limit", text_span(r->arena, limit)),
               err);
    return true;
}

static void take_key(struct run *r, struct wait *w)
{
    switch (loop_key(r->loop)) {
    case 'w':
        w->policy = POLICY_WAIT;
        break;
    case 'k':
        w->policy = POLICY_KILL;
        break;
    case 'q':
        w->policy = POLICY_ABORT;
        break;
    default:
        break;
    }
}

enum next { NEXT_WAIT, NEXT_AGAIN, NEXT_STOP };

static enum next decide(struct run *r, const struct step *s, size_t host, struct wait *w,
                        const struct backups *now, const struct backup *b, struct err *err)
{
    if (limit_reached(r, w, b, err))
        return NEXT_STOP;
    switch (w->policy) {
    case POLICY_ABORT:
        in_the_way(r, b, "the policy says not to wait for it", err);
        return NEXT_STOP;
    case POLICY_KILL:
        tell_backup(r, s, host, w, b, EVENT_WAITING, "stopping it");
        w->stopped = true;
        return stop_all(r, host, now, err) ? NEXT_AGAIN : NEXT_STOP;
    case POLICY_ASK:
        if (!r->interactive) {
            in_the_way(r, b, "the policy says to ask, and there is no terminal to ask on (say"
                       " --on-backup=wait, kill or abort)", err);
            return NEXT_STOP;
        }
        tell_backup(r, s, host, w, b, EVENT_WAITING, "wait for it, kill it, or stop here?");
        return NEXT_WAIT;
    case POLICY_WAIT:
        tell_backup(r, s, host, w, b, EVENT_WAITING, NULL);
        return NEXT_WAIT;
    }
    return NEXT_STOP;
}

static bool is_same_backup(const struct backup *a, const struct backup *b)
{
    return a->pid == b->pid && a->identity && b->identity && strcmp(a->identity, b->identity) == 0;
}

/* What was in the way has ended by itself, `next` may be there in its place.  For the estimates to
 * come. */
static void record_last(struct run *r, const struct step *s, struct wait *w, const struct backup *next)
{
    if (!w->last.kind || strncmp(w->last.kind, "pg_dump", 7) != 0 || w->last.running_s < 0 || w->stopped ||
        (next && is_same_backup(&w->last, next)))
        return;
    long long seconds = w->last.running_s + (loop_now() - w->last_ms) / 1000;
    trace_record(r, s, &w->trace, &w->last, seconds);
}

static bool wait_for(struct run *r, const struct step *s, size_t host, struct wait *w, struct err *err)
{
    bool seen_clear = false;
    bool waited = false;

    for (;;) {
        struct backups now;
        size_t n;
        struct backups own;
        if (!look(r, host, w->version, &now, &own, err))
            return false;
        w->version = now.why ? w->version : now.server_version;
        struct backup *b = first_blocking(&now, &n);
        enum next next = NEXT_WAIT;
        if (now.why) {
            if (is_blind_too_long(w, now.why, err))
                return false;
        } else if (!b) {
            if (seen_clear || !waited)
                return true;
            seen_clear = true;
        } else {
            w->blind_since_ms = 0;
            record_last(r, s, w, b);
            trace_follow(r, host, &w->trace, b);
            w->last = *b;
            w->last_ms = loop_now();
            seen_clear = false;
            next = decide(r, s, host, w, &now, b, err);
            if (next == NEXT_STOP)
                return false;
            waited = true;
        }
        if (next == NEXT_WAIT && !fleet_wait(r->fleet, seen_clear ? CLEAR_MS : POLL_MS)) {
            take_key(r, w);
            if (run_is_stopped(r, "while waiting for a backup", err))
                return false;
        }
    }
}

/* The backup that is to come, as one that can be shown. */
static struct backup backup_to_come(struct run *r)
{
    const char *name = r->recipe->database.name;

    return (struct backup){.kind = "a backup",
                           .identity = "to come",
                           .database = name ? name : "",
                           .user = "",
                           .application = "",
                           .since_unix = -1,
                           .running_s = -1,
                           .percent = -1,
                           .eta_s = -1,
                           .copied = -1,
                           .blocks_migrations = true};
}

/* Whether one that has not begun yet may be waited for at all. */
static bool may_wait(struct run *r, struct wait *w, const struct backup *b, const char *what, struct err *err)
{
    if (w->policy == POLICY_ABORT)
        return err_set(err, ERR_BACKUP, "%s, and the policy says not to wait for it", what);
    if (w->policy == POLICY_ASK && !r->interactive)
        return err_set(err, ERR_BACKUP, "%s, and the policy says to ask, and there is no terminal to ask on (say"
                       " --on-backup=wait, kill or abort)", what);
    return !limit_reached(r, w, b, err) && err->code == ERR_NONE;
}

/* Until the backup that is to start then is seen, or does not come within backup.clearance of its
 * time.  Whoever chooses to kill waits for none. */
static bool wait_for_start(struct run *r, const struct step *s, size_t host, struct wait *w,
                           const struct schedule *next, const struct start *start, struct err *err)
{
    long long begun = loop_now();
    long long in_ms = (start->unix_s - next->now_unix) * 1000;
    long long deadline = begun + in_ms + (in_ms < 0 ? JUST_BEGUN_S * 1000 : r->recipe->backup.clearance_ms);
    const char *shown = arena_printf(r->arena, "it starts at %s (%s), and is let pass first",
                                     schedule_clock(r->arena, next, start->unix_s), start->command);
    struct backup b = backup_to_come(r);

    while (w->policy != POLICY_KILL) {
        struct backups now;
        size_t n;
        struct schedule then = *next;
        then.now_unix += (loop_now() - begun) / 1000;
        const char *what = foresee_text(r, &then, start);
        if (!backup_look(r, host, &now, err))
            return false;
        if (now.why ? is_blind_too_long(w, now.why, err) : first_blocking(&now, &n) != NULL)
            return err->code == ERR_NONE;
        w->blind_since_ms = now.why ? w->blind_since_ms : 0;
        if (loop_now() >= deadline) {
            run_warn(r, r->recipe->hosts[host].name, "%s, and was not seen in the database: going on", what);
            return true;
        }
        if (!may_wait(r, w, &b, what, err))
            return false;
        tell_backup(r, s, host, w, &b, EVENT_WAITING,
                    w->policy != POLICY_ASK
                        ? shown
                        : arena_printf(r->arena, "%s; wait for it, migrate before it (k), or stop here?", shown));
        if (!loop_wait(r->loop, POLL_MS)) {
            take_key(r, w);
            if (run_is_stopped(r, "while waiting for a backup to come and go", err))
                return false;
        }
    }
    return true;
}

/* Lets a backup pass that starts within backup.clearance, and with it what else has begun by then. */
static bool let_pass(struct run *r, const struct step *s, size_t host, struct wait *w, struct err *err)
{
    struct schedule next;

    if (!foresee_look(r, host, JUST_BEGUN_S, &next, err))
        return false;
    if (next.why) {
        run_warn(r, r->recipe->hosts[host].name, "could not look up when the next backup starts: %s", next.why);
        return true;
    }
    const struct start *start = schedule_soon(&next, r->recipe->backup.clearance_ms / 1000);
    /* One that began a moment ago may be the one that has just been waited for. */
    if (!start || (w->last.kind && start->unix_s <= next.now_unix))
        return true;
    return wait_for_start(r, s, host, w, &next, start, err) && wait_for(r, s, host, w, err);
}

static bool clear(struct run *r, const struct step *s, size_t host, bool foresee, struct err *err)
{
    struct wait w = {.began_ms = loop_now(), .policy = r->on_backup};

    if (r->interactive)
        loop_keys(r->loop, true);
    bool ok = wait_for(r, s, host, &w, err) && (!foresee || let_pass(r, s, host, &w, err));
    loop_keys(r->loop, false);
    if (ok)
        record_last(r, s, &w, NULL);
    if (ok && w.last.kind)
        tell_backup(r, s, host, &w, &w.last, EVENT_DONE, w.stopped ? "stopped" : "ended by itself");
    long long took = loop_now() - w.began_ms;
    if (took >= POLL_MS)
        r->behind_backup_ms += took;
    return ok;
}

bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err)
{
    return clear(r, s, host, false, err);
}

/* A migration that begins now and a backup that starts in a moment. */
static bool warn_of_next(struct run *r, size_t host, struct err *err)
{
    struct schedule next;

    if (!foresee_look(r, host, 0, &next, err))
        return false;
    const char *warning = foresee_warning(r, &next);
    if (warning)
        run_warn(r, r->recipe->hosts[host].name, "%s", warning);
    return true;
}

bool backup_clear_act(struct run *r, const struct step *s, struct err *err)
{
    long long before = r->behind_backup_ms;

    if (r->nothing_pending || r->skip_backup) {
        /* Without a mark: a resume finds it out again. */
        r->skipped = r->no_migrate        ? PASSED_OVER
                     : r->nothing_pending ? "nothing is pending"
                                          : r->skip_backup;
        return true;
    }
    /* For those who look from outside: it waits. */
    if ((r->backup_seen || r->recipe->backup.clearance_ms) && !run_put_mark(r, s, "begun", err))
        return false;
    if (!clear(r, s, s->hosts[0], r->recipe->backup.clearance_ms > 0, err) || !warn_of_next(r, s->hosts[0], err))
        return false;
    r->detail = r->behind_backup_ms > before
                    ? arena_printf(r->arena, "clear after %s",
                                   text_span(r->arena, r->behind_backup_ms - before))
                    : "no backup in the way";
    return run_put_mark(r, s, "done", err);
}

/* Nothing under migrate.paths has changed since the last run that migrated. */
static bool is_unchanged(const struct run *r, size_t host)
{
    const char *digest = r->plan->what.migrate_digest;
    const char *was = r->sites[host].migrated_digest;

    return !r->force && *digest && was && strcmp(digest, was) == 0;
}

static bool ask_pending(struct run *r, size_t host, struct err *err)
{
    const char *names = NULL;

    if (is_unchanged(r, host)) {
        r->pending = 0;
        r->detail = "nothing pending: unchanged since the last migration";
    } else {
        if (!migrate_pending(r, host, run_folder(r, host), &r->pending, &names, err))
            return false;
        r->detail = pending_text(r->arena, r->pending, names);
    }
    r->nothing_pending = r->pending == 0;
    return true;
}

bool backup_detect_act(struct run *r, const struct step *s, struct err *err)
{
    size_t host = s->hosts[0];
    const char *mark = site_mark(&r->sites[host], "migrate");
    struct backups now;
    size_t n;

    if (r->nothing_pending) {
        r->skipped = r->no_migrate ? PASSED_OVER : "nothing is pending";
        return true;
    }
    if (mark && strcmp(mark, "begun") == 0) {
        /* It may be running at this moment: it is taken up, not held up. */
        r->skip_backup = r->skipped = "the migration has begun already";
        return true;
    }
    if (!ask_pending(r, host, err))
        return false;
    if (r->nothing_pending)
        return true;
    if (r->recipe->database.adapter != ADAPTER_POSTGRESQL) {
        r->skip_backup = "the recipe names no database to look at";
        return run_put_mark(r, s, "done", err);
    }
    if (mark && !backup_end_own(r, host, err))
        return false;
    if (!backup_look(r, host, &now, err))
        return false;
    const struct backup *b = first_blocking(&now, &n);
    if (now.why) {
        run_warn(r, r->recipe->hosts[host].name,
                 "could not look for backups: %s; going on, since no statement waits longer than"
                 " lock_timeout", now.why);
        r->skip_backup = "could not look";
    }
    r->backup_seen = b != NULL;
    r->detail = arena_printf(r->arena, "%s; %s", r->detail,
                             now.why ? "could not look for backups"
                             : b     ? describe(r, b)
                                     : "no backup in the way");
    return run_put_mark(r, s, "done", err);
}
