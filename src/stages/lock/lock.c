/* lock.c -- the stage 'lock': takes the lock on every host, or on none.  Called through stages/table.c.
 *
 * All hosts are asked at once.  Two runs that come together may each get some of them, so there is an order of the
 * hosts that is the same for all runs, whatever the order in their recipes.  A run that is refused on a host releases
 * those that it holds behind that one and asks again, unless it holds none before it: then it gives up.  So whoever
 * waits for a host holds only hosts before it, two runs cannot wait for each other, and one of them gets all.
 *
 * A run that is taken over stays locked, so there is nothing to release: of several that take it over, whoever gets
 * the first host in that order gets the others, and only then are they asked. */

#include "stages/lock/lock.h"

#include "base/embed.h"
#include "base/quote.h"
#include "core/trip.h"

EMBED(script_lock, "stages/lock/lock.sh");
EMBED(script_free, "stages/lock/free.sh");

/* How long a run that came together with another one waits for what that one releases. */
enum { RETRY_MS = 5000, RETRY_PAUSE_MS = 100 };

static void lock_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    const struct what *w = &r->plan->what;
    char since[32];

    (void)s;
    (void)host;
    snprintf(since, sizeof since, "%lld", w->since_unix);
    quote_assign(b, "by", w->by);
    quote_assign(b, "since", since);
    bool own = strcmp(w->recipe_digest, r->recipe->digest) == 0; /* not with --new-recipe */
    quote_assign(b, "plan",
                 r->plan->text ? r->plan->text : plan_text(r->arena, w, &r->recipe->secrets));
    quote_assign(b, "recipe", own && r->recipe->kept ? r->recipe->kept : "");
    quote_assign(b, "takeover", r->takeover ? "yes" : "");
}

/* The hosts in the common order, and what the last script on each of them answered. */
struct locks {
    size_t *hosts;
    size_t n;
    bool *held;
    struct reply *replies;
};

static bool is_refused(const struct locks *l, size_t i)
{
    return !l->held[i] && l->replies[i].kind == REPLY_EXIT && l->replies[i].status == SCRIPT_LOCKED;
}

/* Asks those of the first n hosts that are not held. */
static bool ask(struct run *r, const struct step *s, struct locks *l, size_t n, struct err *err)
{
    size_t *hosts = arena_array(r->arena, n, sizeof *hosts);
    struct reply *replies = NULL;
    struct trip t = {.script = script_lock,
                     .step = s->name,
                     .verb = "run",
                     .values = lock_values,
                     .about = s,
                     .hosts = hosts,
                     .payload = -1,
                     .timeout_ms = 60000,
                     .hold = true,
                     .passes = r->resumed ? 0 : SCRIPT_LOCKED};

    for (size_t i = 0; i < n; i++)
        if (!l->held[i])
            hosts[t.n_hosts++] = l->hosts[i];
    bool ok = t.n_hosts == 0 || run_scripts(r, &t, &replies, err);
    for (size_t i = 0, k = 0; replies && i < n; i++)
        if (!l->held[i]) {
            l->replies[i] = replies[k++];
            l->held[i] = l->replies[i].kind == REPLY_EXIT && l->replies[i].status == 0;
        }
    return ok;
}

/* Releases those that are held from this place of the order on. */
static void release_from(struct run *r, const struct step *s, struct locks *l, size_t from)
{
    struct err ignored = {.arena = r->arena};
    size_t *hosts = arena_array(r->arena, l->n, sizeof *hosts);
    struct trip t = {.script = script_free,
                     .step = s->name,
                     .verb = "run",
                     .hosts = hosts,
                     .payload = -1,
                     .timeout_ms = 10000};

    for (size_t i = from; i < l->n; i++)
        if (l->held[i]) {
            l->held[i] = false;
            hosts[t.n_hosts++] = l->hosts[i];
            fleet_let_go_of(r->fleet, l->hosts[i]);
        }
    if (t.n_hosts && !run_scripts(r, &t, NULL, &ignored))
        run_warn(r, NULL, "could not release the lock on every host: %s", ignored.msg);
}

static bool take(struct run *r, const struct step *s, struct locks *l, struct err *err)
{
    long long deadline = loop_now() + RETRY_MS;

    for (;;) {
        size_t first = 0;
        if (!ask(r, s, l, l->n, err))
            return false;
        while (first < l->n && !is_refused(l, first))
            first++;
        if (first == l->n)
            return true;
        if (first == 0 || loop_now() >= deadline)
            return run_judge(r, l->hosts[first], &l->replies[first], err);
        release_from(r, s, l, first);
        fleet_wait(r->fleet, RETRY_PAUSE_MS);
        if (run_is_stopped(r, "while taking the lock", err))
            return false;
    }
}

static bool take_over(struct run *r, const struct step *s, struct locks *l, struct err *err)
{
    return (l->n < 2 || ask(r, s, l, 1, err)) && ask(r, s, l, l->n, err);
}

/* Another deploy may have ended between the survey and the lock. */
static bool is_as_planned(struct run *r, const struct locks *l, struct err *err)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *now = answer_value(r->arena, l->replies[i].out, "current");
        const char *then = r->sites[l->hosts[i]].current;
        if (strcmp(now ? now : "", then ? then : "") != 0)
            return err_set(err, ERR_LOCKED,
                           "%s: another deploy has just finished; run the command again",
                           r->recipe->hosts[l->hosts[i]].name);
    }
    return true;
}

static bool comes_before(const struct host *a, const struct host *b)
{
    int by = strcmp(a->address, b->address);

    by = by ? by : (a->port > b->port) - (a->port < b->port);
    return by ? by < 0 : strcmp(a->deploy_to, b->deploy_to) < 0;
}

static void sort_hosts(const struct recipe *r, size_t *hosts, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && comes_before(&r->hosts[hosts[k]], &r->hosts[hosts[k - 1]]); k--) {
            size_t swap = hosts[k];
            hosts[k] = hosts[k - 1];
            hosts[k - 1] = swap;
        }
}

bool lock_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    struct locks l = {.hosts = arena_array(r->arena, s->n_hosts, sizeof *l.hosts),
                      .held = arena_array(r->arena, s->n_hosts, sizeof *l.held),
                      .replies = arena_array(r->arena, s->n_hosts, sizeof *l.replies)};

    (void)ret;
    for (size_t i = 0; i < s->n_hosts; i++)
        if (!site_has_ended(&r->sites[s->hosts[i]], r->plan->what.run))
            l.hosts[l.n++] = s->hosts[i];
    sort_hosts(r->recipe, l.hosts, l.n);
    bool ok =
        r->resumed ? take_over(r, s, &l, err) : take(r, s, &l, err) && is_as_planned(r, &l, err);
    if (!ok && !r->resumed)
        release_from(r, s, &l, 0);
    for (size_t i = 0; ok && i < l.n; i++)
        run_set_mark(r, l.hosts[i], s->name, "done");
    return ok;
}
