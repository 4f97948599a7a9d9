/* libssh2.h -- our own libssh2, for one connection at a time: each call can be made to fail, to ask
 * for another call (EAGAIN), or to be the last before the connection ends.
 *
 *     struct fake_ssh fake = {.at = 17, .fault = FAKE_FAILS};
 *     fake_ssh_begin(&fake, listener);         (a socket that the link will connect to)
 *     ... fleet_run ...
 *     fake_ssh_end();                          (fake.calls, fake.opened, fake.started, fake.status)
 *
 * It speaks no SSH: bytes on the socket only wake the link.  The command of a session is run by
 * /bin/sh here.  Include it once, in a test program: its functions take the place of the library's. */
#ifndef CRELEASE_FAKE_LIBSSH2_H
#define CRELEASE_FAKE_LIBSSH2_H

#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum fake_fault {
    FAKE_NONE,
    FAKE_FAILS, /* the call fails, as if the connection was lost in it; so do all later ones */
    FAKE_AGAIN, /* the call returns EAGAIN three times, then works */
    FAKE_CUT,   /* the call works, and then the server closes the connection */
    FAKE_ALLOC, /* the call fails because memory ran out, and nothing else does */
};

struct fake_ssh {
    int at; /* number of the call, from 1 */
    enum fake_fault fault;
    int calls;    /* so far, without those that cannot fail */
    bool opened;  /* a session was opened */
    bool started; /* its command was started */
    int status;   /* its exit status; -1: it has not ended */
};

struct _LIBSSH2_SESSION {
    void *abstract;
    LIBSSH2_RECV_FUNC((*recv));
    LIBSSH2_SEND_FUNC((*send));
    int error;
    bool authenticated;
    struct _LIBSSH2_CHANNEL *channels; /* freed with the session, as the library does */
};

struct _LIBSSH2_CHANNEL {
    struct _LIBSSH2_SESSION *session;
    struct _LIBSSH2_CHANNEL *next;
    pid_t pid;
    int in;
    int out[2];
    bool ended[2];
};

static struct {
    struct fake_ssh *fake;
    int listener;
    int server; /* the accepted end; -1: none yet, or closed */
    bool lost;
    int again;
} fake_world;

