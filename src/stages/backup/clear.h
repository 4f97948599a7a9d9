/* clear.h -- the wait for what would block a migration, until it has ended or was stopped. */
#ifndef CRELEASE_BACKUP_CLEAR_H
#define CRELEASE_BACKUP_CLEAR_H

#include "core/run.h"

/* Waits for, or stops, every backup that blocks the migration.  With `let_pass_upcoming`, also waits for a
 * backup that starts within backup.clearance.  False with err set when it gave up or the host was
 * lost. */
bool wait_until_clear(struct run *r, const struct step *s, size_t host, bool let_pass_upcoming,
                      struct err *err) MUST_CHECK;

/* The same for commands other than a deploy: nothing is stopped and nothing on a host is changed.
 * Fails with ERR_BACKUP at the limit.  *ret_waited_ms is 0 when no backup blocked. */
bool backup_wait(struct run *r, const struct step *s, size_t host, long long *ret_waited_ms,
                 struct err *err) MUST_CHECK;

/* The same between two attempts of a migration: backups that start soon are not considered. */
bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err) MUST_CHECK;

#endif
