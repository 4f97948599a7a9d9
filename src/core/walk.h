/* walk.h -- walks one step on its hosts, and handles its failure. */
#ifndef CRELEASE_WALK_H
#define CRELEASE_WALK_H

#include "core/run.h"

/* Decides what follows from a step's failure.  True when the run continues all the same; err is
 * clear then. */
typedef bool walk_failed(struct run *r, const struct step *s, struct err *err);

/* Walks the step, or `part` of it, which is the same step on fewer hosts.  Memory made in the step
 * is freed afterwards, unless the step failed. */
bool walk_step(struct run *r, const struct step *s, const struct step *part, walk_failed *failed,
               struct err *err) MUST_CHECK;

/* Reports that the step has reached this state. */
void walk_tell(struct run *r, const struct step *s, enum event_state state, const char *detail,
               long long took_ms);

/* "app1, app2": the hosts from begin to end that still take part. */
const char *walk_names(struct run *r, size_t begin, size_t end);

#endif
