/* outcome.c -- runs the hooks `on failure`, `on success` and `on abort` when a run has ended.  Called by report.c
 * before the end is told, since that is the last line. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/job/local.h"

enum { HOOK_MS = 5 * 60 * 1000 /* unless it has a limit of its own */ };

/* Whoever stopped the run, or lost it to somebody else, knows; and the run goes on elsewhere. */
static bool is_failure(enum err_code code)
{
    return code == ERR_FAILED || code == ERR_UNCERTAIN || code == ERR_BACKUP ||
           code == ERR_UNREACHABLE;
}

static void run_hooks(struct session *s, enum run_outcome outcome, const struct err *about)
{
    const char *place = arena_printf(s->arena, "on %s", recipe_outcomes[outcome]);
    const char *const variables[] = {
        arena_printf(s->arena, "CRELEASE_STATUS=%d", err_status(about->code)),
        arena_printf(s->arena, "CRELEASE_WORD=%s", err_word(about->code)),
        arena_printf(s->arena, "CRELEASE_MESSAGE=%s",
                     about->code == ERR_NONE ? "" : run_redact(&s->run, about->msg)),
        NULL};
    const struct jobs *jobs = &s->recipe->outcome[outcome];

    for (size_t i = 0; i < jobs->n; i++) {
        struct err err = {.arena = s->arena};
        struct job job = jobs->v[i];
        if (!job.timeout_ms)
            job.timeout_ms = HOOK_MS;
        if (!local_run(&s->run, &job, place, variables, &err))
            run_warn(&s->run, NULL, "hook '%s': %s", place, err.msg);
    }
}

void outcome_of_deploy(struct session *s, const struct err *err)
{
    if (!s->run.begun)
        return;
    if (err->code == ERR_NONE || err->code == ERR_UNTIDY)
        run_hooks(s, ON_SUCCESS, err);
    else if (is_failure(err->code))
        run_hooks(s, ON_FAILURE, err);
}

void outcome_of_abort(struct session *s, const struct err *err)
{
    if (err->code == ERR_NONE)
        run_hooks(s, ON_ABORT, err);
}
