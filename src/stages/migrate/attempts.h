/* attempts.h -- the attempts of one migration: why one failed, and whether another one is made.
 *
 * One that did not get a lock, or was the victim of a deadlock, has changed nothing, or so it is
 * made sure of; then another one is made behind whoever was in its way, with growing pauses, so
 * often and so long as the recipe says. */
#ifndef CRELEASE_ATTEMPTS_H
#define CRELEASE_ATTEMPTS_H

#include "core/job/jobs.h"
#include "stages/migrate/blockers.h"
#include "stages/migrate/leftovers.h"
#include "db/server.h"

enum lost_to { LOST_TO_LOCK, LOST_TO_DEADLOCK, LOST_TO_SQLITE };

/* The migration, from its first attempt to its end. */
struct attempts {
    const struct step *step;
    size_t host;
    long n;                      /* the one under way, from 1 */
    const struct server *server; /* NULL: the recipe names none */
    bool without_options;        /* the way to the database does not take PGOPTIONS */
    struct leftovers before;
    struct blockers seen;   /* in this attempt */
    long long deadlocks;    /* in the database before it; -1: not known */
    enum lost_to lost_to;   /* why the last one is to be tried again */
    long long locked_since; /* when a lock was not had for the first time; 0: never */
};

/* Of what a migration's job left behind when it failed: true, after the pause there has to be, when
 * it is to be run again; else err says what happened, and what it has left. */
bool attempts_after_failure(struct run *r, struct attempts *t, struct job_call *c,
                            const struct job_end *end, struct err *err) MUST_CHECK;

/* Where what was done stays, one whose end was not seen may have done half of it: whether the
 * schema is as it was before the first attempt. */
bool attempts_are_undone(struct run *r, const struct attempts *t, struct err *err) MUST_CHECK;

/* What one that ended well has left all the same: an index that is not valid passes for one that is
 * there. */
bool attempts_left_nothing(struct run *r, struct attempts *t, struct err *err) MUST_CHECK;

#endif
