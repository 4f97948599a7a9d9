/* hold.c -- keeps migrations and backups apart with an advisory lock in the database that both use
 * (hold.h).  Called by the command `backups --hold`; the migration takes the same lock with
 * guard.sh.
 *
 * The lock belongs to one session and one database: it is released when the session ends, however
 * that happens, and two environments that share a database share the lock.  Both sides only try to
 * take it and wait outside of the database.  A session that queued for it might get it after its
 * client is gone. */

#include "stages/backup/hold.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"
#include "db/client.h"
#include "db/server.h"
#include "stages/backup/running.h"

EMBED(script_hold, "stages/backup/hold.sh");
EMBED(script_guard, "stages/migrate/guard.sh");

enum { POLL_MS = 2000, TAKE_MS = 60000 };

enum { IDLE_S = 60 }; /* the holder sends a heartbeat every ten seconds */

void guard_values(struct run *r, struct buf *b)
{
    const struct server *server = server_of(r);
    const char *name = arena_printf(r->arena, HOLD_MIGRATION "%s", r->plan->what.run);
    bool go = r->recipe->backup.unknown == UNKNOWN_PROCEED;

    quote_assign(b, "database", server_database(r) ? server_database(r) : "");
    quote_assign(b, "guard_client",
                 arena_printf(r->arena, "%s%s", server_command(r), server->hold));
    quote_assign(b, "guard_name", name);
    quote_assign(b, "guard_sql", server->lock(r->arena, r->guard->server_version, name, 0));
    quote_assign(b, "guard_unknown", go ? "go" : HOLD_UNKNOWN);
}

/* The first session that holds the lock, or NULL. */
static const struct backup *holder(const struct backups *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (backup_is_lock(&b->v[i]))
            return &b->v[i];
    return NULL;
}

/* Tries to take the lock.  ret_held is false, with *ret_why NULL, when another session was
 * faster. */
static bool take(struct run *r, size_t host, bool *ret_held, const char **ret_why, struct err *err)
{
    struct call call = {.host = host,
                        .script = db_script(r, host,
                                            server_of(r)->lock(r->arena, r->guard->server_version,
                                                               "crelease-hold", IDLE_S),
                                            script_hold),
                        .payload = -1,
                        .timeout_ms = TAKE_MS,
                        .hold = true};

    *ret_held = false;
    *ret_why = NULL;
    struct reply reply = run_ask(r, &call);
    bool said = reply.kind == REPLY_EXIT;
    *ret_held = said && answer_value(r->arena, reply.out, "held");
    if (*ret_held)
        return true;
    if (reply.kind == REPLY_TIMEOUT)
        *ret_why = "the database did not answer within a minute";
    else if (said && !answer_value(r->arena, reply.out, "busy"))
        *ret_why = db_why(r, &reply, answer_value(r->arena, reply.out, "client"));
    else if (!said)
        return run_judge(r, host, &reply, err);
    return true;
}

static void tell(struct run *r, const struct step *s, size_t host, const struct backup *b,
                 long long began_ms)
{
    run_tell(r, (struct event){.kind = EVENT_BACKUP,
                               .state = EVENT_WAITING,
                               .stage = s->name,
                               .host = r->recipe->hosts[host].name,
                               .backup = b,
                               .waited_ms = loop_now() - began_ms});
}

/* ret_over is set once the lock is held or the wait has been given up. */
static bool hold_turn(struct run *r, const struct step *s, size_t host, long long began,
                      bool *ret_held, bool *ret_over, struct err *err)
{
    long long limit = r->recipe->backup.wait_limit_ms;
    struct backups now;
    const char *why = NULL;

    *ret_over = true;
    if (!backup_look(r, host, &now, err))
        return false;
    const struct backup *b = holder(&now);
    if (!now.why && !b && !take(r, host, ret_held, &why, err))
        return false;
    if (*ret_held)
        return true;
    if (now.why || why)
        return backup_unknown(r, host,
                              arena_printf(r->arena, "could not request the migration lock: %s",
                                           now.why ? now.why : why),
                              "running the command without it (backup.unknown: proceed)", err);
    if (limit && loop_now() - began >= limit)
        return err_set(err, ERR_BACKUP, "%s holds the migration lock: waited for %s, the limit",
                       b ? backup_text(r, b) : "another session", text_span(r->arena, limit));
    if (b)
        tell(r, s, host, b, began);
    *ret_over = false;
    return fleet_wait(r->fleet, b ? POLL_MS : POLL_MS / 4) ||
           !run_is_stopped(r, "while waiting for a migration", err);
}

bool hold_take(struct run *r, const struct step *s, size_t host, bool *ret_held, struct err *err)
{
    long long began = loop_now();
    bool over = false;
    bool ok = true;

    *ret_held = false;
    while (ok && !over) {
        struct turn turn;
        run_turn_begin(r, &turn);
        ok = hold_turn(r, s, host, began, ret_held, &over, err);
        run_turn_end(r, &turn, !ok || over);
    }
    return ok;
}
