/* left_out.h -- hosts that a run goes on without, where the recipe says so (on_host_failure).
 *
 *     if (!act(run, step, err) && !left_out_may_go_on(run, step, err))
 *         return false;
 *     ...
 *     return left_out_end(run, err);          after the last step
 *
 * A host that was left out keeps its lock and its marks: a resume brings it forward, alone. */
#ifndef CRELEASE_LEFT_OUT_H
#define CRELEASE_LEFT_OUT_H

#include "core/run.h"

/* After a failed step.  True when every host on which it failed (run->mishaps) could be left out:
 * that was told, and err is clear.  Else nothing has changed. */
bool left_out_may_go_on(struct run *r, const struct step *s, struct err *err);

/* False, with what there is to say, when a host was left out. */
bool left_out_end(struct run *r, struct err *err);

#endif
