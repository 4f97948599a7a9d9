/* fork.h -- a process of crelease itself, without another program, for calls that block. */
#ifndef CRELEASE_FORK_H
#define CRELEASE_FORK_H

#include <sys/types.h>

/* Forks.  The child ignores INT, TERM and HUP, since the parent decides what a signal means, gets the others as
 * usual, and is killed when the parent ends, since it has copies of the parent's connections.  Returns as fork
 * does, with errno. */
pid_t fork_helper(void);

#endif
