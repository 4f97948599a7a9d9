/* running.c -- which backups are running, and what else would block a migration (running.h).
 * Called by all stages and commands that look at backups.  Relies on struct server for the queries.
 *
 * On PostgreSQL, pg_dump holds a share lock on every table until it ends.  ALTER TABLE waits for
 * it, and every other query on that table then queues behind the ALTER TABLE.  A dump whose
 * transaction was cancelled may stay connected until its client reads again; it has no virtual
 * transaction, holds no lock and blocks nothing. */

#include "stages/backup/running.h"

#include "base/number.h"
#include "base/text.h"
#include "db/client.h"
#include "db/find/find.h"
#include "db/server.h"
#include "stages/backup/partial.h"
#include "stages/backup/progress.h"
#include "stages/migrate/blockers.h"

enum { FIELDS = 15, DUMPS_MAX = 50, MAYBE_LOOKS = 3, MAYBE_MS = 150, TABLES_MAX = 100000000 };

enum { VERSION_MAX = 99999999 };

/* One row of an answer, split into its fields. */
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

static struct row *cut_rows(struct arena *a, const struct strs *lines, size_t *ret_n)
{
    struct row *rows = arena_array(a, lines->n + 1, sizeof *rows);

    for (size_t i = 0; i < lines->n; i++)
        rows[i] = cut_row(a, lines->v[i], strlen(lines->v[i]));
    *ret_n = lines->n;
    return rows;
}

/* Runs SQL on the database's host.  *ret_why is NULL, or says why the database did not answer; the
 * rows that came before the error are kept.  False only when the host itself was lost. */
static bool ask(struct run *r, size_t host, const char *sql, struct row **ret_rows, size_t *ret_n,
                const char **ret_why, struct err *err)
{
    struct strs lines;

    *ret_rows = NULL;
    *ret_n = 0;
    if (!db_ask(r, host, sql, &lines, ret_why, err))
        return false;
    *ret_rows = cut_rows(r->arena, &lines, ret_n);
    return true;
}

/* The first look at a database that had to be found is already there. */
static bool ask_first(struct run *r, size_t host, const char *sql, struct row **ret_rows,
                      size_t *ret_n, const char **ret_why, struct err *err)
{
    struct found *f = &r->guard->found;

    if (!f->is_fresh)
        return ask(r, host, sql, ret_rows, ret_n, ret_why, err);
    f->is_fresh = false;
    *ret_rows = cut_rows(r->arena, &f->rows, ret_n);
    *ret_why = f->why;
    return true;
}

/* -1 when s is not a process id. */
static long pid_of(const char *s)
{
    return (long)number_or(s, NUMBER_ID_MAX, -1);
}

/* These values go back into SQL, so only what has exactly the server's format is accepted. */
static struct backup_identity identity_of(const struct row *row)
{
    return (struct backup_identity){.transaction = db_is_vxid(row->field[3]) ? row->field[3] : "",
                                    .start = db_is_number(row->field[4]) ? row->field[4] : ""};
}

static enum backup_right right_of(const char *word)
{
    return strcmp(word, "yes") == 0     ? BACKUP_RIGHT_YES
           : strcmp(word, "super") == 0 ? BACKUP_RIGHT_SUPER
                                        : BACKUP_RIGHT_NO;
}

static struct db_session session_of(const struct backup *b)
{
    return (struct db_session){b->pid, b->identity.transaction, b->identity.start};
}

static struct backup backup_of(struct run *r, const struct row *row)
{
    long long since_us = number_or(row->field[4], NUMBER_UNIX_MAX * 1000000, -1);

    return (struct backup){
        .kind = backup_kind_of(row->field[1]),
        .pid = pid_of(row->field[2]),
        .identity = identity_of(row),
        .right = right_of(row->field[10]),
        .since_unix = since_us < 0 ? -1 : since_us / 1000000,
        .running_s = db_seconds(row->field[5]),
        .database = row->field[6],
        .user = run_redact(r, row->field[7]),
        .application = run_redact(r, row->field[8]),
        .query =
            *row->field[11] ? blocker_statement(r->arena, run_redact(r, row->field[11])) : NULL,
        .percent = -1,
        .eta_s = -1,
        .copied = -1,
        .client_port =
            strcmp(row->field[12], "-1") == 0 ? -1 : (long)number_or(row->field[12], 65535, 0),
        .locked = (long)number_or(row->field[13], TABLES_MAX, -1),
        .tables = (long)number_or(row->field[14], TABLES_MAX, -1),
        .blocks_migrations = strcmp(row->field[9], "yes") == 0,
    };
}

static int by_pid(const void *x, const void *y)
{
    const struct backup *a = *(struct backup *const *)x;
    const struct backup *b = *(struct backup *const *)y;

    return a->pid != b->pid ? (a->pid < b->pid ? -1 : 1) : a < b ? -1 : a > b;
}

