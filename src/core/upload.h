/* upload.h -- reports how much of a payload has been sent, the rate, and the time left. */
#ifndef CRELEASE_UPLOAD_H
#define CRELEASE_UPLOAD_H

#include "core/trip.h"

enum { RATE_SAMPLES = 10 };

/* One upload to all hosts of a trip. */
struct upload {
    struct run *run;
    const struct step *step;
    const char **hosts;
    size_t n_hosts;
    long long began_ms;
    struct sent {
        long long at_ms;
        long long bytes;
    } samples[RATE_SAMPLES]; /* one a second; the rate is averaged over them */
    size_t n;
};

struct upload upload_of(struct run *r, const struct trip *t);

/* For fleet_watch, with a struct upload as its argument. */
void upload_tell(void *upload, long long sent, long long total);

#endif
