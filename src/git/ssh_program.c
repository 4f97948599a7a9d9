/* ssh_program.c -- a transport of libgit2 that runs `ssh HOST git-upload-pack PATH` (see
 * ssh_program.h).  fetch.c sets it for addresses over SSH. */
#include "git/ssh_program.h"

#include "base/quote.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SAID_BYTES_MAX = 2048,
    COMMAND_BYTES_MAX = 16 * 1024,
    NOT_STARTED = 127,
    LOOK_MS = 10,
    END_MS = 5000, /* for ssh to end by itself */
    TERM_MS = 1000,
};

/* The first member of each is what libgit2 knows. */
struct stream {
    git_smart_subtransport_stream git;
    struct ssh_program *ssh;
    pid_t pid;
    int fd;  /* its standard input and output */
    int err; /* its standard error */
    char said[SAID_BYTES_MAX];
    size_t said_len;
};

struct subtransport {
    git_smart_subtransport git;
    struct ssh_program *ssh;
    struct stream *stream; /* the one connection; NULL before the first action */
};

/* Reads once from its standard error and keeps the end of what it said.  False at the end of it. */
static bool hear(struct stream *s)
{
    char bytes[SAID_BYTES_MAX];
    ssize_t n = recv(s->err, bytes, sizeof bytes, MSG_DONTWAIT);
    size_t len = n > 0 ? (size_t)n : 0;
    size_t drop = s->said_len + len > SAID_BYTES_MAX ? s->said_len + len - SAID_BYTES_MAX : 0;

    memmove(s->said, s->said + drop, s->said_len - drop);
    memcpy(s->said + s->said_len - drop, bytes, len);
    s->said_len += len - drop;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Joins the lines of the messages, without those that only frame ssh's warnings. */
static const char *messages(struct arena *a, const struct stream *s)
{
    const char *text = arena_strndup(a, s->said, s->said_len);
    const char *all = "";

    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\r\n");
        if (strspn(line, "@ ") < n)
            all = arena_printf(a, "%s%s%.*s", all, *all ? " " : "", (int)n, line);
        line += n + strspn(line + n, "\r\n");
    }
    return text_shown(a, all);
}

static bool ended_within(struct stream *s, int ms, int *ret_status)
{
    for (; ms > 0; ms -= LOOK_MS) {
        pid_t ended = waitpid(s->pid, ret_status, WNOHANG);
        hear(s);
        if (ended > 0 || (ended < 0 && errno != EINTR))
            return true;
        poll(NULL, 0, LOOK_MS);
    }
    return false;
}

/* Waits for ssh and notes what it said.  If the network is gone, ssh waits for the server, and even after TERM
 * until that could be told, so it is ended in the end. */
static void stream_end(struct stream *s)
{
    int status = 0;

    if (s->fd >= 0)
        shutdown(s->fd, SHUT_RDWR);
    if (s->pid > 0 && !ended_within(s, END_MS, &status)) {
        kill(s->pid, SIGTERM);
        if (!ended_within(s, TERM_MS, &status)) {
            kill(s->pid, SIGKILL);
            while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
                continue;
        }
    }
    if (s->pid > 0 && status != 0) {
        const char *said = messages(s->ssh->arena, s);
        s->ssh->said = *said ? said : "the ssh program ended without a message";
    }
    s->pid = -1;
}

static int stream_failed(struct stream *s, const char *what)
{
    stream_end(s);
    git_error_set_str(GIT_ERROR_SSH, s->ssh->said ? s->ssh->said : what);
    return -1;
}

/* Like recv.  Reads what ssh says meanwhile, or it would wait for that once the socket is full. */
static ssize_t read_some(struct stream *s, char *buffer, size_t size)
{
    struct pollfd ready[] = {{s->fd, POLLIN, 0}, {s->err, POLLIN, 0}};

    for (;;) {
        ready[0].revents = ready[1].revents = 0;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (ready[1].revents && !hear(s))
            ready[1].fd = -1;
        if (!ready[0].revents)
            continue;
        ssize_t n = recv(s->fd, buffer, size, MSG_DONTWAIT);
        if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return n;
    }
}

static int on_read(git_smart_subtransport_stream *git, char *buffer, size_t size, size_t *ret_len)
{
    struct stream *s = (struct stream *)git;
    ssize_t n = read_some(s, buffer, size);

    if (n <= 0)
        return stream_failed(s, n < 0 ? strerror(errno) : "the server closed the connection");
    *ret_len = (size_t)n;
    return 0;
}

