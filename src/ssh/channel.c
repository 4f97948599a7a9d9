/* channel.c -- runs scripts: one SSH channel for each, all over one connection.  carrier.c calls it
 * once the link is logged in. */
#include "ssh/link.h"

#include "base/text.h"

#include <ctype.h>
#include <termios.h>

enum {
    VERASE_IS = 3, /* numbers of terminal modes */
    IUTF8_IS = 42,
    WRITE_BYTES = 32700,        /* fits into one packet */
    PENDING_BYTES = 512 * 1024, /* with more than this queued, no more input is taken */
    WINDOW_BYTES = 1024 * 1024, /* how much a host may send ahead of what we have read */
};

/* Whether an error of libssh2 concerns this channel only and not the connection. */
static bool is_channel_trouble(int rc)
{
    return rc == LIBSSH2_ERROR_CHANNEL_FAILURE || rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED ||
           rc == LIBSSH2_ERROR_CHANNEL_CLOSED || rc == LIBSSH2_ERROR_CHANNEL_EOF_SENT;
}

static struct exchange *channel_let_go(struct channel *c)
{
    struct exchange *x = c->x;

    c->x = NULL;
    if (x)
        x->own = NULL;
    return x;
}

static void channel_fail(struct channel *c, const char *why)
{
    struct exchange *x = channel_let_go(c);

    tunnel_end(c, why);
    if (x)
        exchange_fail(x, why);
}

static void channel_add(struct link *link, struct channel *c)
{
    struct channel **at = &link->channels;

    c->link = link;
    c->next = NULL;
    while (*at)
        at = &(*at)->next;
    *at = c;
}

void channel_start(struct link *link, struct exchange *x)
{
    struct channel *c = xcalloc(1, sizeof *c);
    size_t len = strlen(x->command);

    c->x = x;
    c->terminal = x->call.terminal;
    c->command = xcalloc(1, len + 1);
    memcpy(c->command, x->command, len);
    x->own = c;
    channel_add(link, c);
}

struct channel *channel_for_tunnel(struct link *link, struct tunnel *t)
{
    struct channel *c = xcalloc(1, sizeof *c);

    c->tunnel = t;
    channel_add(link, c);
    return c;
}

void channel_cut(struct channel *c)
{
    channel_let_go(c);
    c->tunnel = NULL;
    if (c->state == CHANNEL_RUNNING)
        c->state = CHANNEL_ENDING;
}

/* Number of other open sessions; those being closed do not count. */
static size_t sessions_beside(const struct link *link, const struct channel *c)
{
    size_t n = 0;

    for (const struct channel *o = link->channels; o; o = o->next)
        n += o != c && !o->tunnels &&
             (o->state == CHANNEL_TERMINAL || o->state == CHANNEL_EXEC ||
              o->state == CHANNEL_RUNNING);
    return n;
}

/* Moves the channel's exchange to another connection.  Nothing of it has been sent yet. */
static void channel_move(struct link *link, struct channel *c)
{
    struct exchange *x = channel_let_go(c);
    struct link *more = link_more(link);

    c->state = CHANNEL_GONE;
    if (!x)
        return;
    channel_start(more, x);
    link_poke(more);
}

/* The server refused to open a session.  The refusal may be temporary: sshd counts a closed session
 * until it has processed our close, which it does not report.  A request sent after the refusal is
 * handled after that, so a second refusal is final.  The sessions that are open here (the one that
 * holds the lock, a job that is followed) may last for hours, so the exchange moves to another
 * connection. */
static void channel_refused(struct link *link, struct channel *c)
{
    size_t beside = sessions_beside(link, c);

    if (!c->x) {
        c->state = CHANNEL_GONE;
    } else if (!c->refusals++) {
        c->state = CHANNEL_WAITING;
    } else if (link->sessions) {
        link_say(link, "%s allows no more sessions on this connection: opening another connection",
                 link_place(link));
        link->sessions_max = beside;
        channel_move(link, c);
    } else {
        c->state = CHANNEL_GONE;
        channel_fail(c, arena_printf(&link->arena,
                                     "%s did not open a session for a command (MaxSessions of its "
                                     "sshd, or not permitted for this user)",
                                     link_place(link)));
    }
}

