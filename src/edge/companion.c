/* companion.c -- runs a program on this machine and passes on its output (companion.h), with libuv's
 * processes and pipes.  Called by core/job/local.c for jobs with `where: local`. */
#define _GNU_SOURCE /* environ */
#include "edge/companion.h"

#include "edge/loop_uv.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    GRACE_MS = 10000,    /* from TERM to KILL */
    LAST_WORDS_MS = 300, /* until a program that has ended is silent */
    FOREVER_MS = 3600000,
};

struct running {
    const struct companion *call;
    uv_process_t process;
    uv_pipe_t in;
    uv_pipe_t out[2];
    char room[65536];
    int open; /* handles that are not closed yet */
    bool ended;
    long long spoke_ms; /* when it ended, or printed something after that */
    struct companion_end end;
};

static void on_closed(uv_handle_t *handle)
{
    struct running *r = handle->data;

    r->open--;
}

static void shut(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void on_end(uv_process_t *process, int64_t status, int signal)
{
    struct running *r = process->data;

    r->end.status = signal ? 128 + signal : (int)status;
    r->ended = true;
    r->spoke_ms = loop_now();
    shut(process);
    shut(&r->in);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct running *r = handle->data;

    (void)suggested;
    *ret = uv_buf_init(r->room, sizeof r->room);
}

static void on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *bytes)
{
    struct running *r = pipe->data;

    r->spoke_ms = loop_now();
    if (n < 0)
        shut(pipe);
    else if (n > 0)
        r->call->output(r->call->arg, bytes->base, (size_t)n);
}

/* The environment of crelease and the call's variables. */
static char **environment(const struct companion *call)
{
    size_t n = 0;
    size_t more = 0;

    while (environ[n])
        n++;
    while (call->variables && call->variables[more])
        more++;
    char **list = xcalloc(n + more + 1, sizeof *list);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        size_t name = strcspn(environ[i], "=") + 1;
        for (size_t k = 0; k < more; k++)
            replaced = replaced || strncmp(environ[i], call->variables[k], name) == 0;
        if (!replaced)
            list[kept++] = environ[i];
    }
    for (size_t k = 0; k < more; k++)
        list[kept++] = (char *)(uintptr_t)call->variables[k]; /* not modified */
    return list;
}

/* Returns libuv's error, or 0. */
static int start(struct running *r, uv_loop_t *uv)
{
    uv_stdio_container_t io[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&r->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->out[0]},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&r->out[1]},
    };
    char **env = environment(r->call);
    uv_process_options_t options = {.exit_cb = on_end,
                                    .file = r->call->argv[0],
                                    .args = (char **)(uintptr_t)r->call->argv, /* not modified */
                                    .cwd = r->call->folder,
                                    .env = env,
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = 3,
                                    .stdio = io};

    r->process.data = r->in.data = r->out[0].data = r->out[1].data = r;
    r->open = 4;
    uv_pipe_init(uv, &r->in, 0);
    uv_pipe_init(uv, &r->out[0], 0);
    uv_pipe_init(uv, &r->out[1], 0);
    int failed = uv_spawn(uv, &r->process, &options);
    free(env);
    if (failed) {
        shut(&r->process);
        shut(&r->in);
    }
    for (int i = 0; i < 2; i++)
        if (failed || uv_read_start((uv_stream_t *)&r->out[i], on_room, on_read) != 0)
            shut(&r->out[i]);
    return failed;
}

/* The next time to look at the program; `limit` is that of its next signal, or 0. */
static long long next_look(struct running *r, long long limit)
{
    long long next = limit ? limit : loop_now() + FOREVER_MS;

    if (!r->ended)
        return next;
    /* What it left running may keep its output open. */
    if (loop_now() >= r->spoke_ms + LAST_WORDS_MS) {
        shut(&r->out[0]);
        shut(&r->out[1]);
        return loop_now() + FOREVER_MS;
    }
    return r->spoke_ms + LAST_WORDS_MS;
}

static void follow(struct running *r, struct loop *loop)
{
    long long limit = r->call->timeout_ms ? loop_now() + r->call->timeout_ms : 0;
    int signals = 0;
    bool told = false;

    while (r->open) {
        bool late = limit && loop_now() >= limit;
        bool more = loop_signal_count(loop) > signals;
        if (!r->ended && (late || more)) {
            r->end.stopped = r->end.stopped || more;
            r->end.late = r->end.late || !r->end.stopped;
            uv_kill(-r->process.pid, told ? SIGKILL : SIGTERM);
            signals = loop_signal_count(loop);
            limit = loop_now() + GRACE_MS;
            told = true;
        }
        loop_turn(loop, next_look(r, limit));
    }
}

bool companion_run(struct loop *loop, const struct companion *c, struct companion_end *ret,
                   struct err *err)
{
    struct running *r = xcalloc(1, sizeof *r);

    r->call = c;
    int failed = start(r, loop_uv(loop));
    follow(r, loop);
    *ret = r->end;
    free(r);
    if (failed)
        return err_set(err, ERR_FAILED, "cannot start '%s' in '%s': %s", c->argv[0], c->folder,
                       uv_strerror(failed));
    return true;
}
