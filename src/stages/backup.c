/* backup.c -- backups that would hold up a migration: seen, waited for, or stopped.
 *
 * Of PostgreSQL: pg_dump holds a share lock on every table until it ends; ALTER TABLE waits for it,
 * and every other query on that table then waits behind the ALTER TABLE.  What a server answers to
 * a signal proves nothing, so the locks are looked at again after each step.  A dump whose
 * transaction was cancelled may stay connected until its client reads again: it has no virtual
 * transaction, holds no lock, and is in nobody's way. */
#include "stages/stages.h"

#include "base/text.h"
#include "stages/blockers.h"
#include "stages/db.h"
#include "stages/server.h"

#include <ctype.h>

enum {
    /* From the end of the last backup to the migration it shall not take two seconds. */
    POLL_MS = 1000,
    CLEAR_MS = 250, /* between the two looks that must both see nothing */
    DUMPS_MAX = 50,
    MAYBE_LOOKS = 3,
    MAYBE_MS = 150,
    TOLD_MS = 2000,   /* who waited less was not held up by a backup */
    CLIENT_MS = 3000, /* what its client may take to end, told to by TERM */
    CANCEL_MS = 2000, /* what a cancel may take before the session is ended */
    END_MS = 10000,
    BLIND_MS = 60000, /* how long the database may be away while we wait */
    FIELDS = 15,
    JUST_BEGUN_S = 20, /* what cron started a moment ago may not be in the database yet */
};

#define NO_DATABASE    "the recipe names no database to look at"
#define COULD_NOT_LOOK "could not look"

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

/* Runs SQL on the database's host.  *ret_why is NULL, or says why the database did not answer, and
 * the rows are those from before; false only when the host itself was lost. */
static bool ask(struct run *r, size_t host, const char *sql, struct row **ret_rows, size_t *ret_n,
                const char **ret_why, struct err *err)
{
    struct strs lines;

    *ret_rows = NULL;
    *ret_n = 0;
    if (!db_ask(r, host, sql, &lines, ret_why, err))
        return false;
    *ret_rows = arena_array(r->arena, lines.n + 1, sizeof **ret_rows);
    for (; *ret_n < lines.n; ++*ret_n)
        (*ret_rows)[*ret_n] = cut_row(r->arena, lines.v[*ret_n], strlen(lines.v[*ret_n]));
    return true;
}

/* Identity as it goes back into SQL: virtual transaction, start in microseconds (or nothing),
 * and whether this role may end it: yes, no, or super (not, since it is a superuser's). */
static const char *identity_of(struct arena *a, const struct row *row)
{
    if (!db_is_vxid(row->field[3]) && !db_is_number(row->field[4]))
        return NULL;
    return arena_printf(a, "%s %s %s", db_is_vxid(row->field[3]) ? row->field[3] : "-",
                        db_is_number(row->field[4]) ? row->field[4] : "-", row->field[10]);
}

static struct backup backup_of(struct run *r, const struct row *row)
{
    return (struct backup){
        .kind = row->field[1],
        .pid = strtol(row->field[2], NULL, 10),
        .identity = identity_of(r->arena, row),
        .since_unix = db_is_number(row->field[4]) ? strtoll(row->field[4], NULL, 10) / 1000000 : -1,
        .running_s = db_seconds(row->field[5]),
        .database = row->field[6],
        .user = run_redact(r, row->field[7]),
        .application = run_redact(r, row->field[8]),
        .query =
            *row->field[11] ? blocker_statement(r->arena, run_redact(r, row->field[11])) : NULL,
        .percent = -1,
        .eta_s = -1,
        .copied = -1,
        .client_port = strcmp(row->field[12], "-1") == 0 ? -1
                       : db_is_number(row->field[12])    ? strtol(row->field[12], NULL, 10)
                                                         : 0,
        .locked = db_is_number(row->field[13]) ? strtol(row->field[13], NULL, 10) : -1,
        .tables = db_is_number(row->field[14]) ? strtol(row->field[14], NULL, 10) : -1,
        .blocks_migrations = strcmp(row->field[9], "yes") == 0,
    };
}

