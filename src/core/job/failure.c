/* failure.c -- describes how a job ended and shows the lines of its log that explain it
 * (failure.h).  Called by jobs.c, and by the stages that judge an end themselves (health,
 * migrate). */
#include "core/job/failure.h"

#include "base/limits.h"
#include "base/text.h"
#include "core/job/excerpt.h"

enum {
    WHY_LINE_BYTES = 3980, /* why.sh cuts lines slightly above this */
    SHOWN_MAX = 1000,      /* of a line that is repeated after the failure */
};

const char *job_how_ended(struct run *r, const struct job *job, int status)
{
    static const char *const signals[] = {
        [1] = "HUP", [2] = "INT",  [3] = "QUIT",  [4] = "ILL",   [6] = "ABRT",  [7] = "BUS",
        [8] = "FPE", [9] = "KILL", [11] = "SEGV", [13] = "PIPE", [14] = "ALRM", [15] = "TERM"};
    int n = status - 128;

    if (status == JOB_LOST)
        return "was started, but its exit status was not recorded (did the host restart?)";
    if (status == JOB_UNKNOWN)
        return "ended, but its exit status is unknown";
    if (status == JOB_TIMEOUT)
        return arena_printf(r->arena, "was stopped after its time limit of %s",
                            text_span(r->arena, job->timeout_ms));
    if (status == 127)
        return "ended with exit status 127 (command not found)";
    if (status == 126)
        return "ended with exit status 126 (not executable)";
    if (n > 0 && n < (int)(sizeof signals / sizeof *signals) && signals[n])
        return arena_printf(r->arena, "was ended by signal %s (exit status %d)", signals[n],
                            status);
    return arena_printf(r->arena, "ended with exit status %d", status);
}

/* The last lines of the output that was shown, for a log that could not be read.  A very long line
 * is shortened to its beginning. */
static void last_lines(struct run *r, const char *text)
{
    const char *at = text + strlen(text);
    size_t lines = 0;

    while (at > text && at[-1] == '\n')
        at--;
    const char *end = at;
    while (at > text && lines < TAIL_LINES)
        if (*--at == '\n')
            lines++;
    if (*at == '\n' && at < end)
        at++;
    while (at < end) {
        size_t n = strcspn(at, "\n");
        if (at + n > end)
            n = (size_t)(end - at);
        strs_add(r->arena, &r->failure.lines,
                 n > SHOWN_MAX ? arena_printf(r->arena, "%.*s...", SHOWN_MAX, at)
                               : arena_strndup(r->arena, at, n));
        at += n + 1;
    }
}

/* Reports the lines of the log that explain the failure. */
static void tell_lines(struct run *r, const struct job_end *end)
{
    struct strs lines = excerpt(r->arena, end->why ? end->why : "");

    if (!lines.n)
        last_lines(r, end->output);
    for (size_t i = 0; i < lines.n; i++) {
        const char *text = run_redact(r, lines.v[i]);
        if (strlen(lines.v[i]) >= WHY_LINE_BYTES)
            text =
                arena_strndup(r->arena, text, strlen(text) - redact_end(&r->recipe->secrets, text));
        strs_add(r->arena, &r->failure.lines,
                 strlen(text) > SHOWN_MAX ? arena_printf(r->arena, "%.*s...", SHOWN_MAX, text)
                                          : text);
    }
}

const char *job_log_hint(struct run *r, const char *job, const char *host)
{
    struct called called = r->called ? *r->called : (struct called){0};

    called.environment = r->recipe->environment;
    return arena_printf(r->arena, "%s %s",
                        host && r->recipe->n_hosts > 1 ? hint_on(r->arena, &called, "log", host)
                                                       : hint(r->arena, &called, "log", NULL),
                        job);
}

static enum err_code code_of(const struct job_end *end)
{
    return end->status == JOB_LOST || end->status == JOB_UNKNOWN ? ERR_UNCERTAIN : ERR_FAILED;
}

const char *job_note_end(struct run *r, const struct job_call *c, const struct job_end *end)
{
    const char *why =
        arena_printf(r->arena, "'%s' %s", text_shown(r->arena, run_redact(r, c->job->name)),
                     job_how_ended(r, c->job, end->status));

    left_out_note(r, end->host, code_of(end), why);
    return why;
}

bool jobs_fail(struct run *r, const struct job_call *c, const struct job_end *end, struct err *err)
{
    const char *host = r->recipe->hosts[end->host].name;

    r->failure.host = host;
    r->failure.command = run_redact(r, c->job->run);
    r->failure.how = job_how_ended(r, c->job, end->status);
    tell_lines(r, end);
    r->failure.log = end->attempt ? job_log_hint(r, c->name, host) : NULL;
    return err_set(err, code_of(end), "%s: %s", host, job_note_end(r, c, end));
}

bool job_fail_locally(struct run *r, const struct job_call *c, int status, const char *output,
                      struct err *err)
{
    r->failure.command = run_redact(r, c->job->run);
    r->failure.how = job_how_ended(r, c->job, status);
    last_lines(r, output);
    return err_set(err, ERR_FAILED, "'%s' on this machine %s",
                   text_shown(r->arena, run_redact(r, c->job->name)), r->failure.how);
}
