/* clear.c -- waits for the end of what would block a migration, or stops it, as the policy or a person
 * says.  Called by the stage backup-clear, between two attempts to migrate, and by 'backups --wait'.
 * Relies on running.c for what is in progress and on stop.c for how it is stopped. */

#include "stages/backup/clear.h"

#include "base/text.h"
#include "db/server.h"
#include "stages/backup/clearance.h"
#include "stages/backup/detect.h"
#include "stages/backup/partial.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"
#include "stages/backup/stop.h"
#include "stages/backup/waiting.h"

enum {
    POLL_END_MS = 400, /* poll interval near the expected end, */
    END_S = 5,         /* which is at most this far away */
    CLEAR_MS = 250,    /* between the two checks that must both find nothing */
    TOLD_MS = 2000,    /* a shorter wait is not reported */
};

/* Whether a signal or a key asks to stop; err is set then. */
static bool is_told_to_stop(const struct wait *w, const char *where, struct err *err)
{
    struct run *r = w->run;

    if (run_is_stopped(r, where, err))
        return true;
    if (!w->quit)
        return false;
    if (w->last.kind)
        backup_in_the_way(r, &w->last, BY_PERSON " for it", err);
    else
        err_set(err, ERR_BACKUP, BY_PERSON " for the database to answer");
    return true;
}

enum next { NEXT_WAIT, NEXT_AGAIN, NEXT_STOP };

/* Sets w->refusal before stopping is offered.  Checked once for each backup and policy, and only when
 * the policy or a person may want it stopped. */
static bool may_be_stopped(struct wait *w, const struct backups *now, const struct backup *b,
                           struct err *err)
{
    struct run *r = w->run;

    if ((w->policy != POLICY_KILL && !r->interactive) ||
        (w->refusal_known && w->refused_policy == w->policy &&
         backup_looks_same(&w->refused_of, b)))
        return true;
    bool by_person = w->policy == POLICY_KILL ? strcmp(w->why_stop, "key") == 0 : r->interactive;
    w->refusal_known = true;
    w->refused_policy = w->policy;
    w->refused_of = *b;
    return stop_refusal(w, now, by_person, &w->refusal, err);
}

static enum next decide(struct wait *w, const struct backups *now, const struct backup *b,
                        struct err *err)
{
    struct run *r = w->run;

    if (wait_limit_reached(w, b, err) || !may_be_stopped(w, now, b, err))
        return NEXT_STOP;
    if (partial_is_open(b) && (w->policy == POLICY_ABORT || w->policy == POLICY_KILL))
        return NEXT_WAIT;
    switch (w->policy) {
    case POLICY_ABORT:
        wait_fail(r, b, "the policy says not to wait for it", err);
        return NEXT_STOP;
    case POLICY_KILL:
        if (w->refusal) {
            if (r->begun)
                strs_add(run_kept(r), &r->failure.next,
                         arena_printf(r->arena, "'%s' when it has ended, or '%s' to wait for it",
                                      run_hint(r, "resume", NULL),
                                      run_hint(r, "resume", "--on-backup=wait")));
            wait_fail(r, b, w->refusal, err);
            return NEXT_STOP;
        }
        wait_tell(w, b, EVENT_WAITING, "stopping it");
        w->stopped = true;
        return stop_backups(w, now, err) ? NEXT_AGAIN : NEXT_STOP;
    case POLICY_ASK:
        if (!r->interactive) {
            wait_fail(r, b,
                      "the policy is to ask, but there is no terminal (use --on-backup=wait, "
                      "kill or abort)",
                      err);
            return NEXT_STOP;
        }
        wait_tell(w, b, EVENT_WAITING,
                  w->refusal
                      ? arena_printf(r->arena, "wait for it, or stop here? It cannot be killed: %s",
                                     w->refusal)
                      : "wait for it, kill it, or stop here?");
        return NEXT_WAIT;
    case POLICY_WAIT:
        wait_tell(w, b, EVENT_WAITING, wait_note(r, b));
        return NEXT_WAIT;
    }
    return NEXT_STOP;
}

/* Adds what to type next.  Does not suggest to stop a backup that crelease would refuse to stop. */
static void offer(const struct wait *w, const struct backups *now)
{
    struct run *r = w->run;
    struct err ignored = {.arena = r->arena};
    const char *refusal;

    if (r->begun && !r->failure.next.n && stop_refusal(w, now, false, &refusal, &ignored) &&
        refusal)
        strs_add(run_kept(r), &r->failure.next,
                 arena_printf(r->arena, "'%s' when it has ended; %s", run_hint(r, "resume", NULL),
                              refusal));
}

/* Records how long a backup ran that ended on its own, for later estimates.  `next` is the backup that
 * blocks now, or NULL. */
static void record_last(struct wait *w, const struct backup *next)
{
    struct run *r = w->run;

    if (w->only_wait || !w->last.kind || !server_is_dump(server_of(r), w->last.kind) ||
        w->last.running_s < 0 || w->stopped || w->lost_sight ||
        (next && backup_is_same(&w->last, next)))
        return;
    long long seconds = w->last.running_s + (loop_now() - w->last_ms) / 1000;
    trace_record(r, w->step, &w->trace, &w->last, seconds);
}

