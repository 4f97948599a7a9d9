/* wire.c -- the socket under an SSH session (see wire.h).  connection.c opens it and installs
 * wire_send and wire_recv as libssh2's I/O functions. */
#include "ssh/wire.h"
#include "edge/loop_uv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FIRST_BYTES_MAX = 16 * 1024,
    OUT_BYTES_MAX = 64 * 1024 * 1024, /* far more than PENDING_BYTES of channel.c */
    SOAK_BYTES_MAX = 1024 * 1024,
    DROP_ABOVE = 256 * 1024,
};

struct wire {
    int fd;
    uv_poll_t *poll;
    int events;
    struct wire_watch watch;
    struct buf out;
    size_t out_sent; /* bytes of `out` that were sent, but not removed yet */
    struct buf in;
    size_t in_taken;
    struct buf first;
    long long last_byte_ms;
    const char *trouble;
    int error;
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;

    (void)status; /* the next recv reports the error */
    (void)events;
    if (status < 0)
        w->events = 0; /* libuv has stopped polling */
    w->watch.ready(w->watch.arg);
}

static void set_option(int fd, int level, int name, int value)
{
    /* An improvement only, so failures are ignored. */
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

struct wire *wire_open(uv_loop_t *uv, int fd, long unanswered_ms, struct wire_watch watch)
{
    struct wire *w = xcalloc(1, sizeof *w);
    int seconds = (int)(unanswered_ms / 3000) + 1;

    *w = (struct wire){.fd = fd,
                       .watch = watch,
                       .out = buf_make(OUT_BYTES_MAX),
                       .in = buf_make(SOAK_BYTES_MAX),
                       .first = buf_make(FIRST_BYTES_MAX),
                       .last_byte_ms = loop_now()};
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)unanswered_ms);
    w->poll = xcalloc(1, sizeof *w->poll);
    w->poll->data = w;
    if (uv_poll_init(uv, w->poll, fd) != 0) {
        free(w->poll);
        w->poll = NULL;
        w->trouble = "the event loop cannot watch the socket";
    }
    wire_flush(w);
    return w;
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    wire_flush(w);
    if (w->poll)
        uv_close((uv_handle_t *)w->poll, free_handle);
    close(w->fd);
    buf_free(&w->out);
    buf_free(&w->in);
    buf_free(&w->first);
    free(w);
}

int wire_fd(const struct wire *w)
{
    return w->fd;
}

static void note_error(struct wire *w, int error)
{
    if (w->trouble)
        return;
    w->error = error;
    w->trouble = error ? strerror(error) : "closed by the server";
    if (error == ETIMEDOUT)
        w->trouble = "the server did not acknowledge data for too long";
}

static void send_queued(struct wire *w)
{
    while (wire_pending(w) && !w->trouble) {
        ssize_t n = send(w->fd, w->out.text + w->out_sent, wire_pending(w), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                note_error(w, errno);
            break;
        }
        w->out_sent += (size_t)n;
    }
    if (w->out_sent == w->out.len || w->out_sent > DROP_ABOVE) {
        buf_drop(&w->out, w->out_sent);
        w->out_sent = 0;
    }
}

void wire_flush(struct wire *w)
{
    send_queued(w);
    int events = (w->trouble || w->in.len - w->in_taken >= SOAK_BYTES_MAX / 2 ? 0 : UV_READABLE) |
                 (wire_pending(w) && !w->trouble ? UV_WRITABLE : 0);
    if (!w->poll || events == w->events)
        return;
    w->events = events;
    if (events)
        uv_poll_start(w->poll, events, on_poll);
    else
        uv_poll_stop(w->poll);
}

size_t wire_pending(const struct wire *w)
{
    return w->out.len - w->out_sent;
}

ssize_t wire_send(struct wire *w, const void *bytes, size_t len)
{
    if (w->trouble)
        return -(w->error ? w->error : EPIPE);
    buf_add(&w->out, bytes, len);
    if (w->out.full) {
        note_error(w, ENOBUFS);
        return -ENOBUFS;
    }
    send_queued(w);
    return (ssize_t)len;
}

static ssize_t receive(struct wire *w, void *bytes, size_t len)
{
    ssize_t n;

    do
        n = recv(w->fd, bytes, len, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        w->last_byte_ms = loop_now();
        if (w->first.len < FIRST_BYTES_MAX) {
            size_t room = FIRST_BYTES_MAX - w->first.len;
            buf_add(&w->first, bytes, (size_t)n < room ? (size_t)n : room);
        }
        /* The kernel resets this by itself.  Delayed ACKs would cost a round trip per command. */
        set_option(w->fd, IPPROTO_TCP, TCP_QUICKACK, 1);
    } else if (n == 0) {
        note_error(w, 0);
    } else if (errno != EAGAIN) {
        note_error(w, errno);
        return -w->error;
    } else {
        return -EAGAIN;
    }
    return n;
}

ssize_t wire_recv(struct wire *w, void *bytes, size_t len)
{
    size_t have = w->in.len - w->in_taken;

    if (!have) {
        if (w->trouble)
            return w->error ? -w->error : 0;
        return receive(w, bytes, len);
    }
    if (have > len)
        have = len;
    memcpy(bytes, w->in.text + w->in_taken, have);
    w->in_taken += have;
    if (w->in_taken == w->in.len) {
        buf_clear(&w->in);
        w->in_taken = 0;
    }
    return (ssize_t)have;
}

void wire_soak(struct wire *w)
{
    char bytes[16 * 1024];

    while (!w->trouble && w->in.len - w->in_taken < SOAK_BYTES_MAX / 2) {
        ssize_t n = receive(w, bytes, sizeof bytes);
        if (n <= 0)
            break;
        buf_add(&w->in, bytes, (size_t)n);
        if (w->in.full)
            note_error(w, ENOBUFS);
    }
}

const char *wire_trouble(const struct wire *w)
{
    return w->trouble;
}

long long wire_last_byte_ms(const struct wire *w)
{
    return w->last_byte_ms;
}

const struct buf *wire_first(const struct wire *w)
{
    return &w->first;
}
