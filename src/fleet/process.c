/* process.c -- runs the program of an exchange with libuv's processes and pipes (see process.h). */
#define _GNU_SOURCE /* ptsname_r */
#include "fleet/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Freed when its four handles are closed. */
struct process {
    struct exchange *x; /* NULL once it has ended or was cut */
    void (*ended)(struct exchange *x, void *arg, int status, const char *signal);
    void *arg;
    uv_process_t process;
    uv_pipe_t in;
    uv_pipe_t out;
    uv_pipe_t err;
    uv_write_t write;
    size_t writing;
    bool in_open;
    bool out_ended;
    bool err_ended;
    bool exited;
    int open_handles;
    int64_t status;
    int signal;
    char room[65536];
};

static void on_closed(uv_handle_t *handle)
{
    struct process *p = handle->data;

    if (--p->open_handles == 0)
        free(p);
}

static void shut(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void shut_all(struct process *p)
{
    shut((uv_handle_t *)&p->process);
    shut((uv_handle_t *)&p->in);
    shut((uv_handle_t *)&p->out);
    shut((uv_handle_t *)&p->err);
}

static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},
                 {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGKILL, "KILL"},
                 {SIGSEGV, "SEGV"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
                 {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    return "unknown";
}

/* A script has ended when it has exited and both streams are closed, as with SSH. */
static void end_if_over(struct process *p)
{
    if (!p->exited || !p->out_ended || !p->err_ended)
        return;
    shut_all(p);
    struct exchange *x = p->x;
    p->x = NULL;
    if (x)
        p->ended(x, p->arg, (int)p->status, p->signal ? signal_name(p->signal) : NULL);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct process *p = process->data;

    p->exited = true;
    p->status = status;
    p->signal = signal;
    if (!p->x)
        shut((uv_handle_t *)process);
    end_if_over(p);
}

static void room_for(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct process *p = handle->data;

    (void)suggested;
    *buf = uv_buf_init(p->room, sizeof p->room);
}

static void feed(struct process *p);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct process *p = stream->data;
    bool is_out = stream == (uv_stream_t *)&p->out;

    if (n > 0 && p->x) {
        exchange_output(p->x, is_out ? 1 : 2, buf->base, (size_t)n);
        feed(p); /* the caller may have added input in reply */
    }
    if (n >= 0)
        return;
    if (is_out)
        p->out_ended = true;
    else
        p->err_ended = true;
    shut((uv_handle_t *)stream);
    end_if_over(p);
}

static void on_written(uv_write_t *req, int status)
{
    struct process *p = req->data;
    size_t n = p->writing;

    p->writing = 0;
    if (!p->x || status == UV_ECANCELED)
        return;
    if (status < 0) { /* the script closed its input; its exit status will tell why */
        p->in_open = false;
        shut((uv_handle_t *)&p->in);
        return;
    }
    exchange_sent(p->x, n);
    feed(p);
}

static void feed(struct process *p)
{
    const char *bytes;

    if (!p->in_open || p->writing || !p->x)
        return;
    size_t n = exchange_input(p->x, &bytes);
    if (n) {
        /* libuv does not modify the bytes. */
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)n);
        p->writing = n;
        p->write.data = p;
        if (uv_write(&p->write, (uv_stream_t *)&p->in, &buf, 1, on_written) != 0)
            p->writing = 0;
    } else if (exchange_input_is_over(p->x)) {
        p->in_open = false;
        shut((uv_handle_t *)&p->in);
    }
}

static void set_size(int fd, const struct fleet_terminal *t)
{
    const struct winsize size = {.ws_col = (unsigned short)t->columns,
                                 .ws_row = (unsigned short)t->rows};

    (void)ioctl(fd, TIOCSWINSZ, &size);
}

/* A terminal of this machine.  Each direction has a descriptor of its own, for a handle of its own. */
struct own_terminal {
    char name[64];
    int in;
    int out;
};

static void close_terminal(struct own_terminal *t)
{
    if (t->in >= 0)
        close(t->in);
    if (t->out >= 0)
        close(t->out);
}

