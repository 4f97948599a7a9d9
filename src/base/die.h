/* die.h -- ends the process with a message and status 1 where no caller could handle the error.
 *
 * The hosts see such an end as a crash, which a later run recovers from by the marks there.
 * die_on_abort makes a library that calls abort() end the same way; libuv does so when it cannot
 * create a pipe, for example. */
#ifndef CRELEASE_DIE_H
#define CRELEASE_DIE_H

#include "base/banned.h"

/* Flushes standard output, prints "crelease: MESSAGE" on standard error and calls _exit(1). */
_Noreturn void die(const char *message);

/* Like die, with the text of the errno value: "crelease: MESSAGE: Too many open files". */
_Noreturn void die_errno(const char *message, int error);

/* From now on, abort() prints a message and ends the process with status 1 instead of a signal. */
void die_on_abort(void);

/* Sets a function that runs before the process ends this way, to restore the terminal.  It must be
 * async-signal-safe.  NULL removes it. */
void die_first(void (*restore)(void));

#endif
