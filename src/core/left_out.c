/* left_out.c -- decides whether a run goes on without the hosts on which a step failed, and keeps
 * what is said about them at the end.  Called by the engine after a failed step. */
#include "core/left_out.h"

#include "base/text.h"
#include "core/run.h"

void left_out_begin(struct run *r)
{
    struct left_out *l = &r->left_out;

    l->mishaps = arena_array(run_kept(r), r->recipe->n_hosts, sizeof *l->mishaps);
    l->out = arena_array(run_kept(r), r->recipe->n_hosts, sizeof *l->out);
}

void left_out_new_step(struct run *r)
{
    memset(r->left_out.mishaps, 0, r->recipe->n_hosts * sizeof *r->left_out.mishaps);
}

bool left_out_has(const struct left_out *l, size_t host)
{
    return l->out && l->out[host];
}

void left_out_note(struct run *r, size_t host, enum err_code code, const char *why)
{
    struct mishap *m = r->left_out.mishaps;

    if (m && m[host].code == ERR_NONE)
        m[host] = (struct mishap){code, arena_strdup(run_kept(r), why)};
}

/* A signal, a lock that another run holds, or a backup is not the host's own failure. */
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

/* What the other hosts need this one for, from that step on; NULL for nothing. */
static const char *needed_for(struct run *r, const struct step *from, size_t host)
{
    const struct plan *p = r->plan;

    for (const struct step *s = from; s < p->steps + p->n_steps; s++) {
        if (s->stage->needs && !step_is_hook(s) && has_host(s, host))
            return s->stage->needs;
        for (size_t j = 0; s->jobs && j < s->jobs->n; j++)
            if (s->jobs->v[j].once && step_job_is_for(s, r->recipe, j, host))
                return arena_printf(r->arena, "'%s' runs there for all hosts", s->jobs->v[j].name);
    }
    return NULL;
}

static bool is_anybody_left(const struct run *r)
{
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (!run_is_through(r, h) && r->left_out.mishaps[h].code == ERR_NONE)
            return true;
    return false;
}

static bool may_be_left_out(struct run *r, const struct step *s)
{
    size_t n = 0;

    for (size_t h = 0; h < r->recipe->n_hosts; h++) {
        if (r->left_out.mishaps[h].code == ERR_NONE)
            continue;
        if (!is_its_own(&r->left_out.mishaps[h]))
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
    if (r->left_out.n + n <= (size_t)r->recipe->host_failures)
        return true;
    run_warn(r, NULL, "%s failed, but 'host_failures' allows only %ld",
             text_count(r->arena, r->left_out.n + n, "host"), r->recipe->host_failures);
    return false;
}

static void leave_out(struct run *r, const struct step *s, size_t host)
{
    struct left_out *l = &r->left_out;
    const char *name = r->recipe->hosts[host].name;
    const char *how = arena_printf(r->arena, "in stage '%s': %s", s->name, l->mishaps[host].why);

    l->out[host] = true;
    l->n++;
    strs_add(run_kept(r), &l->why, arena_printf(run_kept(r), "%s was left out %s", name, how));
    run_warn(r, NULL, "%s is left out %s; continuing without it", name, how);
}

bool left_out_may_go_on(struct run *r, const struct step *s, struct err *err)
{
    struct err ignored = {.arena = r->arena};

    if (r->recipe->on_host_failure != HOST_FAILURE_CONTINUE || !s->stage->leaves_out ||
        run_is_stopped(r, "", &ignored) || !may_be_left_out(r, s))
        return false;
    if (!r->left_out.n) {
        r->left_out.failure = r->failure;
        r->left_out.failure.stage = s->name;
    }
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (r->left_out.mishaps[h].code != ERR_NONE)
            leave_out(r, s, h);
    r->failure = (struct failure){0};
    err_clear(err);
    return true;
}

bool left_out_end(struct run *r, struct err *err)
{
    struct left_out *l = &r->left_out;
    const char *why = "";

    if (!l->n)
        return true;
    for (size_t i = 0; i < l->why.n; i++)
        why = arena_printf(r->arena, "%s; %s", why, l->why.v[i]);
    for (size_t i = 0; i < r->untidy.n; i++)
        why = arena_printf(r->arena, "%s; %s", why, r->untidy.v[i]);
    r->failure = l->failure;
    l->reached_end = true;
    return err_set(err, ERR_FAILED, "live on %zu of %zu hosts%s; resume brings %s up to date",
                   r->recipe->n_hosts - l->n, r->recipe->n_hosts, why, l->n > 1 ? "them" : "it");
}