static void take_copied(struct backups *to, const struct row *row)
{
    if (!db_is_number(row->field[1]) || !db_is_number(row->field[2]))
        return;
    for (size_t i = 0; i < to->n; i++)
        if (to->v[i].pid == strtol(row->field[1], NULL, 10))
            to->v[i].copied = strtoll(row->field[2], NULL, 10);
}

/* Asks in the words of the server's version, which is kept.  Who is too old for the first words
 * has told it before the error, and is asked once more. */
static bool ask_look(struct run *r, size_t host, struct row **ret_rows, size_t *ret_n,
                     const char **ret_why, struct err *err)
{
    const struct server *server = server_of(r->recipe);

    for (int asked = 1;; asked++) {
        const char *sql = server->look(r->arena, server_own(r), r->server_version);
        *ret_n = 0;
        if (!sql) {
            *ret_why = arena_printf(r->arena, "%s is too old for crelease", server_text(r));
            return true;
        }
        if (!ask(r, host, sql, ret_rows, ret_n, ret_why, err))
            return false;
        long was = r->server_version;
        for (size_t i = 0; i < *ret_n; i++)
            if (strcmp((*ret_rows)[i].field[0], "version") == 0 &&
                db_is_number((*ret_rows)[i].field[1]))
                r->server_version = strtol((*ret_rows)[i].field[1], NULL, 10);
        if (!*ret_why || r->server_version == was || asked == 2)
            return true;
    }
}

static void take_since(struct backups *to, const struct row *row)
{
    for (size_t i = 0; i < to->n; i++)
        if (to->v[i].since_unix < 0 && db_is_number(row->field[1]) && db_is_number(row->field[2]) &&
            to->v[i].pid == strtol(row->field[1], NULL, 10))
            to->v[i].since_unix = strtoll(row->field[2], NULL, 10);
}

static bool look_once(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                      struct err *err)
{
    struct row *rows;
    size_t n;

    *ret = (struct backups){0};
    *ret_own = (struct backups){0};
    if (!ask_look(r, host, &rows, &n, &ret->why, err))
        return false;
    n = ret->why ? 0 : n;
    ret->v = arena_array(r->arena, n + 1, sizeof *ret->v);
    ret_own->v = arena_array(r->arena, n + 1, sizeof *ret_own->v);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].field[0], "session") == 0 && db_is_number(rows[i].field[2])) {
            struct backups *to = strcmp(rows[i].field[1], "own") == 0 ? ret_own : ret;
            to->v[to->n++] = backup_of(r, &rows[i]);
        } else if (strcmp(rows[i].field[0], "copied") == 0) {
            take_copied(ret, &rows[i]);
        } else if (strcmp(rows[i].field[0], "since") == 0) {
            take_since(ret, &rows[i]);
        }
    }
    return true;
}

static bool is_same_backup(const struct backup *a, const struct backup *b)
{
    return a->pid == b->pid && a->identity && b->identity && strcmp(a->identity, b->identity) == 0;
}

static struct backup *find(struct backup *v, size_t n, const struct backup *one)
{
    for (size_t i = 0; i < n; i++)
        if (is_same_backup(&v[i], one))
            return &v[i];
    return NULL;
}

static void remember(struct run *r, const struct backup *b)
{
    if (!r->dumps)
        r->dumps = arena_array(r->arena, DUMPS_MAX, sizeof *r->dumps);
    struct backup *was = find(r->dumps, r->n_dumps, b);
    if (!was && (!b->identity || r->n_dumps == DUMPS_MAX))
        return;
    was = was ? was : &r->dumps[r->n_dumps++];
    *was = *b;
    was->kind = was->application = server_of(r->recipe)->dump;
    was->blocks_migrations = true;
    if (b->running_s >= 0)
        was->running_s = b->running_s - loop_now() / 1000;
}

