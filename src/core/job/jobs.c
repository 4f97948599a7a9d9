/* jobs.c -- runs the user's commands on hosts and follows them to their end (jobs.h).  Called by
 * the stages that have jobs (table.c, health, restart, migrate) and by the engine for `abort`.
 * Relies on src/host/job/job.sh on the host. */
#include "core/job/jobs.h"

#include "core/job/failure.h"
#include "core/job/follower.h"
#include "core/job/local.h"
#include "core/job/script.h"
#include "base/text.h"
#include "core/trip.h"

enum {
    LOOK_MS = 60000,
    STOP_MS = 5 * 60000, /* several attempts, each with its grace period */
};

/* Ends one job on all of its hosts at once.  err holds the first failure; further ones are reported
 * as warnings. */
static bool stop_job(struct run *r, const struct job_call *c, struct err *err)
{
    struct call *calls = arena_array(r->arena, c->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, c->n_hosts, sizeof *replies);
    bool ok = true;

    for (size_t i = 0; i < c->n_hosts; i++) {
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = job_script(r, c, i, "stop", err),
                                 .payload = -1,
                                 .timeout_ms = STOP_MS};
        if (!calls[i].script)
            return false;
    }
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        if (run_judge(r, c->hosts[i], &replies[i], ok ? err : &one))
            continue;
        if (!ok)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
}

/* Decides what happens to the job when a signal asks to stop.  A user at the terminal is asked.
 * Without one the job is left running at once, and resume reattaches to it. */
struct leave {
    struct run *run;
    const struct job_call *call;
    bool asked;
    bool end;         /* the job is to be ended as well */
    const char *told; /* the outcome as text; NULL until it is known */
};

static bool has_to_leave(void *arg)
{
    struct leave *l = arg;
    struct loop *loop = l->run->loop;
    int signals = loop_signal_count(loop);
    int key = loop_key(loop);

    if (!signals || !l->run->interactive)
        return signals > 0;
    if (!l->asked)
        run_warn(l->run, NULL,
                 "stopping when the command of '%s' has ended; press Ctrl-C again to stop it now, "
                 "or l to leave it running",
                 l->call->step->name);
    /* Keys typed before the question are not an answer to it. */
    if (!l->asked)
        loop_keys(loop, true);
    l->asked = true;
    l->end = signals > 1;
    return l->end || key == 'l';
}

/* False when no signal has asked to stop. */
static bool has_left(struct run *r, struct leave *l, struct err *err)
{
    struct err ignored = {.arena = r->arena};
    const struct job_call *c = l->call;
    const char *name = text_shown(r->arena, run_redact(r, c->job->name));

    if (!run_is_stopped(r, "", err))
        return false;
    if (!l->told) {
        bool ended = l->end && stop_job(r, c, &ignored);
        l->told = ended    ? arena_printf(r->arena, "stopped, and '%s' was ended", name)
                  : l->end ? arena_printf(r->arena, "stopped; '%s' could not be ended: %s", name,
                                          ignored.msg)
                           : arena_printf(r->arena, "stopped; '%s' was left running on the host%s",
                                          name, c->n_hosts > 1 ? "s" : "");
    }
    err->msg = l->told;
    return true;
}

/* Wipes scripts that held a password. */
static void scripts_wipe(const struct job_call *c, const struct call *calls)
{
    for (size_t i = 0; c->job->become && i < c->n_hosts; i++)
        if (calls[i].script)
            explicit_bzero((char *)(uintptr_t)calls[i].script, strlen(calls[i].script));
}

/* Asks all hosts whether sudo starts the job.  ret_answers gets "ok" or "no WHY" for each. */
static bool sudo_look(struct run *r, const struct job_call *c, const char **ret_answers,
                      struct err *err)
{
    struct call *calls = arena_array(r->arena, c->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, c->n_hosts, sizeof *replies);

    for (size_t i = 0; i < c->n_hosts; i++) {
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = job_script(r, c, i, "sudo", err),
                                 .payload = -1,
                                 .timeout_ms = LOOK_MS};
        if (!calls[i].script) {
            scripts_wipe(c, calls);
            return false;
        }
    }
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    scripts_wipe(c, calls);
    for (size_t i = 0; i < c->n_hosts; i++) {
        if (!run_judge(r, c->hosts[i], &replies[i], err))
            return false;
        const char *answer = answer_value(r->arena, replies[i].out, "sudo");
        ret_answers[i] = answer ? answer : "no answer";
    }
    return true;
}

