/* waiting.c -- what a person sees and may type during a wait for a backup, and when the wait is given
 * up.  Called by clear.c and clearance.c at each turn.  Relies on backup_unknown for what the recipe
 * says about a database that does not answer. */

#include "stages/backup/waiting.h"

#include "base/text.h"
#include "core/mark.h"
#include "db/server.h"
#include "stages/backup/detect.h"
#include "stages/backup/partial.h"

#include <string.h>

enum { OVERDUE_S = 10 * 60 };
enum { BLIND_MS = 60000 }; /* how long the database may be away while we wait */

void wait_tell(const struct wait *w, const struct backup *b, enum event_state state,
               const char *detail)
{
    struct run *r = w->run;

    run_tell(r, (struct event){.kind = EVENT_BACKUP,
                               .state = state,
                               .stage = w->step->name,
                               .host = r->recipe->hosts[w->host].name,
                               .backup = b,
                               .detail = detail,
                               .waited_ms = loop_now() - w->began_ms,
                               .can_ask = r->interactive,
                               .can_stop = !w->refusal});
}

bool wait_mark(const struct wait *w, struct err *err)
{
    struct run *r = w->run;

    return w->only_wait || site_mark(&r->sites[w->host], w->step->name) ||
           mark_put(r, w->step, &(struct new_mark){.state = "begun"}, err);
}

const char *wait_note(struct run *r, const struct backup *b)
{
    const char *name = server_database(r);

    if (b->kind == BACKUP_PG_DUMPALL)
        return arena_printf(r->arena,
                            "it dumps one database after another, and %s is still to come",
                            name ? name : "this one");
    return b->partial ? partial_note(r, b) : NULL;
}

bool wait_fail(struct run *r, const struct backup *b, const char *why, struct err *err)
{
    const char *is = wait_note(r, b);

    return backup_in_the_way(r, b, is ? arena_printf(r->arena, "%s; %s", is, why) : why, err);
}

bool wait_is_blind(struct wait *w, const char *why, struct err *err)
{
    struct run *r = w->run;
    bool at_once = w->only_wait && !w->seen;

    if (!w->blind_since_ms) {
        w->blind_since_ms = loop_now();
        if (!at_once)
            run_warn(r, r->recipe->hosts[w->host].name, "could not check for backups: %s; retrying",
                     why);
    }
    if (!at_once && loop_now() - w->blind_since_ms < BLIND_MS)
        return false;
    const char *what =
        w->last.kind
            ? arena_printf(r->arena, "could not check whether the backup is still running: %s", why)
            : arena_printf(r->arena, "could not check for backups: %s", why);
    w->unseen =
        backup_unknown(r, w->host, what,
                       w->only_wait ? "assuming that no backup blocks (backup.unknown: proceed)"
                                    : server_of(r)->unguarded,
                       err);
    return true;
}

/* Why --wait-limit auto waits no longer; NULL: it waits. */
static const char *auto_limit(struct run *r, const struct backup *b)
{
    long long left = r->wait_until_ms - loop_now();
    long long soonest = b->eta_low_s > 0 ? b->eta_low_s : b->eta_s;
    long long total = b->running_s - b->overdue_s;

    if (r->wait_until_ms && left <= 0)
        return "the time limit of this CI job comes first";
    if (r->wait_until_ms && b->eta_s > 0 && soonest * 1000 > left)
        return arena_printf(
            r->arena,
            "it is expected to run for another %s, and the time limit of this CI job"
            " comes in %s",
            text_span(r->arena, b->eta_s * 1000), text_span(r->arena, left));
    if (b->overdue_s > OVERDUE_S && b->overdue_s > total / 2)
        return arena_printf(r->arena, "it is overdue by %s (--wait-limit auto)",
                            text_span(r->arena, b->overdue_s * 1000));
    return NULL;
}

bool wait_limit_reached(struct wait *w, const struct backup *b, struct err *err)
{
    struct run *r = w->run;
    long long limit = r->recipe->backup.wait_limit_ms;
    bool is_estimated = r->wait_auto && b->eta_s >= 0; /* then the fixed limit does not matter */
    bool is_over = limit && !is_estimated && loop_now() - w->began_ms >= limit;
    const char *why = r->wait_auto ? auto_limit(r, b) : NULL;

    if (w->policy != POLICY_WAIT || (!why && !is_over))
        return false;
    if (r->recipe->backup.after_limit == POLICY_KILL && !w->only_wait) {
        w->policy = POLICY_KILL;
        w->why_stop = "limit";
        return false;
    }
    if (!why)
        why = arena_printf(r->arena, "waited for %s, the limit", text_span(r->arena, limit));
    wait_fail(r, b, why, err);
    return true;
}

static void take_key(struct wait *w, int key)
{
    struct run *r = w->run;

    switch (key) {
    case 'w':
        w->policy = POLICY_WAIT;
        break;
    case 'k':
        if (w->refusal) {
            run_warn(r, NULL, "cannot stop it: %s", w->refusal);
            break;
        }
        w->policy = POLICY_KILL;
        w->why_stop = "key";
        break;
    case 'q':
        w->quit = r->quit = true;
        break;
    default:
        break;
    }
}

void wait_take_keys(struct wait *w)
{
    struct run *r = w->run;

    for (int key = loop_key(r->loop); key && !w->quit; key = loop_key(r->loop))
        take_key(w, key);
}