static struct backup remembered(const struct backup *was)
{
    struct backup b = *was;

    b.running_s += loop_now() / 1000;
    b.query = NULL;
    return b;
}

/* Of those that may be a dump, the ones that were seen to be one; the others are left out, unless
 * they still may be.  Returns how many these are. */
static size_t settle(struct run *r, struct backups *b, bool keep)
{
    const struct server *server = server_of(r->recipe);
    size_t n = 0;
    size_t open = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct backup one = b->v[i];
        const struct backup *was = find(r->dumps, r->n_dumps, &one);
        bool maybe = strcmp(one.kind, "maybe") == 0;
        if (server->lasts && server_is_dump(server, one.kind))
            remember(r, &one);
        else if (was && (maybe || strcmp(one.kind, "dump-like") == 0))
            one = remembered(was);
        maybe = strcmp(one.kind, "maybe") == 0;
        open += maybe;
        if (!maybe || keep)
            b->v[n++] = one;
    }
    b->n = n;
    return open;
}

/* A dump that was seen, shows nothing of what it does, and is still connected. */
static bool add_silent(struct run *r, size_t host, struct backups *b, struct err *err)
{
    struct session *sessions = arena_array(r->arena, r->n_dumps + 1, sizeof *sessions);
    struct backup *silent = arena_array(r->arena, r->n_dumps + 1, sizeof *silent);
    struct strs rows;
    const char *why;
    size_t n = 0;

    for (size_t i = 0; i < r->n_dumps; i++) {
        const char *identity = r->dumps[i].identity;
        if (find(b->v, b->n, &r->dumps[i]))
            continue;
        silent[n] = r->dumps[i];
        sessions[n++] = (struct session){
            r->dumps[i].pid, arena_strndup(r->arena, identity, strcspn(identity, " ")), ""};
    }
    const char *sql =
        n ? server_of(r->recipe)->there(r->arena, r->server_version, sessions, n) : NULL;
    if (!sql)
        return true;
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    struct backup *all = arena_array(r->arena, b->n + n, sizeof *all);
    for (size_t i = 0; i < b->n; i++)
        all[i] = b->v[i];
    b->v = all;
    for (size_t i = 0; i < rows.n; i++)
        for (size_t k = 0; k < n; k++)
            if (strtol(db_field(r->arena, rows.v[i], 1), NULL, 10) == silent[k].pid)
                b->v[b->n++] = remembered(&silent[k]);
    return true;
}

/* Between two tables a dump does nothing by which it could be told from somebody's transaction.  It
 * is looked at a few times more; then its host is asked whether a dump runs there. */
static bool look(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                 struct err *err)
{
    size_t open = 1;

    for (int i = 0; open && i < MAYBE_LOOKS; i++) {
        if (i)
            loop_turn(r->loop, loop_now() + MAYBE_MS);
        if (!look_once(r, host, ret, ret_own, err))
            return false;
        open = settle(r, ret, true);
    }
    bool dumps = open == 1 && trace_has_client(r, host, server_of(r->recipe)->dump);
    for (size_t i = 0; dumps && i < ret->n; i++)
        if (strcmp(ret->v[i].kind, "maybe") == 0)
            remember(r, &ret->v[i]);
    settle(r, ret, false);
    return ret->why || !r->n_dumps || add_silent(r, host, ret, err);
}

bool backup_look(struct run *r, size_t host, struct backups *ret, struct err *err)
{
    struct backups own;

    return look(r, host, ret, &own, err);
}

/* Cancels or ends exactly this session: pid, virtual transaction and start in one statement.
 * Nobody else's is ever touched; when it is gone already, no row matches. */
