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
    return s->hook;
}

const char *step_for_database(struct arena *a, const char *stage, const struct recipe *r)
{
    return r->db ? arena_printf(a, "%s-%s", stage, r->db) : stage;
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

    /* All hosts keep the mark of what the deploying machine does for them. */
    if (j->where == WHERE_LOCAL)
        return true;
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
    const char *text = "";

    for (size_t j = 0; j < jobs->n; j++)
        text = arena_printf(a, "%s%s%s%s", text, j ? "; " : "", jobs->v[j].name,
                            jobs->v[j].where == WHERE_LOCAL ? " (on this machine)" : "");
    return text;
}

static struct step step_of(struct arena *a, const struct stage *st, const struct recipe *r,
                           const struct what *what)
{
    struct step s = {.stage = st, .name = st->name, .about = st->about};

    if (st->per_database) {
        s.name = step_for_database(a, st->name, r);
        s.recipe = r->db ? r : NULL;
    }

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
    const char *stage = of->stage->name;

    for (size_t i = 0; i < r->n_hooks; i++) {
        const struct hook *h = &r->hooks[i];
        if (h->after != after || strcmp(h->stage, stage) != 0 || !h->jobs.n)
            continue;
        struct step s = *of;
        s.name = arena_printf(a, "%s-%s", after ? "after" : "before", stage);
        s.hook = true;
        s.recipe = NULL;
        s.jobs = &h->jobs;
        s.about = jobs_about(a, &h->jobs);
        add_step(a, p, r, s);
    }
}

/* Adds the step of a stage, or one for each database, between the stage's hooks. */
static void add_stage(struct arena *a, struct plan *p, const struct recipe *r,
                      const struct stage *st, bool *early)
{
    size_t before = p->n_steps;
    struct step s = step_of(a, st, r, &p->what);
    bool added = false;

    s.early = *early;
    add_hooks(a, p, r, &s, false);
    for (size_t i = 0; i < (st->per_database ? recipe_databases_n(r) : 1); i++) {
        const struct recipe *of = st->per_database ? recipe_for_database(a, r, i) : r;
        s = step_of(a, st, of, &p->what);
        s.early = *early;
        added = add_step(a, p, of, s) || added;
    }
    if (!added) {
        p->n_steps = before; /* a stage without hosts has no hooks either */
        return;
    }
    s.early = *early = *early && !st->makes_folder;
    add_hooks(a, p, r, &s, true);
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
    p->steps = arena_array(a, n * recipe_databases_n(r) + r->n_hooks, sizeof *p->steps);
    for (size_t i = 0; i < n; i++) {
        if (what->command == COMMAND_ROLLBACK && !stages[i].in_rollback)
            continue;
        add_stage(a, p, r, &stages[i], &early);
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