/* The sessions sorted by pid, for a binary search when rows refer to them. */
static struct backup **ordered(struct arena *a, const struct backups *b)
{
    struct backup **v = arena_array(a, b->n + 1, sizeof *v);

    for (size_t i = 0; i < b->n; i++)
        v[i] = &b->v[i];
    if (b->n)
        qsort(v, b->n, sizeof *v, by_pid);
    return v;
}

/* Takes a row "copied PID BYTES" or "since PID SECONDS". */
static void take_number(struct backup **v, size_t n, const struct row *row)
{
    bool copied = strcmp(row->field[0], "copied") == 0;
    long long number = number_or(row->field[2], copied ? NUMBER_BYTES_MAX : NUMBER_UNIX_MAX, -1);
    long pid = pid_of(row->field[1]);
    size_t low = 0; /* the first whose pid is not smaller */

    if (pid < 0 || number < 0)
        return;
    for (size_t high = n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (v[middle]->pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || v[low]->pid != pid)
        return;
    if (copied)
        v[low]->copied = number;
    else if (v[low]->since_unix < 0)
        v[low]->since_unix = number;
}

/* Asks with the query for the server's version, which is remembered.  A server that is too old for
 * the newest query reports its version before the error, and is asked once more. */
static bool ask_look(struct run *r, size_t host, struct row **ret_rows, size_t *ret_n,
                     const char **ret_why, struct err *err)
{
    const struct server *server = server_of(r);

    for (int asked = 1;; asked++) {
        const char *sql = server->look(r->arena, server_own(r), r->guard->server_version);
        *ret_n = 0;
        if (!sql) {
            *ret_why = arena_printf(r->arena, "%s is too old for crelease", server_text(r));
            return true;
        }
        if (!ask_first(r, host, sql, ret_rows, ret_n, ret_why, err))
            return false;
        long was = r->guard->server_version;
        long long version;
        for (size_t i = 0; i < *ret_n; i++)
            if (strcmp((*ret_rows)[i].field[0], "version") == 0 &&
                number_read((*ret_rows)[i].field[1], VERSION_MAX, &version))
                r->guard->server_version = (long)version;
        if (!*ret_why || r->guard->server_version == was || asked == 2)
            return true;
    }
}

static bool look_once(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                      struct err *err)
{
    struct row *rows = NULL;
    size_t n;

    *ret = (struct backups){0};
    *ret_own = (struct backups){0};
    if (!database_find(r, host, err))
        return false;
    if (!server_of(r)) {
        ret->why = database_problem(r);
        return true;
    }
    if (!ask_look(r, host, &rows, &n, &ret->why, err))
        return false;
    n = ret->why ? 0 : n;
    ret->v = arena_array(r->arena, n + 1, sizeof *ret->v);
    ret_own->v = arena_array(r->arena, n + 1, sizeof *ret_own->v);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].field[0], "session") == 0 && db_is_number(rows[i].field[2])) {
            struct backup one = backup_of(r, &rows[i]);
            struct backups *to = one.kind == BACKUP_OWN ? ret_own : ret;
            if (one.kind != BACKUP_NONE)
                to->v[to->n++] = one;
        }
    }
    struct backup **by = ordered(r->arena, ret);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].field[0], "copied") == 0 || strcmp(rows[i].field[0], "since") == 0)
            take_number(by, ret->n, &rows[i]);
    return true;
}

struct backup backup_copy(struct arena *a, const struct backup *b)
{
    struct backup copy = *b;
    const char **const texts[] = {
        &copy.identity.transaction, &copy.identity.start, &copy.database, &copy.user,
        &copy.application,          &copy.query,          &copy.eta_from, &copy.output};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i])
            *texts[i] = arena_strdup(a, *texts[i]);
    copy.pipeline = (struct strs){0};
    for (size_t i = 0; i < b->pipeline.n; i++)
        strs_add(a, &copy.pipeline, arena_strdup(a, b->pipeline.v[i]));
    return copy;
}

static struct backup *find(struct backup *v, size_t n, const struct backup *one)
{
    for (size_t i = 0; i < n; i++)
        if (backup_is_same(&v[i], one))
            return &v[i];
    return NULL;
}

