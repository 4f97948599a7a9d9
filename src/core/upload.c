/* upload.c -- turns the byte counts of the fleet into a line with rate and time left.  Used by
 * run_scripts while a payload is sent.  Small or quick uploads are not reported. */
#include "core/upload.h"

#include "base/text.h"
#include "core/trip.h"

#include <limits.h>

enum {
    UPLOAD_BYTES_MIN = 1000 * 1000, /* smaller ones are not reported, */
    UPLOAD_MS_MIN = 1000,           /* nor those that end before this */
    SLOWER_BY = 2,                  /* a host that is so many times slower than another is named, */
    MUCH_LEFT = 10, /* or one that lacks more than this part of what another one has got */
};

static void rate_add(struct rate *r, long long now, long long bytes)
{
    const struct sent *last = r->n ? &r->samples[(r->n - 1) % RATE_SAMPLES] : NULL;

    if (!last || now - last->at_ms >= 1000)
        r->samples[r->n++ % RATE_SAMPLES] = (struct sent){now, bytes};
    const struct sent *first = &r->samples[r->n > RATE_SAMPLES ? r->n % RATE_SAMPLES : 0];
    r->per_s = now > first->at_ms ? (bytes - first->bytes) * 1000 / (now - first->at_ms) : 0;
}

/* The rate of a host that has got everything is kept as it was. */
static void rates_add(struct upload *u, const struct fleet_sent *sent, size_t n, long long now)
{
    long long all = 0;

    for (size_t i = 0; i < n; i++) {
        all += sent[i].sent;
        if (sent[i].sent < sent[i].total)
            rate_add(&u->of_host[sent[i].host], now, sent[i].sent);
    }
    rate_add(&u->all, now, all);
}

/* In seconds, at its rate of now; a host to which nothing is sent any more comes after all others. */
static long long left_s(const struct upload *u, const struct fleet_sent *s)
{
    long long rate = u->of_host[s->host].per_s;

    return rate > 0 ? (s->total - s->sent) / rate : LLONG_MAX;
}

/* The unfinished host that takes longest. */
static const struct fleet_sent *last_of(const struct upload *u, const struct fleet_sent *sent,
                                        size_t n)
{
    const struct fleet_sent *last = NULL;

    for (size_t i = 0; i < n; i++)
        if (sent[i].sent < sent[i].total && (!last || left_s(u, &sent[i]) > left_s(u, last)))
            last = &sent[i];
    return last;
}

/* Whether another host is sent much more in the same time, or has got everything long before. */
static bool is_slow(const struct upload *u, const struct fleet_sent *s,
                    const struct fleet_sent *sent, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (u->of_host[sent[i].host].per_s > u->of_host[s->host].per_s * SLOWER_BY ||
            (sent[i].sent >= sent[i].total && s->total - s->sent > s->total / MUCH_LEFT))
            return true;
    return false;
}

static const char *rate_text(struct arena *a, long long per_s)
{
    return arena_printf(a, "%s/s", text_size(a, (unsigned long long)per_s));
}

const char *upload_text(struct arena *a, struct upload *u, const struct fleet_sent *sent, size_t n,
                        long long now)
{
    long long total = 0;
    long long done = 0;

    for (size_t i = 0; i < n; i++) {
        total += sent[i].total;
        done += sent[i].sent;
    }
    rates_add(u, sent, n, now);
    if (total < UPLOAD_BYTES_MIN || now - u->began_ms < UPLOAD_MS_MIN)
        return NULL;
    const char *all = text_size(a, (unsigned long long)total);
    const char *to =
        u->n_hosts > 1 ? arena_printf(a, " to %s", text_count(a, u->n_hosts, "host")) : "";
    const struct fleet_sent *last = last_of(u, sent, n);
    if (!last)
        return arena_printf(a, "%s sent%s, unpacking", all, to);
    const struct rate *rate = &u->of_host[last->host];
    const char *left = rate->per_s > 0 ? arena_printf(a, ", about %s left",
                                                      text_span(a, left_s(u, last) * 1000 + 1000))
                                       : "";
    const char *text =
        arena_printf(a, "%s of %s sent%s", text_size(a, (unsigned long long)done), all, to);
    /* The host comes first, since the end of the line may be cut off. */
    if (is_slow(u, last, sent, n))
        return arena_printf(a, "slowest %s, %s%s; %s", u->run->recipe->hosts[last->host].name,
                            rate_text(a, rate->per_s), left, text);
    if (u->all.per_s > 0)
        text = arena_printf(a, "%s, %s", text, rate_text(a, u->all.per_s));
    return arena_printf(a, "%s%s", text, left);
}

void upload_tell(void *upload, const struct fleet_sent *sent, size_t n)
{
    struct upload *u = upload;
    struct arena a = {0};
    const char *detail = upload_text(&a, u, sent, n, loop_now());

    if (detail)
        run_tell(u->run, (struct event){.kind = EVENT_STAGE,
                                        .state = EVENT_WAITING,
                                        .stage = u->step->name,
                                        .hosts = u->hosts,
                                        .detail = detail,
                                        .progress = true});
    arena_free(&a);
}

struct upload upload_of(struct run *r, const struct trip *t)
{
    struct upload u = {.run = r, .step = t->about, .n_hosts = t->n_hosts, .began_ms = loop_now()};

    u.of_host = arena_array(r->arena, r->recipe->n_hosts, sizeof *u.of_host);
    u.hosts = arena_array(r->arena, t->n_hosts + 1, sizeof *u.hosts);
    for (size_t i = 0; i < t->n_hosts; i++)
        u.hosts[i] = r->recipe->hosts[t->hosts[i]].name;
    return u;
}
