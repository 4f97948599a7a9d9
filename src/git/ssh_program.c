/* ssh_program.c -- a transport of libgit2 that runs `ssh HOST git-upload-pack PATH` (see
 * ssh_program.h).  fetch.c sets it for addresses over SSH. */
#include "git/ssh_program.h"

#include "base/quote.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_BYTES_MAX = 2048, COMMAND_BYTES_MAX = 16 * 1024, NOT_STARTED = 127 };

/* The first member of each is what libgit2 knows. */
struct stream {
    git_smart_subtransport_stream git;
    struct ssh_program *ssh;
    pid_t pid;
    int fd;  /* its standard input and output */
    int err; /* its standard error */
};

struct subtransport {
    git_smart_subtransport git;
    struct ssh_program *ssh;
    struct stream *stream; /* the one connection; NULL before the first action */
};

/* Joins the lines of the messages, without those that only frame ssh's warnings. */
static const char *messages(struct arena *a, int fd)
{
    char text[SAID_BYTES_MAX + 1];
    ssize_t len = recv(fd, text, SAID_BYTES_MAX, MSG_DONTWAIT);
    const char *all = "";

    text[len > 0 ? len : 0] = '\0';
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\r\n");
        if (strspn(line, "@ ") < n)
            all = arena_printf(a, "%s%s%.*s", all, *all ? " " : "", (int)n, line);
        line += n + strspn(line + n, "\r\n");
    }
    return text_shown(a, all);
}

/* Waits for ssh and notes what it said. */
static void stream_end(struct stream *s)
{
    int status = 0;

    if (s->fd >= 0)
        shutdown(s->fd, SHUT_RDWR);
    if (s->pid > 0)
        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    if (s->pid > 0 && status != 0) {
        const char *said = messages(s->ssh->arena, s->err);
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

static int on_read(git_smart_subtransport_stream *git, char *buffer, size_t size, size_t *ret_len)
{
    struct stream *s = (struct stream *)git;
    ssize_t n;

    do
        n = read(s->fd, buffer, size);
    while (n < 0 && errno == EINTR);
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
    if (ssh->no_agent)
        strs_add(a, &argv, "-oIdentityAgent=none");
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

static _Noreturn void run(const char *const *argv, int fd, int err, pid_t parent)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        signal(ours[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
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
        run(argv, both[1], err[1], self);
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
