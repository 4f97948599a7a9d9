
#include "base/embed.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/jobs.h"
#include "stages/switch/switch.h"

EMBED(script_switch, "stages/switch/switch.sh");
EMBED(script_restart, "stages/switch/restart.sh");

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

const char *switch_again(struct run *r, const struct step *s)
{
    const char *names = "";

    if (recipe_batch(r->recipe) == r->recipe->n_hosts)
        return names;
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *other = &r->plan->steps[i];
        if (other->stage->rolls && strcmp(other->name, s->name) != 0)
            names = arena_printf(r->arena, "%s%s%s", names, *names ? " " : "", other->name);
    }
    return names;
}

static void forget(struct run *r, size_t host, const char *step)
{
    if (site_mark(&r->sites[host], step))
        site_set_mark(r->arena, &r->sites[host], step, "undone");
}

/* switch.sh does the same with the marks on the host. */
bool switch_act(struct run *r, const struct step *s, struct err *err)
{
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);

    for (size_t i = 0; i < n; i++)
        forget(r, hosts[i], "restart-back");
    return stage_script_act(r, s, err);
}

static bool point_back(struct run *r, const struct step *s, struct err *err)
{
    bool ok = stage_script_undo(r, s, err);
    const char *again = switch_again(r, s);

    for (; *again; again += strcspn(again, " "), again += *again == ' ') {
        const char *step = arena_strndup(r->arena, again, strcspn(again, " "));
        for (size_t i = 0; i < s->n_hosts; i++)
            if (site_is_marked(&r->sites[s->hosts[i]], s->name, "undone"))
                forget(r, s->hosts[i], step);
    }
    return ok;
}

/* Where the application is restarted by a command, it has to hear of the way back too. */
bool switch_undo(struct run *r, const struct step *s, struct err *err)
{
    struct job job = {
        .run = r->recipe->restart.run,
        .name = text_command(r->arena, r->recipe->restart.run ? r->recipe->restart.run : "")};
    struct step back = {.stage = s->stage, .name = "restart-back"};
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    bool *last = arena_array(r->arena, s->n_hosts, sizeof *last);
    bool ok = point_back(r, s, err);
    struct err later = {.arena = r->arena};
    size_t n = 0;
    struct job_end *ends;

    /* Also when a host could not be pointed back: the others have been. */
    for (size_t i = 0; i < s->n_hosts; i++) {
        const struct site *site = &r->sites[s->hosts[i]];
        if (site_is_marked(site, s->name, "undone") && site->current &&
            host_has_any(&r->recipe->hosts[s->hosts[i]], &r->recipe->restart.roles) &&
            !run_is_out(r, s->hosts[i]) && !site_is_marked(site, "restart-back", "done")) {
            last[n] = true;
            hosts[n++] = s->hosts[i];
        }
    }
    if (!job.run || !n)
        return ok;
    struct job_call c = {.step = &back,
                         .job = &job,
                         .name = "restart-back.0",
                         .in_current = true,
                         .hosts = hosts,
                         .n_hosts = n,
                         .last = last};
    if (!jobs_run(r, &c, &ends, ok ? err : &later))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ends[i].status != 0)
            return jobs_fail(r, &c, &ends[i], ok ? err : &later);
    for (size_t i = 0; i < n; i++)
        site_set_mark(r->arena, &r->sites[hosts[i]], back.name, "done");
    return ok;
}
