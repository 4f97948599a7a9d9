
#include "stages/switch/health.h"

#include "base/text.h"
#include "core/job/jobs.h"

/* One attempt on every host that has not answered well yet; the ends of those that failed stay at
 * the front of *ends.  Returns how many are left. */
static bool attempt(struct run *r, struct job_call *c, size_t *hosts, const bool *last,
                    struct job_end **ends, struct err *err)
{
    size_t left = 0;

    c->hosts = hosts;
    c->last = last;
    if (!jobs_run(r, c, ends, err))
        return false;
    for (size_t i = 0; i < c->n_hosts; i++) {
        site_set_mark(run_kept(r), &r->sites[hosts[i]], c->step->name,
                      (*ends)[i].status ? "failed" : "done");
        if ((*ends)[i].status == 0)
            continue;
        (*ends)[left] = (*ends)[i];
        hosts[left++] = hosts[i];
    }
    c->n_hosts = left;
    return true;
}

bool health_act(struct run *r, const struct step *s, struct err *err)
{
    struct job_call c = {.step = s, .job = &s->jobs->v[0], .name = "health.0"};
    struct job_end *ends = NULL;
    size_t *hosts;

    c.n_hosts = run_hosts_left(r, s, &hosts);
    bool *last = arena_array(r->arena, c.n_hosts, sizeof *last);
    for (size_t i = 0; i < c.n_hosts; i++)
        last[i] = true;
    bool ok = true;
    for (long n = 1; ok && c.n_hosts; n++) {
        struct turn turn;
        run_turn_begin(r, &turn);
        ok = attempt(r, &c, hosts, last, &ends, err);
        if (ok && c.n_hosts && n >= r->recipe->health.attempts) {
            jobs_fail(r, &c, &ends[0], err);
            err->msg = arena_printf(r->arena, "%s, after %s", err->msg,
                                    text_count(r->arena, (unsigned long long)n, "attempt"));
            ok = false;
        } else if (ok && c.n_hosts) {
            fleet_wait(r->fleet, r->recipe->health.interval_ms);
            ok = !run_is_stopped(r, "while asking the application", err);
        }
        run_turn_end(r, &turn, !ok);
    }
    return ok;
}
