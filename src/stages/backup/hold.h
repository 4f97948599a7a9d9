/* hold.h -- migrations and backups exclude each other with an advisory lock. */
#ifndef CRELEASE_HOLD_H
#define CRELEASE_HOLD_H

#include "core/run.h"

#define HOLD_BUSY    "busy"
#define HOLD_UNKNOWN "unknown"

/* Shell text for the beginning of a job's watch (job.sh), which then calls guard_beat now and then
 * and ends with guard_end: tries the lock, says at the gate whether the command may begin, and
 * holds it as long as the watch lives, in another session when one is lost. */
const char *guard_text(struct run *r);

/* A session on the host holds the lock when *ret_held, until fleet_let_go.  It waits for a
 * migration, or another one that holds it: BACKUP after backup.wait_limit. */
bool hold_take(struct run *r, const struct step *s, size_t host, bool *ret_held,
               struct err *err) MUST_CHECK;

#endif
