/* pending.h -- what a migration tool says is pending: text in, names out.
 *
 *     long n = pending_read(arena, &recipe->migrate.pending_when, status, out, &names);
 *
 * Three answers and a half: a number, nothing, not known, and more than nothing without a number.
 * A status command fails, prints what nobody expected, or is of another tool than was thought:
 * what cannot be known is never taken for nothing, or a release would go live without its
 * migrations. */
#ifndef CRELEASE_PENDING_H
#define CRELEASE_PENDING_H

#include "recipe/recipe.h"

#include <limits.h>

#define PENDING_UNKNOWN (-1L)
#define PENDING_SOME    LONG_MAX /* something is; how much, the tool does not say */

enum { PENDING_NAMES_MAX = 100 };

/* How many are pending when the status command ended with this status and printed this; their
 * names, the first hundred, go to ret_names. */
long pending_read(struct arena *a, const struct pending_when *when, int status, const char *out,
                  struct strs *ret_names) MUST_CHECK;

/* What a host's answer to pending.sh says: the output alone.  NULL when it is not whole. */
const char *pending_answer(struct arena *a, const char *answer, int status) MUST_CHECK;

/* "2 pending: A, B", "pending, number not known", ...; names may be NULL. */
const char *pending_text(struct arena *a, long n, const char *names);

#endif
