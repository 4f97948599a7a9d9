/* chain.h -- scripts of steps that follow each other, sent to a host in one round trip.
 *
 * A script is run only if the one before it exited with status 0.  Its reply is kept until its own step is
 * walked, which then finds it instead of sending the script again. */
#ifndef CRELEASE_CHAIN_H
#define CRELEASE_CHAIN_H

#include "core/trip.h"

enum { CHAIN_MAX = 4 };

/* The trips that may go along with this one, in their order. */
struct chain {
    struct trip trips[CHAIN_MAX];
    size_t n;
};
void chain_find(struct run *r, const struct trip *t, struct chain *ret);

/* The frame of the trip followed by those of the chain; NULL when that is too large. */
const char *chain_frame(struct run *r, const struct chain *c, const char *frame, size_t host);

/* Cuts the reply to such a frame down to the one of its first script, and keeps the others. */
void chain_split(struct run *r, const struct chain *c, size_t host, struct reply *reply);

/* Takes the reply that was kept for this step of a host.  False when there is none. */
bool chain_take(struct run *r, const char *step, size_t host, struct reply *ret);

/* Whether the step has already been done on some host. */
bool chain_has(const struct run *r, const char *step);

#endif
