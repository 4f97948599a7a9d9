/* attempts.h -- the attempts of one migration: why an attempt failed, and whether another one
 * follows.
 *
 * An attempt that did not get its lock, or was the victim of a deadlock, is tried again if it has
 * changed nothing in the schema.  The next attempt waits for the blockers or for a growing pause;
 * the recipe limits the number of attempts and the total wait (migrate.attempts,
 * backup.wait_limit). */
#ifndef CRELEASE_ATTEMPTS_H
#define CRELEASE_ATTEMPTS_H

#include "core/job/jobs.h"
#include "stages/migrate/blockers.h"
#include "stages/migrate/leftovers.h"
#include "db/server.h"

enum lost_to { LOST_TO_LOCK, LOST_TO_DEADLOCK, LOST_TO_SQLITE };

/* One migration, from its first attempt to its end. */
struct attempts {
    const struct step *step;
    size_t host;
    long n;                      /* the current attempt, from 1 */
    const struct server *server; /* NULL when the recipe names no database */
    bool without_options;        /* the connection rejects PGOPTIONS, as PgBouncer does */
    struct leftovers before;
    struct blockers seen;   /* the blockers of this attempt */
    long long deadlocks;    /* of the database before this attempt; -1: unknown */
    enum lost_to lost_to;   /* why the last attempt is tried again */
    long long locked_since; /* when the first lock wait failed; 0: none has */
};

/* Evaluates a failed attempt.  Returns true, after any pause that is due, when the migration is to
 * be started again.  Otherwise returns false, and err names the cause and what the attempt left
 * behind. */
bool attempts_after_failure(struct run *r, struct attempts *t, struct job_call *c,
                            const struct job_end *end, struct err *err) MUST_CHECK;

/* Whether the schema is as it was before the first attempt.  Called when the end of an attempt is
 * unknown: on a server that does not roll back DDL it may have done half of its work.  False, with
 * err set, when something changed or that cannot be checked. */
bool attempts_are_undone(struct run *r, const struct attempts *t, struct err *err) MUST_CHECK;

/* Checks what a successful migration left behind.  Fails when there is a new invalid index: the
 * next run of a tool that uses IF NOT EXISTS would accept it as complete. */
bool attempts_left_nothing(struct run *r, struct attempts *t, struct err *err) MUST_CHECK;

#endif