static bool ends_soon(const struct backup *b)
{
    return b->eta_s >= 0 && b->eta_s <= END_S && b->overdue_s <= END_S;
}

/* One check, and the pause after it. */
static enum wait_state wait_turn(struct wait *w, struct err *err)
{
    struct run *r = w->run;
    struct backups now;
    size_t n;
    struct backups own;
    const struct backup *passed;

    if (!backup_look_all(r, w->host, &now, &own, err) ||
        (!w->only_wait && !partial_pass(r, w->host, &now, &passed, err)))
        return WAIT_FAILED;
    w->seen = w->seen || !now.why;
    struct backup *b = backups_first(&now, &n);
    if ((b || now.why) && !wait_mark(w, err))
        return WAIT_FAILED;
    enum next next = NEXT_WAIT;
    if (now.why) {
        w->lost_sight = true;
        if (wait_is_blind(w, now.why, err))
            return err->code == ERR_NONE ? WAIT_OVER : WAIT_FAILED;
    } else if (!b) {
        if (w->seen_clear || !w->waited)
            return WAIT_OVER;
        w->seen_clear = true;
    } else {
        w->blind_since_ms = 0;
        record_last(w, b);
        if (!backup_is_lock(b)) /* the command under a lock is unknown */
            trace_follow(r, w->host, &w->trace, b);
        w->last = *b;
        w->last_ms = loop_now();
        w->lost_sight = false;
        w->seen_clear = false;
        next = decide(w, &now, b, err);
        if (next == NEXT_STOP) {
            if (err->code == ERR_BACKUP)
                offer(w, &now);
            return WAIT_FAILED;
        }
        w->waited = true;
    }
    long long pause = w->seen_clear ? CLEAR_MS : b && ends_soon(b) ? POLL_END_MS : POLL_MS;
    if (next != NEXT_WAIT || fleet_wait(r->fleet, pause))
        return WAIT_MORE;
    wait_take_keys(w);
    if (!is_told_to_stop(w, "while waiting for a backup", err))
        return WAIT_MORE;
    if (w->quit && b)
        offer(w, &now);
    return WAIT_FAILED;
}

/* Copies what the next turn needs out of this turn's memory, and frees the previous copy. */
static void keep(struct wait *w)
{
    struct arena before = w->kept;

    w->kept = (struct arena){0};
    w->last = backup_copy(&w->kept, &w->last);
    w->trace = trace_copy(&w->kept, &w->trace);
    w->refused_of = backup_copy(&w->kept, &w->refused_of);
    w->refusal = w->refusal ? arena_strdup(&w->kept, w->refusal) : NULL;
    arena_free(&before);
}

static bool wait_for(struct wait *w, struct err *err)
{
    struct run *r = w->run;
    enum wait_state state = w->unseen ? WAIT_OVER : WAIT_MORE;

    w->seen_clear = w->waited = false;
    while (state == WAIT_MORE) {
        struct turn turn;
        run_turn_begin(r, &turn);
        state = wait_turn(w, err);
        keep(w);
        run_turn_end(r, &turn, state != WAIT_MORE);
    }
    return state == WAIT_OVER;
}

/* Waits for a backup that starts within backup.clearance, and for all others that have started by then. */
static bool let_pass(struct wait *w, struct err *err)
{
    enum wait_state state = clearance_wait(w, err);

    return state == WAIT_MORE ? wait_for(w, err) : state == WAIT_OVER;
}

bool wait_until_clear(struct run *r, const struct step *s, size_t host, bool let_pass_upcoming,
                      struct err *err)
{
    struct wait w = {.run = r,
                     .step = s,
                     .host = host,
                     .began_ms = loop_now(),
                     .policy = r->on_backup,
                     .why_stop = r->on_backup == r->recipe->backup.policy ? "policy" : "option"};

    if (r->interactive)
        loop_keys(r->loop, true);
    bool ok = wait_for(&w, err) && (!let_pass_upcoming || let_pass(&w, err));
    loop_keys(r->loop, false);
    if (ok)
        record_last(&w, NULL);
    if (ok && w.last.kind)
        wait_tell(&w, &w.last, EVENT_DONE,
                  w.stopped      ? "stopped"
                  : w.lost_sight ? "gone when the database answered again"
                                 : "ended on its own");
    arena_free(&w.kept);
    long long took = loop_now() - w.began_ms;
    if (took >= TOLD_MS)
        r->guard->behind_backup_ms += took;
    return ok;
}

bool backup_wait(struct run *r, const struct step *s, size_t host, long long *ret_waited_ms,
                 struct err *err)
{
    struct wait w = {.run = r,
                     .step = s,
                     .host = host,
                     .began_ms = loop_now(),
                     .policy = POLICY_WAIT,
                     .only_wait = true};
    bool ok = wait_for(&w, err);

    if (ok && w.last.kind && !w.unseen)
        wait_tell(&w, &w.last, EVENT_DONE, "ended on its own");
    *ret_waited_ms = w.last.kind ? loop_now() - w.began_ms : 0;
    arena_free(&w.kept);
    return ok;
}

bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err)
{
    if (r->guard->look == LOOK_FAILED)
        return true;
    return wait_until_clear(r, s, host, false, err);
}