static bool channel_open(struct link *link, struct channel *c)
{
    c->ssh = libssh2_channel_open_ex(link->ssh, "session", 7, WINDOW_BYTES, PACKET_BYTES, NULL, 0);
    if (!c->ssh) {
        int rc = libssh2_session_last_errno(link->ssh);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return false;
        link->turn = NULL;
        if (rc != LIBSSH2_ERROR_CHANNEL_FAILURE) {
            link_lost(link); /* bury() reports it to all exchanges */
            return true;
        }
        channel_refused(link, c);
        return true;
    }
    link->sessions++;
    if (!c->x) {
        link->turn = NULL;
        c->state = CHANNEL_ENDING;
        return true;
    }
    c->x->sent = true;
    c->state = c->terminal ? CHANNEL_TERMINAL : CHANNEL_EXEC;
    return true;
}

static bool channel_terminal(struct link *link, struct channel *c)
{
    const struct fleet_terminal *t = c->terminal;
    /* Of the modes, those that differ between keyboards and locales (RFC 4254, 8, and RFC 8160). */
    const char modes[] = {VERASE_IS, 0, 0, 0, (char)t->modes->c_cc[VERASE],
                          IUTF8_IS,  0, 0, 0, (t->modes->c_iflag & IUTF8) != 0,
                          0};
    int rc = libssh2_channel_request_pty_ex(c->ssh, t->type, (unsigned)strlen(t->type), modes,
                                            sizeof modes, t->columns, t->rows, 0, 0);

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc == 0) {
        c->state = CHANNEL_EXEC;
        return true;
    }
    link->turn = NULL;
    if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED && !wire_trouble(link->wire)) {
        c->state = CHANNEL_ENDING;
        if (c->x)
            c->x->sent = false;
        channel_fail(c, arena_printf(&link->arena, "%s refused to open a terminal for %s",
                                     link_place(link), text_shown(&link->arena, link->user)));
    } else {
        link_lost(link);
    }
    return true;
}

void channel_resize(struct channel *c)
{
    c->resized = true;
    link_poke(c->link);
}

/* The host does not answer this request. */
static void tell_size(struct channel *c)
{
    const struct fleet_terminal *t = c->terminal;

    if (c->resized && libssh2_channel_request_pty_size_ex(c->ssh, t->columns, t->rows, 0, 0) !=
                          LIBSSH2_ERROR_EAGAIN)
        c->resized = false;
}

/* Sends the script right behind the exec request, without waiting for its answer.  sshd handles
 * both in order, which saves a round trip.  If the request is denied, the data is dropped with the
 * channel. */
static void write_ahead(struct channel *c)
{
    const char *bytes;
    size_t n = c->x && !c->ahead ? exchange_input(c->x, &bytes) : 0;

    c->ahead = true;
    if (!n)
        return;
    ssize_t done = libssh2_channel_write_ex(c->ssh, 0, bytes, n < WRITE_BYTES ? n : WRITE_BYTES);
    if (done > 0)
        exchange_sent(c->x, (size_t)done);
}

static bool channel_exec(struct link *link, struct channel *c)
{
    int rc = libssh2_channel_process_startup(c->ssh, "exec", 4, c->command,
                                             (unsigned)strlen(c->command));

    if (rc == LIBSSH2_ERROR_EAGAIN) {
        write_ahead(c);
        return false;
    }
    link->turn = NULL;
    if (rc == 0) {
        c->state = c->x ? CHANNEL_RUNNING : CHANNEL_ENDING;
    } else if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED && !wire_trouble(link->wire)) {
        c->state = CHANNEL_ENDING;
        if (c->x)
            c->x->sent = false; /* it did not run */
        channel_fail(c, arena_printf(&link->arena, "%s refused to run a command for %s",
                                     link_place(link), text_shown(&link->arena, link->user)));
    } else {
        link_lost(link);
    }
    return true;
}

/* Passes the output of one stream to the exchange.  False if the link died. */
static bool channel_read(struct link *link, struct channel *c, int stream, bool *moved)
{
    char bytes[PACKET_BYTES];

    for (int i = 0; i < ROUNDS && c->x; i++) {
        ssize_t n = libssh2_channel_read_ex(c->ssh, stream == 2 ? SSH_EXTENDED_DATA_STDERR : 0,
                                            bytes, sizeof bytes);
        if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
            return true;
        if (n < 0) {
            if (!is_channel_trouble((int)n))
                link_lost(link);
            return is_channel_trouble((int)n);
        }
        *moved = true;
        exchange_output(c->x, stream, bytes, (size_t)n);
    }
    return true;
}