static void remember(struct run *r, const struct backup *b)
{
    if (!r->guard->dumps)
        r->guard->dumps = arena_array(run_kept(r), DUMPS_MAX, sizeof *r->guard->dumps);
    struct backup *was = find(r->guard->dumps, r->guard->n_dumps, b);
    if (!was && (!backup_is_identified(b) || r->guard->n_dumps == DUMPS_MAX))
        return;
    /* The texts are shared with the previous look: the database is polled every second, maybe for a
     * day. */
    if (!was) {
        was = &r->guard->dumps[r->guard->n_dumps++];
        *was = backup_copy(run_kept(r), b);
    } else {
        struct backup now = *b;
        now.identity = was->identity;
        now.database = was->database;
        now.user = was->user;
        *was = now;
    }
    was->query = was->eta_from = was->output = NULL;
    was->pipeline = (struct strs){0};
    was->kind = server_of(r)->dump;
    was->application = backup_kind_word(was->kind);
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

/* Keeps those possible dumps that proved to be one, and drops the others unless they may still be
 * one.  Returns how many are undecided. */
static size_t settle(struct run *r, struct backups *b, bool keep)
{
    const struct server *server = server_of(r);
    size_t n = 0;
    size_t open = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct backup one = b->v[i];
        const struct backup *was = find(r->guard->dumps, r->guard->n_dumps, &one);
        if (server->lasts && server_is_dump(server, one.kind))
            remember(r, &one);
        else if (was && (one.kind == BACKUP_MAYBE || one.kind == BACKUP_DUMP_LIKE))
            one = remembered(was);
        bool maybe = one.kind == BACKUP_MAYBE;
        open += maybe;
        if (!maybe || keep)
            b->v[n++] = one;
    }
    b->n = n;
    return open;
}

/* Adds a dump that was seen before and is still connected, although it shows no statement now. */
static bool add_silent(struct run *r, size_t host, struct backups *b, struct err *err)
{
    struct db_session *sessions = arena_array(r->arena, r->guard->n_dumps + 1, sizeof *sessions);
    struct backup *silent = arena_array(r->arena, r->guard->n_dumps + 1, sizeof *silent);
    struct strs rows;
    const char *why;
    size_t n = 0;

    for (size_t i = 0; i < r->guard->n_dumps; i++) {
        if (find(b->v, b->n, &r->guard->dumps[i]))
            continue;
        silent[n] = r->guard->dumps[i];
        sessions[n++] = session_of(&r->guard->dumps[i]);
    }
    const char *sql =
        n ? server_of(r)->there(r->arena, r->guard->server_version, sessions, n) : NULL;
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
            if (pid_of(db_field(r->arena, rows.v[i], 1)) == silent[k].pid)
                b->v[b->n++] = remembered(&silent[k]);
    return true;
}

/* Between two tables a dump does nothing that tells it from any other transaction.  So the database
 * is asked a few more times, and then the host, whether a dump process is running there. */
bool backup_look_all(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                     struct err *err)
{
    size_t open = 1;

    for (int i = 0; open && i < MAYBE_LOOKS; i++) {
        if (i)
            loop_turn(r->loop, loop_now() + MAYBE_MS);
        if (!look_once(r, host, ret, ret_own, err))
            return false;
        open = ret->why ? 0 : settle(r, ret, true);
    }
    if (ret->why)
        return true;
    bool dumps = open == 1 && trace_has_client(r, host, server_of(r)->dump);
    for (size_t i = 0; dumps && i < ret->n; i++)
        if (ret->v[i].kind == BACKUP_MAYBE)
            remember(r, &ret->v[i]);
    settle(r, ret, false);
    partial_mark(ret);
    return !r->guard->n_dumps || add_silent(r, host, ret, err);
}

bool backup_look(struct run *r, size_t host, struct backups *ret, struct err *err)
{
    struct backups own;

    return backup_look_all(r, host, ret, &own, err);
}

bool backup_signal(struct run *r, size_t host, const struct backup *b, enum way way,
                   size_t *ret_signalled, struct err *err)
{
    struct row *rows;
    size_t n;
    const char *why;

    if (!backup_is_identified(b))
        return true;
    struct db_session session = session_of(b);
    const char *sql = server_of(r)->end(r->arena, r->guard->server_version, &session, NULL, way);
    if (!sql)
        return true;
    if (!ask(r, host, sql, &rows, &n, &why, err))
        return false;
    *ret_signalled += n;
    if (why)
        run_warn(r, r->recipe->hosts[host].name, "cannot signal the session with pid %ld: %s",
                 b->pid, why);
    return true;
}

bool backup_end_own(struct run *r, size_t host, struct err *err)
{
    struct backups others;
    struct backups own;

    if (!backup_look_all(r, host, &others, &own, err))
        return false;
    for (size_t i = 0; i < own.n; i++) {
        run_warn(r, r->recipe->hosts[host].name,
                 "ended a session that an earlier attempt left in the database (pid %ld)",
                 own.v[i].pid);
        size_t ended = 0;
        if (!backup_signal(r, host, &own.v[i], WAY_END, &ended, err))
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

    if (!ask(r, host, server_of(r)->size(r->arena, r->guard->server_version), &rows, &n, &why,
             &ignored) ||
        why)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].field[0], "size") == 0)
            return number_or(rows[i].field[1], NUMBER_BYTES_MAX, -1);
    return -1;
}
