/* clearance.c -- waits until a backup that starts within backup.clearance has started, so that the
 * migration does not begin right before it.  Called by clear.c, which then waits for its end.  Relies
 * on upcoming.c for the time of its start. */

#include "stages/backup/clearance.h"

#include "base/text.h"
#include "stages/backup/partial.h"
#include "stages/backup/schedule.h"
#include "stages/backup/upcoming.h"

enum { JUST_BEGUN_S = 20 }; /* cron may have started it, but it is not connected yet */

/* The upcoming backup in the form that events show. */
static struct backup backup_to_come(struct run *r)
{
    const char *name = server_database(r);

    return (struct backup){.kind = BACKUP_UPCOMING,
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

/* Whether the policy permits to wait for a backup that has not started yet. */
static bool may_wait(struct wait *w, const struct backup *b, const char *what, struct err *err)
{
    struct run *r = w->run;

    if (w->policy == POLICY_ABORT)
        return err_set(err, ERR_BACKUP, "%s, and the policy says not to wait for it", what);
    if (w->policy == POLICY_ASK && !r->interactive)
        return err_set(err, ERR_BACKUP,
                       "%s, and the policy is to ask, but there is no terminal (use "
                       "--on-backup=wait, kill or abort)",
                       what);
    return !wait_limit_reached(w, b, err) && err->code == ERR_NONE;
}

/* An upcoming backup. */
struct to_come {
    const struct schedule *schedule; /* as it was at `begun` */
    const struct start *start;
    long long begun;
    long long deadline;
    const char *shown;
};

static enum wait_state to_come_turn(struct wait *w, const struct to_come *c, struct err *err)
{
    struct run *r = w->run;
    struct backup b = backup_to_come(r);
    struct backups now;
    size_t n;
    const struct backup *passed;
    struct schedule then = *c->schedule;

    if (w->policy == POLICY_KILL)
        return WAIT_OVER;
    then.now_unix += (loop_now() - c->begun) / 1000;
    const char *what = upcoming_text(r, &then, c->start);
    if (!backup_look(r, w->host, &now, err) || !partial_pass(r, w->host, &now, &passed, err))
        return WAIT_FAILED;
    if (now.why ? wait_is_blind(w, now.why, err) : backups_first(&now, &n) != NULL)
        return err->code == ERR_NONE ? WAIT_OVER : WAIT_FAILED;
    w->blind_since_ms = now.why ? w->blind_since_ms : 0;
    if (loop_now() >= c->deadline) {
        run_warn(r, r->recipe->hosts[w->host].name,
                 "%s, but did not show up in the database: continuing", what);
        return WAIT_OVER;
    }
    if (!may_wait(w, &b, what, err))
        return WAIT_FAILED;
    wait_tell(w, &b, EVENT_WAITING,
              w->policy != POLICY_ASK
                  ? c->shown
                  : arena_printf(r->arena, "%s; wait for it, migrate before it (k), or stop here?",
                                 c->shown));
    if (loop_wait(r->loop, POLL_MS))
        return WAIT_MORE;
    wait_take_keys(w);
    if (w->quit)
        err_set(err, ERR_BACKUP, "%s; " BY_PERSON " for it", what);
    return w->quit || run_is_stopped(r, "while waiting for an upcoming backup", err) ? WAIT_FAILED
                                                                                     : WAIT_MORE;
}

/* Waits until the backup is connected, or is overdue by backup.clearance.  Pressing k ends the wait at
 * once: the migration then goes first. */
static bool wait_for_start(struct wait *w, const struct schedule *next, const struct start *start,
                           struct err *err)
{
    struct run *r = w->run;
    long long in_ms = (start->unix_s - next->now_unix) * 1000;
    struct to_come c = {.schedule = next, .start = start, .begun = loop_now()};
    enum wait_state state = WAIT_MORE;

    if (!wait_mark(w, err))
        return false;
    c.deadline =
        c.begun + in_ms + (in_ms < 0 ? JUST_BEGUN_S * 1000 : r->recipe->backup.clearance_ms);
    c.shown = arena_printf(r->arena, "it starts at %s (%s), and the migration waits for it",
                           schedule_clock(r->arena, next, start->unix_s), start->command);
    while (state == WAIT_MORE) {
        struct turn turn;
        run_turn_begin(r, &turn);
        state = to_come_turn(w, &c, err);
        run_turn_end(r, &turn, state != WAIT_MORE);
    }
    return state == WAIT_OVER;
}

enum wait_state clearance_wait(struct wait *w, struct err *err)
{
    struct run *r = w->run;
    struct schedule next;

    if (!upcoming_look(r, w->host, JUST_BEGUN_S, &next, err))
        return WAIT_FAILED;
    if (next.why) {
        run_warn(r, r->recipe->hosts[w->host].name,
                 "cannot determine when the next backup starts: %s", next.why);
        return WAIT_OVER;
    }
    const struct start *start = schedule_soon(&next, r->recipe->backup.clearance_ms / 1000);
    /* A backup that just started may be the one that was just waited for. */
    if (!start || (w->last.kind && start->unix_s <= next.now_unix))
        return WAIT_OVER;
    return wait_for_start(w, &next, start, err) ? WAIT_MORE : WAIT_FAILED;
}
