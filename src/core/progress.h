/* progress.h -- how far a run has come, as its hosts tell. */
#ifndef CRELEASE_CORE_PROGRESS_H
#define CRELEASE_CORE_PROGRESS_H

#include "core/plan.h"
#include "host/site.h"

/* The youngest mark of the run on the hosts that hold its lock and were reached.  Each mark is dated
 * by the clock of its own host, so ages are compared, and those that hardly differ count as the same:
 * then a step in progress goes before one that is over, and a later step before an earlier one.  NULL
 * when nothing is marked. */
const struct mark *progress_mark(const struct plan *p, const struct site *sites,
                                 const bool *reached, size_t n);

/* Whether the mark says that its step is over. */
bool progress_is_past(const struct mark *m);

/* The place of a step in the plan; n_steps when it has none. */
size_t progress_place(const struct plan *p, const char *step);

#endif
