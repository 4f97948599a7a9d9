/* wait.c -- the wait for what would hold up a migration, until it has ended or is stopped. */

#include "stages/backup/clear.h"

#include "base/text.h"
#include "db/server.h"
#include "stages/backup/detect.h"
#include "stages/backup/partial.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "stages/backup/upcoming.h"

enum {
    /* From the end of the last backup to the migration it shall not take two seconds. */
    POLL_MS = 1000,
    POLL_END_MS = 400, /* when its end is near, */
    END_S = 5,         /* so near */
    CLEAR_MS = 250,    /* between the two looks that must both see nothing */
    TOLD_MS = 2000,    /* who waited less was not held up by a backup */
    BLIND_MS = 60000,  /* how long the database may be away while we wait */
    JUST_BEGUN_S = 20, /* what cron started a moment ago may not be in the database yet */
};

/* One wait, from the first look to the end of the last backup. */
struct wait {
    long long began_ms;
    long long blind_since_ms; /* 0: the last look saw something */
    enum policy policy;
    bool stopped;   /* by us */
    bool quit;      /* a person said not to wait any longer (q) */
    bool only_wait; /* for others: nothing is stopped and nothing recorded */
    bool unseen; /* whether one still runs could not be seen, and that is to be no reason to stop */
    const char *why_stop; /* word of the record: policy, option, limit, key */
    bool refusal_known;   /* for the backup and the policy that follow */
    struct backup refused_of;
    enum policy refused_policy;
    const char *refusal; /* why it cannot be stopped; NULL: it can */
    bool seen;           /* the database has answered once */
    struct backup last;  /* the one that was in the way; kind BACKUP_NONE: none was */
    long long last_ms;   /* when it was seen last */
    bool
        lost_sight; /* since then the database did not answer: when and how it ended is not known */
    struct trace trace;
    bool seen_clear; /* the look before saw none in the way */
    bool waited;
    struct arena kept; /* the texts of all of these */
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

/* Why it is waited for, where that does not go without saying. */
static const char *note(struct run *r, const struct backup *b)
{
    const char *name = r->recipe->database.name;

    if (b->kind == BACKUP_PG_DUMPALL)
        return arena_printf(r->arena,
                            "it dumps one database after the other, and %s is still to come",
                            name ? name : "this one");
    return b->partial ? partial_note(r, b) : NULL;
}

static bool in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err)
{
    const char *is = note(r, b);

    return backup_in_the_way(r, b, is ? arena_printf(r->arena, "%s; %s", is, why) : why, err);
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

static void take_key(struct run *r, struct wait *w, int key)
{
    switch (key) {
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
        w->quit = r->quit = true;
        break;
    default:
        break;
    }
}

/* Every key that was typed; whoever wants to stop has the last word. */
static void take_keys(struct run *r, struct wait *w)
{
    for (int key = loop_key(r->loop); key && !w->quit; key = loop_key(r->loop))
        take_key(r, w, key);
}

#define BY_PERSON "stopped by you (q) while waiting"

/* Whether a signal or a key asks to stop; then err says which. */
static bool is_told_to_stop(struct run *r, const struct wait *w, const char *where, struct err *err)
{
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

/* Known before it is offered; looked up once for each backup, when a person or the policy may want
 * it. */
static bool may_be_stopped(struct run *r, size_t host, struct wait *w, const struct backups *now,
                           const struct backup *b, struct err *err)
{
    if ((w->policy != POLICY_KILL && !r->interactive) ||
        (w->refusal_known && w->refused_policy == w->policy &&
         backup_looks_same(&w->refused_of, b)))
        return true;
    bool by_person = w->policy == POLICY_KILL ? strcmp(w->why_stop, "key") == 0 : r->interactive;
    w->refusal_known = true;
    w->refused_policy = w->policy;
    w->refused_of = *b;
    return stop_refusal(r, host, now, by_person, &w->refusal, err);
}

static enum next decide(struct run *r, const struct step *s, size_t host, struct wait *w,
                        const struct backups *now, const struct backup *b, struct err *err)
{
    if (limit_reached(r, w, b, err) || !may_be_stopped(r, host, w, now, b, err))
        return NEXT_STOP;
    if (partial_is_open(b) && (w->policy == POLICY_ABORT || w->policy == POLICY_KILL))
        return NEXT_WAIT;
    switch (w->policy) {
    case POLICY_ABORT:
        in_the_way(r, b, "the policy says not to wait for it", err);
        return NEXT_STOP;
    case POLICY_KILL:
        if (w->refusal) {
            if (r->begun)
                strs_add(run_kept(r), &r->failure.next,
                         arena_printf(r->arena, "'%s' when it has ended, or '%s' to wait for it",
                                      run_hint(r, "resume", NULL),
                                      run_hint(r, "resume", "--on-backup=wait")));
            in_the_way(r, b, w->refusal, err);
            return NEXT_STOP;
        }
        tell_backup(r, s, host, w, b, EVENT_WAITING, "stopping it");
        w->stopped = true;
        return stop_backups(r, s, host, now, w->why_stop, err) ? NEXT_AGAIN : NEXT_STOP;
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

/* What to type after an end without it: to stop it is offered only when it would be stopped. */
static void offer(struct run *r, size_t host, const struct backups *now)
{
    struct err ignored = {.arena = r->arena};
    const char *refusal;

    if (r->begun && !r->failure.next.n && stop_refusal(r, host, now, false, &refusal, &ignored) &&
        refusal)
        strs_add(run_kept(r), &r->failure.next,
                 arena_printf(r->arena, "'%s' when it has ended; %s", run_hint(r, "resume", NULL),
                              refusal));
}

/* What was in the way has ended by itself, `next` may be there in its place.  For the estimates to
 * come. */
static void record_last(struct run *r, const struct step *s, struct wait *w,
                        const struct backup *next)
{
    if (w->only_wait || !w->last.kind || !server_is_dump(server_of(r->recipe), w->last.kind) ||
        w->last.running_s < 0 || w->stopped || w->lost_sight ||
        (next && backup_is_same(&w->last, next)))
        return;
    long long seconds = w->last.running_s + (loop_now() - w->last_ms) / 1000;
    trace_record(r, s, &w->trace, &w->last, seconds);
}

static bool ends_soon(const struct backup *b)
{
    return b->eta_s >= 0 && b->eta_s <= END_S && b->overdue_s <= END_S;
}

enum wait_state { WAIT_MORE, WAIT_OVER, WAIT_FAILED };

/* One look, and the pause behind it. */
static enum wait_state wait_turn(struct run *r, const struct step *s, size_t host, struct wait *w,
                                 struct err *err)
{
    struct backups now;
    size_t n;
    struct backups own;
    const struct backup *passed;

    if (!backup_look_all(r, host, &now, &own, err) ||
        (!w->only_wait && !partial_pass(r, host, &now, &passed, err)))
        return WAIT_FAILED;
    w->seen = w->seen || !now.why;
    struct backup *b = backups_first(&now, &n);
    enum next next = NEXT_WAIT;
    if (now.why) {
        w->lost_sight = true;
        if (is_blind_too_long(r, host, w, now.why, err))
            return err->code == ERR_NONE ? WAIT_OVER : WAIT_FAILED;
    } else if (!b) {
        if (w->seen_clear || !w->waited)
            return WAIT_OVER;
        w->seen_clear = true;
    } else {
        w->blind_since_ms = 0;
        record_last(r, s, w, b);
        if (!backup_is_lock(b)) /* what a lock is held for is not known */
            trace_follow(r, host, &w->trace, b);
        w->last = *b;
        w->last_ms = loop_now();
        w->lost_sight = false;
        w->seen_clear = false;
        next = decide(r, s, host, w, &now, b, err);
        if (next == NEXT_STOP) {
            if (err->code == ERR_BACKUP)
                offer(r, host, &now);
            return WAIT_FAILED;
        }
        w->waited = true;
    }
    long long pause = w->seen_clear ? CLEAR_MS : b && ends_soon(b) ? POLL_END_MS : POLL_MS;
    if (next != NEXT_WAIT || fleet_wait(r->fleet, pause))
        return WAIT_MORE;
    take_keys(r, w);
    if (!is_told_to_stop(r, w, "while waiting for a backup", err))
        return WAIT_MORE;
    if (w->quit && b)
        offer(r, host, &now);
    return WAIT_FAILED;
}

/* What the next turn has of this one; what it had before is freed. */
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

static bool wait_for(struct run *r, const struct step *s, size_t host, struct wait *w,
                     struct err *err)
{
    enum wait_state state = w->unseen ? WAIT_OVER : WAIT_MORE;

    w->seen_clear = w->waited = false;
    while (state == WAIT_MORE) {
        struct turn turn;
        run_turn_begin(r, &turn);
        state = wait_turn(r, s, host, w, err);
        keep(w);
        run_turn_end(r, &turn, state != WAIT_MORE);
    }
    return state == WAIT_OVER;
}

/* The backup that is to come, as one that can be shown. */
static struct backup backup_to_come(struct run *r)
{
    const char *name = r->recipe->database.name;

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

/* A backup that is to start. */
struct to_come {
    const struct schedule *schedule; /* as it was at `begun` */
    const struct start *start;
    long long begun;
    long long deadline;
    const char *shown;
};

static enum wait_state to_come_turn(struct run *r, const struct step *s, size_t host,
                                    struct wait *w, const struct to_come *c, struct err *err)
{
    struct backup b = backup_to_come(r);
    struct backups now;
    size_t n;
    const struct backup *passed;
    struct schedule then = *c->schedule;

    if (w->policy == POLICY_KILL)
        return WAIT_OVER;
    then.now_unix += (loop_now() - c->begun) / 1000;
    const char *what = foresee_text(r, &then, c->start);
    if (!backup_look(r, host, &now, err) || !partial_pass(r, host, &now, &passed, err))
        return WAIT_FAILED;
    if (now.why ? is_blind_too_long(r, host, w, now.why, err) : backups_first(&now, &n) != NULL)
        return err->code == ERR_NONE ? WAIT_OVER : WAIT_FAILED;
    w->blind_since_ms = now.why ? w->blind_since_ms : 0;
    if (loop_now() >= c->deadline) {
        run_warn(r, r->recipe->hosts[host].name, "%s, and was not seen in the database: going on",
                 what);
        return WAIT_OVER;
    }
    if (!may_wait(r, w, &b, what, err))
        return WAIT_FAILED;
    tell_backup(r, s, host, w, &b, EVENT_WAITING,
                w->policy != POLICY_ASK
                    ? c->shown
                    : arena_printf(r->arena,
                                   "%s; wait for it, migrate before it (k), or stop here?",
                                   c->shown));
    if (loop_wait(r->loop, POLL_MS))
        return WAIT_MORE;
    take_keys(r, w);
    if (w->quit)
        err_set(err, ERR_BACKUP, "%s; " BY_PERSON " for it", what);
    return w->quit || run_is_stopped(r, "while waiting for a backup to come and go", err)
               ? WAIT_FAILED
               : WAIT_MORE;
}

/* Until the backup that is to start then is seen, or does not come within backup.clearance of its
 * time.  Whoever chooses to kill waits for none. */
static bool wait_for_start(struct run *r, const struct step *s, size_t host, struct wait *w,
                           const struct schedule *next, const struct start *start, struct err *err)
{
    long long in_ms = (start->unix_s - next->now_unix) * 1000;
    struct to_come c = {.schedule = next, .start = start, .begun = loop_now()};
    enum wait_state state = WAIT_MORE;

    c.deadline =
        c.begun + in_ms + (in_ms < 0 ? JUST_BEGUN_S * 1000 : r->recipe->backup.clearance_ms);
    c.shown = arena_printf(r->arena, "it starts at %s (%s), and is let pass first",
                           schedule_clock(r->arena, next, start->unix_s), start->command);
    while (state == WAIT_MORE) {
        struct turn turn;
        run_turn_begin(r, &turn);
        state = to_come_turn(r, s, host, w, &c, err);
        run_turn_end(r, &turn, state != WAIT_MORE);
    }
    return state == WAIT_OVER;
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

bool wait_until_clear(struct run *r, const struct step *s, size_t host, bool foresee,
                      struct err *err)
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
    arena_free(&w.kept);
    long long took = loop_now() - w.began_ms;
    if (took >= TOLD_MS)
        r->guard->behind_backup_ms += took;
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
    arena_free(&w.kept);
    return ok;
}

bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err)
{
    if (r->guard->look == LOOK_FAILED)
        return true;
    return wait_until_clear(r, s, host, false, err);
}
