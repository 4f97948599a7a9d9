/* pending.h -- reads what a migration tool says is pending: output in, number and names out.
 *
 *     long n = pending_read(arena, &recipe->migrate.pending_when, status, out, &names);
 *
 * The answer is a number, PENDING_SOME (at least one, number unknown) or PENDING_UNKNOWN.  A status
 * command may fail, print something unexpected, or belong to another tool.  Unknown is never
 * treated as nothing, or a release would go live without its migrations. */
#ifndef CRELEASE_PENDING_H
#define CRELEASE_PENDING_H

#include "recipe/recipe.h"

#include <limits.h>

#define PENDING_UNKNOWN (-1L)
#define PENDING_SOME    LONG_MAX /* at least one; the tool does not say how many */

enum { PENDING_NAMES_MAX = 100 };

/* How many migrations are pending, given the exit status and the output of the status command.  The
 * first hundred names go to ret_names. */
long pending_read(struct arena *a, const struct pending_when *when, int status, const char *out,
                  struct strs *ret_names) MUST_CHECK;

/* The output of the status command in a host's answer to pending.sh; NULL when it is incomplete. */
const char *pending_answer(struct arena *a, const char *answer, int status) MUST_CHECK;

/* "2 pending: A, B", "pending, the number is not known", ...; names, or why it is unknown, may be NULL. */
const char *pending_text(struct arena *a, long n, const char *names);

#endif
