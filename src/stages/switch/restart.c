/* restart.c -- the stage 'restart': touches the restart file in the new release and runs the
 * recipe's command, on the hosts of restart.roles.  Called through stages/table.c.  After a switch
 * that was undone, switch.c restarts by itself. */
#include "stages/switch/restart.h"

#include "base/embed.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/jobs.h"
#include "core/trip.h"

EMBED(script_restart, "stages/switch/restart.sh");

bool restart_hosts(const struct recipe *r, const struct what *what, size_t host)
{
    (void)what;
    return (r->restart.touch || r->restart.run) && host_has_any(&r->hosts[host], &r->restart.roles);
}

const struct jobs *restart_jobs(struct arena *a, const struct recipe *r)
{
    return r->restart.run
               ? stage_one_job(a, &(struct job){.run = r->restart.run, .roles = r->restart.roles})
               : NULL;
}

const char *restart_describe(struct arena *a, const struct recipe *r, const struct what *what)
{
    (void)what;
    if (!r->restart.touch)
        return NULL;
    return arena_printf(a, "touch %s%s%s", r->restart.touch, r->restart.run ? "; " : "",
                        r->restart.run ? text_command(a, r->restart.run) : "");
}

static void restart_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    (void)host;
    quote_assign(b, "touch", r->recipe->restart.touch);
    quote_assign(b, "last", s->jobs ? "" : "yes");
}

bool restart_trip(struct run *r, const struct step *s, struct trip *ret)
{
    *ret = (struct trip){.script = s->stage->script,
                         .step = s->name,
                         .verb = "run",
                         .values = restart_values,
                         .about = s,
                         .payload = -1,
                         .is_all = !s->jobs};
    return r->recipe->restart.touch && !s->jobs;
}

bool restart_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);
    struct trip t;

    restart_trip(r, s, &t);
    t.hosts = hosts;
    t.n_hosts = n;
    if (r->recipe->restart.touch) {
        if (!run_scripts(r, &t, NULL, err))
            return false;
        for (size_t i = 0; i < n; i++)
            run_set_mark(r, hosts[i], s->name, s->jobs ? "begun" : "done");
    }
    return !s->jobs || jobs_act(r, s, ret, err);
}
