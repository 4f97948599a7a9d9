/* child.c -- runs a command of the user's on the controlling machine (see child.h).  Called by
 * cli/cmd_backups.c; uses libuv's processes and signals through loop_uv.h. */
#include "edge/child.h"

#include "base/text.h"
#include "edge/loop_uv.h"

#include <signal.h>
#include <unistd.h>

enum { PASSED = 6 };

struct running {
    uv_process_t process;
    uv_signal_t signals[PASSED];
    bool started;
    bool ended;
    int status;
};

static void on_end(uv_process_t *process, int64_t status, int signal)
{
    struct running *c = process->data;

    c->ended = true;
    c->status = signal ? 128 + signal : (int)status;
}

/* The terminal sends Ctrl-C and Ctrl-\ to its whole foreground process group, so the command
 * already has these. */
static bool came_from_terminal(int number)
{
    return (number == SIGINT || number == SIGQUIT) && isatty(STDIN_FILENO) &&
           tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct running *c = handle->data;

    if (c->started && !c->ended && !came_from_terminal(number))
        uv_process_kill(&c->process, number);
}

static void signals_begin(struct running *c, uv_loop_t *uv)
{
    static const int numbers[PASSED] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

    for (int i = 0; i < PASSED; i++) {
        uv_signal_init(uv, &c->signals[i]);
        c->signals[i].data = c;
        uv_signal_start(&c->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&c->signals[i]);
    }
}

bool child_run(struct loop *loop, const struct child *child, int *ret_status, struct err *err)
{
    struct running *c = xcalloc(1, sizeof *c);
    uv_stdio_container_t io[3] = {{.flags = UV_INHERIT_FD, .data.fd = STDIN_FILENO},
                                  {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
                                  {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO}};
    uv_process_options_t options = {.exit_cb = on_end,
                                    .file = child->argv[0],
                                    .args = (char **)(uintptr_t)child->argv, /* not modified */
                                    .stdio_count = 3,
                                    .stdio = io};

    c->process.data = c;
    signals_begin(c, loop_uv(loop));
    int r = uv_spawn(loop_uv(loop), &c->process, &options);
    c->started = r == 0;
    while (r == 0 && !c->ended) {
        loop_turn(loop, loop_now() + child->interval_ms);
        child->tick(child->arg);
    }
    *ret_status = r == 0 ? c->status : r == UV_ENOENT ? 127 : 126;
    for (int i = 0; i < PASSED; i++)
        uv_close((uv_handle_t *)&c->signals[i], NULL);
    uv_close((uv_handle_t *)&c->process, NULL);
    for (int i = 0; i < PASSED || uv_is_active((uv_handle_t *)&c->process); i++)
        loop_turn(loop, 0); /* closes the handles */
    free(c);
    return r == 0 || err_set(err, ERR_FAILED, "cannot run '%s': %s",
                             text_shown(err->arena, child->argv[0]), uv_strerror(r));
}
