/* sockets.h -- the folder of the sockets of master connections, one for each process.
 *
 *     const char *path = sockets_path(arena);     for a new socket
 *     sockets_leave(path);                        the last one removes the folder
 *
 * It is $XDG_RUNTIME_DIR/crelease-XXXXXX or /tmp/crelease-XXXXXX, and only its owner may read it.  A crelease that
 * was killed leaves its folder behind; the next one removes it.  Called by program.c. */
#ifndef CRELEASE_SSH_SOCKETS_H
#define CRELEASE_SSH_SOCKETS_H

#include "base/arena.h"

/* Makes the folder on first use, and returns the path of a new socket in it, in the arena.  NULL if that fails:
 * errno says why.  Each successful call is paired with a sockets_leave. */
const char *sockets_path(struct arena *a);
void sockets_leave(const char *path);

#endif
