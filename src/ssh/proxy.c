/* proxy.c -- runs a ProxyCommand on a socket pair (see proxy.h).  carrier.c opens one for each
 * connection of a host that the ssh configuration reaches so. */
#include "ssh/proxy.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 1000,
    CHUNK_BYTES = 1024,
    PIPE_CHUNKS = 64, /* what a pipe of Linux holds: pipe(7) */
};

struct proxy {
    uv_process_t process;
    uv_pipe_t errors;
    char chunk[CHUNK_BYTES];
    struct buf line; /* the one being read */
    struct buf last;
    struct proxy_watch watch;
    int open; /* handles that are not closed yet, and one for the owner */
};

static void release(struct proxy *p)
{
    if (--p->open > 0)
        return;
    buf_free(&p->line);
    buf_free(&p->last);
    free(p);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_end(uv_process_t *process, int64_t status, int signal)
{
    (void)status;
    (void)signal;
    uv_close((uv_handle_t *)process, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct proxy *p = handle->data;

    (void)suggested;
    *ret = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void end_line(struct proxy *p)
{
    if (!p->line.len)
        return;
    buf_clear(&p->last);
    buf_puts(&p->last, p->line.text);
    if (p->watch.said)
        p->watch.said(p->watch.arg, p->last.text);
    buf_clear(&p->line);
}

static void add(struct proxy *p, const char *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] == '\n')
            end_line(p);
        else if (bytes[i] != '\r' && bytes[i] != '\0')
            buf_add(&p->line, &bytes[i], 1);
}

static void on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *bytes)
{
    struct proxy *p = pipe->data;

    add(p, bytes->base, n);
    if (n < 0) {
        end_line(p);
        uv_close((uv_handle_t *)pipe, on_closed);
    }
}

/* In the user's shell and with exec, as ssh does, so that a signal reaches the program and not a shell in front
 * of it. */
static int spawn(struct proxy *p, uv_loop_t *uv, const char *command, int fd)
{
    struct buf text = buf_make(strlen(command) + 16);
    const char *own = getenv("SHELL");
    const char *shell = own && *own ? own : "/bin/sh";
    uv_stdio_container_t io[3] = {
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->errors}};

    buf_printf(&text, "%s%s", strncmp(command, "exec", 4) == 0 ? "" : "exec ", command);
    const char *argv[] = {shell, "-c", text.text, NULL};
    uv_process_options_t options = {.exit_cb = on_end,
                                    .file = shell,
                                    .args = (char **)(uintptr_t)argv, /* not modified */
                                    .stdio_count = 3,
                                    .stdio = io};
    int failed = uv_spawn(uv, &p->process, &options);
    buf_free(&text);
    return failed;
}

struct proxy *proxy_open(uv_loop_t *uv, const char *command, struct proxy_watch watch, int *ret_fd,
                         const char **ret_why)
{
    struct proxy *p;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        *ret_why = strerror(errno);
        return NULL;
    }
    p = xcalloc(1, sizeof *p);
    p->watch = watch;
    p->line = buf_make(LINE_BYTES_MAX);
    p->last = buf_make(LINE_BYTES_MAX);
    p->open = 3;
    p->process.data = p;
    uv_pipe_init(uv, &p->errors, 0);
    p->errors.data = p;
    int failed = spawn(p, uv, command, pair[1]);
    close(pair[1]);
    if (failed) {
        *ret_why = uv_strerror(failed);
        close(pair[0]);
        uv_close((uv_handle_t *)&p->process, on_closed);
        uv_close((uv_handle_t *)&p->errors, on_closed);
        p->watch.said = NULL;
        release(p);
        return NULL;
    }
    if (uv_read_start((uv_stream_t *)&p->errors, on_room, on_read) != 0)
        uv_close((uv_handle_t *)&p->errors, on_closed);
    uv_unref((uv_handle_t *)&p->process);
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *ret_fd = pair[0];
    return p;
}

const char *proxy_last_line(struct proxy *p)
{
    uv_os_fd_t fd = -1;

    /* The end of its socket may be seen in the same turn of the loop, before what it wrote in the pipe. */
    if (!uv_is_closing((uv_handle_t *)&p->errors) &&
        uv_fileno((uv_handle_t *)&p->errors, &fd) == 0) {
        for (int i = 0; i < PIPE_CHUNKS; i++) {
            ssize_t n = read(fd, p->chunk, sizeof p->chunk);
            if (n == 0)
                end_line(p);
            if (n <= 0)
                break;
            add(p, p->chunk, n);
        }
    }
    return p->last.len ? p->last.text : NULL;
}

void proxy_close(struct proxy *p)
{
    if (!p)
        return;
    p->watch.said = NULL;
    if (!uv_is_closing((uv_handle_t *)&p->process))
        uv_process_kill(&p->process, SIGHUP);
    if (!uv_is_closing((uv_handle_t *)&p->errors))
        uv_close((uv_handle_t *)&p->errors, on_closed);
    if (!uv_is_closing((uv_handle_t *)&p->process)) {
        /* Whatever the program does with the signal, nobody waits for it. */
        uv_close((uv_handle_t *)&p->process, on_closed);
    }
    release(p);
}
