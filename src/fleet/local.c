/* local.c -- the carrier for this machine: runs scripts with /bin/sh, without a connection.
 * fleet.c calls it through struct carrier; it uses libuv's processes and pipes. */
#include "fleet/carrier.h"

#include "edge/loop_uv.h"

#include <signal.h>
#include <unistd.h>

struct link {
    uv_loop_t *uv;
};

/* One script: a process and its three pipes.  Freed when all four handles are closed. */
struct local {
    struct exchange *x; /* NULL once it has ended or was cut */
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

static struct link *local_open(struct fleet *fleet, const struct fleet_host *host,
                               const struct fleet_options *options, struct loop *loop)
{
    struct link *link = xcalloc(1, sizeof *link);

    (void)fleet;
    (void)host;
    (void)options;
    link->uv = loop_uv(loop);
    return link;
}

static void on_closed(uv_handle_t *handle)
{
    struct local *l = handle->data;

    if (--l->open_handles == 0)
        free(l);
}

static void shut(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
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
static void end_if_over(struct local *l)
{
    if (!l->exited || !l->out_ended || !l->err_ended)
        return;
    shut((uv_handle_t *)&l->process);
    shut((uv_handle_t *)&l->in);
    shut((uv_handle_t *)&l->out);
    shut((uv_handle_t *)&l->err);
    struct exchange *x = l->x;
    l->x = NULL;
    if (x)
        exchange_exit(x, (int)l->status, l->signal ? signal_name(l->signal) : NULL);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct local *l = process->data;

    l->exited = true;
    l->status = status;
    l->signal = signal;
    end_if_over(l);
}

static void room_for(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct local *l = handle->data;

    (void)suggested;
    *buf = uv_buf_init(l->room, sizeof l->room);
}

static void feed(struct local *l);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct local *l = stream->data;
    bool is_out = stream == (uv_stream_t *)&l->out;

    if (n > 0 && l->x) {
        exchange_output(l->x, is_out ? 1 : 2, buf->base, (size_t)n);
        feed(l); /* the caller may have added input in reply */
    }
    if (n >= 0)
        return;
    if (is_out)
        l->out_ended = true;
    else
        l->err_ended = true;
    shut((uv_handle_t *)stream);
    end_if_over(l);
}

static void on_written(uv_write_t *req, int status)
{
    struct local *l = req->data;
    size_t n = l->writing;

    l->writing = 0;
    if (!l->x || status == UV_ECANCELED)
        return;
    if (status < 0) { /* the script closed its input; its exit status will tell why */
        l->in_open = false;
        shut((uv_handle_t *)&l->in);
        return;
    }
    exchange_sent(l->x, n);
    feed(l);
}

static void feed(struct local *l)
{
    const char *bytes;

    if (!l->in_open || l->writing || !l->x)
        return;
    size_t n = exchange_input(l->x, &bytes);
    if (n) {
        /* libuv does not modify the bytes. */
        uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)n);
        l->writing = n;
        l->write.data = l;
        if (uv_write(&l->write, (uv_stream_t *)&l->in, &buf, 1, on_written) != 0)
            l->writing = 0;
    } else if (exchange_input_is_over(l->x)) {
        l->in_open = false;
        shut((uv_handle_t *)&l->in);
    }
}

static void local_start(struct link *link, struct exchange *x)
{
    struct local *l = xcalloc(1, sizeof *l);
    char shell[] = "/bin/sh";
    char name[] = "sh";
    char flag[] = "-c";
    char *args[] = {name, flag, (char *)(uintptr_t)x->command, NULL};
    const char *home = getenv("HOME");
    uv_stdio_container_t io[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&l->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&l->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&l->err},
    };
    /* A session of its own keeps Ctrl-C in the terminal from reaching the script. */
    uv_process_options_t options = {
        .exit_cb = on_exit_of,
        .file = shell,
        .args = args,
        .cwd = home && access(home, X_OK) == 0 ? home : "/",
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = 3,
        .stdio = io,
    };

    l->x = x;
    x->own = l;
    x->sent = true;
    l->process.data = l->in.data = l->out.data = l->err.data = l;
    l->open_handles = 4;
    uv_pipe_init(link->uv, &l->in, 0);
    uv_pipe_init(link->uv, &l->out, 0);
    uv_pipe_init(link->uv, &l->err, 0);
    int r = uv_spawn(link->uv, &l->process, &options);
    if (r != 0) {
        struct arena a = {0};
        l->x = NULL;
        x->sent = false;
        shut((uv_handle_t *)&l->process);
        shut((uv_handle_t *)&l->in);
        shut((uv_handle_t *)&l->out);
        shut((uv_handle_t *)&l->err);
        exchange_fail(x, arena_printf(&a, "cannot start /bin/sh: %s", uv_strerror(r)));
        arena_free(&a);
        return;
    }
    l->in_open = true;
    uv_read_start((uv_stream_t *)&l->out, room_for, on_read);
    uv_read_start((uv_stream_t *)&l->err, room_for, on_read);
    feed(l);
}

static void local_wake(struct link *link, struct exchange *x)
{
    (void)link;
    feed(x->own);
}

static void local_cut(struct link *link, struct exchange *x)
{
    struct local *l = x->own;

    (void)link;
    l->x = NULL;
    shut((uv_handle_t *)&l->process);
    shut((uv_handle_t *)&l->in);
    shut((uv_handle_t *)&l->out);
    shut((uv_handle_t *)&l->err);
}

static void local_close(struct link *link)
{
    free(link);
}

const struct carrier carrier_local = {
    .name = "local",
    .open = local_open,
    .start = local_start,
    .wake = local_wake,
    .cut = local_cut,
    .close = local_close,
};