static bool sudo_refuses(struct run *r, const struct job_call *c, size_t host, const char *answer,
                         struct err *err)
{
    return err_set(err, ERR_FAILED, "%s: '%s' cannot become '%s':%s%s", r->recipe->hosts[host].name,
                   text_shown(r->arena, run_redact(r, c->job->name)), c->job->become,
                   text_shown(r->arena, answer + strcspn(answer, " ")),
                   r->ask ? "" : "; if sudo needs a password, there is no terminal to type it on");
}

/* Before a job with `become`: makes sure that sudo starts it, and asks for the password if it needs one.
 * Once for all hosts: those that do not need it ignore it. */
static bool may_become(struct run *r, const struct job_call *c, struct err *err)
{
    const struct sudo_user user = {r->ask, r->ask_arg, r->loop, r->fleet};
    const char **answers = arena_array(r->arena, c->n_hosts, sizeof *answers);

    for (int tries = r->job_sudo->given ? 1 : 0;; tries++) {
        struct strs names = {0};
        size_t first = c->n_hosts;
        if (!sudo_look(r, c, answers, err))
            return false;
        for (size_t i = c->n_hosts; i-- > 0;)
            if (strcmp(answers[i], "ok") != 0) {
                first = i;
                strs_add(r->arena, &names, r->recipe->hosts[c->hosts[i]].name);
            }
        if (first == c->n_hosts)
            return true;
        const char *login =
            r->recipe->become ? r->recipe->become : r->recipe->hosts[c->hosts[first]].user;
        if (tries >= SUDO_TRIES ||
            !sudo_ask(&user, r->arena, login ? text_shown(r->arena, login) : "the login user",
                      strs_joined(r->arena, &names, ", "), tries, r->job_sudo))
            return sudo_refuses(r, c, c->hosts[first], answers[first], err);
    }
}

bool jobs_run(struct run *r, const struct job_call *c, struct job_end **ends, struct err *err)
{
    struct call *calls = arena_array(r->arena, c->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, c->n_hosts, sizeof *replies);
    struct follower *followers = arena_array(r->arena, c->n_hosts, sizeof *followers);
    size_t going = c->n_hosts;
    bool ok = true;

    *ends = arena_array(r->arena, c->n_hosts, sizeof **ends);
    if (c->job->become && !may_become(r, c, err))
        return false;
    for (size_t i = 0; i < c->n_hosts; i++) {
        calls[i].script = job_script(r, c, i, "run", err);
        if (!calls[i].script) {
            scripts_wipe(c, calls);
            return false;
        }
    }
    for (size_t i = 0; i < c->n_hosts; i++) {
        followers[i] = follower_open(r, c, c->hosts[i], &going);
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = calls[i].script,
                                 .secret = c->job->become != NULL,
                                 .payload = -1,
                                 .say = &followers[i].say,
                                 .output = follower_take,
                                 .lost = follower_lost,
                                 .arg = &followers[i]};
    }
    struct leave leave = {.run = r, .call = c};
    fleet_stop_when(r->fleet, has_to_leave, &leave);
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    fleet_stop_when(r->fleet, NULL, NULL);
    loop_keys(r->loop, false);
    scripts_wipe(c, calls);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        follower_end(&followers[i], &replies[i], &(*ends)[i]);
        follower_close(&followers[i]);
        bool stopped = replies[i].kind == REPLY_STOPPED && has_left(r, &leave, &one);
        if (stopped)
            left_out_note(r, c->hosts[i], one.code, one.msg);
        else if (run_judge(r, c->hosts[i], &replies[i], &one))
            continue;
        if (ok)
            *err = one;
        else if (!stopped)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
}

/* Sets hosts to those of `left` that run job j of the step, and last to whether it is their last
 * job of it.  Returns how many. */
static size_t hosts_of_job(struct run *r, const struct step *s, size_t j, const size_t *left,
                           size_t n_left, size_t *hosts, bool *last)
{
    size_t n = 0;

    for (size_t i = 0; i < n_left; i++) {
        if (!step_job_is_for(s, r->recipe, j, left[i]))
            continue;
        hosts[n] = left[i];
        last[n] = true;
        for (size_t k = j + 1; k < s->jobs->n; k++)
            if (step_job_is_for(s, r->recipe, k, left[i]))
                last[n] = false;
        n++;
    }
    return n;
}