static int on_write(git_smart_subtransport_stream *git, const char *buffer, size_t len)
{
    struct stream *s = (struct stream *)git;

    while (len) {
        ssize_t n = send(s->fd, buffer, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return stream_failed(s, strerror(errno));
        buffer += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The stream stays with its subtransport, because both services use the same connection. */
static void on_stream_free(git_smart_subtransport_stream *git)
{
    (void)git;
}

static const char *const *arguments(const struct ssh_program *ssh)
{
    struct arena *a = ssh->arena;
    const struct url *url = ssh->url;
    struct buf command = buf_make(COMMAND_BYTES_MAX);
    struct strs argv = {0};

    strs_add(a, &argv, "ssh");
    for (size_t i = 0; i < ssh->arguments->n; i++)
        strs_add(a, &argv, ssh->arguments->v[i]);
    if (url->port != 22) {
        strs_add(a, &argv, "-p");
        strs_add(a, &argv, arena_printf(a, "%d", url->port));
    }
    if (url->user) {
        strs_add(a, &argv, "-l");
        strs_add(a, &argv, url->user);
    }
    strs_add(a, &argv, "--");
    strs_add(a, &argv, url->host);
    buf_puts(&command, "git-upload-pack ");
    quote_word(&command, url->path);
    strs_add(a, &argv, arena_strdup(a, command.text));
    buf_free(&command);
    strs_add(a, &argv, NULL);
    return argv.v;
}

/* Without SSH_AUTH_SOCK, an IdentityAgent of the ssh configuration still counts. */
static _Noreturn void run(const struct stream *s, const char *const *argv, int fd, int err,
                          pid_t parent)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        signal(ours[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (s->ssh->no_agent)
        unsetenv("SSH_AUTH_SOCK");
    if (getppid() == parent && dup2(fd, 0) >= 0 && dup2(fd, 1) >= 0 && dup2(err, 2) >= 0)
        execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(NOT_STARTED);
}

static bool stream_begin(struct stream *s)
{
    const char *const *argv = arguments(s->ssh);
    pid_t self = getpid();
    int both[2] = {-1, -1};
    int err[2] = {-1, -1};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, err) < 0)
        return false;
    s->pid = fork();
    if (s->pid == 0)
        run(s, argv, both[1], err[1], self);
    close(both[1]);
    close(err[1]);
    s->fd = both[0];
    s->err = err[0];
    return s->pid > 0;
}

static int on_action(git_smart_subtransport_stream **ret, git_smart_subtransport *git,
                     const char *url, git_smart_service_t action)
{
    struct subtransport *t = (struct subtransport *)git;

    (void)url;
    if (action == GIT_SERVICE_UPLOADPACK_LS && !t->stream) {
        t->stream = xcalloc(1, sizeof *t->stream);
        *t->stream = (struct stream){.git = {&t->git, on_read, on_write, on_stream_free},
                                     .ssh = t->ssh,
                                     .fd = -1,
                                     .err = -1};
        if (!stream_begin(t->stream)) {
            git_error_set_str(GIT_ERROR_OS, strerror(errno));
            return -1;
        }
    }
    if (!t->stream)
        return -1;
    *ret = &t->stream->git;
    return 0;
}

static int on_close(git_smart_subtransport *git)
{
    struct subtransport *t = (struct subtransport *)git;
    struct stream *s = t->stream;

    if (!s)
        return 0;
    stream_end(s);
    if (s->fd >= 0)
        close(s->fd);
    if (s->err >= 0)
        close(s->err);
    free(s);
    t->stream = NULL;
    return 0;
}

static void on_free(git_smart_subtransport *git)
{
    on_close(git);
    free(git);
}

static int on_subtransport(git_smart_subtransport **ret, git_transport *owner, void *param)
{
    struct subtransport *t = xcalloc(1, sizeof *t);

    (void)owner;
    t->git = (git_smart_subtransport){on_action, on_close, on_free};
    t->ssh = param;
    *ret = &t->git;
    return 0;
}

int ssh_program_transport(git_transport **ret, git_remote *remote, struct ssh_program *ssh)
{
    git_smart_subtransport_definition definition = {on_subtransport, 0, ssh};

    return git_transport_smart(ret, remote, &definition);
}
