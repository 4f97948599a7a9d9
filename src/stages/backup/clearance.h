/* clearance.h -- the wait for a backup that starts within backup.clearance. */
#ifndef CRELEASE_BACKUP_CLEARANCE_H
#define CRELEASE_BACKUP_CLEARANCE_H

#include "stages/backup/waiting.h"

/* WAIT_OVER: none starts soon enough.  WAIT_MORE: it has started, or did not come, or is to be stopped;
 * what is in progress now is still to be waited for. */
enum wait_state clearance_wait(struct wait *w, struct err *err) MUST_CHECK;

#endif