static bool signal_session(struct run *r, size_t host, const struct backup *b, enum way way,
                           size_t *ret_signalled, struct err *err)
{
    char transaction[64] = "-";
    char start[32] = "-";
    struct row *rows;
    size_t n;
    const char *why;

    if (!b->identity || sscanf(b->identity, "%63s %31s", transaction, start) != 2)
        return true;
    struct session session = {b->pid, transaction, start};
    const char *sql = server_of(r->recipe)->end(r->arena, r->server_version, &session, NULL, way);
    if (!sql)
        return true;
    if (!ask(r, host, sql, &rows, &n, &why, err))
        return false;
    *ret_signalled += n;
    if (why)
        run_warn(r, r->recipe->hosts[host].name, "pid %ld could not be signalled: %s", b->pid, why);
    return true;
}

bool backup_end_own(struct run *r, size_t host, struct err *err)
{
    struct backups others;
    struct backups own;

    if (!look(r, host, &others, &own, err))
        return false;
    for (size_t i = 0; i < own.n; i++) {
        run_warn(r, r->recipe->hosts[host].name,
                 "a statement of an earlier attempt was still in the database (pid %ld): ended",
                 own.v[i].pid);
        size_t ended = 0;
        if (!signal_session(r, host, &own.v[i], WAY_END, &ended, err))
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

    if (!ask(r, host, server_of(r->recipe)->size, &rows, &n, &why, &ignored) || why)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].field[0], "size") == 0 && db_is_number(rows[i].field[1]))
            return strtoll(rows[i].field[1], NULL, 10);
    return -1;
}

static bool is_lock(const struct backup *b)
{
    return strcmp(b->kind, "hold") == 0 || strcmp(b->kind, "migration") == 0;
}

void backup_expect(struct run *r, size_t host, struct backups *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].blocks_migrations && !is_lock(&b->v[i])) {
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

const char *backup_text(struct run *r, const struct backup *b)
{
    if (!b->pid)
        return "a backup that is to start";
    bool lock = is_lock(b);
    const char *text =
        arena_printf(r->arena, "%s of %s by %s%s%s, pid %ld", b->kind, b->database, b->user,
                     lock ? " as " : "", lock ? b->application : "", b->pid);

    return b->running_s < 0 ? text
                            : arena_printf(r->arena, "%s, for %s", text,
                                           text_span(r->arena, b->running_s * 1000));
}

/* It has taken all its locks when it reads; before, few of them say nothing. */
bool backup_is_partial(const struct backup *b)
{
    return strcmp(b->kind, "pg_dump") == 0 && b->query &&
           (strncmp(b->query, "COPY ", 5) == 0 || strncmp(b->query, "FETCH ", 6) == 0) &&
           b->locked >= 0 && b->locked * 5 < b->tables * 4;
}

/* Why it is waited for, where that does not go without saying. */
static const char *note(struct run *r, const struct backup *b)
{
    const char *name = r->recipe->database.name;

    if (strcmp(b->kind, "pg_dumpall") == 0)
        return arena_printf(r->arena,
                            "it dumps one database after the other, and %s is still to come",
                            name ? name : "this one");
    if (backup_is_partial(b))
        return arena_printf(
            r->arena,
            "it holds %ld of %ld tables, and which of them the migration needs cannot be known",
            b->locked, b->tables);
    return NULL;
}

static bool in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err)
{
    return err_set(err, ERR_BACKUP, "%s is in the way: %s", backup_text(r, b), why);
}

/* One of those that blocked does so still. */
static bool is_one_left(const struct backups *was, const struct backups *now)
{
    for (size_t i = 0; i < was->n; i++)
        for (size_t k = 0; was->v[i].blocks_migrations && k < now->n; k++)
            if (now->v[k].blocks_migrations && is_same_backup(&was->v[i], &now->v[k]))
                return true;
    return false;
}

