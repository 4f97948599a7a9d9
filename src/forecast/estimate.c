/* estimate.c -- estimates the end of a running backup (see estimate.h).  The backup stages call it
 * at each look at a backup. */
#include "forecast/estimate.h"

#include <stdlib.h>

enum {
    SAME_S = 120, /* two ends this close are the same backup, recorded by us and by its file */
    SPREAD_SAMPLES = 3,  /* fewer do not show how much durations vary */
    MARGIN_PERCENT = 10, /* of the total time, even if all samples agree */
    FEW_PERCENT = 20,
    SAMPLES_MAX = 100,
    TEXT_LEAST = 16 * 1000 * 1000, /* less may still be in buffers between server and client */
};

/* Below this share of the expected output, its size tells nothing. */
static const double begun_percent = 5;
/* If the estimates by size and by time differ by this share, the duration of earlier dumps says
 * nothing about this one. */
static const double apart_percent = 25;
/* The share of text in a database may be wrong by this factor. */
static const double text_factor = 2;

/* The values of the newest samples, each scaled to the current size of the database, sorted. */
struct values {
    double v[ESTIMATE_SAMPLES];
    size_t n;
};

static int by_end(const void *a, const void *b)
{
    const struct sample *x = a;
    const struct sample *y = b;

    return (x->ended_unix < y->ended_unix) - (x->ended_unix > y->ended_unix);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Copies the newest samples, merging those of the same backup.  Returns their number. */
static size_t newest(struct arena *a, const struct estimate_of *of, struct sample *ret)
{
    size_t n = of->n < SAMPLES_MAX ? of->n : SAMPLES_MAX;
    struct sample *all = arena_array(a, n + 1, sizeof *all);
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        all[i] = of->past[i];
    if (n)
        qsort(all, n, sizeof *all, by_end);
    for (size_t i = 0; i < n; i++) {
        struct sample *last = found ? &ret[found - 1] : NULL;
        if (last && last->ended_unix - all[i].ended_unix <= SAME_S) {
            last->seconds = last->seconds > 0 ? last->seconds : all[i].seconds;
            last->bytes = last->bytes > 0 ? last->bytes : all[i].bytes;
            last->db_bytes = last->db_bytes > 0 ? last->db_bytes : all[i].db_bytes;
        } else if (found == ESTIMATE_SAMPLES) {
            break;
        } else if (all[i].seconds > 0 || all[i].bytes > 0) {
            ret[found++] = all[i];
        }
    }
    return found;
}

static void add_value(struct values *to, long long value, const struct sample *s,
                      long long db_bytes)
{
    if (value <= 0)
        return;
    double grown = s->db_bytes > 0 && db_bytes > 0 ? (double)db_bytes / (double)s->db_bytes : 1;
    to->v[to->n++] = (double)value * grown;
}

/* Returns the q-quantile of sorted values, interpolated linearly. */
static double quantile(const struct values *of, double q)
{
    double at = q * (double)(of->n - 1);
    size_t low = (size_t)at;

    if (low + 1 >= of->n)
        return of->v[of->n - 1];
    return of->v[low] + (at - (double)low) * (of->v[low + 1] - of->v[low]);
}

/* Remaining seconds if the output will have that size.  The size was read bytes_s after the start
 * and has grown since. */
static double left_by_size(const struct estimate_of *of, double size)
{
    double then = (double)(of->bytes_s > 0 ? of->bytes_s : of->running_s);

    return then * size / (double)of->bytes - (double)of->running_s;
}

/* Combines both estimates.  Slow tables may come first, so the share of the size is not the share
 * of the time: the duration of earlier backups dominates at the beginning, and the size the more
 * the further the backup is.  If the two are far apart, the machine has become slower or faster,
 * and only the size counts. */
static double left_by_both(const struct estimate_of *of, double by_size, double by_time)
{
    double run = (double)of->running_s;
    double done = run / (run + by_size);
    double apart = done - run / (run + by_time);
    double weight = (apart < 0 ? -apart : apart) * 100 / apart_percent;

    weight = weight < done ? done : weight > 1 ? 1 : weight;
    return weight * by_size + (1 - weight) * (by_time > 0 ? by_time : 0);
}

static long long whole(double seconds)
{
    return seconds <= 0 ? 0 : seconds > 1e9 ? 1000000000 : (long long)(seconds + 0.5);
}

static void set_range(struct estimate *e, const struct estimate_of *of, const struct values *times,
                      const struct values *sizes, double eta)
{
    double low = eta;
    double high = eta;

    for (int k = 0; k < 2; k++) {
        double q = k ? 0.9 : 0.1;
        double by_time = times->n ? quantile(times, q) - (double)of->running_s : eta;
        double by_size = sizes->n ? left_by_size(of, quantile(sizes, q)) : eta;
        low = by_time < low ? by_time : low;
        low = by_size < low ? by_size : low;
        high = by_time > high ? by_time : high;
        high = by_size > high ? by_size : high;
    }
    bool few = (sizes->n ? sizes->n : times->n) < SPREAD_SAMPLES;
    double margin = ((double)of->running_s + eta) * (few ? FEW_PERCENT : MARGIN_PERCENT) / 100;
    low = eta - low < margin ? eta - margin : low;
    high = high - eta < margin ? eta + margin : high;
    e->low_s = whole(low);
    e->high_s = whole(high);
}

static const char *from_text(struct arena *a, size_t n, bool has_times, bool has_size)
{
    const char *last = n == 1 ? "the last backup" : arena_printf(a, "the last %zu backups", n);

    if (!has_size)
        return last;
    return has_times ? arena_printf(a, "%s and its size", last)
                     : arena_printf(a, "its size and that of %s", last);
}

/* A rough estimate only: tables differ, and what compresses well is ten times as fast. */
static void by_text(struct estimate *e, const struct estimate_of *of)
{
    double run = (double)of->running_s;

    if (of->text < TEXT_LEAST || !of->running_s || of->text > of->text_all ||
        (double)of->text * 100 < (double)of->text_all * begun_percent)
        return;
    double eta = run * (double)(of->text_all - of->text) / (double)of->text;
    e->from = "sampled rows of its tables, a guess";
    e->eta_s = whole(eta) ? whole(eta) : 1;
    e->percent = (int)(run * 100 / (run + eta));
    e->low_s = whole(eta / text_factor);
    e->high_s = whole(eta * text_factor) + 1;
}

struct estimate estimate_make(struct arena *a, const struct estimate_of *of)
{
    struct estimate e = {.percent = -1, .eta_s = -1};
    struct sample past[ESTIMATE_SAMPLES];
    struct values times = {.n = 0};
    struct values sizes = {.n = 0};
    size_t n = newest(a, of, past);

    if (of->still_s >= ESTIMATE_STUCK_S) {
        e.stuck_s = of->still_s;
        return e;
    }
    if (of->running_s < 0)
        return e;
    for (size_t i = 0; i < n; i++) {
        add_value(&times, past[i].seconds, &past[i], of->db_bytes);
        add_value(&sizes, past[i].bytes, &past[i], of->db_bytes);
    }
    qsort(times.v, times.n, sizeof *times.v, by_value);
    qsort(sizes.v, sizes.n, sizeof *sizes.v, by_value);
    if (of->bytes <= 0 || !of->running_s || !sizes.n ||
        (double)of->bytes * 100 < quantile(&sizes, 0.5) * begun_percent)
        sizes.n = 0;
    if (!times.n && !sizes.n) {
        by_text(&e, of);
        return e;
    }
    double by_size = sizes.n ? left_by_size(of, quantile(&sizes, 0.5)) : 0;
    double by_time = times.n ? quantile(&times, 0.5) - (double)of->running_s : 0;
    double eta = by_size <= 0 ? by_time : times.n ? left_by_both(of, by_size, by_time) : by_size;
    e.from = from_text(a, n, times.n > 0, sizes.n > 0);
    if (eta > 0) {
        e.eta_s = whole(eta) ? whole(eta) : 1;
        e.percent = (int)((double)of->running_s * 100 / ((double)of->running_s + eta));
        set_range(&e, of, &times, &sizes, eta);
        return e;
    }
    e.eta_s = 0;
    e.percent = 99;
    e.overdue_s = whole(times.n ? -by_time : -by_size);
    e.overdue_s = e.overdue_s ? e.overdue_s : 1;
    return e;
}
