#include "edge/loop.h"

#include "base/die.h"

#include <assert.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

enum { SIGNALS = 3, KEYS_MAX = 16 };

struct loop {
    uv_loop_t uv;
    uv_signal_t signals[SIGNALS];
    uv_timer_t until;
    uv_timer_t ticker;
    uv_poll_t keyboard;
    loop_tick *tick;
    void *tick_arg;
    int signal;
    int signal_count;
    bool keys_on;
    struct termios terminal; /* as it was before keys_on */
    char keys[KEYS_MAX];
    size_t n_keys;
};

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;

    if (!loop->signal)
        loop->signal = number;
    loop->signal_count++;
}

static void on_until(uv_timer_t *handle)
{
    (void)handle; /* being woken is all that it is for */
}

static void on_tick(uv_timer_t *handle)
{
    struct loop *loop = handle->data;

    if (loop->tick)
        loop->tick(loop->tick_arg);
}

static void on_key(uv_poll_t *handle, int status, int events)
{
    struct loop *loop = handle->data;
    char bytes[KEYS_MAX];

    (void)status;
    (void)events;
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0) {
        uv_poll_stop(handle);
        return;
    }
    for (ssize_t i = 0; i < n && loop->n_keys < KEYS_MAX; i++)
        loop->keys[loop->n_keys++] = bytes[i];
}

static void must(int r)
{
    if (r != 0)
        die_errno("cannot start the event loop", -r); /* libuv's errors are those of errno */
}

struct loop *loop_open(void)
{
    static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    struct loop *loop = xcalloc(1, sizeof *loop);

    must(uv_loop_init(&loop->uv));
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < SIGNALS; i++) {
        must(uv_signal_init(&loop->uv, &loop->signals[i]));
        loop->signals[i].data = loop;
        must(uv_signal_start(&loop->signals[i], on_signal, numbers[i]));
        uv_unref((uv_handle_t *)&loop->signals[i]);
    }
    uv_timer_init(&loop->uv, &loop->until);
    uv_timer_init(&loop->uv, &loop->ticker);
    loop->ticker.data = loop;
    return loop;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    loop_keys(loop, false);
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    uv_close((uv_handle_t *)&loop->until, NULL);
    uv_close((uv_handle_t *)&loop->ticker, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int left = uv_loop_close(&loop->uv);
    assert(left == 0);
    (void)left;
    free(loop);
}

long long loop_now(void)
{
    return (long long)(uv_hrtime() / 1000000);
}

void loop_turn(struct loop *loop, long long deadline_ms)
{
    uv_update_time(&loop->uv);
    long long left = deadline_ms - loop_now();
    if (left <= 0) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        return;
    }
    /* UV_RUN_ONCE runs due timers first and then waits for the next one: a timer that fires
     * there must come again, or the wait has no end. */
    uv_timer_start(&loop->until, on_until, (uint64_t)left, (uint64_t)left);
    uv_run(&loop->uv, UV_RUN_ONCE);
    uv_timer_stop(&loop->until);
}

bool loop_wait(struct loop *loop, long long ms)
{
    long long deadline = loop_now() + ms;

    do {
        if (loop->signal || loop->n_keys)
            return false;
        loop_turn(loop, deadline);
    } while (loop_now() < deadline);
    return !loop->signal && !loop->n_keys;
}

int loop_signal(const struct loop *loop)
{
    return loop->signal;
}

int loop_signal_count(const struct loop *loop)
{
    return loop->signal_count;
}

void loop_on_tick(struct loop *loop, long interval_ms, loop_tick *tick, void *arg)
{
    loop->tick = tick;
    loop->tick_arg = arg;
    if (!tick) {
        uv_timer_stop(&loop->ticker);
        return;
    }
    uv_timer_start(&loop->ticker, on_tick, (uint64_t)interval_ms, (uint64_t)interval_ms);
    uv_unref((uv_handle_t *)&loop->ticker);
}

static void keys_begin(struct loop *loop)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &loop->terminal) != 0)
        return;
    /* A job in the background must not be stopped for touching the terminal. */
    if (tcgetpgrp(STDIN_FILENO) != getpgrp())
        return;
    raw = loop->terminal;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
        return;
    if (uv_poll_init(&loop->uv, &loop->keyboard, STDIN_FILENO) != 0) {
        tcsetattr(STDIN_FILENO, TCSANOW, &loop->terminal);
        return;
    }
    loop->keyboard.data = loop;
    uv_poll_start(&loop->keyboard, UV_READABLE, on_key);
    uv_unref((uv_handle_t *)&loop->keyboard);
    loop->keys_on = true;
}

void loop_keys(struct loop *loop, bool on)
{
    if (on == loop->keys_on)
        return;
    loop->n_keys = 0;
    if (on) {
        keys_begin(loop);
        return;
    }
    loop->keys_on = false;
    uv_close((uv_handle_t *)&loop->keyboard, NULL);
    /* One turn, so that the handle is free to be used again. */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    tcsetattr(STDIN_FILENO, TCSANOW, &loop->terminal);
}

int loop_key(struct loop *loop)
{
    if (!loop->n_keys)
        return 0;
    int key = (unsigned char)loop->keys[0];
    loop->n_keys--;
    memmove(loop->keys, loop->keys + 1, loop->n_keys);
    return key;
}
