/* hold.h -- migrations and backups exclude each other with an advisory lock. */
#ifndef CRELEASE_HOLD_H
#define CRELEASE_HOLD_H

#include "core/run.h"

#define HOLD_BUSY    "busy"
#define HOLD_UNKNOWN "unknown"

/* The first part of a migration's watchdog.  It tries to take the lock, writes to the gate whether
 * the command may start, and holds the lock as long as the watchdog lives; a lost session is
 * replaced.  The rest of the watchdog calls guard_beat at intervals, and guard_end at the end. */
extern const char script_guard[];

/* Appends the values that script_guard needs. */
void guard_values(struct run *r, struct buf *b);

/* When *ret_held, a session on the host holds the lock until fleet_let_go.  Waits for a migration,
 * or for another holder, and fails with ERR_BACKUP after backup.wait_limit. */
bool hold_take(struct run *r, const struct step *s, size_t host, bool *ret_held,
               struct err *err) MUST_CHECK;

#endif
