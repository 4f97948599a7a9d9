/* process.h -- a program on this machine as the other end of an exchange: it reads exchange_input
 * and prints what goes to exchange_output.
 *
 *     x->own = process_start(uv, x, &call, &why);       (NULL: it could not be started)
 *     process_wake(x->own);                             (exchange_input has something new)
 *     ... call.ended is called once it has exited and closed both output streams ...
 *     process_cut(x->own, true);                        (or: nothing is reported any more)
 *
 * For the carriers whose transport is a program. */
#ifndef CRELEASE_PROCESS_H
#define CRELEASE_PROCESS_H

#include "edge/loop_uv.h"
#include "fleet/carrier.h"

struct process;

struct process_call {
    const char *const *argv;               /* NULL-terminated; argv[0] is searched in PATH */
    const char *folder;                    /* to start in */
    const struct fleet_terminal *terminal; /* NULL, or: it runs in a new terminal of this machine */
    /* Reports the end; the process is freed afterwards.  signal is NULL for an ordinary exit, else
     * the signal's name without SIG. */
    void (*ended)(struct exchange *x, void *arg, int status, const char *signal);
    void *arg;
};

/* Starts the program in a session of its own, so that Ctrl-C in the terminal does not reach it. */
struct process *process_start(uv_loop_t *uv, struct exchange *x, const struct process_call *call,
                              const char **ret_why);

void process_wake(struct process *p);

/* Gives its terminal a new size. */
void process_resize(struct process *p, const struct fleet_terminal *terminal);

/* Closes the streams and, if `kill_it`, sends SIGKILL. */
void process_cut(struct process *p, bool kill_it);

#endif
