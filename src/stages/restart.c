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
