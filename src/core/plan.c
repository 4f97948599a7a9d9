/* plan.c -- makes the steps of a run from the stage table and the recipe.  Called by deploy,
 * rollback, resume, abort and `plan`.  Each row of the table says on which hosts it runs and which
 * jobs it has. */
#include "core/plan.h"

#include "base/text.h"

const char *command_word(enum run_command c)
{
    return c == COMMAND_ROLLBACK ? "rollback" : "deploy";
}

bool step_is_hook(const struct step *s)
{
    return strcmp(s->name, s->stage->name) != 0;
}

/* Whether the host is the first of the roles, in the recipe's order, on which a `once` job runs. */
static bool is_primary(const struct recipe *r, const struct strs *roles, size_t host)
{
    for (size_t h = 0; h < r->n_hosts; h++)
        if (host_has_any(&r->hosts[h], roles))
            return h == host;
    return false;
}

bool step_job_is_for(const struct step *s, const struct recipe *r, size_t job, size_t host)
{
    const struct job *j = &s->jobs->v[job];

    if (!host_has_any(&r->hosts[host], &j->roles))
        return false;
    return !j->once || is_primary(r, &j->roles, host);
}

static bool has_a_job(const struct step *s, const struct recipe *r, size_t host)
{
    for (size_t j = 0; s->jobs && j < s->jobs->n; j++)
        if (step_job_is_for(s, r, j, host))
            return true;
    return false;
}

static bool takes_part(const struct step *s, const struct recipe *r, const struct what *what,
                       size_t host)
{
    if (!step_is_hook(s) && s->stage->hosts)
        return s->stage->hosts(r, what, host);
    return step_is_hook(s) || s->stage->jobs ? has_a_job(s, r, host) : true;
}

/* False when no host takes part in the step; it is not added then. */
static bool add_step(struct arena *a, struct plan *p, const struct recipe *r, struct step s)
{
    s.hosts = arena_array(a, r->n_hosts, sizeof *s.hosts);
    for (size_t h = 0; h < r->n_hosts; h++)
        if (takes_part(&s, r, &p->what, h))
            s.hosts[s.n_hosts++] = h;
    if (s.n_hosts)
        p->steps[p->n_steps++] = s;
    return s.n_hosts > 0;
}

static const char *jobs_about(struct arena *a, const struct jobs *jobs)
{
    const char *text = jobs->v[0].name;

    for (size_t j = 1; j < jobs->n; j++)
        text = arena_printf(a, "%s; %s", text, jobs->v[j].name);
    return text;
}

static struct step step_of(struct arena *a, const struct stage *st, const struct recipe *r,
                           const struct what *what)
{
    struct step s = {.stage = st, .name = st->name, .about = st->about};

    s.jobs = st->jobs ? st->jobs(a, r) : NULL;
    const char *described = st->describe ? st->describe(a, r, what) : NULL;
    if (described)
        s.about = described;
    else if (s.jobs && s.jobs->n)
        s.about = jobs_about(a, s.jobs);
    return s;
}

static void add_hooks(struct arena *a, struct plan *p, const struct recipe *r,
                      const struct step *of, bool after)
{
    for (size_t i = 0; i < r->n_hooks; i++) {
        const struct hook *h = &r->hooks[i];
        if (h->after != after || strcmp(h->stage, of->name) != 0 || !h->jobs.n)
            continue;
        struct step s = *of;
        s.name = arena_printf(a, "%s-%s", after ? "after" : "before", of->name);
        s.jobs = &h->jobs;
        s.about = jobs_about(a, &h->jobs);
        add_step(a, p, r, s);
    }
}

struct plan *plan_make(struct arena *a, const struct stage *stages, const struct recipe *r,
                       const struct what *what)
{
    struct plan *p = arena_alloc(a, sizeof *p);
    bool early = what->command == COMMAND_DEPLOY;
    size_t n = 0;

    while (stages[n].name)
        n++;
    p->what = *what;
    p->steps = arena_array(a, n + r->n_hooks, sizeof *p->steps);
    for (size_t i = 0; i < n; i++) {
        if (what->command == COMMAND_ROLLBACK && !stages[i].in_rollback)
            continue;
        struct step s = step_of(a, &stages[i], r, what);
        size_t before = p->n_steps;
        s.early = early;
        add_hooks(a, p, r, &s, false);
        if (!add_step(a, p, r, s)) {
            p->n_steps = before; /* a stage without hosts has no hooks either */
            continue;
        }
        s.early = early = early && !stages[i].makes_folder;
        add_hooks(a, p, r, &s, true);
    }
    return p;
}

const char *plan_rolling(struct arena *a, const struct recipe *r)
{
    size_t n = recipe_batch(r);

    if (n >= r->n_hosts)
        return NULL;
    return arena_printf(a, "%s at a time%s", text_count(a, n, "host"),
                        r->rolling.wait_ms
                            ? arena_printf(a, ", %s between", text_span(a, r->rolling.wait_ms))
                            : "");
}
