/* follower.h -- reads what job.sh prints while a job is followed on one host.
 *
 * The protocol has lines "KEY VALUE"; "out N ATTEMPT OFFSET" is followed by N bytes that the
 * command printed.  Once these were shown, "ATTEMPT OFFSET" is sent back to job.sh, so that whoever
 * reattaches later continues there, even if bytes were lost on the way.
 *
 *     struct follower f = follower_open(run, call, host, &going);
 *     struct call c = {.say = &f.say, .output = follower_take, .lost = follower_lost, .arg = &f};
 *     fleet_run(...);
 *     follower_end(&f, &reply, &end);
 *     follower_close(&f); */
#ifndef CRELEASE_FOLLOWER_H
#define CRELEASE_FOLLOWER_H

#include "core/job/jobs.h"

struct follower {
    struct run *run;
    const struct job_call *call;
    size_t host; /* -1: this machine */
    /* The number of hosts on which the job has not ended, shared by all followers of the call. */
    size_t *going;
    bool ended;
    struct buf line;    /* an incomplete line of the job's output */
    struct buf word;    /* an incomplete line of the protocol */
    struct buf control; /* lines of the protocol, evaluated at the end */
    struct buf tail;    /* the last bytes of the output */
    bool tail_is_cut;   /* it starts in the middle of a line */
    size_t raw_left;    /* bytes of output still to come */
    char place[32];     /* their end, in the host's words */
    struct buf why;     /* lines from the whole log, for excerpt.h */
    struct buf say;     /* still to be sent to job.sh */
};

struct follower follower_open(struct run *r, const struct job_call *call, size_t host,
                              size_t *going);

/* For a job on this machine (local.c): its output, without the protocol, goes to follower_text. */
struct follower follower_open_locally(struct run *r, const struct job_call *call);
void follower_text(void *follower, const char *bytes, size_t len);
/* Shows the rest, and returns the end of the output, in the run's arena. */
const char *follower_end_locally(struct follower *f);

/* For struct call. */
void follower_take(void *follower, const char *bytes, size_t len);
void follower_lost(void *follower, const char *why);

/* Sets the reply's output to the lines of the protocol, fills in *end, and reports how the job
 * ended if that is known.  The texts are in the run's arena. */
void follower_end(struct follower *f, struct reply *reply, struct job_end *end);

void follower_close(struct follower *f);

#endif
