/* migrate.h -- the stage 'migrate', and what other stages and commands need to know about
 * migrations. */
#ifndef CRELEASE_MIGRATE_H
#define CRELEASE_MIGRATE_H

#include "core/run.h"

/* True for the primary of the role db, if the recipe has migrate.run and the run does not skip it.
 * The stages around the migration run on the same host. */
bool migrate_hosts(const struct recipe *r, const struct what *what, size_t host);
const struct jobs *migrate_jobs(struct arena *a, const struct recipe *r);
const char *migrate_idle(const struct run *r);
bool migrate_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
bool migrate_undo(struct run *r, const struct step *s, struct err *err);

/* Runs migrate.status in the release folder `where` and sets *ret_pending to the number of pending
 * migrations (pending.h).  ret_names, which may be NULL, gets the first few names as one
 * text, or why the number is unknown. */
bool migrate_pending(struct run *r, size_t host, const char *where, long *ret_pending,
                     const char **ret_names, struct err *err) MUST_CHECK;

/* The migrations that were pending when the run began and are no longer, as one text; NULL when
 * unknown. */
const char *migrate_applied(struct run *r, size_t host);

#endif