/* Whether the job succeeded on every host.  err holds the first failure; further ones are reported
 * as warnings.  ok: the job was followed to its end everywhere; if not, err is already set, and an
 * unknown status is no further failure. */
static bool all_succeeded(struct run *r, const struct job_call *c, const struct job_end *ends,
                          bool ok, struct err *err)
{
    bool followed = ok;

    for (size_t i = 0; i < c->n_hosts; i++) {
        if (ends[i].status == 0 || (!followed && ends[i].status == JOB_UNKNOWN))
            continue;
        if (ok)
            ok = jobs_fail(r, c, &ends[i], err);
        else
            run_warn(r, NULL, "%s: %s", r->recipe->hosts[ends[i].host].name,
                     job_note_end(r, c, &ends[i]));
    }
    return ok;
}

bool jobs_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    size_t *left;
    size_t n_left = run_hosts_left(r, s, &left);
    size_t *hosts = arena_array(r->arena, n_left, sizeof *hosts);
    bool *last = arena_array(r->arena, n_left, sizeof *last);

    for (size_t j = ret->jobs_done; j < s->jobs->n; j++) {
        struct job_call c = {.step = s,
                             .job = &s->jobs->v[j],
                             .name = arena_printf(r->arena, "%s.%zu", s->name, j),
                             .hosts = hosts,
                             .last = last};
        struct job_end *ends;
        c.n_hosts = hosts_of_job(r, s, j, left, n_left, hosts, last);
        if (!c.n_hosts)
            continue;
        if (run_is_stopped(r, arena_printf(r->arena, "before '%s'", c.job->name), err))
            return false;
        if (c.job->where == WHERE_LOCAL) {
            ret->jobs_done = j; /* it is no host's own failure, so nobody is left out for it */
            if (!local_act(r, &c, err))
                return false;
            continue;
        }
        bool ok = jobs_run(r, &c, &ends, err);
        /* A job that was lost before this command started is known not to be running any more, so
         * it is started again, once. */
        for (size_t i = 0; ok && i < c.n_hosts; i++)
            if (ends[i].status == JOB_LOST && ends[i].attached) {
                run_warn(r, r->recipe->hosts[ends[i].host].name,
                         "'%s' was lost (its host or connection went away); starting it again",
                         c.job->name);
                ok = jobs_run(r, &c, &ends, err);
                break;
            }
        ok = all_succeeded(r, &c, ends, ok, err);
        for (size_t i = 0; i < c.n_hosts; i++)
            run_set_mark(r, hosts[i], s->name,
                         ends[i].status != 0 ? "failed"
                         : last[i]           ? "done"
                                             : "begun");
        if (!ok) {
            ret->jobs_done = j + 1; /* on the hosts on which it succeeded */
            return false;
        }
    }
    return true;
}

bool jobs_look(struct run *r, const struct job_call *c, bool *ret_runs, struct err *err)
{
    struct call call = {.host = c->hosts[0], .payload = -1, .timeout_ms = LOOK_MS};
    struct reply reply;

    call.script = job_script(r, c, 0, "look", err);
    if (!call.script)
        return false;
    fleet_run(r->fleet, r->arena, &call, 1, &reply);
    if (!run_judge(r, call.host, &reply, err))
        return false;
    const char *is = answer_value(r->arena, reply.out, "is");
    *ret_runs = is && (strcmp(is, "running") == 0 || strcmp(is, "new") == 0);
    return true;
}

bool jobs_stop(struct run *r, const struct step *s, struct err *err)
{
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);

    for (size_t j = 0; s->jobs && j < s->jobs->n; j++) {
        struct job_call c = {.step = s,
                             .job = &s->jobs->v[j],
                             .name = arena_printf(r->arena, "%s.%zu", s->name, j),
                             .hosts = hosts};
        for (size_t i = 0; i < s->n_hosts; i++) {
            const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
            if (mark && (strcmp(mark, "begun") == 0 || strcmp(mark, "failed") == 0) &&
                !left_out_has(&r->left_out, s->hosts[i]))
                hosts[c.n_hosts++] = s->hosts[i];
        }
        /* A job on a deploying machine ended with the crelease that started it. */
        if (c.n_hosts && c.job->where != WHERE_LOCAL && !stop_job(r, &c, err))
            return false;
    }
    return true;
}
