/* estimate.h -- how long a running backup will still take, from what earlier ones took.
 *
 *     struct estimate e = estimate_make(arena, &(struct estimate_of){.past = ..., .running_s =
 * ...});
 *
 * Pure.  Of two answers, and never from table sizes alone, which are off by a factor of two:
 *   the time that earlier ones took serves before there is much output to speak of;
 *   the size of its output against that of earlier ones follows how busy the machine is now.
 * Earlier numbers are scaled by how the database has grown, where that is known.  A backup that
 * takes longer than all of this is overdue, by how much: never "0 left".  Where there are no
 * earlier ones, how much of its text is behind it serves, with a range as wide as that deserves. */
#ifndef CRELEASE_ESTIMATE_H
#define CRELEASE_ESTIMATE_H

#include "base/arena.h"

/* An earlier backup; -1 is what is not known of it. */
struct sample {
    long long ended_unix;
    long long seconds;
    long long bytes;    /* of its output */
    long long db_bytes; /* of the database then */
};

enum { ESTIMATE_SAMPLES = 5, ESTIMATE_STUCK_S = 5 * 60 };

struct estimate_of {
    const struct sample *past; /* in any order; the newest ESTIMATE_SAMPLES count */
    size_t n;
    long long running_s; /* -1: not known */
    long long bytes;     /* of the output so far; -1 */
    long long bytes_s;   /* for how long it had run when it had that size; 0: running_s */
    long long db_bytes;  /* -1 */
    long long text;      /* of its text so much is written, of so much in all; 0: not known */
    long long text_all;
    long long still_s; /* for how long nothing about it has changed; -1: not known */
};

struct estimate {
    int percent;         /* -1: not known */
    long long eta_s;     /* -1: not known; 0: overdue */
    long long low_s;     /* in eight of ten cases not less than this, */
    long long high_s;    /* nor more than that; both 0 when there is no range */
    long long overdue_s; /* above 0: so long */
    long long stuck_s;   /* above 0: nothing has moved for so long */
    const char *from;    /* "the last 5 backups and its size"; NULL: nothing is known */
};

struct estimate estimate_make(struct arena *a, const struct estimate_of *of);

#endif
