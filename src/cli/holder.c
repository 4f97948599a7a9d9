/* holder.c -- who holds the lock of the hosts, and waiting until nobody does.  For every command
 * that starts, continues or shows a run. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/progress.h"
#include "core/survey.h"
#include "edge/clock.h"

/* A wait for the lock. */
struct lock_wait {
    long long deadline;
    const char *told;   /* what was reported last, */
    long long told_ms;  /* when, */
    long long began_ms; /* and since when it waits */
    long holder;
    bool over;
};

enum { LOCK_POLL_MS = 2000, TELL_MS = 60000, DYING_LOOKS = 6, DYING_MS = 250 };

/* The command that resumes the run that holds this host, on all hosts that it holds. */
static const char *resume_on(struct session *s, const struct survey *sv, long host)
{
    const char *names = "";

    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (sv->reached[h] && sv->sites[h].lock.held &&
            strcmp(sv->sites[h].lock.run, sv->sites[host].lock.run) == 0)
            names = arena_printf(s->arena, "%s%s%s", names, *names ? "," : "",
                                 s->recipe->hosts[h].name);
    return hint_on(s->arena, &s->options.called, "resume", names);
}

bool holder_find(struct session *s, const struct survey *sv, long *ret_host, struct err *err)
{
    *ret_host = -1;
    /* Of several runs, one that is alive counts: they may have come together, and one of them gives way (lock.c). */
    for (size_t h = 0; h < s->recipe->n_hosts && *ret_host < 0; h++)
        if (sv->reached[h] && sv->sites[h].lock.held && sv->sites[h].lock.alive)
            *ret_host = (long)h;
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        if (!sv->reached[h] || !site->lock.held ||
            (*ret_host >= 0 && sv->sites[*ret_host].lock.alive))
            continue;
        if (*ret_host >= 0 && strcmp(sv->sites[*ret_host].lock.run, site->lock.run) != 0)
            return err_set(
                err, ERR_UNFINISHED,
                "two runs are unfinished: %s on %s and %s on %s; resume or abort each by itself: '%s',"
                " then '%s'",
                sv->sites[*ret_host].lock.run, s->recipe->hosts[*ret_host].name, site->lock.run,
                s->recipe->hosts[h].name, resume_on(s, sv, *ret_host), resume_on(s, sv, (long)h));
        if (*ret_host < 0)
            *ret_host = (long)h;
    }
    return true;
}

static const struct plan *plan_of(const struct session *s, const struct site *site)
{
    struct what what = what_none;

    if (site->plan && strstr(site->plan, "\ncommand rollback\n"))
        what.command = COMMAND_ROLLBACK;
    what.no_migrate = site->plan && strstr(site->plan, "\nmigrate no\n");
    return plan_make(s->arena, s->run.stages, s->recipe, &what);
}

/* The step after this one, which a run may be in before it has marked it.  Without a database the
 * backup stages do nothing, so it is the migration. */
static const char *step_after(const struct session *s, const struct plan *p, const char *step)
{
    for (size_t i = progress_place(p, step) + 1; i < p->n_steps; i++) {
        const struct recipe *r = p->steps[i].recipe ? p->steps[i].recipe : s->recipe;
        if (r->database.adapter != ADAPTER_NONE || strncmp(p->steps[i].name, "backup-", 7) != 0)
            return p->steps[i].name;
    }
    return step;
}

const char *holder_stage(const struct session *s, const struct survey *sv)
{
    const struct plan *plan = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts && !plan; h++)
        if (sv->reached[h] && sv->sites[h].n_marks && sv->sites[h].lock.held)
            plan = plan_of(s, &sv->sites[h]);
    const struct mark *last =
        plan ? progress_mark(plan, sv->sites, sv->reached, s->recipe->n_hosts) : NULL;
    if (!last)
        return NULL;
    return progress_is_past(last) ? step_after(s, plan, last->step) : last->step;
}

const char *holder_ended(const struct session *s, const struct survey *sv)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (sv->reached[h] && sv->sites[h].last_error &&
            strncmp(sv->sites[h].last_error, "failed ", 7) == 0)
            return "failed";
    return "stopped";
}