/* None of them is left, looked at until `ms` have passed. */
static bool gone_within(struct run *r, size_t host, const struct backups *was, long long ms,
                        bool *ret_gone, struct err *err)
{
    long long deadline = loop_now() + ms;
    struct backups now;

    for (;;) {
        if (!backup_look(r, host, &now, err))
            return false;
        *ret_gone = !now.why && !is_one_left(was, &now);
        if (*ret_gone || loop_now() >= deadline)
            return true;
        loop_turn(r->loop, loop_now() + 200);
    }
}

static bool is_of_all(struct run *r, const struct backup *b)
{
    const char *all = server_of(r->recipe)->dump_all;

    return all && strcmp(b->kind, all) == 0;
}

/* The gentle way first: its client, so that what started it hears of it; then its sessions, every
 * member of a parallel dump, since workers keep their locks.  An idle pg_dumpall that lost its
 * session would begin the next dump all the same. */
static bool stop_all(struct run *r, const struct step *s, size_t host, const struct backups *b,
                     const char *why, struct err *err)
{
    static const struct {
        enum way way; /* of the first there is none: its client has been told already */
        const char *how;
        long long wait_ms;
    } ways[] = {{WAY_CANCEL, "client", CLIENT_MS},
                {WAY_CANCEL, "cancel", CANCEL_MS},
                {WAY_END, "terminate", END_MS}};
    struct stop stop = {.why = why};
    size_t n;
    const struct backup *first = first_blocking(b, &n);
    const char *how = "ended";
    bool gone = false;

    if (!stop_begin(r, s, host, b, &stop, err))
        return false;
    for (size_t w = stop.n_termed ? 0 : 1; w < 3 && !gone; w++) {
        size_t signalled = w ? 0 : stop.n_termed;
        for (size_t i = 0; w && i < b->n; i++)
            if (b->v[i].blocks_migrations && !is_of_all(r, &b->v[i]) && stop_may(&b->v[i]) &&
                !signal_session(r, host, &b->v[i], ways[w].way, &signalled, err))
                return false;
        how = signalled ? ways[w].how : how;
        if (!gone_within(r, host, b, signalled ? ways[w].wait_ms : 0, &gone, err))
            return false;
    }
    if (!gone)
        return in_the_way(
            r, first, "it was told to end and did not; it is left alone now, see after it by hand",
            err);
    return stop_end(r, s, host, first, &stop, how, err);
}

/* One wait, from the first look to the end of the last backup. */
struct wait {
    long long began_ms;
    long long blind_since_ms; /* 0: the last look saw something */
    enum policy policy;
    bool stopped;   /* by us */
    bool only_wait; /* for others: nothing is stopped and nothing recorded */
    bool unseen; /* whether one still runs could not be seen, and that is to be no reason to stop */
    const char *why_stop;   /* word of the record: policy, option, limit, key */
    const char *refused_of; /* the identity of that for which `refusal` was found out */
    const char *refusal;    /* why it cannot be stopped; NULL: it can */
    bool seen;              /* the database has answered once */
    struct backup last;     /* the one that was in the way; kind NULL: none was */
    long long last_ms;      /* when it was seen last */
    bool
        lost_sight; /* since then the database did not answer: when and how it ended is not known */
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
                               .can_ask = r->interactive,
                               .can_stop = !w->refusal});
}

bool backup_unknown(struct run *r, size_t host, const char *what, const char *then, struct err *err)
{
    const char *name = r->recipe->hosts[host].name;

    if (r->recipe->backup.unknown == UNKNOWN_ABORT) {
        if (r->begun)
            strs_add(
                r->arena, &r->failure.next,
                arena_printf(r->arena,
                             "'crelease check %s' once it is mended, then 'crelease resume %s'",
                             r->recipe->environment, r->recipe->environment));
        return err_set(err, ERR_BACKUP,
                       "%s: %s, and the recipe says to stop then (backup.unknown: abort)", name,
                       what);
    }
    run_warn(r, name, "%s; %s", what, then);
    return true;
}

/* Seen nothing for too long is an answer of its own: then it is told, and err says whether to stop.
 * Who only waits for others, and has seen nothing yet, has it at once. */
