/* partial.h -- dumps of a few tables (pg_dump -t): passed by, until the migration has met one.
 *
 * Which tables a migration needs cannot be known before it runs.  What can be known is that trying
 * costs others at most lock_timeout: so it begins beside such a dump, and only when a statement of
 * it has waited for that dump is the dump waited for like any other.  Not so what is done
 * CONCURRENTLY: it waits for every old snapshot, and leaves an invalid index when it is cut short.
 */
#ifndef CRELEASE_PARTIAL_H
#define CRELEASE_PARTIAL_H

#include "stages/backup/running.h"
#include "stages/migrate/blockers.h"

/* Fills in `partial` of what was seen at one look. */
void partial_mark(struct backups *b);

/* One that began a moment ago and has not all its locks yet: whether it will hold few is not known.
 */
bool partial_is_open(const struct backup *b);

/* Of what was seen, dumps that the migration may begin beside do not block it any more; *ret_passed
 * is the first of them, or NULL. */
bool partial_pass(struct run *r, size_t host, struct backups *b, const struct backup **ret_passed,
                  struct err *err) MUST_CHECK;

/* The migration has waited for these: they are not passed by again.  Where nobody was seen it may
 * have been any of those that were. */
void partial_meet(struct run *r, const struct blockers *met);

/* For people: that it is not waited for. */
const char *partial_passed(struct run *r, const struct backup *b);

/* Why such a dump is waited for. */
const char *partial_note(struct run *r, const struct backup *b);

#endif
