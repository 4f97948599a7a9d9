/* watch.h -- the second belt of a migration: for drivers that PGOPTIONS does not reach, and for
 * statements that a client has left behind when it died.
 *
 * Beside the command one session of ours looks some times within lock_timeout, tells whom the
 * migration's own sessions wait for, and cancels exactly those that have waited for a lock for so
 * long; at the end it ends what the command left in the server.  It lives on the host, without
 * crelease; what it says is told to whoever follows the job. */
#ifndef CRELEASE_WATCH_H
#define CRELEASE_WATCH_H

#include "stages/migrate/attempts.h"

/* Sets the call's watchdog: its text and its values.  Leaves the call alone when the recipe names
 * no database. */
void watch_set(struct run *r, struct job_call *call);

/* Who takes its lines: watch_take's argument. */
struct watching {
    struct run *r;
    struct attempts *t;
};

void watch_take(void *arg, const char *line);

#endif
