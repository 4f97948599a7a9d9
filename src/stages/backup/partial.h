/* partial.h -- dumps of a few tables (pg_dump -t), which a migration need not wait for.
 *
 * Which tables a migration needs is unknown before it runs, but trying costs other sessions at most
 * lock_timeout.  So the migration starts beside such a dump, and waits for it only after one of its
 * statements was blocked by that dump.  Statements with CONCURRENTLY are an exception: they wait
 * for every old snapshot, and leave an invalid index behind when they are cancelled. */
#ifndef CRELEASE_PARTIAL_H
#define CRELEASE_PARTIAL_H

#include "stages/backup/running.h"
#include "stages/migrate/blockers.h"

/* Sets `partial` of the backups that one look found. */
void partial_mark(struct backups *b);

/* True for a dump that started a moment ago and may still be taking locks, so that it is unknown
 * whether it is partial. */
bool partial_is_open(const struct backup *b);

/* Dumps beside which the migration may start no longer block it.  *ret_passed is the first of them,
 * or NULL.  False only when the host was lost. */
bool partial_pass(struct run *r, size_t host, struct backups *b, const struct backup **ret_passed,
                  struct err *err) MUST_CHECK;

/* The migration was blocked by these, so they are waited for from now on.  If no blocker was seen,
 * that goes for every dump that it started beside. */
void partial_meet(struct run *r, const struct blockers *met);

/* A message that this dump is not waited for. */
const char *partial_passed(struct run *r, const struct backup *b);

/* A message why this dump is waited for all the same. */
const char *partial_note(struct run *r, const struct backup *b);

#endif
