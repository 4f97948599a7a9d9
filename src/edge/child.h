/* child.h -- a command beside this process, with its standard input, output and error.
 *
 * Signals that come while it runs (INT, TERM, HUP, QUIT, USR1, USR2) are passed on to it. */
#ifndef CRELEASE_CHILD_H
#define CRELEASE_CHILD_H

#include "base/err.h"
#include "edge/loop.h"

/* Called about every `interval_ms` while it runs. */
typedef void child_tick(void *arg);

struct child {
    const char *const *argv; /* NULL-terminated; looked for in PATH */
    long interval_ms;
    child_tick *tick;
    void *arg;
};

/* Runs it to its end.  *ret_status is as a shell tells it: 128 and the number of a signal; 126 and
 * 127, with err, when it could not be started. */
bool child_run(struct loop *loop, const struct child *child, int *ret_status,
               struct err *err) MUST_CHECK;

#endif