/* The settings of the master are those of the terminal. */
static bool open_terminal(const struct fleet_terminal *of, struct own_terminal *ret)
{
    struct own_terminal t = {.in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), .out = -1};

    if (t.in >= 0)
        t.out = fcntl(t.in, F_DUPFD_CLOEXEC, 0);
    if (t.out < 0 || grantpt(t.in) != 0 || unlockpt(t.in) != 0 ||
        ptsname_r(t.in, t.name, sizeof t.name) != 0) {
        int cause = errno;
        close_terminal(&t);
        errno = cause;
        return false;
    }
    (void)tcsetattr(t.in, TCSANOW, of->modes);
    set_size(t.in, of);
    *ret = t;
    return true;
}

/* The program is the leader of a new session, so the first terminal that it opens controls it. */
static int spawn_in_terminal(uv_loop_t *uv, struct process *p, struct own_terminal *t,
                             uv_process_options_t *options)
{
    struct arena a = {0};
    struct strs argv = {0};

    strs_add(&a, &argv, "/bin/sh");
    strs_add(&a, &argv, "-c");
    strs_add(&a, &argv, "exec 0<>\"$0\" 1>&0 2>&0; exec \"$@\"");
    strs_add(&a, &argv, t->name);
    for (char **word = options->args; *word; word++)
        strs_add(&a, &argv, *word);
    strs_add(&a, &argv, NULL);
    options->file = "/bin/sh";
    options->args = (char **)(uintptr_t)argv.v;
    options->stdio_count = 0;
    int r = uv_spawn(uv, &p->process, options);
    arena_free(&a);
    p->err_ended = true;
    if (r == 0 && (r = uv_pipe_open(&p->in, t->in)) == 0)
        t->in = -1;
    if (r == 0 && (r = uv_pipe_open(&p->out, t->out)) == 0)
        t->out = -1;
    close_terminal(t);
    return r;
}

struct process *process_start(uv_loop_t *uv, struct exchange *x, const struct process_call *call,
                              const char **ret_why)
{
    struct own_terminal terminal;

    if (call->terminal && !open_terminal(call->terminal, &terminal)) {
        *ret_why = strerror(errno);
        return NULL;
    }
    struct process *p = xcalloc(1, sizeof *p);
    uv_stdio_container_t io[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&p->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->err},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_of,
        .file = call->argv[0],
        .args = (char **)(uintptr_t)call->argv, /* not modified */
        .cwd = call->folder,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = io,
    };

    p->x = x;
    p->ended = call->ended;
    p->arg = call->arg;
    p->process.data = p->in.data = p->out.data = p->err.data = p;
    p->open_handles = 4;
    uv_pipe_init(uv, &p->in, 0);
    uv_pipe_init(uv, &p->out, 0);
    uv_pipe_init(uv, &p->err, 0);
    int r = call->terminal ? spawn_in_terminal(uv, p, &terminal, &options)
                           : uv_spawn(uv, &p->process, &options);
    if (r != 0) {
        *ret_why = uv_strerror(r);
        p->x = NULL;
        shut_all(p);
        return NULL;
    }
    p->in_open = true;
    uv_read_start((uv_stream_t *)&p->out, room_for, on_read);
    if (!p->err_ended)
        uv_read_start((uv_stream_t *)&p->err, room_for, on_read);
    feed(p);
    return p;
}

void process_wake(struct process *p)
{
    feed(p);
}

void process_resize(struct process *p, const struct fleet_terminal *terminal)
{
    uv_os_fd_t fd;

    if (uv_fileno((uv_handle_t *)&p->out, &fd) == 0)
        set_size(fd, terminal);
}

void process_cut(struct process *p, bool kill_it)
{
    p->x = NULL;
    shut((uv_handle_t *)&p->in);
    shut((uv_handle_t *)&p->out);
    shut((uv_handle_t *)&p->err);
    /* The handle of a process that is ended stays until its end was seen, or libuv would not reap it. */
    if (!kill_it || p->exited || uv_process_kill(&p->process, SIGKILL) != 0)
        shut((uv_handle_t *)&p->process);
}
