/* lock.c -- the stage 'lock': takes the lock on every host, or on none.  Called through
 * stages/table.c.  All runs ask the same host first, whatever the order in their recipes, so that
 * host decides between two that come at once. */

#include "stages/lock/lock.h"

#include "base/embed.h"
#include "base/quote.h"
#include "core/trip.h"

EMBED(script_lock, "stages/lock/lock.sh");
EMBED(script_free, "stages/lock/free.sh");

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

static bool take(struct run *r, const struct step *s, const size_t *hosts, size_t n,
                 struct reply **replies, struct err *err)
{
    struct trip t = {.script = script_lock,
                     .step = s->name,
                     .verb = "run",
                     .values = lock_values,
                     .about = s,
                     .hosts = hosts,
                     .n_hosts = n,
                     .payload = -1,
                     .timeout_ms = 60000,
                     .hold = true};

    return n == 0 || run_scripts(r, &t, replies, err);
}

static void release_locks(struct run *r, const struct step *s, const size_t *hosts, size_t n)
{
    struct err ignored = {.arena = r->arena};
    struct trip t = {.script = script_free,
                     .step = s->name,
                     .verb = "run",
                     .hosts = hosts,
                     .n_hosts = n,
                     .payload = -1,
                     .timeout_ms = 10000};

    fleet_let_go(r->fleet);
    if (n && !run_scripts(r, &t, NULL, &ignored))
        run_warn(r, NULL, "could not release the lock on every host: %s", ignored.msg);
}

/* Another deploy may have ended between the survey and the lock. */
static bool is_as_planned(struct run *r, const size_t *hosts, size_t n, const struct reply *replies,
                          struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *now = answer_value(r->arena, replies[i].out, "current");
        const char *then = r->sites[hosts[i]].current;
        if (strcmp(now ? now : "", then ? then : "") != 0)
            return err_set(err, ERR_LOCKED,
                           "%s: another deploy has just finished; run the command again",
                           r->recipe->hosts[hosts[i]].name);
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
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    struct reply *first = NULL;
    struct reply *rest = NULL;
    size_t n = 0;

    (void)ret;
    for (size_t i = 0; i < s->n_hosts; i++)
        if (!site_has_ended(&r->sites[s->hosts[i]], r->plan->what.run))
            hosts[n++] = s->hosts[i];
    sort_hosts(r->recipe, hosts, n);
    bool ok = take(r, s, hosts, n ? 1 : 0, &first, err);
    ok = ok && take(r, s, hosts + 1, n ? n - 1 : 0, &rest, err);
    if (ok && !r->resumed)
        ok = is_as_planned(r, hosts, n ? 1 : 0, first, err) &&
             is_as_planned(r, hosts + 1, n ? n - 1 : 0, rest, err);
    if (!ok && !r->resumed) {
        size_t taken = 0;
        for (size_t i = 0; i < n; i++) {
            const struct reply *reply = i == 0 ? first : rest ? &rest[i - 1] : NULL;
            if (reply && reply->kind == REPLY_EXIT && reply->status == 0)
                hosts[taken++] = hosts[i];
        }
        release_locks(r, s, hosts, taken);
    }
    if (!ok)
        return false;
    for (size_t i = 0; i < n; i++)
        run_set_mark(r, hosts[i], s->name, "done");
    return true;
}
