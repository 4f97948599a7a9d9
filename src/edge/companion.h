/* companion.h -- runs a program on this machine and passes on what it prints.
 *
 *     struct companion c = {.argv = argv, .folder = "/srv/work", .output = show, .arg = x};
 *     companion_run(loop, &c, &end, err);
 *
 * It has a process group of its own, so that Ctrl-C in the terminal reaches crelease alone.  Its
 * standard input is a pipe that nothing is written to and that is closed when crelease ends, however
 * it ends: the program can read it to notice that. */
#ifndef CRELEASE_COMPANION_H
#define CRELEASE_COMPANION_H

#include "base/err.h"
#include "edge/loop.h"

struct companion {
    const char *const *argv;      /* NULL-terminated; argv[0] is searched in PATH */
    const char *folder;           /* to start in */
    const char *const *variables; /* "NAME=VALUE", added to the environment; NULL-terminated */
    long long timeout_ms;         /* 0: no limit */
    /* Called with bytes of its standard output and standard error, as they come. */
    void (*output)(void *arg, const char *bytes, size_t len);
    void *arg;
};

struct companion_end {
    int status;   /* 128 plus the number of the signal that ended it */
    bool late;    /* it was ended after its time limit */
    bool stopped; /* it was ended because crelease got a signal */
};

/* Runs the program to its end.  After a signal or the time limit, its process group gets TERM, and
 * KILL ten seconds later or on the next signal.  False when it could not be started. */
bool companion_run(struct loop *loop, const struct companion *c, struct companion_end *ret,
                   struct err *err) MUST_CHECK;

#endif