static void channel_write(struct link *link, struct channel *c, bool *moved)
{
    const char *bytes;

    while (c->x && !c->input_over && wire_pending(link->wire) < PENDING_BYTES) {
        size_t n = exchange_input(c->x, &bytes);
        ssize_t done;

        if (n) {
            done = libssh2_channel_write_ex(c->ssh, 0, bytes, n < WRITE_BYTES ? n : WRITE_BYTES);
        } else if (exchange_input_is_over(c->x)) {
            done = libssh2_channel_send_eof(c->ssh);
            c->input_over = done == 0;
        } else {
            return;
        }
        /* libssh2 returns 0 if the window is full. */
        if (done == LIBSSH2_ERROR_EAGAIN || (n && done == 0))
            return;
        if (done < 0) {
            c->input_over = true;
            if (!is_channel_trouble((int)done))
                link_lost(link);
            return;
        }
        *moved = true;
        if (n)
            exchange_sent(c->x, (size_t)done);
    }
}

/* The host chose this name, so everything but letters, digits and "@.-" (RFC 4254, 6.10) is
 * replaced. */
static void signal_name(char *ret, size_t size, const char *name)
{
    size_t n = 0;

    for (; *name && n + 1 < size; name++)
        ret[n++] = isalnum((unsigned char)*name) || strchr("@.-", *name) ? *name : '?';
    ret[n] = '\0';
}

static void channel_exit(struct link *link, struct channel *c)
{
    char *given = NULL;
    size_t len = 0;
    char signal[32] = "";
    int status = libssh2_channel_get_exit_status(c->ssh);

    libssh2_channel_get_exit_signal(c->ssh, &given, &len, NULL, NULL, NULL, NULL);
    if (given) {
        signal_name(signal, sizeof signal, given);
        libssh2_free(link->ssh, given);
    }
    c->state = CHANNEL_ENDING;
    struct exchange *x = channel_let_go(c);
    if (x)
        exchange_exit(x, status, given ? signal : NULL);
}

static bool channel_run(struct link *link, struct channel *c)
{
    bool moved = false;

    if (!channel_read(link, c, 1, &moved) || !channel_read(link, c, 2, &moved))
        return true;
    channel_write(link, c, &moved);
    tell_size(c);
    if (link->state == LINK_DEAD)
        return true;
    if (!c->x) {
        c->state = CHANNEL_ENDING;
        return true;
    }
    /* The server's close ends the channel, not its end of file: the exit status is in between. */
    if (libssh2_channel_eof(c->ssh) == 1) {
        int rc = libssh2_channel_wait_closed(c->ssh);
        if (rc == 0)
            channel_exit(link, c);
        else if (rc != LIBSSH2_ERROR_EAGAIN)
            link_lost(link);
        return rc != LIBSSH2_ERROR_EAGAIN || moved;
    }
    return moved;
}

static bool step_channel(struct link *link, struct channel *c)
{
    switch (c->state) {
    case CHANNEL_WAITING:
        if (!c->x && !c->tunnel) {
            c->state = CHANNEL_GONE;
            return true;
        }
        if (link->turn)
            return false;
        c->tunnels = c->tunnel != NULL;
        if (!c->tunnels && link->sessions_max && sessions_beside(link, c) >= link->sessions_max) {
            channel_move(link, c);
            return true;
        }
        link->turn = c;
        link->turn_ms = loop_now();
        c->state = CHANNEL_OPENING;
        return true;
    case CHANNEL_OPENING:
        return c->tunnels ? tunnel_channel_open(link, c) : channel_open(link, c);
    case CHANNEL_TERMINAL:
        return channel_terminal(link, c);
    case CHANNEL_EXEC:
        return channel_exec(link, c);
    case CHANNEL_RUNNING:
        return c->tunnels ? tunnel_channel_run(link, c) : channel_run(link, c);
    case CHANNEL_ENDING:
        /* The first call sends the close; the second one does not wait for the server's. */
        if (libssh2_channel_free(c->ssh) == LIBSSH2_ERROR_EAGAIN &&
            libssh2_channel_free(c->ssh) == LIBSSH2_ERROR_EAGAIN)
            return false;
        c->ssh = NULL;
        c->state = CHANNEL_GONE;
        return true;
    case CHANNEL_GONE:
        return false;
    }
    return false;
}

bool channels_step(struct link *link)
{
    bool moved = false;

    for (struct channel *c = link->channels; c && link->state == LINK_READY; c = c->next)
        moved = step_channel(link, c) || moved;
    return moved;
}

void channels_sweep(struct link *link)
{
    struct channel **at = &link->channels;

    while (*at) {
        struct channel *c = *at;
        if (c->state != CHANNEL_GONE) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c->command);
        free(c);
    }
}

void channels_end(struct link *link, const char *why)
{
    for (struct channel *c = link->channels; c; c = c->next) {
        c->state = CHANNEL_GONE;
        if (why)
            channel_fail(c, why);
        else
            channel_let_go(c);
    }
    channels_sweep(link);
}
