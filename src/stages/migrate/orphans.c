/* orphans.c -- ends the sessions that earlier runs of this site left behind in the database.  Called by
 * migrate.c before the first attempt.  Relies on the names that runs give their sessions, and on the
 * host, which knows whether a process of such a run is still alive. */

#include "stages/migrate/orphans.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "core/trip.h"
#include "db/client.h"
#include "db/server.h"

EMBED(script_orphans, "stages/migrate/orphans.sh");

enum { ASK_MS = 60000, ORPHANS_MAX = 100 };

struct orphan {
    const char *run;
    const char *application;
    struct db_session session;
};

/* The id of the run that the session's name contains; NULL when crelease did not name it. */
static const char *run_of(struct arena *a, const char *application)
{
    const char *id = application + strlen("crelease-");

    return server_is_name(application) && strcmp(id, "watch") != 0 ? arena_strdup(a, id) : NULL;
}

static bool end_orphan(struct run *r, size_t host, const struct orphan *o, const char *is,
                       struct err *err)
{
    const char *name = r->recipe->hosts[host].name;
    struct strs rows;
    const char *why;

    if (strcmp(is, "alive") == 0 || strcmp(is, "unknown") == 0) {
        run_warn(r, name, "run %s, %s, has a session in the database (pid %ld); it was not ended",
                 o->run,
                 *is == 'a' ? "which is alive on this host" : "which does not belong to this site",
                 o->session.pid);
        return true;
    }
    const char *sql =
        server_of(r)->end(r->arena, r->guard->server_version, &o->session, o->application, WAY_END);
    if (!sql)
        return true;
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    if (why)
        run_warn(r, name, "cannot end a session that run %s left in the database (pid %ld): %s",
                 o->run, o->session.pid, why);
    else if (rows.n)
        run_warn(r, name, "ended a session that run %s left in the database (pid %ld)", o->run,
                 o->session.pid);
    return true;
}

/* What the host answers about a run in its first `n` lines: alive, gone or unknown.  A run that it does
 * not mention counts as alive, so that nothing of it is ended. */
static const char *word_on(struct arena *a, const char *answer, size_t n, const char *run)
{
    static const char *const words[] = {"gone", "unknown"};

    for (; *answer && n; n--) {
        size_t len = strcspn(answer, "\n");
        for (size_t i = 0; i < 2; i++) {
            const char *line = arena_printf(a, "%s %s", words[i], run);
            if (strlen(line) == len && strncmp(answer, line, len) == 0)
                return words[i];
        }
        answer += len + (answer[len] == '\n');
    }
    return "alive";
}

/* Which of these runs are alive on the host; the answer has a line for each. */
static bool ask_host(struct run *r, const struct step *s, size_t host, const struct strs *runs,
                     struct reply **ret, struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "others", strs_joined(r->arena, runs, " "));
    struct trip t = {.script = arena_printf(r->arena, "%s%s", b.text, script_orphans),
                     .step = s->name,
                     .verb = "alive",
                     .hosts = &host,
                     .n_hosts = 1,
                     .timeout_ms = ASK_MS,
                     .payload = -1};
    buf_free(&b);
    return run_scripts(r, &t, ret, err);
}

bool orphans_end(struct run *r, const struct step *s, size_t host, struct err *err)
{
    struct strs others = {0};
    struct reply *reply;
    struct strs rows;
    const char *why;

    if (!server_of(r)->named)
        return true;
    const char *sql = server_of(r)->named(r->arena, r->guard->server_version);
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    struct orphan *orphans = arena_array(r->arena, ORPHANS_MAX, sizeof *orphans);
    size_t n = 0;
    for (size_t i = 0; i < rows.n && n < ORPHANS_MAX; i++) {
        const char *application = db_field(r->arena, rows.v[i], 1);
        const char *pid = db_field(r->arena, rows.v[i], 2);
        struct orphan o = {.run = run_of(r->arena, application), .application = application};
        long long number;
        if (!o.run || strcmp(o.run, r->plan->what.run) == 0 ||
            !number_read(pid, NUMBER_ID_MAX, &number))
            continue;
        o.session = (struct db_session){(long)number, db_field(r->arena, rows.v[i], 4),
                                        db_field(r->arena, rows.v[i], 3)};
        orphans[n++] = o;
        strs_add(r->arena, &others, o.run);
    }
    if (!n)
        return true;
    if (!ask_host(r, s, host, &others, &reply, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!end_orphan(r, host, &orphans[i], word_on(r->arena, reply->out, n, orphans[i].run),
                        err))
            return false;
    if (n == ORPHANS_MAX)
        run_warn(r, r->recipe->hosts[host].name,
                 "earlier runs have more than %d sessions in the database; the rest was "
                 "not checked",
                 ORPHANS_MAX);
    return true;
}
