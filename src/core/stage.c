/* stage.c -- what several rows of the stage table share: run a script forward, run it backward, or
 * undo nothing.  The engine calls them through the rows. */
#include "core/stage.h"

#include "base/text.h"
#include "core/trip.h"

bool stage_script_trip(struct run *r, const struct step *s, struct trip *ret)
{
    (void)r;
    *ret = (struct trip){.script = s->stage->script,
                         .step = s->name,
                         .verb = "run",
                         .values = s->stage->values,
                         .about = s,
                         .payload = -1,
                         .is_all = true};
    return true;
}

static void pass_warning_on(struct run *r, size_t host, const struct reply *reply)
{
    const char *warning =
        reply->kind == REPLY_EXIT ? answer_value(r->arena, reply->out, "warning") : NULL;

    if (warning)
        run_warn(r, r->recipe->hosts[host].name, "%s", text_shown(r->arena, warning));
}

bool stage_script_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    struct trip t;
    size_t *hosts;

    if (!stage_script_trip(r, s, &t))
        return err_set(err, ERR_FAILED, "the script of '%s' is missing", s->name);
    t.n_hosts = run_hosts_left(r, s, &hosts);
    t.hosts = hosts;
    struct reply *replies = NULL;
    bool ok = run_scripts(r, &t, &replies, err);
    for (size_t i = 0; replies && i < t.n_hosts; i++)
        run_set_mark(r, hosts[i], s->name,
                     replies[i].kind == REPLY_EXIT && replies[i].status == 0 ? "done" : "begun");
    for (size_t i = 0; replies && i < t.n_hosts; i++)
        pass_warning_on(r, hosts[i], &replies[i]);
    for (size_t i = 0; ok && !ret->detail && i < t.n_hosts; i++)
        ret->detail = answer_value(r->arena, replies[i].out, "detail");
    return ok;
}

bool stage_script_undo(struct run *r, const struct step *s, struct err *err)
{
    struct trip t = {.script = s->stage->script,
                     .step = s->name,
                     .verb = "undo",
                     .values = s->stage->values,
                     .about = s,
                     .payload = -1};
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);

    for (size_t i = 0; i < s->n_hosts; i++) {
        const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
        if (mark && strcmp(mark, "undone") != 0 && !left_out_has(&r->left_out, s->hosts[i]))
            hosts[t.n_hosts++] = s->hosts[i];
    }
    t.hosts = hosts;
    if (!t.n_hosts)
        return true;
    struct reply *replies = NULL;
    bool ok = run_scripts(r, &t, &replies, err);
    for (size_t i = 0; replies && i < t.n_hosts; i++) {
        if (replies[i].kind != REPLY_EXIT || replies[i].status != 0)
            continue;
        const char *gone = answer_value(r->arena, replies[i].out, "stays");
        if (gone)
            run_warn(r, r->recipe->hosts[hosts[i]].name,
                     "cannot roll back: '%s', which was live before, no longer exists; release %s "
                     "stays live",
                     text_shown(r->arena, gone), r->plan->what.release);
        pass_warning_on(r, hosts[i], &replies[i]);
        if (answer_value(r->arena, replies[i].out, "nowhere"))
            r->sites[hosts[i]].current = NULL;
        run_set_mark(r, hosts[i], s->name, "undone");
    }
    if (!ok)
        return false;
    run_tell(r, (struct event){.kind = EVENT_STAGE,
                               .state = EVENT_UNDONE,
                               .stage = s->name,
                               .detail = run_host_names(r, hosts, t.n_hosts)});
    return true;
}

const struct jobs *stage_one_job(struct arena *a, const struct job *job)
{
    struct jobs *jobs = arena_alloc(a, sizeof *jobs);

    jobs->v = arena_alloc(a, sizeof *jobs->v);
    jobs->v[0] = *job;
    jobs->v[0].name = text_command(a, job->run);
    jobs->n = 1;
    return jobs;
}

bool stage_undo_nothing(struct run *r, const struct step *s, struct err *err)
{
    (void)r;
    (void)s;
    (void)err;
    return true;
}
