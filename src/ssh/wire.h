/* wire.h -- the socket of one SSH session, with a send queue of our own.
 *
 * Everything passed to wire_send is accepted, because libssh2 before 1.11.1 fails if a packet is
 * sent only in part and another channel of the session sends next.  Senders check wire_pending
 * instead and stop when it is large. */
#ifndef CRELEASE_SSH_WIRE_H
#define CRELEASE_SSH_WIRE_H

#include "base/buf.h"
#include "edge/loop_uv.h"

#include <sys/types.h>

struct wire;

/* Called from the loop if there is something to read, the queue became shorter, or the wire
 * died. */
struct wire_watch {
    void (*ready)(void *arg);
    void *arg;
};

/* Takes ownership of fd.  The kernel gives up when sent data stays unacknowledged for that long. */
struct wire *wire_open(uv_loop_t *uv, int fd, long unanswered_ms, struct wire_watch watch);
void wire_close(struct wire *w); /* accepts NULL; tries once to send what is queued */

/* The descriptor, for libssh2, which requires one but does not use it. */
int wire_fd(const struct wire *w);

/* Like send and recv, but return -errno instead of -1.  wire_send returns len or an error. */
ssize_t wire_send(struct wire *w, const void *bytes, size_t len);
ssize_t wire_recv(struct wire *w, void *bytes, size_t len);

/* Reads what has arrived into a buffer for wire_recv, at times when libssh2 does not read. */
void wire_soak(struct wire *w);

/* Sends what the kernel accepts now and polls for what is needed next. */
void wire_flush(struct wire *w);

/* Number of bytes that are queued for sending. */
size_t wire_pending(const struct wire *w);

/* NULL while it works, else "closed by the server", "Connection reset by peer" and the like. */
const char *wire_trouble(const struct wire *w);

/* When the last byte arrived, or the wire was opened, by loop_now. */
long long wire_last_byte_ms(const struct wire *w);

/* The first bytes received, up to 16 KiB. */
const struct buf *wire_first(const struct wire *w);

#endif