static bool is_blind_too_long(struct run *r, size_t host, struct wait *w, const char *why,
                              struct err *err)
{
    bool at_once = w->only_wait && !w->seen;

    if (!w->blind_since_ms) {
        w->blind_since_ms = loop_now();
        if (!at_once)
            run_warn(r, r->recipe->hosts[host].name,
                     "could not look for backups: %s; looking again", why);
    }
    if (!at_once && loop_now() - w->blind_since_ms < BLIND_MS)
        return false;
    const char *what =
        w->last.kind ? arena_printf(r->arena, "cannot see whether a backup still runs: %s", why)
                     : arena_printf(r->arena, "could not look for backups: %s", why);
    w->unseen = backup_unknown(r, host, what,
                               w->only_wait ? "taken as clear (backup.unknown: proceed)"
                                            : server_of(r->recipe)->unguarded,
                               err);
    return true;
}

static bool limit_reached(struct run *r, struct wait *w, const struct backup *b, struct err *err)
{
    long long limit = r->recipe->backup.wait_limit_ms;

    if (w->policy != POLICY_WAIT || !limit || loop_now() - w->began_ms < limit)
        return false;
    if (r->recipe->backup.after_limit == POLICY_KILL && !w->only_wait) {
        w->policy = POLICY_KILL;
        w->why_stop = "limit";
        return false;
    }
    in_the_way(
        r, b,
        arena_printf(r->arena, "waited for %s, which is the limit", text_span(r->arena, limit)),
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
        if (w->refusal) {
            run_warn(r, NULL, "it is not stopped: %s", w->refusal);
            break;
        }
        w->policy = POLICY_KILL;
        w->why_stop = "key";
        break;
    case 'q':
        w->policy = POLICY_ABORT;
        break;
    default:
        break;
    }
}

enum next { NEXT_WAIT, NEXT_AGAIN, NEXT_STOP };

/* Known before it is offered; looked up once for each backup, when a person or the policy may want
 * it. */
static bool may_be_stopped(struct run *r, size_t host, struct wait *w, const struct backups *now,
                           const struct backup *b, struct err *err)
{
    const char *of =
        arena_printf(r->arena, "%ld %s %d", b->pid, b->identity ? b->identity : "", w->policy);

    if ((w->policy != POLICY_KILL && !r->interactive) ||
        (w->refused_of && strcmp(w->refused_of, of) == 0))
        return true;
    bool by_person = w->policy == POLICY_KILL ? strcmp(w->why_stop, "key") == 0 : r->interactive;
    w->refused_of = of;
    return stop_refusal(r, host, now, by_person, &w->refusal, err);
}

static enum next decide(struct run *r, const struct step *s, size_t host, struct wait *w,
                        const struct backups *now, const struct backup *b, struct err *err)
{
    if (limit_reached(r, w, b, err) || !may_be_stopped(r, host, w, now, b, err))
        return NEXT_STOP;
    switch (w->policy) {
    case POLICY_ABORT:
        in_the_way(r, b, "the policy says not to wait for it", err);
        return NEXT_STOP;
    case POLICY_KILL:
        if (w->refusal) {
            const char *env = r->recipe->environment;
            if (r->begun)
                strs_add(
                    r->arena, &r->failure.next,
                    arena_printf(r->arena,
                                 "'crelease resume %s' when it has ended, or 'crelease resume %s"
                                 " --on-backup=wait' to wait for it",
                                 env, env));
            in_the_way(r, b, w->refusal, err);
            return NEXT_STOP;
        }
        tell_backup(r, s, host, w, b, EVENT_WAITING, "stopping it");
        w->stopped = true;
        return stop_all(r, s, host, now, w->why_stop, err) ? NEXT_AGAIN : NEXT_STOP;
    case POLICY_ASK:
        if (!r->interactive) {
            in_the_way(r, b,
                       "the policy says to ask, and there is no terminal to ask on (say"
                       " --on-backup=wait, kill or abort)",
                       err);
            return NEXT_STOP;
        }
        tell_backup(r, s, host, w, b, EVENT_WAITING,
                    w->refusal ? arena_printf(r->arena,
                                              "wait for it, or stop here? It cannot be killed: %s",
                                              w->refusal)
                               : "wait for it, kill it, or stop here?");
        return NEXT_WAIT;
    case POLICY_WAIT:
        tell_backup(r, s, host, w, b, EVENT_WAITING, note(r, b));
        return NEXT_WAIT;
    }
    return NEXT_STOP;
}

