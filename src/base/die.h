/* die.h -- the end of the process where no caller can be told: a message and status 1.
 *
 * For the hosts this is one more crash, which is what the marks there are for.  A library that
 * calls abort(), as libuv does when a pipe cannot be made, ends the same way: see die_on_abort. */
#ifndef CRELEASE_DIE_H
#define CRELEASE_DIE_H

#include "base/banned.h"

/* "crelease: MESSAGE" on standard error, then _exit(1).  What was written to standard output before
 * is flushed. */
_Noreturn void die(const char *message);

/* The same, with the words of this errno behind it: "crelease: MESSAGE: Too many open files". */
_Noreturn void die_errno(const char *message, int error);

/* From here on abort() is a message and status 1, not a signal. */
void die_on_abort(void);

/* Called before the process ends that way, to give the terminal back; must be safe in a signal
 * handler.  NULL for none. */
void die_first(void (*restore)(void));

#endif
