/* ssh_wire.h -- the socket under one SSH session, with queues of our own.
 *
 * What is sent is taken whole, always: libssh2 before 1.11.1 goes wrong when a packet is sent in
 * part and somebody else sends next, which with two channels on a session is soon the case.  So
 * the sender asks wire_pending and stops offering more when that is large. */
#ifndef CRELEASE_SSH_WIRE_H
#define CRELEASE_SSH_WIRE_H

#include "base/buf.h"
#include "edge/loop_uv.h"

#include <sys/types.h>

struct wire;

/* Called from the loop when there is something to read, or the wire is dead, or the queue fell. */
typedef void wire_ready(void *arg);

/* Owns fd from now on.  Unanswered for unanswered_ms, what was sent makes the system give up. */
struct wire *wire_open(uv_loop_t *uv, int fd, long unanswered_ms, wire_ready *ready, void *arg);
void wire_close(struct wire *w); /* accepts NULL; tries once to send what is queued */

/* For those who insist on a descriptor; nobody else reads or writes it. */
int wire_fd(const struct wire *w);

/* As send and recv, but with -errno instead of -1; wire_send returns len or an error. */
ssize_t wire_send(struct wire *w, const void *bytes, size_t len);
ssize_t wire_recv(struct wire *w, void *bytes, size_t len);

/* Reads what has come into a buffer that wire_recv empties: for times when nobody calls that. */
void wire_soak(struct wire *w);

/* Sends what the system takes now, and waits for the right things. */
void wire_flush(struct wire *w);
size_t wire_pending(const struct wire *w);

/* NULL while it is alive; else "closed by the server", "Connection reset by peer" ... */
const char *wire_trouble(const struct wire *w);

/* The clock of loop_now when the last byte came, or the wire was opened. */
long long wire_last_byte_ms(const struct wire *w);

/* The first bytes that came, up to 16 KiB. */
const struct buf *wire_first(const struct wire *w);

#endif
