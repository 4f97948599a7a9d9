/* clear.h -- the wait for what would block a migration, until it has ended or was stopped. */
#ifndef CRELEASE_BACKUP_CLEAR_H
#define CRELEASE_BACKUP_CLEAR_H

#include "core/run.h"

/* Waits for, or stops, whatever would hold up a migration; foresee: with a backup that starts
 * within backup.clearance. */
bool wait_until_clear(struct run *r, const struct step *s, size_t host, bool foresee,
                      struct err *err) MUST_CHECK;

/* The same for others than a deploy: nothing is stopped, nothing changed on a host.  BACKUP at the
 * limit.  *ret_waited_ms is 0 when none was in the way. */
bool backup_wait(struct run *r, const struct step *s, size_t host, long long *ret_waited_ms,
                 struct err *err) MUST_CHECK;

/* For between two attempts to migrate. */
bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err) MUST_CHECK;

#endif
