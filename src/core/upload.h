/* upload.h -- reports how much of a payload has been sent, the rate, and the time left. */
#ifndef CRELEASE_UPLOAD_H
#define CRELEASE_UPLOAD_H

#include "core/trip.h"

enum { RATE_SAMPLES = 10 };

/* How fast bytes are sent, averaged over the samples, of which there is one a second. */
struct rate {
    struct sent {
        long long at_ms;
        long long bytes;
    } samples[RATE_SAMPLES];
    size_t n;
    long long per_s;
};

/* One upload to all hosts of a trip. */
struct upload {
    struct run *run;
    const struct step *step;
    const char **hosts;
    size_t n_hosts;
    long long began_ms;
    struct rate all;
    struct rate *of_host; /* by their index in the recipe */
};

struct upload upload_of(struct run *r, const struct trip *t);

/* For fleet_watch, with a struct upload as its argument. */
void upload_tell(void *upload, const struct fleet_sent *sent, size_t n);

/* "2.0 MB of 6.0 MB sent to 3 hosts, 1.0 MB/s, about 5.0 s left"; if one host is much slower than another, its
 * name, rate and time left come first.  NULL: too little is sent, or not for long enough. */
const char *upload_text(struct arena *a, struct upload *u, const struct fleet_sent *sent, size_t n,
                        long long now) MUST_CHECK;

#endif
