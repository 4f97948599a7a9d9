/* walk.c -- one step: skips it when it is done, otherwise starts it and reports its result.  Called
 * by the engine for a whole step, and by rolling.c for a batch of its hosts. */
#include "core/walk.h"

#include "base/text.h"
#include "core/chain.h"
#include "core/job/jobs.h"

/* The step's hosts that still take part; all of them when none does. */
static const char **names_of(struct run *r, const struct step *s)
{
    const char **names = arena_array(r->arena, s->n_hosts + 1, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (!run_is_through(r, s->hosts[i]))
            names[n++] = r->recipe->hosts[s->hosts[i]].name;
    bool all = n == 0;
    for (size_t i = 0; all && i < s->n_hosts; i++)
        if (!left_out_has(&r->left_out, s->hosts[i]))
            names[n++] = r->recipe->hosts[s->hosts[i]].name;
    return names;
}

const char *walk_names(struct run *r, size_t begin, size_t end)
{
    const char *text = "";

    for (size_t h = begin; h < end && h < r->recipe->n_hosts; h++)
        if (!run_is_through(r, h))
            text =
                arena_printf(r->arena, "%s%s%s", text, *text ? ", " : "", r->recipe->hosts[h].name);
    return text;
}

void walk_tell(struct run *r, const struct step *s, enum event_state state, const char *detail,
               long long took_ms)
{
    run_tell(r, (struct event){.kind = EVENT_STAGE,
                               .state = state,
                               .stage = s->name,
                               .hosts = names_of(r, s),
                               .detail = detail,
                               .took_ms = took_ms});
}

static void tell_end(struct run *r, const struct step *s, const struct step_result *result,
                     const struct event *e)
{
    struct event end = *e;

    end.kind = EVENT_STAGE;
    end.stage = s->name;
    end.hosts = names_of(r, s);
    end.migrations = result->migrations;
    run_tell(r, end);
}

/* Whether the step was skipped on the host that has its mark, or the whole run is over. */
static bool was_skipped(const struct run *r, const struct step *s)
{
    return run_is_through(r, s->hosts[0]) ||
           site_is_marked(&r->sites[s->hosts[0]], s->name, "skipped");
}

/* Why the hooks of the stage have nothing to do: all of its steps, one for each database, are idle or
 * were skipped.  NULL if they have. */
static const char *hooks_idle(struct run *r, const struct stage *stage)
{
    const char *why = NULL;

    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        if (s->stage != stage || step_is_hook(s))
            continue;
        run_use(r, s->recipe);
        why = stage->idle(r);
        why = why ? why : was_skipped(r, s) ? "its stage was skipped" : NULL;
        if (!why)
            break;
    }
    run_use(r, NULL);
    return why;
}

static bool act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    const struct stage *stage = s->stage;

    if (!step_is_hook(s))
        return stage->act(r, s, ret, err);
    if (stage->idle)
        ret->skipped = hooks_idle(r, stage);
    return ret->skipped || jobs_act(r, s, ret, err);
}

/* When the step fails on a host that may be left out, it is repeated on the others. */
static bool act_on_hosts(struct run *r, const struct step *s, const struct step *part,
                         struct step_result *ret, struct err *err)
{
    for (;;) {
        left_out_new_step(r);
        if (act(r, part, ret, err))
            return true;
        if (!left_out_may_go_on(r, s, err))
            return false;
        if (!run_hosts_left(r, part, NULL))
            return true;
    }
}

static const char *where(struct run *r, const struct step *s, const struct step *part)
{
    const char *text = arena_printf(r->arena, "before stage '%s'", s->name);

    if (part == s)
        return text;
    size_t last = part->hosts[part->n_hosts - 1];
    return arena_printf(r->arena, "%s on %s", text, walk_names(r, part->hosts[0], last + 1));
}

static bool walk(struct run *r, const struct step *s, const struct step *part, struct err *err)
{
    struct step_result result = {0};
    long long began = loop_now();

    if (!*names_of(r, part))
        return true;
    if (!run_hosts_left(r, part, NULL)) {
        walk_tell(r, part, EVENT_DONE, "already done", 0);
        return true;
    }
    /* What was sent along with the step before has been done by now. */
    if (!chain_has(r, s->name) && run_is_stopped(r, where(r, s, part), err))
        return false;
    walk_tell(r, part, EVENT_BEGUN, s->about, 0);
    if (!act_on_hosts(r, s, part, &result, err)) {
        tell_end(r, part, &result,
                 &(struct event){.state = err->code == ERR_BACKUP ? EVENT_WAITING : EVENT_FAILED,
                                 .stopped = err_is_signal(err->code),
                                 .detail = err->msg,
                                 .took_ms = loop_now() - began});
        r->failure.stage = s->name;
        return false;
    }
    if (!result.skipped)
        times_add(r, s->name, loop_now() - began);
    tell_end(r, part, &result,
             &(struct event){.state = result.skipped ? EVENT_SKIPPED : EVENT_DONE,
                             .detail = result.skipped  ? result.skipped
                                       : result.detail ? result.detail
                                                       : s->about,
                             .took_ms = loop_now() - began});
    return true;
}

bool walk_step(struct run *r, const struct step *s, const struct step *part, walk_failed *failed,
               struct err *err)
{
    size_t out = r->left_out.n;
    struct turn turn;

    run_use(r, s->recipe);
    run_turn_begin(r, &turn);
    bool ok = walk(r, s, part, err);
    bool goes_on = ok || failed(r, s, err);
    /* The failures are named again at the end of the run. */
    run_turn_end(r, &turn, !ok || r->left_out.n > out);
    run_use(r, NULL);
    return goes_on;
}
