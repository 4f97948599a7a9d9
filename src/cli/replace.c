/* replace.c -- what deploy does about a run that it finds dead and unfinished, by the key
 * 'unfinished'.
 *
 * A run that failed in its build is not worth a person: the next commit replaces it.  From the
 * migration on, what was done may not be undone without being looked at, so a person decides.
 * What resume and abort check (unfinished.c) is checked here, too. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "edge/clock.h"
#include "recipe/keys.h"

static enum unfinished_policy policy_of(const struct session *s)
{
    return (enum unfinished_policy)recipe_word("unfinished", s->options.on_unfinished,
                                               (int)s->recipe->unfinished);
}

/* "run k7f2ab (ann@laptop, 2026-12-01 14:01)" */
static const char *run_named(struct session *s, const struct site *site)
{
    return arena_printf(s->arena, "run %s (%s, %s)", site->lock.run,
                        text_by(s->arena, site->lock.by),
                        clock_date(s->arena, site->lock.since_unix * 1000));
}

static size_t place_of(const struct plan *p, const char *step)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (strcmp(p->steps[i].name, step) == 0)
            return i;
    return p->n_steps;
}

/* The first step that cannot simply be undone, or the hooks before it. */
static size_t first_serious(const struct plan *p)
{
    size_t i = 0;

    while (i < p->n_steps && !p->steps[i].stage->serious)
        i++;
    return i;
}

/* An abort marks the last step, too, before it releases the lock. */
static bool is_by_abort(const struct plan *p, const struct site *site, size_t place)
{
    return place < p->n_steps && p->steps[place].stage->ends_run && site_mark(site, TURNING_BACK);
}

/* The furthest step from the first serious one on that the host has started; NULL: it has started none.  A
 * mark that the plan does not know counts as one. */
static const char *serious_step(const struct plan *p, const struct site *site)
{
    size_t from = first_serious(p);
    const char *found = NULL;
    size_t at = 0;

    for (size_t i = 0; i < site->n_marks; i++) {
        const char *step = site->marks[i].step;
        size_t place = place_of(p, step);
        if (place < from || strcmp(step, TURNING_BACK) == 0 || is_by_abort(p, site, place) ||
            site_is_marked(site, step, "skipped") || (found && place < at))
            continue;
        found = step;
        at = place;
    }
    return found;
}

/* Why a person has to decide about the run; NULL: it ended before its migration started on any host,
 * and nothing of it is alive. */
static const char *why_not(struct session *s, const struct survey *sv, const struct what *w)
{
    const struct recipe *r = s->recipe;
    const struct plan *p = plan_make(s->arena, s->run.stages, r, w);

    if (w->command == COMMAND_ROLLBACK)
        return "it is a rollback, which a deploy does not replace";
    for (size_t h = 0; h < r->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        const char *name = r->hosts[h].name;
        const char *outcome = site_outcome(s->arena, site, w->run);
        /* Hosts are released only after everything was undone on all of them. */
        if (outcome && strcmp(outcome, "aborted") != 0)
            return arena_printf(s->arena, "it has already finished on %s", name);
        if (!site->lock.held)
            continue;
        if (site->living.n)
            return arena_printf(s->arena, "its job '%s' is still running on %s",
                                text_shown(s->arena, site->living.v[0]), name);
        const char *step = serious_step(p, site);
        if (step)
            return arena_printf(s->arena, "it had reached stage '%s' on %s",
                                text_shown(s->arena, step), name);
    }
    return NULL;
}

bool replace_is_sure(struct session *s)
{
    const struct plan *p = s->run.plan;

    if (policy_of(s) != UNFINISHED_AUTO || p->what.command != COMMAND_DEPLOY)
        return false;
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (serious_step(p, &s->run.sites[h]))
            return false;
    return true;
}

/* Its hosts must be exactly those of this deploy, or part of it would be left behind. */
static bool has_all_hosts(struct session *s, const struct what *w, const struct strs *hosts)
{
    return hosts->n == s->recipe->n_hosts && hosts->n == w->hosts.n;
}

