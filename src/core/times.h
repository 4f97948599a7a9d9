/* times.h -- how long the steps of a run took, and how long they usually take.
 *
 * The hosts keep the times of the last deploys (stages/lock/unlock.sh, the file `times`).  Only the first host that
 * knows some is asked, and only when the run ends, so they are for people and decide nothing. */
#ifndef CRELEASE_TIMES_H
#define CRELEASE_TIMES_H

#include "base/arena.h"

struct run;

struct step_time {
    const char *step;
    long long ms;
    long long usual_ms; /* the median of earlier runs; -1: there are too few */
};

struct times {
    struct step_time *v; /* in the order in which they were walked */
    size_t n;
};

/* Notes that the step has taken so long; another batch of hosts adds to it. */
void times_add(struct run *r, const char *step, long long ms);

/* "deploy checkout 1200 build 34000", to be kept by the hosts; "" for a run of which only a part is known. */
const char *times_text(struct run *r);

/* Takes what is usual from the lines "times RUN COMMAND STEP MS ..." of a host's answer, which is untrusted.  False
 * when it has none. */
bool times_learn(struct run *r, const char *answer);

#endif
