/* trip.h -- runs one script on several hosts at once and judges the answers.
 *
 * Everything that changes a host goes through run_scripts.  The values, the prelude and the script
 * travel to each host in one round trip, and all answers are combined into one verdict. */
#ifndef CRELEASE_TRIP_H
#define CRELEASE_TRIP_H

#include "core/run.h"
#include "core/stage.h"

/* Statuses of scripts that a trip may pass to its caller (struct trip). */
enum {
    SCRIPT_LOCKED = 73, /* another run holds the lock */
    SCRIPT_ASKS = 75    /* something has to be sent first */
};

/* What one host gets instead of the trip's own payload. */
struct load {
    const char *assignments; /* besides those of the trip; NULL: none */
    int head;
    off_t head_size;
    int payload; /* as in struct trip */
    off_t payload_at;
    off_t payload_size;
};

struct trip {
    const char *script;
    const char *step;         /* the name under which the script leaves its marks */
    const char *verb;         /* "run", "undo", ... */
    const char *assignments;  /* shell text, the same for every host; NULL: none */
    stage_values *values;     /* those that differ by host; NULL: none */
    const struct step *about; /* passed to values, and named while a payload is sent; may be NULL */
    const struct step
        *after; /* the first step of the chain that it is sent with; NULL: sent alone */
    const size_t *hosts;
    size_t n_hosts;
    int head; /* as in struct call */
    off_t head_size;
    int payload; /* -1 for none; must be set, because 0 is a descriptor */
    off_t payload_size;
    const struct load *const *loads; /* by the trip's hosts; NULL: all get the payload above */
    long long timeout_ms;            /* 0: 15 minutes */
    bool hold;
    int passes;  /* it may end with this status instead of 0; 0: with no other */
    bool is_all; /* the step is done when the script is: the next step's may follow it (chain.h) */
};

/* True when the script ended with status 0 on every host.  ret, which may be NULL, gets one reply
 * for each of the trip's hosts, unless a script is too large to be sent.  err holds the first
 * failure, with its host in front; further failures are reported as warnings. */
bool run_scripts(struct run *r, const struct trip *trip, struct reply **ret,
                 struct err *err) MUST_CHECK;

/* The script with its values, as it is sent to one host; NULL when it is too large. */
const char *run_script_text(struct run *r, const struct trip *trip, size_t host);

/* The same for the host's session (struct call). */
const char *run_frame_text(struct run *r, const struct trip *trip, size_t host);

/* Judges one reply: true, or false with err set and the host in front. */
bool run_judge(struct run *r, size_t host, const struct reply *reply, struct err *err);

/* Makes one call that changes nothing, so that the first signal ends it. */
struct reply run_ask(struct run *r, const struct call *call);

/* Runs a script that only reads, on one host. Frees the values, which are sent before it. */
struct reply run_look(struct run *r, size_t host, struct buf *values, const char *script,
                      long long timeout_ms);

#endif
