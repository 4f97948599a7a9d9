/* migrate.h -- the stage that runs the migration. */
#ifndef CRELEASE_MIGRATE_H
#define CRELEASE_MIGRATE_H

#include "core/run.h"

/* On the primary of the role db, if the recipe migrates and the run does; the stages around the
 * migration are there too. */
bool migrate_hosts(const struct recipe *r, const struct what *what, size_t host);
const struct jobs *migrate_jobs(struct arena *a, const struct recipe *r);
const char *migrate_idle(const struct run *r);
bool migrate_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
bool migrate_undo(struct run *r, const struct step *s, struct err *err);

/* How many migrations are pending according to migrate.status in that folder (pending.h).
 * ret_names: the first few, for people; may be NULL. */
bool migrate_pending(struct run *r, size_t host, const char *where, long *ret_pending,
                     const char **ret_names, struct err *err) MUST_CHECK;

/* Of what was pending when the run began, that which is not any more, as one text: NULL when it
 * cannot be told. */
const char *migrate_applied(struct run *r, size_t host);

#endif
