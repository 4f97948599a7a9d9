/* local.c -- runs a job on the deploying machine (local.h).  Called by jobs.c.  The command is the
 * recipe's; what hosts have said reaches it only as the values of variables. */
#include "core/job/local.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/text.h"
#include "core/job/failure.h"
#include "core/job/follower.h"
#include "core/mark.h"
#include "edge/companion.h"

#include <string.h>

EMBED(job_local, "core/job/local.sh");

static const char **variables(struct run *r, const struct job_call *c, const char *const *more)
{
    const struct what *w = &r->plan->what;
    const char *const own[] = {
        arena_printf(r->arena, "crelease_command=%s", c->job->run),
        arena_printf(r->arena, "CRELEASE_APPLICATION=%s", w->application),
        arena_printf(r->arena, "CRELEASE_ENVIRONMENT=%s", w->environment),
        arena_printf(r->arena, "CRELEASE_RELEASE=%s", w->release),
        arena_printf(r->arena, "CRELEASE_REVISION=%s", w->revision),
        arena_printf(r->arena, "CRELEASE_RUN=%s", w->run),
    };
    size_t n = sizeof own / sizeof *own;
    size_t n_more = 0;
    while (more && more[n_more])
        n_more++;
    const char **list = arena_array(r->arena, n + n_more + 1, sizeof *list);

    memcpy(list, own, sizeof own);
    if (n_more)
        memcpy(list + n, more, n_more * sizeof *list);
    return list;
}

/* Marks the step on those of the call's hosts that are chosen; NULL: on all. */
static bool mark(struct run *r, const struct job_call *c, const bool *chosen, const char *state,
                 struct err *err)
{
    struct step s = *c->step;

    s.hosts = arena_array(r->arena, c->n_hosts, sizeof *s.hosts);
    s.n_hosts = 0;
    for (size_t i = 0; i < c->n_hosts; i++)
        if (!chosen || chosen[i])
            s.hosts[s.n_hosts++] = c->hosts[i];
    /* What was begun may have to be undone, also from another machine. */
    bool begins = c->job->undo && strcmp(state, "begun") == 0;
    return !s.n_hosts ||
           mark_put(r, &s, &(struct new_mark){.state = state, .job = begins ? c->name : NULL}, err);
}

static void tell(struct run *r, const struct job_call *c, enum event_state state,
                 const char *detail)
{
    run_tell(r, (struct event){.kind = EVENT_JOB,
                               .state = state,
                               .stage = c->step->name,
                               .host = LOCAL_NAME,
                               .command = c->job->name,
                               .detail = detail});
}

static void tell_end(struct run *r, const struct job_call *c, int status)
{
    tell(r, c, status == 0 ? EVENT_DONE : EVENT_FAILED,
         status == 0 ? NULL : job_how_ended(r, c->job, status));
}

/* Leaves the mark that the job failed.  If that cannot be said, "begun" stays: a resume does the same. */
static bool failed(struct run *r, const struct job_call *c, int status, const char *output,
                   struct err *err)
{
    struct err ignored = {.arena = r->arena};

    if (!mark(r, c, NULL, "failed", &ignored))
        run_warn(r, NULL, "could not mark '%s' as failed: %s", c->step->name, ignored.msg);
    return job_fail_locally(r, c, status, output, err);
}

/* Runs the command to its end, and sets *ret_output to the end of what it printed. */
static bool run_it(struct run *r, const struct job_call *c, const char *const *more,
                   struct companion_end *ret, const char **ret_output, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", job_local, "crelease-job", NULL};
    struct follower f = follower_open_locally(r, c);
    const struct companion call = {.argv = argv,
                                   .folder = r->recipe->project,
                                   .variables = variables(r, c, more),
                                   .timeout_ms = c->job->timeout_ms,
                                   .output = follower_text,
                                   .arg = &f};
    tell(r, c, EVENT_BEGUN, NULL);
    bool ok = companion_run(r->loop, &call, ret, err);

    *ret_output = follower_end_locally(&f);
    follower_close(&f);
    return ok;
}

static bool was_stopped(struct run *r, const struct job_call *c, const struct companion_end *end,
                        struct err *err)
{
    if (!end->stopped || !run_is_stopped(r, "", err))
        return false;
    err->msg = arena_printf(r->arena, "stopped, and '%s' was ended",
                            text_shown(r->arena, run_redact(r, c->job->name)));
    return true;
}

bool local_act(struct run *r, const struct job_call *c, struct err *err)
{
    struct companion_end end = {0};
    const char *output;

    if (!mark(r, c, NULL, "begun", err) || !run_it(r, c, NULL, &end, &output, err))
        return false;
    int status = end.late ? JOB_TIMEOUT : end.status;
    tell_end(r, c, status);
    if (was_stopped(r, c, &end, err))
        return false;
    if (status != 0)
        return failed(r, c, status, output, err);
    return mark(r, c, c->last, "done", err);
}

bool local_run(struct run *r, const struct job *job, const char *place,
               const char *const *variables, struct err *err)
{
    const struct step step = {.name = place};
    const struct job_call c = {.step = &step, .job = job};
    struct companion_end end = {0};
    const char *output;

    if (!run_it(r, &c, variables, &end, &output, err))
        return false;
    int status = end.late ? JOB_TIMEOUT : end.status;
    tell_end(r, &c, status);
    if (was_stopped(r, &c, &end, err))
        return false;
    return status == 0 ||
           err_set(err, ERR_FAILED, "'%s' %s", text_shown(r->arena, run_redact(r, job->name)),
                   job_how_ended(r, job, status));
}
