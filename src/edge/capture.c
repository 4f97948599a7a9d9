/* capture.c -- runs programs on this machine and collects their output (see capture.h).  Called for
 * what only another program can tell, such as `ssh -G`; uses libuv's processes and pipes. */
#define _GNU_SOURCE /* environ */
#include "edge/capture.h"

#include "base/buf.h"
#include "edge/loop_uv.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    SIDE_BY_SIDE = 16,
    OUTPUT_BYTES_MAX = 256 * 1024,
    LAST_WORDS_MS = 300, /* until a program that has ended is silent */
};

/* One of its two output streams. */
struct stream {
    uv_pipe_t pipe;
    struct buf text;
    char chunk[4096];
};

struct running {
    struct capture *call;
    uv_process_t process;
    struct stream stream[2];
    int open; /* handles that are not closed yet */
    bool started;
    bool ended;
    long long ended_ms; /* or of its last output after that */
};

static void on_closed(uv_handle_t *handle)
{
    struct running *r = handle->data;

    r->open--;
}

static void on_end(uv_process_t *process, int64_t status, int signal)
{
    struct running *r = process->data;

    r->call->status = signal ? 128 + signal : (int)status;
    r->ended = true;
    r->ended_ms = loop_now();
    uv_close((uv_handle_t *)process, on_closed);
}

static struct stream *stream_of(struct running *r, const uv_handle_t *handle)
{
    return &r->stream[handle == (const uv_handle_t *)&r->stream[1].pipe];
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct stream *s = stream_of(handle->data, handle);

    (void)suggested;
    *ret = uv_buf_init(s->chunk, sizeof s->chunk);
}

static void on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *bytes)
{
    uv_handle_t *handle = (uv_handle_t *)pipe;
    struct running *r = handle->data;

    r->ended_ms = loop_now();
    if (n < 0)
        uv_close(handle, on_closed);
    else if (n > 0)
        buf_add(&stream_of(r, handle)->text, bytes->base, (size_t)n);
}

/* The environment without the variables that have a line break. */
static char **environment_by_line(struct arena *a)
{
    size_t n = 0;
    size_t kept = 0;

    while (environ[n])
        n++;
    char **list = arena_array(a, n + 1, sizeof *list);
    for (size_t i = 0; i < n; i++)
        if (!strchr(environ[i], '\n'))
            list[kept++] = environ[i];
    return list;
}

static void start(struct running *r, struct capture *call, struct arena *a, uv_loop_t *uv)
{
    uv_stdio_container_t io[3] = {{.flags = UV_IGNORE}, {.flags = UV_IGNORE}, {.flags = UV_IGNORE}};
    uv_process_options_t options = {.exit_cb = on_end,
                                    .file = call->argv[0],
                                    .args = (char **)(uintptr_t)call->argv, /* not modified */
                                    .env = call->by_line ? environment_by_line(a) : NULL,
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = 3,
                                    .stdio = io};

    *r = (struct running){.call = call, .open = 3, .started = true};
    r->process.data = r;
    for (int i = 0; i < 2; i++) {
        r->stream[i].text = buf_make(OUTPUT_BYTES_MAX);
        uv_pipe_init(uv, &r->stream[i].pipe, 0);
        r->stream[i].pipe.data = r;
        io[i + 1] = (uv_stdio_container_t){.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                           .data.stream = (uv_stream_t *)&r->stream[i].pipe};
    }
    int failed = uv_spawn(uv, &r->process, &options);
    if (failed) {
        call->end = failed == UV_ENOENT ? CAPTURE_MISSING : CAPTURE_FAILED;
        call->why = uv_strerror(failed);
        uv_close((uv_handle_t *)&r->process, on_closed);
    }
    for (int i = 0; i < 2; i++)
        if (failed || uv_read_start((uv_stream_t *)&r->stream[i].pipe, on_room, on_read) != 0)
            uv_close((uv_handle_t *)&r->stream[i].pipe, on_closed);
}

static void stop_reading(struct running *r)
{
    for (int i = 0; i < 2; i++)
        if (!uv_is_closing((uv_handle_t *)&r->stream[i].pipe))
            uv_close((uv_handle_t *)&r->stream[i].pipe, on_closed);
}

/* Ends what still runs, with the programs that it started: they are of its group. */
static void give_up(struct running *r, enum capture_end end)
{
    if (!r->started || r->open == 0)
        return;
    r->call->end = end;
    if (!uv_is_closing((uv_handle_t *)&r->process))
        uv_kill(-r->process.pid, SIGKILL);
    stop_reading(r);
}

/* Stops reading from programs that have ended, but left their output open to another one.  Returns the time of
 * the next look, at most `deadline`. */
static long long look_for_last_words(struct running *all, size_t n, long long deadline)
{
    for (size_t i = 0; i < n; i++) {
        if (!all[i].ended || all[i].open == 0)
            continue;
        long long limit = all[i].ended_ms + LAST_WORDS_MS;
        if (loop_now() >= limit)
            stop_reading(&all[i]);
        else if (limit < deadline)
            deadline = limit;
    }
    return deadline;
}

static void collect(struct running *r, struct arena *a)
{
    if (r->call->end == CAPTURE_EXIT && r->stream[0].text.full) {
        r->call->end = CAPTURE_FAILED;
        r->call->why = "it printed more than 256 kB";
    }
    r->call->out = arena_strndup(a, r->stream[0].text.text, r->stream[0].text.len);
    r->call->err_out = arena_strndup(a, r->stream[1].text.text, r->stream[1].text.len);
    buf_free(&r->stream[0].text);
    buf_free(&r->stream[1].text);
}

void capture_run(struct loop *loop, struct arena *a, struct capture *calls, size_t n,
                 long long timeout_ms)
{
    long long deadline = loop_now() + timeout_ms;
    int signals = loop_signal_count(loop);
    struct running *all = xcalloc(n, sizeof *all);
    size_t begun = 0;
    size_t open = n;
    bool stopped = false;

    while (open) {
        size_t running = 0;

        for (size_t i = 0; i < begun; i++)
            running += all[i].open > 0;
        for (; begun < n && running < SIDE_BY_SIDE; begun++, running++)
            start(&all[begun], &calls[begun], a, loop_uv(loop));
        open = n - begun;
        for (size_t i = 0; i < begun; i++)
            open += all[i].open > 0;
        if (open)
            loop_turn(loop,
                      stopped ? loop_now() + 1000 : look_for_last_words(all, begun, deadline));
        if (!stopped && (loop_now() >= deadline || loop_signal_count(loop) > signals)) {
            enum capture_end end = loop_now() >= deadline ? CAPTURE_LATE : CAPTURE_STOPPED;
            stopped = true;
            for (size_t i = 0; i < begun; i++)
                give_up(&all[i], end);
            for (; begun < n; begun++)
                all[begun].call = &calls[begun], calls[begun].end = end;
        }
    }
    for (size_t i = 0; i < n; i++)
        collect(&all[i], a);
    free(all);
}
