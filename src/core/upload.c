/* upload.c -- turns the byte counts of the fleet into a line with rate and time left.  Used by
 * run_scripts while a payload is sent.  Small or quick uploads are not reported. */
#include "core/upload.h"

#include "base/text.h"
#include "core/trip.h"

enum {
    UPLOAD_BYTES_MIN = 1000 * 1000, /* smaller ones are not reported, */
    UPLOAD_MS_MIN = 1000,           /* nor those that end before this */
};

/* The rate in bytes per second. */
static long long upload_rate(struct upload *u, long long now, long long sent)
{
    const struct sent *last = u->n ? &u->samples[(u->n - 1) % RATE_SAMPLES] : NULL;

    if (!last || now - last->at_ms >= 1000)
        u->samples[u->n++ % RATE_SAMPLES] = (struct sent){now, sent};
    const struct sent *first = &u->samples[u->n > RATE_SAMPLES ? u->n % RATE_SAMPLES : 0];
    return now > first->at_ms ? (sent - first->bytes) * 1000 / (now - first->at_ms) : 0;
}

void upload_tell(void *upload, long long sent, long long total)
{
    struct upload *u = upload;
    struct arena a = {0};
    long long now = loop_now();
    long long rate = upload_rate(u, now, sent);
    const char *to =
        u->n_hosts > 1 ? arena_printf(&a, " to %s", text_count(&a, u->n_hosts, "host")) : "";
    const char *all = text_size(&a, (unsigned long long)total);
    const char *detail;

    if (total < UPLOAD_BYTES_MIN || now - u->began_ms < UPLOAD_MS_MIN) {
        arena_free(&a);
        return;
    }
    if (sent >= total)
        detail = arena_printf(&a, "%s sent%s, unpacking", all, to);
    else if (rate <= 0)
        detail =
            arena_printf(&a, "%s of %s sent%s", text_size(&a, (unsigned long long)sent), all, to);
    else
        detail = arena_printf(&a, "%s of %s sent%s, %s/s, about %s left",
                              text_size(&a, (unsigned long long)sent), all, to,
                              text_size(&a, (unsigned long long)rate),
                              text_span(&a, (total - sent) / rate * 1000 + 1000));
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

    u.hosts = arena_array(r->arena, t->n_hosts + 1, sizeof *u.hosts);
    for (size_t i = 0; i < t->n_hosts; i++)
        u.hosts[i] = r->recipe->hosts[t->hosts[i]].name;
    return u;
}
