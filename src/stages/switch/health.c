/* health.c -- the stage 'health': runs the recipe's check, attempt after attempt, on every host
 * where it has not succeeded yet.  Called through stages/table.c, and by rolling.c for a batch of
 * hosts. */
#include "stages/switch/health.h"

#include "base/text.h"
#include "core/job/jobs.h"

enum { ATTEMPT_MS = 60000 };

/* Makes one attempt on every host that has not succeeded.  The results of those that failed are
 * moved to the front of *ends.  Returns how many are left. */
static bool attempt(struct run *r, struct job_call *c, size_t *hosts, const bool *last,
                    struct job_end **ends, struct err *err)
{
    size_t left = 0;

    c->hosts = hosts;
    c->last = last;
    if (!jobs_run(r, c, ends, err))
        return false;
    for (size_t i = 0; i < c->n_hosts; i++) {
        run_set_mark(r, hosts[i], c->step->name, (*ends)[i].status ? "failed" : "done");
        if ((*ends)[i].status == 0)
            continue;
        (*ends)[left] = (*ends)[i];
        hosts[left++] = hosts[i];
    }
    c->n_hosts = left;
    return true;
}

const struct jobs *health_jobs(struct arena *a, const struct recipe *r)
{
    return r->health.run ? stage_one_job(a, &(struct job){.run = r->health.run,
                                                          .roles = r->health.roles,
                                                          .timeout_ms = ATTEMPT_MS})
                         : NULL;
}

enum on_fail health_on_fail(const struct recipe *r)
{
    return r->health.on_failure == FAILURE_ROLLBACK ? ON_FAIL_ROLL_BACK : ON_FAIL_STOP;
}

bool health_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    struct job_call c = {.step = s, .job = &s->jobs->v[0], .name = "health.0"};
    struct job_end *ends = NULL;
    size_t *hosts;

    (void)ret;
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
            ok = !run_is_stopped(r, "during the health check", err);
        }
        run_turn_end(r, &turn, !ok);
    }
    return ok;
}
