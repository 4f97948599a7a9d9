/* blockers.c -- reads the rows about blockers that the watchdog and the database print, reports
 * each blocker once, and ends blockers if the recipe says so (blockers.h).  Called by watchdog.c
 * during an attempt and by attempts.c after it.  Relies on struct server for the queries. */
#include "stages/migrate/blockers.h"

#include "base/number.h"
#include "base/text.h"
#include "db/client.h"
#include "db/server.h"

enum { SHOWN_MAX = 120, BLOCKERS_MAX = 50, WORD_MAX = 63 };

/* ---- rows ---- */

/* Accepts only what PostgreSQL's own keywords consist of; anything else becomes an empty string. */
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
    long long pid;
    if (strcmp(f[0], "blocker") != 0 || !number_read(f[1], NUMBER_ID_MAX, &pid) || !*word(a, f[2]))
        return false;
    *ret = (struct blocker){
        .kind = word(a, f[2]),
        .pid = (long)pid,
        .vxid = db_is_vxid(f[3]) ? f[3] : "",
        .start = db_is_number(f[4]) ? f[4] : "",
        .running_s = db_seconds(f[5]),
        .user = f[6],
        .application = f[7],
        .state = word(a, f[8]),
        .may_stop = strcmp(f[9], "yes") == 0,
        .behind = (long)number_or(f[10], NUMBER_ID_MAX, 0),
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

/* The length of a dollar-quoted string ("$tag$ ... $tag$") at s; 0 when none begins there. */
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
    /* Do not cut a multi-byte character in two. */
    for (size_t k = 1; *query && k <= 4 && k <= b.len; k++) {
        unsigned char c = (unsigned char)b.text[b.len - k];
        if (c >= 0xc0 && !text_is_utf8(b.text + b.len - k, k))
            b.len -= k;
        if ((c & 0xc0) != 0x80)
            break;
    }
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

static struct blocker copy_of(struct arena *a, const struct blocker *b)
{
    struct blocker copy = *b;

    copy.kind = arena_strdup(a, b->kind);
    copy.vxid = arena_strdup(a, b->vxid);
    copy.start = arena_strdup(a, b->start);
    copy.user = arena_strdup(a, b->user);
    copy.application = arena_strdup(a, b->application);
    copy.state = arena_strdup(a, b->state);
    copy.query = arena_strdup(a, b->query);
    copy.waits_for = arena_strdup(a, b->waits_for);
    return copy;
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
    /* Redact before shortening: a secret that is cut in two would not be recognised. */
    one->query = blocker_statement(r->arena, run_redact(r, one->query));
    one->user = run_redact(r, one->user);
    one->application = run_redact(r, one->application);
    if (!all->v)
        all->v = arena_array(run_kept(r), BLOCKERS_MAX, sizeof *all->v);
    all->v[all->n++] = copy_of(run_kept(r), one);
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
        b->dump_behind = (long)number_or(pid, NUMBER_ID_MAX, 0);
    } else if (strcmp(what, "helpless") == 0 && db_is_number(pid)) {
        if (!b->helpless)
            run_warn(r, r->recipe->hosts[host].name,
                     "cannot cancel a statement of the migration (pid %s) that waits for a "
                     "lock while others queue behind it: %s",
                     pid,
                     server_of(r)->right_missing(r->arena, r->guard->server_version, false,
                                                 "the migration's account"));
        b->helpless = true;
    } else if (strcmp(what, "cancelled") == 0) {
        b->cancelled = true;
        if (strcmp(db_field(r->arena, line, 2), "crowd") == 0 && db_is_number(behind)) {
            b->crowded = true;
            b->crowd = (long)number_or(behind, NUMBER_ID_MAX, 0);
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
    const struct server *server = server_of(r);
    const char *sql = server->lock_holders(r->arena, r->guard->server_version, server_own(r));
    struct strs rows;
    const char *why;

    bool ok = db_ask(r, host, sql, &rows, &why, err);
    for (size_t i = 0; ok && i < rows.n; i++) {
        struct blocker one;
        if (blocker_read(r->arena, rows.v[i], &one))
            add(r, s, host, ret, &one);
    }
    return ok;
}

static struct db_session session_of(const struct blocker *b)
{
    return (struct db_session){b->pid, b->vxid, b->start};
}

bool blockers_look(struct run *r, size_t host, const struct blockers *b, bool *ret_there,
                   struct err *err)
{
    struct db_session *sessions = arena_array(r->arena, b->n + 1, sizeof *sessions);
    struct strs rows;
    const char *why;

    *ret_there = true;
    for (size_t i = 0; i < b->n; i++)
        sessions[i] = session_of(&b->v[i]);
    const char *sql = server_of(r)->there(r->arena, r->guard->server_version, sessions, b->n);
    if (!sql)
        return true;
    bool ok = db_ask(r, host, sql, &rows, &why, err);
    *ret_there = !ok || why || rows.n > 0;
    return ok;
}

bool blockers_end(struct run *r, size_t host, const struct blockers *b, size_t *ret_n,
                  struct err *err)
{
    *ret_n = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct blocker *one = &b->v[i];
        struct db_session session = session_of(one);
        struct strs rows;
        const char *why;
        if (strcmp(one->kind, "session") != 0 || !one->may_stop ||
            strcmp(one->waits_for, "advisory") == 0)
            continue;
        const char *sql =
            server_of(r)->end(r->arena, r->guard->server_version, &session, NULL, WAY_END);
        if (!sql)
            continue;
        if (!db_ask(r, host, sql, &rows, &why, err))
            return false;
        if (why)
            run_warn(r, r->recipe->hosts[host].name, "cannot end %s: %s",
                     blocker_text(r->arena, one), why);
        else if (rows.n)
            run_warn(r, r->recipe->hosts[host].name, "ended %s (migrate.blockers: terminate)",
                     blocker_text(r->arena, one));
        *ret_n += !why;
    }
    return true;
}
