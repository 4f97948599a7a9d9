/* trip.h -- one script on some hosts, all at once, and what the answers mean.
 *
 * Everything that changes a host goes through run_scripts: the values, the prelude and the script
 * travel in one round trip to each host, and one verdict is given on all answers. */
#ifndef CRELEASE_TRIP_H
#define CRELEASE_TRIP_H

#include "core/run.h"
#include "core/stage.h"

struct trip {
    const char *script;
    const char *step;         /* the name under which the script leaves its marks */
    const char *verb;         /* "run", "undo", ... */
    const char *assignments;  /* shell text, the same for every host; NULL: none */
    stage_values *values;     /* those that differ by host; NULL: none */
    const struct step *about; /* handed to values, and named while a payload is sent; may be NULL */
    const size_t *hosts;
    size_t n_hosts;
    int head; /* as in struct call */
    off_t head_size;
    int payload; /* -1 for none, which has to be said: 0 is a descriptor */
    off_t payload_size;
    long long timeout_ms; /* 0: a quarter of an hour */
    bool hold;
};

/* True when the script ended with status 0 on every host.  The replies, one for each of the trip's
 * hosts, are filled in any case, unless a script is too large to be sent; ret may be NULL.  err
 * holds the first failure with its host in front; further ones are reported as warnings. */
bool run_scripts(struct run *r, const struct trip *trip, struct reply **ret,
                 struct err *err) MUST_CHECK;

/* The script with its values, as it is sent to one host; NULL when it is too large. */
const char *run_script_text(struct run *r, const struct trip *trip, size_t host);

/* What one reply means: true, or err with the host in front. */
bool run_judge(struct run *r, size_t host, const struct reply *reply, struct err *err);

/* One call that changes nothing: the first signal ends it. */
struct reply run_ask(struct run *r, const struct call *call);

/* A script that only looks, on one host.  Frees the values, which stand in front of it. */
struct reply run_look(struct run *r, size_t host, struct buf *values, const char *script,
                      long long timeout_ms);

#endif
