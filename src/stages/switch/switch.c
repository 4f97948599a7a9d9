/* switch.c -- the stage 'switch': points `current` at the release on every host or on none.  Called
 * through stages/table.c.  Its undo points back and then restarts, which is why restart has no undo
 * of its own. */
#include "stages/switch/switch.h"

#include "base/embed.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/jobs.h"

EMBED(script_switch, "stages/switch/switch.sh");

const char *switch_describe(struct arena *a, const struct recipe *r, const struct what *what)
{
    (void)r;
    return arena_printf(a, "current to %s", what->release);
}

/* The names of the steps that roll together with the switch, separated by blanks: they are repeated
 * when the switch is.  Empty when all hosts switch at once. */
static const char *again_names(struct run *r, const struct step *s)
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

void switch_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    const char *touch = r->recipe->restart.touch;
    bool is_restarted = host_has_any(&r->recipe->hosts[host], &r->recipe->restart.roles);

    quote_assign(b, "touch", touch && is_restarted ? touch : "");
    quote_assign(b, "again", again_names(r, s));
}

static void forget(struct run *r, size_t host, const char *step)
{
    if (site_mark(&r->sites[host], step))
        run_set_mark(r, host, step, "undone");
}

/* switch.sh does the same with the marks on the host. */
bool switch_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);

    for (size_t i = 0; i < n; i++)
        forget(r, hosts[i], "restart-back");
    return stage_script_act(r, s, ret, err);
}

static bool point_back(struct run *r, const struct step *s, struct err *err)
{
    bool ok = stage_script_undo(r, s, err);
    const char *again = again_names(r, s);

    for (; *again; again += strcspn(again, " "), again += *again == ' ') {
        const char *step = arena_strndup(r->arena, again, strcspn(again, " "));
        for (size_t i = 0; i < s->n_hosts; i++)
            if (site_is_marked(&r->sites[s->hosts[i]], s->name, "undone"))
                forget(r, s->hosts[i], step);
    }
    return ok;
}

/* If a command restarts the application, it must also be run after the way back. */
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

    /* Also done when one host could not be pointed back, because the others have been. */
    for (size_t i = 0; i < s->n_hosts; i++) {
        const struct site *site = &r->sites[s->hosts[i]];
        if (site_is_marked(site, s->name, "undone") && site->current &&
            host_has_any(&r->recipe->hosts[s->hosts[i]], &r->recipe->restart.roles) &&
            !left_out_has(&r->left_out, s->hosts[i]) &&
            !site_is_marked(site, "restart-back", "done")) {
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
        run_set_mark(r, hosts[i], back.name, "done");
    return ok;
}