/* "ssh-ed25519" and 32 zero bytes. */
static const unsigned char fake_host_key[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";

static void fake_ssh_begin(struct fake_ssh *fake, int listener)
{
    fake->calls = 0;
    fake->opened = fake->started = false;
    fake->status = -1;
    fake_world.fake = fake;
    fake_world.listener = listener;
    fake_world.server = -1;
    fake_world.lost = false;
    fake_world.again = 0;
}

static void fake_ssh_end(void)
{
    if (fake_world.server >= 0)
        close(fake_world.server);
    fake_world.server = -1;
}

/* The connection ends as seen by both sides. */
static void fake_lose(void)
{
    fake_world.lost = true;
    if (fake_world.server >= 0)
        shutdown(fake_world.server, SHUT_RDWR);
}

/* Makes the socket of the link readable, so that it tries again. */
static void fake_wake(void)
{
    char byte = 0;

    if (fake_world.server < 0)
        fake_world.server = accept(fake_world.listener, NULL, NULL);
    if (send(fake_world.server, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

/* Reads the bytes that only wake the link, as libssh2 would read packets. */
static void fake_drain(struct _LIBSSH2_SESSION *s)
{
    char bytes[256];

    while (s->recv && s->recv(0, bytes, sizeof bytes, 0, &s->abstract) > 0)
        continue;
}

/* Counts a call.  Returns 0 when it is to work. */
static int fake_call(struct _LIBSSH2_SESSION *s)
{
    struct fake_ssh *f = fake_world.fake;

    fake_drain(s);
    if (fake_world.lost)
        return s->error = LIBSSH2_ERROR_SOCKET_DISCONNECT;
    if (fake_world.again) {
        if (--fake_world.again == 0)
            return s->error = 0;
        fake_wake();
        return s->error = LIBSSH2_ERROR_EAGAIN;
    }
    if (++f->calls != f->at)
        return s->error = 0;
    switch (f->fault) {
    case FAKE_FAILS:
        fake_lose();
        return s->error = LIBSSH2_ERROR_SOCKET_RECV;
    case FAKE_AGAIN:
        fake_world.again = 3;
        fake_wake();
        return s->error = LIBSSH2_ERROR_EAGAIN;
    case FAKE_CUT:
        fake_lose();
        return s->error = 0;
    case FAKE_ALLOC:
        return s->error = LIBSSH2_ERROR_ALLOC;
    case FAKE_NONE:
        break;
    }
    return s->error = 0;
}

int libssh2_init(int flags)
{
    (void)flags;
    return 0;
}

void libssh2_exit(void)
{
}

const char *libssh2_version(int required)
{
    return required <= LIBSSH2_VERSION_NUM ? LIBSSH2_VERSION : NULL;
}

LIBSSH2_SESSION *libssh2_session_init_ex(LIBSSH2_ALLOC_FUNC((*my_alloc)),
                                         LIBSSH2_FREE_FUNC((*my_free)),
                                         LIBSSH2_REALLOC_FUNC((*my_realloc)), void *abstract)
{
    struct _LIBSSH2_SESSION *s = calloc(1, sizeof *s);

    (void)my_alloc;
    (void)my_free;
    (void)my_realloc;
    s->abstract = abstract;
    return s;
}

int libssh2_session_free(LIBSSH2_SESSION *session)
{
    while (session->channels)
        libssh2_channel_free(session->channels);
    free(session);
    return 0;
}

void libssh2_session_set_blocking(LIBSSH2_SESSION *session, int blocking)
{
    (void)session;
    (void)blocking;
}

static void fake_set_callback(struct _LIBSSH2_SESSION *s, int type, void (*any)(void))
{
    union {
        void (*any)(void);
        LIBSSH2_RECV_FUNC((*recv));
        LIBSSH2_SEND_FUNC((*send));
    } u = {.any = any};

    if (type == LIBSSH2_CALLBACK_RECV)
        s->recv = u.recv;
    if (type == LIBSSH2_CALLBACK_SEND)
        s->send = u.send;
}

#if LIBSSH2_VERSION_NUM >= 0x010b01
libssh2_cb_generic *libssh2_session_callback_set2(LIBSSH2_SESSION *session, int cbtype,
                                                  libssh2_cb_generic *callback)
{
    fake_set_callback(session, cbtype, callback);
    return NULL;
}
#else
void *libssh2_session_callback_set(LIBSSH2_SESSION *session, int cbtype, void *callback)
{
    union {
        void *object;
        void (*any)(void);
    } u = {.object = callback};

    fake_set_callback(session, cbtype, u.any);
    return NULL;
}
#endif

int libssh2_session_method_pref(LIBSSH2_SESSION *session, int method_type, const char *prefs)
{
    (void)session;
    (void)method_type;
    (void)prefs;
    return 0;
}

int libssh2_session_supported_algs(LIBSSH2_SESSION *session, int method_type, const char ***algs)
{
    static const char *const names[] = {"ssh-ed25519"};

    (void)session;
    (void)method_type;
    *algs = malloc(sizeof names);
    memcpy(*algs, names, sizeof names);
    return 1;
}

void libssh2_free(LIBSSH2_SESSION *session, void *ptr)
{
    (void)session;
    free(ptr);
}

int libssh2_session_handshake(LIBSSH2_SESSION *session, libssh2_socket_t sock)
{
    (void)sock;
    return fake_call(session);
}

const char *libssh2_session_banner_get(LIBSSH2_SESSION *session)
{
    (void)session;
    return "SSH-2.0-Fake";
}

const char *libssh2_session_hostkey(LIBSSH2_SESSION *session, size_t *len, int *type)
{
    (void)session;
    *len = sizeof fake_host_key;
    *type = LIBSSH2_HOSTKEY_TYPE_ED25519;
    return (const char *)fake_host_key;
}

int libssh2_session_disconnect_ex(LIBSSH2_SESSION *session, int reason, const char *description,
                                  const char *lang)
{
    (void)session;
    (void)reason;
    (void)description;
    (void)lang;
    return 0;
}

int libssh2_session_last_errno(LIBSSH2_SESSION *session)
{
    return session->error;
}

int libssh2_session_last_error(LIBSSH2_SESSION *session, char **errmsg, int *errmsg_len,
                               int want_buf)
{
    static char text[] = "a fault of the test";

    (void)want_buf;
    *errmsg = text;
    if (errmsg_len)
        *errmsg_len = sizeof text - 1;
    return session->error;
}

void libssh2_keepalive_config(LIBSSH2_SESSION *session, int want_reply, unsigned interval)
{
    (void)session;
    (void)want_reply;
    (void)interval;
}

int libssh2_keepalive_send(LIBSSH2_SESSION *session, int *seconds_to_next)
{
    *seconds_to_next = 10;
    return fake_call(session);
}

char *libssh2_userauth_list(LIBSSH2_SESSION *session, const char *username, unsigned username_len)
{
    (void)username;
    (void)username_len;
    return fake_call(session) ? NULL : strdup("publickey");
}

int libssh2_userauth_authenticated(LIBSSH2_SESSION *session)
{
    return session->authenticated;
}

int libssh2_userauth_publickey_frommemory(LIBSSH2_SESSION *session, const char *username,
                                          size_t username_len, const char *publickeyfiledata,
                                          size_t publickeyfiledata_len,
                                          const char *privatekeyfiledata,
                                          size_t privatekeyfiledata_len, const char *passphrase)
{
    int rc = fake_call(session);

    (void)username;
    (void)username_len;
    (void)publickeyfiledata;
    (void)publickeyfiledata_len;
    (void)privatekeyfiledata;
    (void)privatekeyfiledata_len;
    (void)passphrase;
    session->authenticated = rc == 0;
    return rc;
}

LIBSSH2_CHANNEL *libssh2_channel_open_ex(LIBSSH2_SESSION *session, const char *channel_type,
                                         unsigned channel_type_len, unsigned window_size,
                                         unsigned packet_size, const char *message,
                                         unsigned message_len)
{
    struct _LIBSSH2_CHANNEL *c;

    (void)channel_type;
    (void)channel_type_len;
    (void)window_size;
    (void)packet_size;
    (void)message;
    (void)message_len;
    if (fake_call(session))
        return NULL;
    c = calloc(1, sizeof *c);
    c->session = session;
    c->next = session->channels;
    session->channels = c;
    c->in = c->out[0] = c->out[1] = -1;
    fake_world.fake->opened = true;
    return c;
}

/* Starts the command with two pipes that are read without waiting. */
static void fake_start(struct _LIBSSH2_CHANNEL *c, const char *command)
{
    int in[2];
    int out[2];
    int err[2];

    if (pipe(in) != 0 || pipe(out) != 0 || pipe(err) != 0)
        abort();
    c->pid = fork();
    if (c->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        for (int fd = 3; fd < 64; fd++)
            close(fd);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    c->in = in[1];
    c->out[0] = out[0];
    c->out[1] = err[0];
    for (int i = 0; i < 2; i++)
        (void)fcntl(c->out[i], F_SETFL, O_NONBLOCK);
    fake_world.fake->started = true;
}

int libssh2_channel_process_startup(LIBSSH2_CHANNEL *channel, const char *request,
                                    unsigned request_len, const char *message, unsigned message_len)
{
    int rc = fake_call(channel->session);

    (void)request;
    (void)request_len;
    (void)message_len;
    if (rc == 0)
        fake_start(channel, message);
    return rc;
}

ssize_t libssh2_channel_write_ex(LIBSSH2_CHANNEL *channel, int stream_id, const char *buf,
                                 size_t buflen)
{
    int rc = channel->in < 0 ? LIBSSH2_ERROR_EAGAIN : fake_call(channel->session);

    (void)stream_id;
    if (rc)
        return rc;
    ssize_t n = write(channel->in, buf, buflen);
    return n < 0 ? (ssize_t)buflen : n;
}

int libssh2_channel_send_eof(LIBSSH2_CHANNEL *channel)
{
    int rc = fake_call(channel->session);

    if (rc == 0 && channel->in >= 0) {
        close(channel->in);
        channel->in = -1;
    }
    return rc;
}

/* Waiting for output is not counted, since it takes any number of calls. */
ssize_t libssh2_channel_read_ex(LIBSSH2_CHANNEL *channel, int stream_id, char *buf, size_t buflen)
{
    int which = stream_id == SSH_EXTENDED_DATA_STDERR;
    struct pollfd ready = {.fd = channel->out[which], .events = POLLIN};

    if (!fake_world.lost && channel->ended[which])
        return 0;
    if (!fake_world.lost && !fake_world.again && poll(&ready, 1, 1) == 0) {
        fake_drain(channel->session);
        fake_wake();
        channel->session->error = LIBSSH2_ERROR_EAGAIN;
        return LIBSSH2_ERROR_EAGAIN;
    }
    int rc = fake_call(channel->session);
    if (rc)
        return rc;
    ssize_t n = read(channel->out[which], buf, buflen);
    channel->ended[which] = n == 0;
    if (n < 0)
        fake_wake();
    return n < 0 ? (ssize_t)(channel->session->error = LIBSSH2_ERROR_EAGAIN) : n;
}

int libssh2_channel_eof(LIBSSH2_CHANNEL *channel)
{
    return channel->ended[0] && channel->ended[1];
}

int libssh2_channel_wait_closed(LIBSSH2_CHANNEL *channel)
{
    int rc = fake_call(channel->session);
    int status = 0;

    if (rc == 0 && channel->pid > 0) {
        waitpid(channel->pid, &status, 0);
        channel->pid = 0;
        fake_world.fake->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return rc;
}

int libssh2_channel_get_exit_status(LIBSSH2_CHANNEL *channel)
{
    (void)channel;
    return fake_world.fake->status;
}

int libssh2_channel_get_exit_signal(LIBSSH2_CHANNEL *channel, char **exitsignal,
                                    size_t *exitsignal_len, char **errmsg, size_t *errmsg_len,
                                    char **langtag, size_t *langtag_len)
{
    (void)channel;
    (void)errmsg;
    (void)errmsg_len;
    (void)langtag;
    (void)langtag_len;
    *exitsignal = NULL;
    *exitsignal_len = 0;
    return 0;
}

int libssh2_channel_free(LIBSSH2_CHANNEL *channel)
{
    struct _LIBSSH2_CHANNEL **at = &channel->session->channels;

    while (*at != channel)
        at = &(*at)->next;
    *at = channel->next;
    if (channel->in >= 0)
        close(channel->in);
    for (int i = 0; i < 2; i++)
        if (channel->out[i] >= 0)
            close(channel->out[i]);
    if (channel->pid > 0)
        waitpid(channel->pid, NULL, 0);
    free(channel);
    return 0;
}

#endif