/* What was in the way has ended by itself, `next` may be there in its place.  For the estimates to
 * come. */
static void record_last(struct run *r, const struct step *s, struct wait *w,
                        const struct backup *next)
{
    if (w->only_wait || !w->last.kind || !server_is_dump(server_of(r->recipe), w->last.kind) ||
        w->last.running_s < 0 || w->stopped || w->lost_sight ||
        (next && is_same_backup(&w->last, next)))
        return;
    long long seconds = w->last.running_s + (loop_now() - w->last_ms) / 1000;
    trace_record(r, s, &w->trace, &w->last, seconds);
}

static bool wait_for(struct run *r, const struct step *s, size_t host, struct wait *w,
                     struct err *err)
{
    bool seen_clear = false;
    bool waited = false;

    while (!w->unseen) {
        struct backups now;
        size_t n;
        struct backups own;
        if (!look(r, host, &now, &own, err))
            return false;
        w->seen = w->seen || !now.why;
        struct backup *b = first_blocking(&now, &n);
        enum next next = NEXT_WAIT;
        if (now.why) {
            w->lost_sight = true;
            if (is_blind_too_long(r, host, w, now.why, err))
                return err->code == ERR_NONE;
        } else if (!b) {
            if (seen_clear || !waited)
                return true;
            seen_clear = true;
        } else {
            w->blind_since_ms = 0;
            record_last(r, s, w, b);
            if (!is_lock(b)) /* what a lock is held for is not known */
                trace_follow(r, host, &w->trace, b);
            w->last = *b;
            w->last_ms = loop_now();
            w->lost_sight = false;
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
    return true;
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
static bool may_wait(struct run *r, struct wait *w, const struct backup *b, const char *what,
                     struct err *err)
{
    if (w->policy == POLICY_ABORT)
        return err_set(err, ERR_BACKUP, "%s, and the policy says not to wait for it", what);
    if (w->policy == POLICY_ASK && !r->interactive)
        return err_set(err, ERR_BACKUP,
                       "%s, and the policy says to ask, and there is no terminal to ask on (say"
                       " --on-backup=wait, kill or abort)",
                       what);
    return !limit_reached(r, w, b, err) && err->code == ERR_NONE;
}

/* Until the backup that is to start then is seen, or does not come within backup.clearance of its
 * time.  Whoever chooses to kill waits for none. */
static bool wait_for_start(struct run *r, const struct step *s, size_t host, struct wait *w,
                           const struct schedule *next, const struct start *start, struct err *err)
{
    long long begun = loop_now();
    long long in_ms = (start->unix_s - next->now_unix) * 1000;
    long long deadline =
        begun + in_ms + (in_ms < 0 ? JUST_BEGUN_S * 1000 : r->recipe->backup.clearance_ms);
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
        if (now.why ? is_blind_too_long(r, host, w, now.why, err)
                    : first_blocking(&now, &n) != NULL)
            return err->code == ERR_NONE;
        w->blind_since_ms = now.why ? w->blind_since_ms : 0;
        if (loop_now() >= deadline) {
            run_warn(r, r->recipe->hosts[host].name,
                     "%s, and was not seen in the database: going on", what);
            return true;
        }
        if (!may_wait(r, w, &b, what, err))
            return false;
        tell_backup(r, s, host, w, &b, EVENT_WAITING,
                    w->policy != POLICY_ASK
                        ? shown
                        : arena_printf(r->arena,
                                       "%s; wait for it, migrate before it (k), or stop here?",
                                       shown));
        if (!loop_wait(r->loop, POLL_MS)) {
            take_key(r, w);
            if (run_is_stopped(r, "while waiting for a backup to come and go", err))
                return false;
        }
    }
    return true;
}

/* Lets a backup pass that starts within backup.clearance, and with it what else has begun by then.
 */
static bool let_pass(struct run *r, const struct step *s, size_t host, struct wait *w,
                     struct err *err)
{
    struct schedule next;

    if (!foresee_look(r, host, JUST_BEGUN_S, &next, err))
        return false;
    if (next.why) {
        run_warn(r, r->recipe->hosts[host].name,
                 "could not look up when the next backup starts: %s", next.why);
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
    struct wait w = {.began_ms = loop_now(),
                     .policy = r->on_backup,
                     .why_stop = r->on_backup == r->recipe->backup.policy ? "policy" : "option"};

    if (r->interactive)
        loop_keys(r->loop, true);
    bool ok = wait_for(r, s, host, &w, err) && (!foresee || let_pass(r, s, host, &w, err));
    loop_keys(r->loop, false);
    if (ok)
        record_last(r, s, &w, NULL);
    if (ok && w.last.kind)
        tell_backup(r, s, host, &w, &w.last, EVENT_DONE,
                    w.stopped      ? "stopped"
                    : w.lost_sight ? "gone when the database answered again"
                                   : "ended by itself");
    long long took = loop_now() - w.began_ms;
    if (took >= TOLD_MS)
        r->behind_backup_ms += took;
    return ok;
}

bool backup_wait(struct run *r, const struct step *s, size_t host, long long *ret_waited_ms,
                 struct err *err)
{
    struct wait w = {.began_ms = loop_now(), .policy = POLICY_WAIT, .only_wait = true};
    bool ok = wait_for(r, s, host, &w, err);

    if (ok && w.last.kind && !w.unseen)
        tell_backup(r, s, host, &w, &w.last, EVENT_DONE, "ended by itself");
    *ret_waited_ms = w.last.kind ? loop_now() - w.began_ms : 0;
    return ok;
}

bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err)
{
    if (r->skip_backup && strcmp(r->skip_backup, COULD_NOT_LOOK) == 0)
        return true;
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

    /* Who resumes has not looked: backup-detect is done. */
    if (!server_of(r->recipe))
        r->skip_backup = NO_DATABASE;
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
    if (!clear(r, s, s->hosts[0], r->recipe->backup.clearance_ms > 0, err) ||
        !warn_of_next(r, s->hosts[0], err))
        return false;
    r->detail = r->behind_backup_ms > before
                    ? arena_printf(r->arena, "clear after %s",
                                   text_span(r->arena, r->behind_backup_ms - before))
                : r->backup_stopped ? "clear: what was in the way was stopped"
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
    if (!server_of(r->recipe)) {
        r->skip_backup = NO_DATABASE;
        return run_put_mark(r, s, "done", err);
    }
    if (mark && !backup_end_own(r, host, err))
        return false;
    if (!backup_look(r, host, &now, err))
        return false;
    const struct backup *b = first_blocking(&now, &n);
    if (now.why) {
        if (!backup_unknown(r, host,
                            arena_printf(r->arena, "could not look for backups: %s", now.why),
                            server_of(r->recipe)->unguarded, err))
            return false;
        r->skip_backup = COULD_NOT_LOOK;
    }
    r->backup_seen = b != NULL;
    r->detail = arena_printf(r->arena, "%s; %s", r->detail,
                             now.why ? "could not look for backups"
                             : b     ? backup_text(r, b)
                                     : "no backup in the way");
    return run_put_mark(r, s, "done", err);
}
