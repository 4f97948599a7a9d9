/* run.c -- what all stages need of a run: telling the watcher, memory, marks, and signals.  Used by
 * the engine, the stages and the commands; nothing here talks to a host (trip.c does). */
#include "core/run.h"

#include "base/text.h"
#include "edge/clock.h"

#include <assert.h>
#include <signal.h>

const char *run_redact(const struct run *r, const char *text)
{
    return redact(r->arena, &r->recipe->secrets, text);
}

void run_tell(struct run *r, struct event e)
{
    e.unix_ms = clock_now_ms();
    if (!e.run_id && *r->plan->what.run)
        e.run_id = r->plan->what.run;
    e.database = r->recipe->db;
    e.detail = run_redact(r, e.detail);
    e.message = run_redact(r, e.message);
    e.command = run_redact(r, e.command);
    if (r->watcher->tell)
        r->watcher->tell(r->watcher->self, &e);
}

void run_warn(struct run *r, const char *host, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *text = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    if (r->recipe->db)
        text = arena_printf(r->arena, "database '%s': %s", r->recipe->db, text);
    run_tell(r, (struct event){.kind = EVENT_WARNING, .host = host, .detail = text});
}

struct run_info run_info(const struct run *r)
{
    const struct what *w = &r->plan->what;

    return (struct run_info){.id = w->run,
                             .command = command_word(w->command),
                             .application = w->application,
                             .environment = w->environment,
                             .release = w->release,
                             .revision = w->revision,
                             .ref = w->ref,
                             .subject = w->subject,
                             .by = w->by,
                             .since_unix = w->since_unix,
                             .hosts = r->recipe->n_hosts,
                             .host_names = w->hosts.v};
}

const char *run_hint(const struct run *r, const char *command, const char *more)
{
    struct called called = r->called ? *r->called : (struct called){0};

    called.environment = r->recipe->environment;
    return hint(r->arena, &called, command, more);
}

const char *run_folder(struct run *r, size_t host)
{
    return arena_printf(r->arena, "%s/releases/%s", r->recipe->hosts[host].deploy_to,
                        r->plan->what.release);
}

const char *run_host_names(struct run *r, const size_t *hosts, size_t n)
{
    struct strs names = {0};

    for (size_t i = 0; i < n; i++)
        strs_add(r->arena, &names, r->recipe->hosts[hosts[i]].name);
    return strs_joined(r->arena, &names, " ");
}

bool run_is_stopped(struct run *r, const char *where, struct err *err)
{
    int signal = loop_signal(r->loop);

    if (!signal)
        return false;
    err_set(err, signal == SIGINT ? ERR_INTERRUPTED : ERR_TERMINATED, "stopped by %s %s",
            signal == SIGINT    ? "Ctrl-C"
            : signal == SIGTERM ? "SIGTERM"
                                : "SIGHUP",
            where);
    return true;
}

void run_turn_begin(struct run *r, struct turn *turn)
{
    *turn = (struct turn){.outer = r->arena};
    r->kept = run_kept(r);
    r->arena = &turn->arena;
}

void run_turn_end(struct run *r, struct turn *turn, bool keep)
{
    assert(r->arena == &turn->arena);
    r->arena = turn->outer;
    if (r->arena == r->kept)
        r->kept = NULL;
    if (keep)
        arena_adopt(r->arena, &turn->arena);
    else
        arena_free(&turn->arena);
}

/* The guard without several databases. */
static struct guard *only_guard(const struct run *r)
{
    size_t n = r->recipe->n_databases;

    return r->guards ? r->guards[n] : r->guard;
}

static struct guard *guard_of(struct run *r, const struct recipe *of)
{
    size_t n = of->n_databases;
    struct guard *only = only_guard(r);

    if (!r->guards) {
        r->guards = arena_array(run_kept(r), n + 1, sizeof *r->guards);
        r->guards[n] = only;
    }
    if (!r->guards[of->db_at])
        r->guards[of->db_at] = arena_alloc(run_kept(r), sizeof **r->guards);
    return r->guards[of->db_at];
}

void run_use(struct run *r, const struct recipe *of)
{
    const struct recipe *whole = r->recipe->whole ? r->recipe->whole : r->recipe;

    if (!whole->n_databases)
        return;
    r->guard = of ? guard_of(r, of) : only_guard(r);
    r->recipe = of ? of : whole;
    if (!r->on_backup_given)
        r->on_backup = r->recipe->backup.policy;
}

long long run_behind_backup_ms(const struct run *r)
{
    long long ms = r->guards ? 0 : r->guard->behind_backup_ms;

    for (size_t i = 0; r->guards && i <= r->recipe->n_databases; i++)
        ms += r->guards[i] ? r->guards[i]->behind_backup_ms : 0;
    return ms;
}

struct arena *run_kept(const struct run *r)
{
    return r->kept ? r->kept : r->arena;
}

bool run_is_through(const struct run *r, size_t host)
{
    return left_out_has(&r->left_out, host) || site_has_ended(&r->sites[host], r->plan->what.run);
}

void run_set_mark(struct run *r, size_t host, const char *step, const char *state)
{
    site_set_mark(run_kept(r), &r->sites[host], step, state);
}

static bool is_done(struct run *r, const struct step *s, size_t host)
{
    const struct site *site = &r->sites[host];

    if (site_has_ended(site, r->plan->what.run))
        return true;
    if (s->stage->ends_run && !step_is_hook(s))
        return false;
    if (!site_is_marked(site, s->name, "done") && !site_is_marked(site, s->name, "skipped"))
        return false;
    if (!s->stage->until)
        return true;
    const char *until =
        s->recipe ? step_for_database(r->arena, s->stage->until, s->recipe) : s->stage->until;
    return site_is_marked(site, until, "done") || site_is_marked(site, until, "skipped");
}

size_t run_hosts_left(struct run *r, const struct step *s, size_t **ret)
{
    size_t *left = arena_array(r->arena, s->n_hosts, sizeof *left);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (!left_out_has(&r->left_out, s->hosts[i]) && !is_done(r, s, s->hosts[i]))
            left[n++] = s->hosts[i];
    if (ret)
        *ret = left;
    return n;
}
