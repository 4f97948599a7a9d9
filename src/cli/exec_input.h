/* exec_input.h -- passes standard input on to the commands of exec, a copy to each host.
 *
 *     struct exec_input *in = exec_input_open(arena, loop, fleet);
 *     calls[i].say = exec_input_for(in, host);
 *     calls[i].said_all = exec_input_end(in);
 *     fleet_run(...);
 *     exec_input_close(in);
 *
 * Read as fast as the slowest host takes it, so memory stays bounded. */
#ifndef CRELEASE_EXEC_INPUT_H
#define CRELEASE_EXEC_INPUT_H

#include "fleet/fleet.h"

struct exec_input;

/* NULL if standard input is a terminal, so that a command does not consume what is typed for the
 * next one. */
struct exec_input *exec_input_open(struct arena *a, struct loop *loop, struct fleet *fleet);

/* What is sent to that host. */
struct buf *exec_input_for(struct exec_input *in, size_t host);

/* Whether standard input has reached its end. */
const bool *exec_input_end(const struct exec_input *in);

void exec_input_close(struct exec_input *in); /* accepts NULL */

#endif