/* Stops with status 6. */
static bool leave_it(const char *named, const char *why, struct err *err)
{
    return err_set(err, ERR_UNFINISHED,
                   "%s was never finished, and a person has to decide what becomes of it: %s",
                   named, why);
}

/* Passes on only warnings: that the run was replaced is one line. */
static void tell_little(void *self, const struct event *e)
{
    const struct watcher *outer = self;

    if (e->kind == EVENT_WARNING)
        outer->tell(outer->self, e);
}

static bool turn_back(struct session *s, struct err *err)
{
    const struct watcher *outer = s->run.watcher;
    const struct watcher quiet = {.tell = tell_little, .self = (void *)(uintptr_t)outer};

    s->run.watcher = s->options.json ? outer : &quiet;
    bool ok = engine_back(&s->run, err);
    s->run.watcher = outer;
    return ok;
}

/* Ends the earlier run, forward or backward.  What fails is that run's failure. */
static bool end_it(struct session *s, const struct survey *sv, bool back, const struct what *w,
                   struct err *err)
{
    if (!unfinished_take(s, sv, back, w, err))
        return false;
    back = back || engine_is_turning_back(&s->run);
    s->run.begun = true;
    if (back)
        return turn_back(s, err) || err_in(err, "aborting run %s", w->run);
    session_begin(s, false);
    return engine_forward(&s->run, err);
}

/* What the hosts say about the run.  A run that ended before its migration is aborted with the recipe at
 * hand: the fix may be in the recipe, and only the run's folders and its lock are removed. */
static bool read_run(struct session *s, const struct survey *sv, enum unfinished_policy policy,
                     struct what *ret, struct strs *ret_hosts, struct err *err)
{
    return unfinished_plan(s, sv, ret, err) &&
           (policy == UNFINISHED_AUTO ||
            unfinished_recipe(s, sv, ret, policy == UNFINISHED_ABORT, err)) &&
           unfinished_hosts(s, sv, ret, ret_hosts, err);
}

bool replace_unfinished(struct session *s, struct survey *sv, long holder, struct err *err)
{
    enum unfinished_policy policy = policy_of(s);
    const struct site *site = &sv->sites[holder];
    const char *named = run_named(s, site);
    const char *stage = holder_stage(s, sv);
    bool back = policy != UNFINISHED_RESUME;
    struct what what;
    struct strs hosts = {0};

    if (site->lock.alive || policy == UNFINISHED_STOP)
        return holder_refuse(s, sv, holder, err);
    if (!read_run(s, sv, policy, &what, &hosts, err)) {
        err->code = ERR_UNFINISHED;
        return false;
    }
    if (!has_all_hosts(s, &what, &hosts))
        return leave_it(named, "it includes other hosts than this deploy", err);
    const char *why = policy == UNFINISHED_AUTO ? why_not(s, sv, &what) : NULL;
    if (why)
        return leave_it(named, why, err);
    const char *how =
        arena_printf(s->arena, "%s %s%s%s%s", named, holder_ended(s, sv),
                     stage ? " at stage '" : "", stage ? stage : "", stage ? "'" : "");
    if (s->options.dry_run) {
        session_note(
            s, "unfinished",
            arena_printf(s->arena, "%s; deploy would %s it first", how, back ? "abort" : "resume"));
        for (size_t h = 0; h < s->recipe->n_hosts; h++)
            site_forget_run(&sv->sites[h], what.release);
        return true;
    }
    if (!end_it(s, sv, back, &what, err))
        return false;
    bool early = policy == UNFINISHED_AUTO;
    for (size_t h = 0; early && h < s->recipe->n_hosts; h++)
        site_forget_run(&sv->sites[h], what.release);
    session_renew(s);
    s->run.sites = sv->sites;
    run_warn(&s->run, NULL, "%s%s; it was %s", how, early ? ", before its migration" : "",
             back ? "aborted, and this deploy replaces it" : "resumed and has finished");
    return early || session_survey(s, false, sv, err);
}
