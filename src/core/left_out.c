#include "core/left_out.h"

#include "base/text.h"

/* A signal, a lock that is another's or a backup is not the host's own failure. */
static bool is_its_own(const struct mishap *m)
{
    return m->code == ERR_FAILED || m->code == ERR_UNCERTAIN;
}

static bool has_host(const struct step *s, size_t host)
{
    for (size_t i = 0; i < s->n_hosts; i++)
        if (s->hosts[i] == host)
            return true;
    return false;
}

/* What the others need the host for, from that step on; NULL for nothing. */
static const char *needed_for(struct run *r, const struct step *from, size_t host)
{
    const struct plan *p = r->plan;

    for (const struct step *s = from; s < p->steps + p->n_steps; s++) {
        bool database = s->stage->who == WHO_DB || s->stage->who == WHO_MIGRATE;
        bool is_hook = strcmp(s->name, s->stage->name) != 0;
        if (database && !is_hook && has_host(s, host))
            return "the migration runs there";
        for (size_t j = 0; s->jobs && (is_hook || s->stage->who == WHO_BUILD) && j < s->jobs->n;
             j++)
            if (s->jobs->v[j].once && step_job_is_for(s, r->recipe, j, host))
                return arena_printf(r->arena, "'%s' runs there, for all", s->jobs->v[j].name);
    }
    return NULL;
}

static bool is_anybody_left(const struct run *r)
{
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (!run_is_through(r, h) && r->mishaps[h].code == ERR_NONE)
            return true;
    return false;
}

static bool may_be_left_out(struct run *r, const struct step *s)
{
    size_t n = 0;

    for (size_t h = 0; h < r->recipe->n_hosts; h++) {
        if (r->mishaps[h].code == ERR_NONE)
            continue;
        if (!is_its_own(&r->mishaps[h]))
            return false;
        const char *why = needed_for(r, s, h);
        if (why) {
            run_warn(r, NULL, "%s cannot be left out: %s", r->recipe->hosts[h].name, why);
            return false;
        }
        n++;
    }
    if (!n || !is_anybody_left(r))
        return false;
    if (r->n_out + n <= (size_t)r->recipe->host_failures)
        return true;
    run_warn(r, NULL, "%s failed, and host_failures lets a run go on without %ld",
             text_count(r->arena, r->n_out + n, "host"), r->recipe->host_failures);
    return false;
}

static void leave_out(struct run *r, const struct step *s, size_t host)
{
    const char *name = r->recipe->hosts[host].name;
    const char *how = arena_printf(r->arena, "in stage '%s': %s", s->name, r->mishaps[host].why);

    r->out[host] = true;
    r->n_out++;
    strs_add(r->arena, &r->out_why, arena_printf(r->arena, "%s was left out %s", name, how));
    run_warn(r, NULL, "%s is left out %s; going on without it", name, how);
}

bool left_out_may_go_on(struct run *r, const struct step *s, struct err *err)
{
    struct err ignored = {.arena = r->arena};

    if (r->recipe->on_host_failure != HOST_FAILURE_CONTINUE || !s->stage->leaves_out ||
        run_is_stopped(r, "", &ignored) || !may_be_left_out(r, s))
        return false;
    if (!r->n_out) {
        r->out_failure = r->failure;
        r->out_failure.stage = s->name;
    }
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (r->mishaps[h].code != ERR_NONE)
            leave_out(r, s, h);
    r->failure = (struct failure){0};
    err_clear(err);
    return true;
}

bool left_out_end(struct run *r, struct err *err)
{
    const char *why = "";

    if (!r->n_out)
        return true;
    for (size_t i = 0; i < r->out_why.n; i++)
        why = arena_printf(r->arena, "%s; %s", why, r->out_why.v[i]);
    for (size_t i = 0; i < r->untidy.n; i++)
        why = arena_printf(r->arena, "%s; %s", why, r->untidy.v[i]);
    r->failure = r->out_failure;
    r->partly = true;
    return err_set(err, ERR_FAILED, "live on %zu of %zu hosts%s; resume brings %s forward",
                   r->recipe->n_hosts - r->n_out, r->recipe->n_hosts, why,
                   r->n_out > 1 ? "them" : "it");
}
