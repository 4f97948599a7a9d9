/* excerpt.h -- chooses the lines of a failed job's log that a person needs to see.
 *
 * why.sh searches the whole log on the host and sends a part of it, with line numbers:
 *
 *     3 3 240                  first and last line that look like an error, and how many lines
 *     2:== 20260102 AddNote: migrating
 *     3:rails aborted!
 *     ... */
#ifndef CRELEASE_EXCERPT_H
#define CRELEASE_EXCERPT_H

#include "base/arena.h"

/* About 30 lines, whatever was sent.  Where lines are omitted, one line says how many.  Empty when nothing was
 * sent. */
struct strs excerpt(struct arena *a, const char *sent);

#endif
