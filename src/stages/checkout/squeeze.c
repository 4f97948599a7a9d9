/* squeeze.c -- compresses what is sent to the hosts (see squeeze.h).  Called by delivery.c.
 *
 * A sample tells whether it pays: archives and pictures do not become smaller. */
#include "stages/checkout/squeeze.h"

#include "edge/gzip.h"
#include "edge/zstd.h"

enum {
    SQUEEZED_MIN = 256 * 1024, /* less is sent as quickly as a process starts */
    SAMPLES = 8,
    SAMPLE_BYTES = 32 * 1024,
    TURN_BYTES = 1024 * 1024, /* so much between two looks at the lock */
};

enum squeezer squeezer_of(const struct run *r, const size_t *hosts, size_t n)
{
    enum squeezer best = SQUEEZE_ZSTD;

    if (r->recipe->transport == TRANSPORT_LOCAL)
        return SQUEEZE_NOT;
    for (size_t i = 0; i < n; i++) {
        const struct site *site = r->sites ? &r->sites[hosts[i]] : NULL;
        if (!site || !site->has_gzip)
            return SQUEEZE_NOT;
        if (!site->has_zstd)
            best = SQUEEZE_GZIP;
    }
    return best;
}

const char *squeezer_name(enum squeezer how)
{
    static const char *const names[] = {"", "gzip", "zstd"};

    return names[how];
}

struct turns {
    struct run *run;
    size_t calls;
};

static bool go_on(void *arg)
{
    enum { CALLS = TURN_BYTES / (64 * 1024) };
    struct turns *t = arg;

    if (++t->calls % CALLS == 0)
        (void)fleet_wait(t->run->fleet, 1);
    return loop_signal(t->run->loop) == 0;
}

static bool pack(struct turns *t, enum squeezer how, int from, off_t at, off_t size, FILE *to)
{
    return (how == SQUEEZE_ZSTD ? zstd_pack : gzip_pack)(from, at, size, to, go_on, t);
}

static bool is_smaller(off_t packed, off_t size)
{
    return packed < size - size / 8;
}

static bool pays(struct turns *t, enum squeezer how, int from, off_t size)
{
    FILE *sample = tmpfile();
    bool ok = sample != NULL;

    for (off_t i = 0; ok && i < SAMPLES; i++)
        ok = pack(t, how, from, (size - SAMPLE_BYTES) / (SAMPLES - 1) * i, SAMPLE_BYTES, sample);
    ok = ok && is_smaller(ftello(sample), (off_t)SAMPLES * SAMPLE_BYTES);
    if (sample)
        fclose(sample);
    return ok;
}

bool squeeze(struct run *r, enum squeezer how, int from, off_t size, FILE **ret, off_t *ret_size)
{
    struct turns t = {.run = r};

    if (how == SQUEEZE_NOT || size < SQUEEZED_MIN || !pays(&t, how, from, size))
        return false;
    FILE *to = tmpfile();
    bool ok = to && pack(&t, how, from, 0, size, to) && fflush(to) == 0;
    *ret_size = ok ? ftello(to) : 0;
    if (ok && is_smaller(*ret_size, size)) {
        *ret = to;
        return true;
    }
    if (to)
        fclose(to);
    return false;
}
