/* upcoming.h -- when backups will start, and whether a migration would meet one. */
#ifndef CRELEASE_UPCOMING_H
#define CRELEASE_UPCOMING_H

#include "core/run.h"
#include "stages/backup/schedule.h"

/* When backups start next, with those that started up to back_s seconds ago.  False only when the
 * host was lost; what could not be looked up is told in ret. */
bool foresee_look(struct run *r, size_t host, long long back_s, struct schedule *ret,
                  struct err *err) MUST_CHECK;

/* "a backup (pg_dump shop) starts at 02:00, in 4 min" */
const char *foresee_text(struct run *r, const struct schedule *s, const struct start *start);

/* What to say when a migration that began now would probably meet a backup; else NULL. */
const char *foresee_warning(struct run *r, const struct schedule *s);

#endif
