/* engine.c -- forward through a plan, or backward: which step comes next, and what a failure leads
 * to.  Called by deploy, rollback, resume and abort; the steps themselves are walk.c's. */
#include "core/engine.h"

#include "base/text.h"
#include "core/job/jobs.h"
#include "core/mark.h"
#include "core/rolling.h"

static bool ended_as(const struct run *r, size_t host, const char *outcome)
{
    const char *is = site_outcome(r->arena, &r->sites[host], r->plan->what.run);

    return is && strcmp(is, outcome) == 0;
}

const char *engine_ended_well(const struct run *r)
{
    const char *names = "";

    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (ended_as(r, h, "done"))
            names = arena_printf(r->arena, "%s%s%s", names, *names ? ", " : "",
                                 r->recipe->hosts[h].name);
    return names;
}

bool engine_is_turning_back(const struct run *r)
{
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (site_mark(&r->sites[h], TURNING_BACK) || ended_as(r, h, "aborted"))
            return true;
    return false;
}

static const struct step *first_step(const struct run *r)
{
    return &r->plan->steps[0];
}

/* The decision to roll back is on every host before the first step is undone. */
static bool decide(struct run *r, struct err *err)
{
    struct step s = *first_step(r);

    s.name = TURNING_BACK;
    return mark_put(r, &s, &(struct new_mark){.state = "done"}, err);
}

static bool undo_step(struct run *r, const struct step *s, struct err *err)
{
    r->failure.stage = s->name;
    if (s->jobs && !jobs_stop(r, s, err))
        return false;
    return step_is_hook(s) ? jobs_undo(r, s, err) : s->stage->undo(r, s, err);
}

/* Undoes the steps, newest first. The lock must be held. */
static bool undo_all(struct run *r, struct err *err)
{
    if (!decide(r, err))
        return false;
    for (size_t i = r->plan->n_steps; i-- > 1;) {
        struct turn turn;
        run_use(r, r->plan->steps[i].recipe);
        run_turn_begin(r, &turn);
        bool ok =
            undo_step(r, &r->plan->steps[i], err) && !run_is_stopped(r, "while rolling back", err);
        run_turn_end(r, &turn, !ok);
        run_use(r, NULL);
        if (!ok)
            return false;
    }
    r->failure.stage = NULL;
    return first_step(r)->stage->undo(r, first_step(r), err);
}

/* Undoes a step that is to be done on all hosts or none.  A host that was lost is checked by
 * resume. */
static void undo_here(struct run *r, const struct step *s)
{
    struct err back = {.arena = r->arena};

    if (!s->stage->undo(r, s, &back))
        run_warn(r, NULL, "could not undo '%s' on every host: %s", s->name, back.msg);
}

/* "app1, app2": hosts where the run may have been recorded as finished already. */
static const char *ending_on(const struct run *r)
{
    const struct step *last = &r->plan->steps[r->plan->n_steps - 1];
    const char *names = "";

    for (size_t i = 0; i < last->n_hosts && last->stage->ends_run && !step_is_hook(last); i++) {
        size_t h = last->hosts[i];
        if (site_mark(&r->sites[h], last->name) && !run_is_through(r, h))
            names = arena_printf(r->arena, "%s%s%s", names, *names ? ", " : "",
                                 r->recipe->hosts[h].name);
    }
    return names;
}

static void roll_back(struct run *r, const struct err *cause)
{
    struct failure failure = r->failure;
    struct err back = {.arena = r->arena};

    const char *finished = *engine_ended_well(r) ? engine_ended_well(r) : ending_on(r);

    if (*finished) {
        run_warn(r, NULL, "not rolling back: the run has already finished on %s", finished);
        return;
    }
    run_warn(r, NULL, "%s; rolling back", cause->msg);
    r->rolled_back = undo_all(r, &back);
    if (!r->rolled_back)
        run_warn(r, NULL, "the rollback stopped: %s", back.msg);
    r->failure = failure;
}

static enum on_fail on_fail_of(const struct run *r, const struct step *s)
{
    const struct stage *stage = s->stage;
    enum on_fail is = stage->on_fail_as ? stage->on_fail_as(r->recipe) : stage->on_fail;

    return step_is_hook(s) && is != ON_FAIL_CARRY_ON ? ON_FAIL_STOP : is;
}

/* Does what the stage's row says about a failure.  A step that was interrupted, or whose end is
 * unknown, never causes a rollback. */
static bool after_failure(struct run *r, const struct step *s, struct err *err)
{
    switch (on_fail_of(r, s)) {
    case ON_FAIL_STOP:
        break;
    case ON_FAIL_UNDO:
        if (err->code != ERR_LOCKED)
            undo_here(r, s);
        break;
    case ON_FAIL_ROLL_BACK:
        if (err->code == ERR_FAILED)
            roll_back(r, err);
        break;
    case ON_FAIL_CARRY_ON:
        if (err->code != ERR_FAILED)
            break;
        strs_add(run_kept(r), &r->untidy,
                 arena_printf(run_kept(r), "stage '%s': %s", s->name, err->msg));
        err_clear(err);
        r->failure = (struct failure){0};
        return true;
    }
    return false;
}

bool engine_forward(struct run *r, struct err *err)
{
    struct group g;

    left_out_begin(r);
    for (size_t i = 0; i < r->plan->n_steps; i += g.n) {
        g = rolling_group(r, i);
        if (g.rolls ? !rolling_walk(r, &g, after_failure, err)
                    : !walk_step(r, g.v, g.v, after_failure, err))
            return false;
    }
    if (!left_out_end(r, err))
        return false;
    if (!r->untidy.n)
        return true;
    return err_set(err, ERR_UNTIDY, "%s", r->untidy.v[0]);
}

/* Whether a host that still takes part has started a step that is to be done on all hosts or
 * none. */
static bool has_switched(const struct run *r)
{
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        for (size_t k = 0; s->stage->on_fail == ON_FAIL_UNDO && !step_is_hook(s) && k < s->n_hosts;
             k++) {
            const char *mark = site_mark(&r->sites[s->hosts[k]], s->name);
            if (mark && strcmp(mark, "undone") != 0 && !run_is_through(r, s->hosts[k]))
                return true;
        }
    }
    return false;
}

bool engine_back(struct run *r, struct err *err)
{
    const struct step *lock = first_step(r);
    struct step_result result = {0};

    /* An aborted run ends with the same step: its mark means the end of a deploy only while nobody
     * has decided to roll back. */
    if (!engine_is_turning_back(r) && *ending_on(r)) {
        strs_add(run_kept(r), &r->failure.next,
                 arena_printf(run_kept(r), "run '%s' to finish it", run_hint(r, "resume", NULL)));
        return err_set(err, ERR_FAILED,
                       "the run may already be recorded as finished on %s and can no longer be"
                       " aborted",
                       ending_on(r));
    }
    if (*engine_ended_well(r) && has_switched(r))
        return err_set(err, ERR_FAILED,
                       "the run has already finished on %s and cannot be aborted: resume it",
                       engine_ended_well(r));
    if (!lock->stage->act(r, lock, &result, err)) {
        r->failure.stage = lock->name;
        return false;
    }
    return undo_all(r, err);
}
