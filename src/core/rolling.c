/* rolling.c -- walks switch, restart and health for one batch of hosts after the other, with the wait
 * between them.  Called by the engine; a batch is the step itself with fewer hosts. */
#include "core/rolling.h"

#include "base/text.h"

/* The step, limited to the hosts from begin to end. */
static struct step part_of(struct run *r, const struct step *s, size_t begin, size_t end)
{
    struct step part = *s;

    part.hosts = arena_array(r->arena, s->n_hosts + 1, sizeof *part.hosts);
    part.n_hosts = 0;
    for (size_t i = 0; i < s->n_hosts; i++)
        if (s->hosts[i] >= begin && s->hosts[i] < end)
            part.hosts[part.n_hosts++] = s->hosts[i];
    return part;
}

/* Whether one of these hosts has not finished the group's steps. */
static bool is_left(struct run *r, const struct group *g, size_t begin, size_t end)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct step part = part_of(r, &g->v[i], begin, end);
        if (run_hosts_left(r, &part, NULL))
            return true;
    }
    return false;
}

/* Waits before the batch from begin to end. */
static bool wait_before(struct run *r, size_t begin, size_t end, struct err *err)
{
    long long began = loop_now();
    long long left = r->recipe->rolling.wait_ms;
    /* Uses the lock's step because that has all hosts. */
    struct step s = part_of(r, &r->plan->steps[0], begin, end);

    if (!left)
        return true;
    s.name = ROLLING;
    walk_tell(r, &s, EVENT_BEGUN,
              arena_printf(r->arena, "%s before the next hosts", text_span(r->arena, left)), 0);
    for (; left > 0 && !loop_signal(r->loop);
         left = began + r->recipe->rolling.wait_ms - loop_now()) {
        fleet_wait(r->fleet, left);
        loop_key(r->loop); /* discards keys typed before the wait */
    }
    if (run_is_stopped(r,
                       arena_printf(r->arena, "between two batches: %s done, %s remaining",
                                    walk_names(r, 0, begin), walk_names(r, begin, end)),
                       err)) {
        walk_tell(r, &s, EVENT_FAILED, err->msg, loop_now() - began);
        return false;
    }
    walk_tell(r, &s, EVENT_DONE, "waited before the next hosts", loop_now() - began);
    return true;
}

bool rolling_walk(struct run *r, const struct group *g, walk_failed *failed, struct err *err)
{
    size_t n = r->recipe->n_hosts;
    size_t size = recipe_batch(r->recipe);
    bool wait = false;

    for (size_t at = 0; at < n; at += size) {
        bool left = is_left(r, g, at, at + size);
        if (!*walk_names(r, at, at + size))
            continue;
        if (left && wait && !wait_before(r, at, at + size, err))
            return false;
        for (size_t i = 0; i < g->n; i++) {
            const struct step part = part_of(r, &g->v[i], at, at + size);
            if (!walk_step(r, &g->v[i], &part, failed, err))
                return false;
        }
        wait = wait || left;
    }
    return true;
}

struct group rolling_group(const struct run *r, size_t i)
{
    const struct plan *p = r->plan;
    struct group g = {.v = &p->steps[i], .n = 1};

    g.rolls = g.v[0].stage->rolls && recipe_batch(r->recipe) < r->recipe->n_hosts;
    while (g.rolls && i + g.n < p->n_steps && p->steps[i + g.n].stage->rolls)
        g.n++;
    return g;
}
