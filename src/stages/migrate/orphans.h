/* orphans.h -- sessions in the database whose run has ended: statements of earlier runs that nobody
 * waits for any more. */
#ifndef CRELEASE_ORPHANS_H
#define CRELEASE_ORPHANS_H

#include "core/run.h"

/* Ends statements that earlier runs of this site left in the database, when nothing of those runs
 * is alive on the host; those of others are named. */
bool orphans_end(struct run *r, const struct step *s, size_t host, struct err *err) MUST_CHECK;

#endif
