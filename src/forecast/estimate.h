/* estimate.h -- estimates when a running backup will end, from earlier backups.
 *
 *     struct estimate_of of = {.past = samples, .n = n, .running_s = 1800, .bytes = 2000000};
 *     struct estimate e = estimate_make(arena, &of);
 *
 * No I/O.  The estimate combines two values.  Table sizes alone are never used, as they are wrong
 * by a factor of two.
 *   time    how long earlier backups took; used while there is little output
 *   size    its output compared with that of earlier ones; reflects how busy the machine is now
 * Earlier values are scaled by the growth of the database, if that is known.  A backup that exceeds
 * the estimate is reported as overdue, never as "0 left".  Without earlier backups, the share of
 * text that has been dumped serves as a guess with a wide range. */
#ifndef CRELEASE_ESTIMATE_H
#define CRELEASE_ESTIMATE_H

#include "base/arena.h"

/* An earlier backup; -1 stands for an unknown value. */
struct sample {
    long long ended_unix;
    long long seconds;
    long long bytes;    /* size of its output */
    long long db_bytes; /* size of the database at that time */
};

enum { ESTIMATE_SAMPLES = 5, ESTIMATE_STUCK_S = 5 * 60 };

struct estimate_of {
    const struct sample *past; /* in any order; the newest ESTIMATE_SAMPLES are used */
    size_t n;
    long long running_s; /* -1: unknown */
    long long bytes;     /* of the output so far; -1: unknown */
    long long bytes_s;   /* how long it had been running when it had that size; 0: running_s */
    long long db_bytes;  /* -1: unknown */
    long long text;      /* bytes of text dumped so far, of text_all; 0: unknown */
    long long text_all;
    long long still_s; /* for how long nothing about it has changed; -1: unknown */
};

struct estimate {
    int percent;         /* -1: unknown */
    long long eta_s;     /* -1: unknown; 0: overdue */
    long long low_s;     /* in eight of ten cases the remaining time is between low_s and high_s; */
    long long high_s;    /* both are 0 if there is no range */
    long long overdue_s; /* above 0: overdue by that much */
    long long stuck_s;   /* above 0: nothing has changed for that long */
    const char *from;    /* "the last 5 backups and its size"; NULL: nothing to estimate from */
};

/* Returns the estimate.  Its text is constant or allocated in the arena. */
struct estimate estimate_make(struct arena *a, const struct estimate_of *of);

#endif
