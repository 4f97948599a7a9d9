/* walk.h -- one step on its hosts, with what its failure leads to. */
#ifndef CRELEASE_WALK_H
#define CRELEASE_WALK_H

#include "core/run.h"

/* What becomes of a step's failure is the engine's to say: true when the run goes on all the same,
 * with err clear. */
typedef bool walk_failed(struct run *r, const struct step *s, struct err *err);

/* Walks the step, or `part` of it: the same step for fewer of its hosts.  What it builds is gone
 * afterwards, unless it failed. */
bool walk_step(struct run *r, const struct step *s, const struct step *part, walk_failed *failed,
               struct err *err) MUST_CHECK;

/* Tells that the step has come to this state. */
void walk_tell(struct run *r, const struct step *s, enum event_state state, const char *detail,
               long long took_ms);

/* "app1, app2": the hosts from begin to end that the run is not through with. */
const char *walk_names(struct run *r, size_t begin, size_t end);

#endif
