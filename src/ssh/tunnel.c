/* tunnel.c -- connections through a jump host (see tunnel.h).  carrier.c opens one for each host
 * behind another; channel.c drives the channel of the jump host's link. */
#include "ssh/tunnel.h"

#include "base/text.h"
#include "ssh/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COPY_BYTES = 32700, WINDOW_BYTES = 2 * 1024 * 1024, PENDING_BYTES = 512 * 1024 };

/* Bytes on their way in one direction. */
struct copy {
    char bytes[COPY_BYTES];
    size_t len;
    size_t done;
};

struct tunnel {
    struct link *via;
    struct link *user;
    struct channel *channel; /* NULL once it has ended */
    char *address;
    int port;
    enum tunnel_state state;
    struct buf why;
    int near; /* the user's end, or -1 once taken */
    int far;  /* the end that is joined to the channel, or -1 */
    uv_poll_t *poll;
    struct copy in;  /* from the host */
    struct copy out; /* to the host */
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void set_state(struct tunnel *t, enum tunnel_state state)
{
    t->state = state;
    link_poke(t->user);
}

static void close_far(struct tunnel *t)
{
    if (t->poll)
        uv_close((uv_handle_t *)t->poll, free_handle);
    t->poll = NULL;
    if (t->far >= 0)
        close(t->far);
    t->far = -1;
}

static void fail(struct tunnel *t, const char *why)
{
    if (!t->why.len)
        buf_puts(&t->why, why);
    close_far(t);
    set_state(t, TUNNEL_FAILED);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct tunnel *t = poll->data;

    (void)events;
    if (status < 0) {
        uv_poll_stop(poll);
        link_poke(t->via);
    } else {
        link_on_change(t->via);
    }
}

static void watch(struct tunnel *t)
{
    int events = (t->out.len ? 0 : UV_READABLE) | (t->in.len ? UV_WRITABLE : 0);

    if (t->poll && events)
        uv_poll_start(t->poll, events, on_poll);
    else if (t->poll)
        uv_poll_stop(t->poll);
}

struct tunnel *tunnel_open(struct link *via, struct link *user, const char *address, int port)
{
    struct tunnel *t = xcalloc(1, sizeof *t);
    size_t len = strlen(address);

    t->via = via;
    t->user = user;
    t->port = port;
    t->near = t->far = -1;
    t->why = buf_make(4096);
    t->address = xcalloc(1, len + 1);
    memcpy(t->address, address, len);
    t->channel = channel_for_tunnel(via, t);
    link_poke(via);
    return t;
}

void tunnel_close(struct tunnel *t)
{
    if (!t)
        return;
    if (t->channel) {
        channel_cut(t->channel);
        if (!t->via->pumping)
            link_poke(t->via);
    }
    close_far(t);
    if (t->near >= 0)
        close(t->near);
    buf_free(&t->why);
    free(t->address);
    free(t);
}

enum tunnel_state tunnel_state(const struct tunnel *t)
{
    return t->state;
}

const char *tunnel_why(const struct tunnel *t)
{
    return t->why.len ? t->why.text : NULL;
}

int tunnel_take(struct tunnel *t)
{
    int fd = t->near;

    t->near = -1;
    return fd;
}

void tunnel_end(struct channel *c, const char *why)
{
    struct tunnel *t = c->tunnel;

    c->tunnel = NULL;
    if (!t)
        return;
    t->channel = NULL;
    fail(t, why);
}

/* Joins the open channel to a socket pair. */
static bool join(struct link *link, struct tunnel *t)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return false;
    t->near = pair[0];
    t->far = pair[1];
    t->poll = xcalloc(1, sizeof *t->poll);
    t->poll->data = t;
    if (uv_poll_init(link->uv, t->poll, t->far) != 0) {
        free(t->poll);
        t->poll = NULL;
        return false;
    }
    watch(t);
    return true;
}

