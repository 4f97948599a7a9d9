/* capture.h -- runs programs on this machine side by side and collects what they print.
 *
 *     struct capture c = {.argv = argv};
 *     capture_run(loop, arena, &c, 1, 10000);
 *     if (c.end == CAPTURE_EXIT && c.status == 0)
 *         ... c.out ...
 *
 * Standard input is empty.  Signals to crelease end the wait, not only the programs.  What a program starts in
 * the background is not waited for, also if it keeps the program's output open. */
#ifndef CRELEASE_CAPTURE_H
#define CRELEASE_CAPTURE_H

#include "edge/loop.h"

enum capture_end {
    CAPTURE_EXIT,    /* ended with `status`: 128 plus the number of the signal that ended it */
    CAPTURE_MISSING, /* there is no such program */
    CAPTURE_FAILED,  /* it could not be started, or printed too much: see why */
    CAPTURE_LATE,    /* it did not end in time and was killed */
    CAPTURE_STOPPED, /* crelease got a signal meanwhile; it was killed */
};

struct capture {
    const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
    bool by_line; /* it prints variables, and its output is read by line: none has a line break */
    enum capture_end end;
    int status;
    const char *out;     /* standard output, at most 256 KiB; terminated */
    const char *err_out; /* standard error, the first 256 KiB of it; terminated */
    const char *why;     /* with CAPTURE_FAILED */
};

/* Runs all of them, at most 16 at a time, and returns when each has ended.  timeout_ms limits the
 * time for all together.  The texts are allocated in the arena. */
void capture_run(struct loop *loop, struct arena *a, struct capture *calls, size_t n,
                 long long timeout_ms);

#endif
