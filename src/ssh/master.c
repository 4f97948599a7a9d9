/* master.c -- runs the ssh program as a master connection (see master.h). */
#include "ssh/master.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 1024,
    LINES_KEPT = 3,
    LAST_WORDS_MS = 500, /* a program that outlives it may hold its standard error open */
    END_MS = 1000,       /* a program that has not ended that long after TERM is killed */
};

struct master {
    struct master_watch watch;
    uv_process_t process;
    uv_pipe_t err;
    uv_timer_t end; /* sends KILL */
    int open;       /* handles that are not closed yet */
    bool exited;
    long long exited_ms;
    bool read_all;
    bool dropped;
    struct buf line;
    struct buf kept[LINES_KEPT]; /* the last lines, oldest first */
    char room[4096];
};

/* Frees it once nobody needs it any more. */
static void release(struct master *m)
{
    if (m->open || !m->dropped)
        return;
    buf_free(&m->line);
    for (int i = 0; i < LINES_KEPT; i++)
        buf_free(&m->kept[i]);
    free(m);
}

static void on_closed(uv_handle_t *handle)
{
    struct master *m = handle->data;

    m->open--;
    release(m);
}

static void shut(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void tell(struct master *m)
{
    if (!m->dropped)
        m->watch.changed(m->watch.arg);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct master *m = process->data;

    (void)status;
    (void)signal;
    m->exited = true;
    m->exited_ms = loop_now();
    shut((uv_handle_t *)process);
    shut((uv_handle_t *)&m->end);
    tell(m);
}

/* Lines of @ only frame ssh's warnings. */
static void end_line(struct master *m)
{
    if (m->line.len && m->line.text[strspn(m->line.text, "@ ")]) {
        struct buf oldest = m->kept[0];
        for (int i = 1; i < LINES_KEPT; i++)
            m->kept[i - 1] = m->kept[i];
        m->kept[LINES_KEPT - 1] = m->line;
        m->line = oldest;
        if (m->watch.said && !m->dropped)
            m->watch.said(m->watch.arg, m->kept[LINES_KEPT - 1].text);
    }
    buf_clear(&m->line);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct master *m = handle->data;

    (void)suggested;
    *ret = uv_buf_init(m->room, sizeof m->room);
}

static void on_read(uv_stream_t *pipe, ssize_t n, const uv_buf_t *bytes)
{
    struct master *m = pipe->data;

    for (ssize_t i = 0; i < n; i++)
        if (bytes->base[i] == '\n')
            end_line(m);
        else if (bytes->base[i] != '\r' && bytes->base[i] != '\0')
            buf_add(&m->line, &bytes->base[i], 1);
    if (n >= 0)
        return;
    end_line(m);
    m->read_all = true;
    shut((uv_handle_t *)pipe);
    tell(m);
}

static int spawn(struct master *m, uv_loop_t *uv, const char *const *argv)
{
    uv_stdio_container_t io[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&m->err}};
    uv_process_options_t options = {.exit_cb = on_exit_of,
                                    .file = argv[0],
                                    .args = (char **)(uintptr_t)argv, /* not modified */
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = 3,
                                    .stdio = io};

    return uv_spawn(uv, &m->process, &options);
}

struct master *master_start(uv_loop_t *uv, const char *const *argv, struct master_watch watch,
                            const char **ret_why)
{
    struct master *m = xcalloc(1, sizeof *m);

    m->watch = watch;
    m->open = 3;
    m->process.data = m->err.data = m->end.data = m;
    m->line = buf_make(LINE_BYTES_MAX);
    for (int i = 0; i < LINES_KEPT; i++)
        m->kept[i] = buf_make(LINE_BYTES_MAX);
    uv_pipe_init(uv, &m->err, 0);
    uv_timer_init(uv, &m->end);
    int failed = spawn(m, uv, argv);
    if (failed) {
        *ret_why = uv_strerror(failed);
        m->exited = true;
        master_end(m);
        return NULL;
    }
    uv_read_start((uv_stream_t *)&m->err, on_room, on_read);
    return m;
}

bool master_is_ending(const struct master *m)
{
    return m->exited;
}

bool master_has_ended(const struct master *m)
{
    return m->exited && (m->read_all || loop_now() - m->exited_ms >= LAST_WORDS_MS);
}

const char *master_words(const struct master *m, struct arena *a)
{
    const char *words = "";

    for (int i = 0; i < LINES_KEPT; i++) {
        size_t len = m->kept[i].len;
        while (len && m->kept[i].text[len - 1] == '.')
            len--;
        if (len)
            words = arena_printf(a, "%s%s%s", words, *words ? "; " : "",
                                 text_shown(a, arena_strndup(a, m->kept[i].text, len)));
    }
    return words;
}

static void on_end(uv_timer_t *end)
{
    struct master *m = end->data;

    uv_process_kill(&m->process, SIGKILL);
}

/* The handle of the process stays until its end was seen, or libuv would not reap it.  After TERM, ssh says
 * goodbye to the host, and if the network is gone it waits until that was sent. */
void master_end(struct master *m)
{
    if (!m)
        return;
    m->dropped = true;
    if (!m->exited) {
        uv_process_kill(&m->process, SIGTERM);
        uv_update_time(m->end.loop);
        uv_timer_start(&m->end, on_end, END_MS, 0);
    } else {
        shut((uv_handle_t *)&m->process);
        shut((uv_handle_t *)&m->end);
    }
    shut((uv_handle_t *)&m->err);
    release(m);
}
