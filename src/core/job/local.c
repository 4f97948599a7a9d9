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

static const char **variables(struct run *r, const struct job_call *c)
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
    const char **list = arena_array(r->arena, n + 1, sizeof *list);

    memcpy(list, own, sizeof own);
    return list;
}

/* The folder of the recipe; the one above it when the recipe is config/crelease.yml. */
static const char *folder(struct run *r)
{
    const char *dir = r->recipe->dir;
    const char *last = strrchr(dir, '/');

    if (!last || last == dir || strcmp(r->recipe->file + strlen(dir), "/crelease.yml") != 0 ||
        strcmp(last, "/config") != 0)
        return dir;
    return arena_strndup(r->arena, dir, (size_t)(last - dir));
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
    return !s.n_hosts || mark_put(r, &s, &(struct new_mark){.state = state}, err);
}

static void tell(struct run *r, const struct job_call *c, int status)
{
    run_tell(r, (struct event){.kind = EVENT_JOB,
                               .state = status == 0 ? EVENT_DONE : EVENT_FAILED,
                               .stage = c->step->name,
                               .host = LOCAL_NAME,
                               .command = c->job->name,
                               .detail = status == 0 ? NULL : job_how_ended(r, c->job, status)});
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

bool local_act(struct run *r, const struct job_call *c, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", job_local, "crelease-job", NULL};
    struct follower f = follower_open_locally(r, c);
    const struct companion call = {.argv = argv,
                                   .folder = folder(r),
                                   .variables = variables(r, c),
                                   .timeout_ms = c->job->timeout_ms,
                                   .output = follower_text,
                                   .arg = &f};
    struct companion_end end = {0};

    bool ok = mark(r, c, NULL, "begun", err) && companion_run(r->loop, &call, &end, err);
    const char *output = follower_end_locally(&f);
    follower_close(&f);
    if (!ok)
        return false;
    int status = end.late ? JOB_TIMEOUT : end.status;
    tell(r, c, status);
    if (end.stopped && run_is_stopped(r, "", err)) {
        err->msg = arena_printf(r->arena, "stopped, and '%s' was ended",
                                text_shown(r->arena, run_redact(r, c->job->name)));
        return false;
    }
    if (status != 0)
        return failed(r, c, status, output, err);
    return mark(r, c, c->last, "done", err);
}
