/* follower.h -- reads what job.sh says while a job is followed on one host.
 *
 * Lines "KEY VALUE"; after "out N ATTEMPT OFFSET" come N bytes that the command printed.  Once
 * these were shown, job.sh is sent "ATTEMPT OFFSET", so that whoever reattaches later continues
 * there, whatever was lost on its way.
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
    size_t host;
    size_t *going; /* on how many hosts the job has not ended; shared by the call's followers */
    bool ended;
    struct buf line;    /* of the job's output, not complete yet */
    struct buf word;    /* line of the protocol, not complete yet */
    struct buf control; /* lines of the protocol, to be judged at the end */
    struct buf tail;    /* the last bytes of the output */
    bool tail_is_cut;   /* it begins in the middle of a line */
    size_t raw_left;    /* bytes of output still to come */
    char place[32];     /* where these end, in the host's words */
    struct buf why;     /* of the whole log: what excerpt.h reads */
    struct buf say;     /* what job.sh is still to be sent */
};

struct follower follower_open(struct run *r, const struct job_call *call, size_t host,
                              size_t *going);

/* For struct call. */
void follower_take(void *follower, const char *bytes, size_t len);
void follower_lost(void *follower, const char *why);

/* Fills the reply's output with what the protocol said, and *end; tells how the job ended when that
 * is known.  The texts are in the run's arena. */
void follower_end(struct follower *f, struct reply *reply, struct job_end *end);

void follower_close(struct follower *f);

#endif
