/* watchdog.c -- puts the watchdog's script together and reads the lines it prints (watchdog.h).
 * Called by migrate.c; the script runs on the host under supervise.sh, as part of the migration's
 * job. */
#include "stages/migrate/watchdog.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "db/client.h"
#include "db/find/find.h"
#include "db/server.h"
#include "stages/backup/hold.h"
#include "stages/migrate/blockers.h"

#include <assert.h>

EMBED(script_watch, "stages/migrate/watchdog.sh");
EMBED(script_outside, "stages/migrate/outside.sh");

enum {
    LOOK_LEAST_MS = 150,
    LOOK_MOST_MS = 1000,
    LOOK_CROWD_MS = 250, /* with max_blocked, which counts the queue */
};

/* Polls at least twice within lock_timeout, so that a wait which the driver ends itself is seen. */
static long long look_ms(const struct recipe *recipe)
{
    long long most = recipe->migrate.max_blocked ? LOOK_CROWD_MS : LOOK_MOST_MS;
    long long ms = recipe->migrate.lock_timeout_ms / 3;

    return ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms > most ? most : ms;
}

static const char *watchdog_values(struct run *r, const struct server *server)
{
    const char *own = server_own(r);
    long max_blocked = r->recipe->migrate.max_blocked;
    long version = r->guard->server_version;
    const struct waits waits = {.own = own,
                                .version = version,
                                .limit_ms = r->recipe->migrate.lock_timeout_ms,
                                .max_blocked = max_blocked ? max_blocked : -1};
    const char *look = server->waits(r->arena, &waits);
    long long pause = look_ms(r->recipe);
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    guard_values(r, &b);
    quote_assign(&b, "encoding", db_encoding(r));
    quote_assign(&b, "watch_client",
                 arena_printf(r->arena, "%s%s", server_command(r), server->feed));
    quote_assign(&b, "look", look ? look : "");
    quote_assign(&b, "last", server->end_own ? server->end_own(r->arena, version, own) : "");
    quote_assign(&b, "pause", arena_printf(r->arena, "%lld.%03lld", pause / 1000, pause % 1000));
    assert(!b.full);
    const char *text = arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

void watchdog_set(struct run *r, size_t host, struct job_call *c)
{
    const struct server *server = server_of(r);

    if (!server) {
        if (database_is_off(r))
            c->watchdog = arena_printf(r->arena, "%s%s", script_outside, "outside\n");
        return;
    }
    c->watchdog_values = watchdog_values(r, server);
    c->watchdog =
        arena_printf(r->arena, "%s%s%s%s", r->guard->look == LOOK_FAILED ? script_outside : "",
                     script_guard, server->clients, script_watch);
    if (r->recipe->database.adapter != ADAPTER_AUTO)
        return;
    /* It makes the connection that the host finds before the job starts. */
    c->watchdog_prepare = database_watch(r, host);
    c->watchdog =
        arena_printf(r->arena, "%s%s%s", script_reach, "connect=export_found\n", c->watchdog);
}

/* Reports what guard.sh prints about the session with the migration lock.  The last field is the
 * client's message. */
static bool take_lock(struct run *r, const char *host, const char *line)
{
    const char *what = db_field(r->arena, line, 1);

    if (strcmp(db_field(r->arena, line, 0), "lock") != 0)
        return false;
    if (strcmp(what, "lost") == 0)
        run_warn(r, host,
                 "lost the session that holds the migration lock (%s): taking the lock "
                 "again",
                 db_shown(r, db_field(r->arena, line, 2)));
    else if (strcmp(what, "again") == 0)
        run_warn(r, host, "the migration holds the migration lock again");
    else if (strcmp(what, "taken") == 0)
        run_warn(r, host,
                 "another session took the migration lock, so a backup under 'backups "
                 "--hold' or another migration may run at the same time; retrying until "
                 "this migration ends");
    return true;
}

/* The migration's database cannot be asked; this is what its host shows. */
static bool take_outside(const struct watching *w, const char *line)
{
    struct run *r = w->r;
    long long seconds;

    if (strcmp(db_field(r->arena, line, 0), "outside") != 0 ||
        !number_read(db_field(r->arena, line, 1), NUMBER_SPAN_MAX, &seconds))
        return false;
    const char *seen = db_shown(r, db_field(r->arena, line, 2));
    run_tell(r, (struct event){.kind = EVENT_JOB,
                               .state = EVENT_WAITING,
                               .stage = w->t->step->name,
                               .host = r->recipe->hosts[w->t->host].name,
                               .command = run_redact(r, r->recipe->migrate.run),
                               .detail = arena_printf(r->arena, "running for %s%s%s",
                                                      text_span(r->arena, seconds * 1000),
                                                      *seen ? ": " : "", seen)});
    return true;
}

static void take_line(const struct watching *w, const char *line)
{
    struct run *r = w->r;
    const char *host = r->recipe->hosts[w->t->host].name;

    if (take_lock(r, host, line) || take_outside(w, line))
        return;
    if (strcmp(line, "gone") == 0) {
        run_warn(r, host,
                 "the watchdog of the migration was killed: the migration continues "
                 "without the migration lock, and a statement that ignores lock_timeout "
                 "may wait, and block others, without limit");
        return;
    }
    if (strncmp(line, "gated ", 6) == 0) {
        run_warn(r, host,
                 "the migration runs without the migration lock, so a backup under "
                 "'backups --hold' or another migration may start at the same time: %s "
                 "(backup.unknown: proceed)",
                 db_shown(r, line + 6));
        return;
    }
    if (server_of(r)) /* without one, the host cannot know them */
        blockers_take(r, w->t->step, w->t->host, &w->t->seen, line);
}

/* Called every second as long as the migration waits, so its memory is freed each time
 * (run_turn). */
void watchdog_take(void *arg, const char *line)
{
    const struct watching *w = arg;
    struct turn turn;

    run_turn_begin(w->r, &turn);
    take_line(w, line);
    run_turn_end(w->r, &turn, false);
}
