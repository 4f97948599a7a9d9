/* child.h -- runs a command on this machine with our standard input, output and error.
 *
 * INT, TERM, HUP, QUIT, USR1 and USR2 that arrive while it runs are forwarded to it. */
#ifndef CRELEASE_CHILD_H
#define CRELEASE_CHILD_H

#include "base/err.h"
#include "edge/loop.h"

/* Called about every `interval_ms` while the command runs. */
typedef void child_tick(void *arg);

struct child {
    const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
    long interval_ms;
    child_tick *tick;
    void *arg;
};

/* Runs the command and waits for its end.  *ret_status is what a shell would report: the exit
 * status, or 128 plus the number of the signal.  When the command cannot be started, the result is
 * false and *ret_status is 126, or 127 if it does not exist. */
bool child_run(struct loop *loop, const struct child *child, int *ret_status,
               struct err *err) MUST_CHECK;

#endif
