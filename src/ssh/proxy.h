/* proxy.h -- a connection through a program: ProxyCommand of ssh. */
#ifndef CRELEASE_SSH_PROXY_H
#define CRELEASE_SSH_PROXY_H

#include "base/arena.h"
#include "edge/loop_uv.h"

struct proxy;

/* Receives each line that the program writes to standard error. */
struct proxy_watch {
    void (*said)(void *arg, const char *line);
    void *arg;
};

/* Starts the command, shell text.  *ret_fd is the socket that is its standard input and output; the
 * caller closes it.  On failure returns NULL, and *ret_why is a constant text. */
struct proxy *proxy_open(uv_loop_t *uv, const char *command, struct proxy_watch watch, int *ret_fd,
                         const char **ret_why);

/* The last line that it has written to standard error so far, or NULL; valid until the next call and the next turn of
 * the loop. */
const char *proxy_last_line(struct proxy *p);

/* Ends the program with SIGHUP, as ssh does.  Accepts NULL. */
void proxy_close(struct proxy *p);

#endif
