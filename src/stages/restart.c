#include "stages/stages.h"

#include "base/quote.h"
#include "core/jobs.h"

static void restart_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    (void)host;
    quote_assign(b, "touch", r->recipe->restart.touch);
    quote_assign(b, "last", s->jobs ? "" : "yes");
}

bool restart_act(struct run *r, const struct step *s, struct err *err)
{
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);
    struct trip t = {.script = s->stage->script,
                     .step = s->name,
                     .verb = "run",
                     .values = restart_values,
                     .about = s,
                     .hosts = hosts,
                     .n_hosts = n,
                     .payload = -1};

    if (r->recipe->restart.touch) {
        if (!run_scripts(r, &t, NULL, err))
            return false;
        for (size_t i = 0; i < n; i++)
            site_set_mark(r->arena, &r->sites[hosts[i]], s->name, s->jobs ? "begun" : "done");
    }
    return !s->jobs || jobs_act(r, s, err);
}

/* Where the application is restarted by a command, it has to hear of the way back too. */
bool switch_undo(struct run *r, const struct step *s, struct err *err)
{
    struct job job = {.run = r->recipe->restart.run, .name = r->recipe->restart.run};
    struct step back = {.stage = s->stage, .name = "restart-back"};
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    bool *last = arena_array(r->arena, s->n_hosts, sizeof *last);
    size_t n = 0;
    struct job_end *ends;

    for (size_t i = 0; i < s->n_hosts; i++) {
        const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
        const struct host *host = &r->recipe->hosts[s->hosts[i]];
        if (mark && r->sites[s->hosts[i]].current && host_has_any(host, &r->recipe->restart.roles) &&
            !site_is_marked(&r->sites[s->hosts[i]], "restart-back", "done")) {
            last[n] = true;
            hosts[n++] = s->hosts[i];
        }
    }
    if (!stage_script_undo(r, s, err))
        return false;
    if (!job.run || !n)
        return true;
    struct job_call c = {.step = &back, .job = &job, .name = "restart-back.0", .in_current = true,
                         .hosts = hosts, .n_hosts = n, .last = last};
    if (!jobs_run(r, &c, &ends, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ends[i].status != 0)
            return jobs_fail(r, &c, &ends[i], err);
    return true;
}
