/* tunnel.h -- a connection to a host through the SSH connection of another one (ProxyJump).
 *
 * The jump host's link opens a direct-tcpip channel (RFC 4254, 7.2) and copies between that and one
 * end of a socket pair; the other end is what a TCP socket is for a direct connection. */
#ifndef CRELEASE_SSH_TUNNEL_H
#define CRELEASE_SSH_TUNNEL_H

#include "base/arena.h"

struct channel;
struct link;
struct tunnel;

enum tunnel_state {
    TUNNEL_WAITING, /* the jump host is not connected yet, or is busy with another request */
    TUNNEL_OPENING, /* the jump host was asked to connect */
    TUNNEL_OPEN,
    TUNNEL_FAILED, /* or lost: see tunnel_why */
};

/* Asks the link `via` for a connection to the address.  `user` is poked on each change. */
struct tunnel *tunnel_open(struct link *via, struct link *user, const char *address, int port);
void tunnel_close(struct tunnel *t); /* accepts NULL */

enum tunnel_state tunnel_state(const struct tunnel *t);
const char *tunnel_why(const struct tunnel *t);

/* Returns the descriptor, once.  The caller closes it. */
int tunnel_take(struct tunnel *t);

/* ---- for channel.c ---- */

/* One step of a channel that belongs to a tunnel.  Returns whether it made progress. */
bool tunnel_channel_open(struct link *link, struct channel *c);
bool tunnel_channel_run(struct link *link, struct channel *c);

/* The channel has ended.  `why` is one line. */
void tunnel_end(struct channel *c, const char *why);

#endif