bool holder_refuse(struct session *s, const struct survey *sv, long holder, struct err *err)
{
    const struct site *site = &sv->sites[holder];
    const char *since = clock_date(s->arena, site->lock.since_unix * 1000);
    const char *by = text_by(s->arena, site->lock.by);

    const char *stage = holder_stage(s, sv);

    if (site->lock.alive)
        return err_set(err, ERR_LOCKED, "run %s (%s, %s) is alive on these hosts%s%s%s",
                       site->lock.run, by, since, stage ? ", at stage '" : "", stage ? stage : "",
                       stage ? "'" : "");
    if (!stage)
        return err_set(err, ERR_UNFINISHED, "run %s (%s, %s) was never finished", site->lock.run,
                       by, since);
    return err_set(err, ERR_UNFINISHED, "run %s (%s, %s) %s at stage '%s' and was never finished",
                   site->lock.run, by, since, holder_ended(s, sv), stage);
}

/* A holder that was killed a moment ago still looks alive until its connection closes, so a live one
 * is looked at several times. */
static bool survey_settled(struct session *s, struct survey *sv, long *ret_holder, struct err *err)
{
    for (int looks = 1;; looks++) {
        if (!session_survey(s, s->options.dry_run, sv, err) || !holder_find(s, sv, ret_holder, err))
            return false;
        if (*ret_holder < 0 || !sv->sites[*ret_holder].lock.alive || looks == DYING_LOOKS ||
            !loop_wait(s->loop, DYING_MS))
            return true;
    }
}

/* Reports who is waited for, again when that run has reached another stage, and once a minute. */
static void tell_holder(struct session *s, const struct survey *sv, const struct site *site,
                        struct lock_wait *w)
{
    const char *stage = holder_stage(s, sv);
    struct arena *a = s->run.arena;
    const char *now =
        arena_printf(a, "waiting for run %s (%s)%s%s%s", site->lock.run, text_by(a, site->lock.by),
                     stage ? ", at stage '" : "", stage ? stage : "", stage ? "'" : "");

    bool same = w->told && strcmp(w->told, now) == 0;
    if (same && loop_now() - w->told_ms < TELL_MS)
        return;
    run_warn(&s->run, NULL, "%s%s%s", now, w->told ? ", for " : "",
             w->told ? text_span(a, loop_now() - w->began_ms) : "");
    w->told_ms = loop_now();
    if (!same)
        w->told = arena_strdup(s->arena, now);
}

/* One survey, and a pause if the holder is alive and the deadline has not passed. */
static bool wait_turn(struct session *s, struct survey *sv, struct lock_wait *w, struct err *err)
{
    w->over = true;
    if (!survey_settled(s, sv, &w->holder, err))
        return false;
    if (w->holder < 0 || !sv->sites[w->holder].lock.alive || loop_now() >= w->deadline)
        return true;
    tell_holder(s, sv, &sv->sites[w->holder], w);
    loop_wait(s->loop, LOCK_POLL_MS);
    w->over = false;
    return !run_is_stopped(&s->run, "while waiting for another run", err);
}

bool holder_wait(struct session *s, struct survey *sv, long *ret_holder, struct err *err)
{
    struct lock_wait w = {
        .deadline = loop_now() + s->options.wait_lock_ms, .began_ms = loop_now(), .holder = -1};
    bool ok = true;

    while (ok && !w.over) {
        struct turn turn;
        run_turn_begin(&s->run, &turn);
        ok = wait_turn(s, sv, &w, err);
        run_turn_end(&s->run, &turn, !ok || w.over);
    }
    *ret_holder = w.holder;
    return ok;
}

bool holder_any(struct session *s, struct survey *sv, long *ret_holder, struct err *err)
{
    if (!holder_wait(s, sv, ret_holder, err))
        return false;
    const char *places = fit_places(s, sv);
    return !places || err_set(err, ERR_FAILED, "%s", places);
}

bool holder_none(struct session *s, struct survey *sv, struct err *err)
{
    long holder;

    return holder_any(s, sv, &holder, err) && (holder < 0 || holder_refuse(s, sv, holder, err));
}
