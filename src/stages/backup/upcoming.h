/* upcoming.h -- when backups will start, and whether a migration would meet one. */
#ifndef CRELEASE_UPCOMING_H
#define CRELEASE_UPCOMING_H

#include "core/run.h"
#include "stages/backup/schedule.h"

/* Finds the next start of each backup, including starts up to back_s seconds ago.  False only when
 * the host was lost; anything that could not be read is noted in *ret. */
bool upcoming_look(struct run *r, size_t host, long long back_s, struct schedule *ret,
                   struct err *err) MUST_CHECK;

/* For example "a backup (pg_dump shop) starts at 02:00, in 4 min". */
const char *upcoming_text(struct run *r, const struct schedule *s, const struct start *start);

/* A warning when a migration that starts now would probably meet a backup; else NULL. */
const char *upcoming_warning(struct run *r, const struct schedule *s);

#endif
