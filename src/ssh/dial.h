/* dial.h -- from a host name to a connected socket, trying all its addresses in turn.
 *
 *     struct dial *dial = dial_open(uv, "app1.example.com", 22, watch);
 *     ... watch.changed is called whenever dial_state may have changed ...
 *     RESOLVED:  dial_connect(dial, timeout_ms);     (after FAILED or CONNECTED: tries again)
 *     CONNECTED: int fd = dial_take(dial);           (non-blocking; the caller closes it)
 *     FAILED:    dial_why(dial)
 *     dial_close(dial); */
#ifndef CRELEASE_SSH_DIAL_H
#define CRELEASE_SSH_DIAL_H

#include "base/buf.h"
#include "edge/loop_uv.h"

#include <sys/socket.h>

struct dial;

enum dial_state { DIAL_RESOLVING, DIAL_RESOLVED, DIAL_CONNECTING, DIAL_CONNECTED, DIAL_FAILED };

/* Called from the loop, never from dial_open or dial_connect. */
struct dial_watch {
    void (*changed)(void *arg);
    void *arg;
};

/* Where to connect to. */
struct dial_to {
    const char *host;
    int port;
    int family;       /* AF_INET or AF_INET6 only; AF_UNSPEC: either */
    const char *bind; /* the numeric local address to connect from; NULL: the kernel chooses */
};

/* Starts the lookup of the name.  Address literals need none. */
struct dial *dial_open(uv_loop_t *uv, const struct dial_to *to, struct dial_watch watch);
enum dial_state dial_state(const struct dial *d);

/* The address to be tried first, or after DIAL_CONNECTED the one that is connected. */
const struct sockaddr_storage *dial_address(const struct dial *d);
bool dial_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* "10.0.0.1 port 22" */
const char *dial_address_text(const struct dial *d, struct arena *a);

/* Tries the addresses, starting with the one that answered last; each gets its share of the
 * time. */
void dial_connect(struct dial *d, long long timeout_ms);

/* Returns the connected socket, which the caller then owns. */
int dial_take(struct dial *d);

/* One line without the host: "Connection refused".  Valid until the next call on the dial. */
const char *dial_why(const struct dial *d);

void dial_close(struct dial *d); /* accepts NULL */

#endif