bool tunnel_channel_open(struct link *link, struct channel *c)
{
    struct tunnel *t = c->tunnel;

    if (t && t->state == TUNNEL_WAITING)
        set_state(t, TUNNEL_OPENING);
    /* libssh2 copies neither address, but asks for both again until the answer is there. */
    c->ssh = libssh2_channel_direct_tcpip_ex(link->ssh, t ? t->address : "localhost",
                                             t ? t->port : 22, "127.0.0.1", 22);
    if (!c->ssh) {
        int rc = libssh2_session_last_errno(link->ssh);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return false;
        link->turn = NULL;
        if (rc != LIBSSH2_ERROR_CHANNEL_FAILURE) {
            link_lost(link);
            return true;
        }
        c->state = CHANNEL_GONE;
        tunnel_end(c, arena_printf(&link->arena,
                                   "the jump host %s could not connect to it (refused, not "
                                   "resolved or not reachable from there, or its sshd does not "
                                   "permit forwarding)",
                                   link_place(link)));
        return true;
    }
    link->turn = NULL;
    c->state = CHANNEL_RUNNING;
    if (!t) {
        c->state = CHANNEL_ENDING;
    } else if (!join(link, t)) {
        c->state = CHANNEL_ENDING;
        tunnel_end(c, strerror(errno));
    } else {
        set_state(t, TUNNEL_OPEN);
    }
    return true;
}

/* Writes what is pending to the user's end.  False if that is closed. */
static bool put_near(struct tunnel *t, bool *moved)
{
    while (t->in.done < t->in.len) {
        ssize_t n = send(t->far, t->in.bytes + t->in.done, t->in.len - t->in.done, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        t->in.done += (size_t)n;
        *moved = true;
    }
    t->in.len = t->in.done = 0;
    return true;
}

enum copied { COPIED, COPY_OVER, COPY_LOST };

static enum copied from_host(struct channel *c, struct tunnel *t, bool *moved)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (!put_near(t, moved))
            return COPY_OVER;
        if (t->in.len)
            return COPIED;
        ssize_t n = libssh2_channel_read_ex(c->ssh, 0, t->in.bytes, sizeof t->in.bytes);
        if (n == LIBSSH2_ERROR_EAGAIN)
            return COPIED;
        if (n == 0)
            return libssh2_channel_eof(c->ssh) == 1 ? COPY_OVER : COPIED;
        if (n < 0)
            return n == LIBSSH2_ERROR_CHANNEL_CLOSED ? COPY_OVER : COPY_LOST;
        t->in.len = (size_t)n;
        *moved = true;
    }
    return COPIED;
}

static enum copied to_host(struct link *link, struct channel *c, struct tunnel *t, bool *moved)
{
    while (wire_pending(link->wire) < PENDING_BYTES) {
        if (!t->out.len) {
            ssize_t n = recv(t->far, t->out.bytes, sizeof t->out.bytes, 0);
            if (n == 0)
                return COPY_OVER;
            if (n < 0)
                return errno == EAGAIN || errno == EINTR ? COPIED : COPY_OVER;
            t->out.len = (size_t)n;
        }
        ssize_t done = libssh2_channel_write_ex(c->ssh, 0, t->out.bytes + t->out.done,
                                                t->out.len - t->out.done);
        /* libssh2 returns 0 if the window is full. */
        if (done == LIBSSH2_ERROR_EAGAIN || done == 0)
            return COPIED;
        if (done < 0)
            return done == LIBSSH2_ERROR_CHANNEL_CLOSED || done == LIBSSH2_ERROR_CHANNEL_EOF_SENT
                       ? COPY_OVER
                       : COPY_LOST;
        *moved = true;
        t->out.done += (size_t)done;
        if (t->out.done == t->out.len)
            t->out.len = t->out.done = 0;
    }
    return COPIED;
}

bool tunnel_channel_run(struct link *link, struct channel *c)
{
    struct tunnel *t = c->tunnel;
    bool moved = false;

    if (!t) {
        c->state = CHANNEL_ENDING;
        return true;
    }
    enum copied ends = from_host(c, t, &moved);
    if (ends == COPIED)
        ends = to_host(link, c, t, &moved);
    if (ends == COPY_LOST) {
        link_lost(link);
        return true;
    }
    if (ends == COPY_OVER) {
        c->state = CHANNEL_ENDING;
        tunnel_end(c, "closed by the server");
        return true;
    }
    watch(t);
    return moved;
}
