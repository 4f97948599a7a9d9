/* hold.h -- migrations and backups exclude each other with an advisory lock. */
#ifndef CRELEASE_HOLD_H
#define CRELEASE_HOLD_H

#include "core/run.h"

#define HOLD_BUSY    "busy"
#define HOLD_UNKNOWN "unknown"

/* The beginning of a migration's watchdog: tries the lock, says at the gate whether the command may
 * begin, and holds the lock as long as the watchdog lives, in a new session when one is lost.  What
 * stands behind it calls guard_beat now and then, and ends with guard_end. */
extern const char script_guard[];

/* Its values. */
void guard_values(struct run *r, struct buf *b);

/* A session on the host holds the lock when *ret_held, until fleet_let_go.  It waits for a
 * migration, or another one that holds it: BACKUP after backup.wait_limit. */
bool hold_take(struct run *r, const struct step *s, size_t host, bool *ret_held,
               struct err *err) MUST_CHECK;

#endif
