/* orphans.h -- ends sessions that earlier runs left in the database. */
#ifndef CRELEASE_ORPHANS_H
#define CRELEASE_ORPHANS_H

#include "core/run.h"

/* Ends the sessions of earlier runs of this site of which no process is alive on the host.  Sessions of
 * other runs are only reported. */
bool orphans_end(struct run *r, const struct step *s, size_t host, struct err *err) MUST_CHECK;

#endif
