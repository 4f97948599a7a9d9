/* undo.c -- undoes the jobs of a hook, with the commands that the recipe has for that (jobs_undo).  Called by the
 * engine when a run is rolled back or aborted, for one hook after the other, newest first.
 *
 * A command that undoes something is a job as well: if crelease dies meanwhile, the next abort finds it, and does not
 * run it again if it succeeded.  The step is marked as undone after the last one. */
#include "core/job/jobs.h"

#include "base/embed.h"
#include "base/text.h"
#include "core/job/failure.h"
#include "core/job/local.h"
#include "core/mark.h"
#include "core/trip.h"

EMBED(script_began, "host/job/began.sh");

enum { BYTES_MAX = 16 * 1024 };

static bool has_undo(const struct step *s)
{
    for (size_t j = 0; s->jobs && j < s->jobs->n; j++)
        if (s->jobs->v[j].undo)
            return true;
    return false;
}

/* A migration was started, and has not come to its end. */
static bool is_half_migrated(const struct run *r)
{
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        const struct site *site = &r->sites[s->hosts[0]];
        if (s->stage->migrates && s->jobs && !step_is_hook(s) &&
            (site_is_marked(site, s->name, "begun") || site_is_marked(site, s->name, "failed")))
            return true;
    }
    return false;
}

/* The hosts that have something of the step to undo. */
static struct step part_of(struct run *r, const struct step *s)
{
    struct step part = *s;

    part.hosts = arena_array(r->arena, s->n_hosts, sizeof *part.hosts);
    part.n_hosts = 0;
    for (size_t i = 0; i < s->n_hosts; i++) {
        const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
        if (mark && strcmp(mark, "undone") != 0 && strcmp(mark, "skipped") != 0 &&
            !run_is_through(r, s->hosts[i]))
            part.hosts[part.n_hosts++] = s->hosts[i];
    }
    return part;
}

/* Asks which jobs were started where. */
static bool ask_began(struct run *r, const struct step *s, struct reply **ret, struct err *err)
{
    struct buf b = buf_make(BYTES_MAX);

    buf_puts(&b, "jobs='");
    for (size_t j = 0; j < s->jobs->n; j++)
        buf_printf(&b, "%zu ", j);
    buf_puts(&b, "'\n");
    const struct trip t = {.script = script_began,
                           .step = s->name,
                           .verb = "look",
                           .assignments = arena_strndup(r->arena, b.text, b.len),
                           .about = s,
                           .hosts = s->hosts,
                           .n_hosts = s->n_hosts,
                           .payload = -1};
    buf_free(&b);
    return run_scripts(r, &t, ret, err);
}

static bool is_among(struct run *r, const char *answer, size_t job)
{
    const char *line = arena_printf(r->arena, "began %zu\n", job);
    const char *at = strstr(answer, line);

    return at && (at == answer || at[-1] == '\n');
}

static void tell_failed(struct run *r, const struct job_call *c, const char *host,
                        const struct job *undone, const char *how)
{
    run_warn(r, host, "'%s', which undoes '%s', %s; full output: '%s'",
             text_shown(r->arena, run_redact(r, c->job->run)),
             text_shown(r->arena, run_redact(r, undone->name)), how,
             job_log_hint(r, c->name, host));
}

/* Runs the command that undoes a job, on the hosts of the call.  What fails in it is a warning. */
static bool undo_job(struct run *r, struct job_call *c, const struct job *undone, struct err *err)
{
    struct err one = {.arena = r->arena};
    struct job_end *ends = NULL;

    if (undone->where == WHERE_LOCAL) {
        if (local_run(r, c->job, c->step->name, NULL, &one))
            return true;
        if (one.code != ERR_FAILED) {
            *err = one;
            return false;
        }
        run_warn(r, LOCAL_NAME, "%s, which undoes '%s'", one.msg,
                 text_shown(r->arena, run_redact(r, undone->name)));
        return true;
    }
    if (!jobs_run(r, c, &ends, err))
        return false;
    for (size_t i = 0; i < c->n_hosts; i++)
        if (ends[i].status != 0)
            tell_failed(r, c, r->recipe->hosts[ends[i].host].name, undone,
                        job_how_ended(r, c->job, ends[i].status));
    return true;
}

static bool undo_one(struct run *r, const struct step *s, size_t j, const struct reply *replies,
                     struct err *err)
{
    const struct job *job = &s->jobs->v[j];
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    struct job undo = *job;
    struct job_call c = {.step = s,
                         .job = &undo,
                         .name = arena_printf(r->arena, "%s.%zu-undo", s->name, j),
                         .hosts = hosts};

    undo.run = job->undo;
    undo.name = text_command(r->arena, job->undo);
    for (size_t i = 0; i < s->n_hosts; i++)
        if (is_among(r, replies[i].out, j))
            hosts[c.n_hosts++] = s->hosts[i];
    if (!c.n_hosts)
        return true;
    if (!job->keep_if_half_migrated || !is_half_migrated(r))
        return undo_job(r, &c, job, err);
    run_warn(r, job->where == WHERE_LOCAL ? LOCAL_NAME : run_host_names(r, hosts, c.n_hosts),
             "'%s' stays, because the migration did not come to its end; '%s' undoes it",
             text_shown(r->arena, run_redact(r, job->name)),
             text_shown(r->arena, run_redact(r, job->undo)));
    return true;
}

bool jobs_undo(struct run *r, const struct step *s, struct err *err)
{
    struct step part = has_undo(s) ? part_of(r, s) : (struct step){0};
    struct reply *replies = NULL;

    if (!part.n_hosts)
        return true;
    if (!ask_began(r, &part, &replies, err))
        return false;
    for (size_t j = part.jobs->n; j-- > 0;)
        if (part.jobs->v[j].undo && !undo_one(r, &part, j, replies, err))
            return false;
    if (!mark_put(r, &part, &(struct new_mark){.state = "undone"}, err))
        return false;
    run_tell(r, (struct event){.kind = EVENT_STAGE,
                               .state = EVENT_UNDONE,
                               .stage = s->name,
                               .detail = run_host_names(r, part.hosts, part.n_hosts)});
    return true;
}
