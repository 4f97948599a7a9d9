/* watchdog.h -- the second protection of a migration, for drivers that ignore PGOPTIONS and for
 * statements that a client leaves behind when it dies.
 *
 * Beside the migration's command, a session of its own polls several times within lock_timeout.  It
 * reports whom the migration's sessions wait for, cancels those that have waited for a lock that
 * long, and in the end terminates what the command left in the server.  It runs on the host and
 * does not need crelease; its lines go to whoever follows the job. */
#ifndef CRELEASE_WATCHDOG_H
#define CRELEASE_WATCHDOG_H

#include "stages/migrate/attempts.h"

/* Sets the call's watchdog, its script and its values.  Leaves the call unchanged when the recipe
 * names no database.  Of a database that cannot be asked, the watchdog reports what the host shows. */
void watchdog_set(struct run *r, size_t host, struct job_call *call);

/* The argument of watchdog_take, which takes the watchdog's lines. */
struct watching {
    struct run *r;
    struct attempts *t;
};

void watchdog_take(void *arg, const char *line);

#endif
