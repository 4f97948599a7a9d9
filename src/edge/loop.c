/* loop.c -- the event loop, signals and the terminal (see loop.h).  cli/session.c opens it; the
 * fleet, jobs and waits turn it.  The handlers of terminal signals must be async-signal-safe. */
#include "edge/loop_uv.h"

#include "base/die.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

enum { SIGNALS = 3, KEYS_MAX = 16, ANSWER_MAX = 1024, CLOSING_TURNS = 16 };

/* A question to the user at the terminal. */
struct question {
    int tty;
    uv_poll_t poll;
    struct loop *loop;
    char answer[ANSWER_MAX];
    size_t len;
    loop_answer *answered;
    void *arg;
};

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
    loop_tick *on_signal;
    bool keys_on;
    bool quiet;
    struct question *question;
    char keys[KEYS_MAX];
    size_t n_keys;
};

/* Name lookups that libuv's threads are running. */
static int lookups;
static bool left_behind;

/* ---- the terminal ---- */

/* How the terminal was set before each change, readable by signal handlers.  Changes nest: a
 * question can be asked while single keys are read. */
enum { CHANGES_MAX = 3 };
static struct {
    int fd;
    int fds[CHANGES_MAX];
    struct termios before[CHANGES_MAX];
    struct termios now;
    volatile sig_atomic_t depth;
    const char *prompt; /* printed again after a stop */
    struct sigaction quit;
    struct sigaction stop;
    struct sigaction cont;
    volatile sig_atomic_t continued;
} terminal;

/* Changing the terminal from the background would stop us (SIGTTOU), and it is in use by another
 * job then. */
static bool is_ours(int fd)
{
    return tcgetpgrp(fd) == getpgrp();
}

static void terminal_restore(void)
{
    if (terminal.depth && is_ours(terminal.fd))
        tcsetattr(terminal.fd, TCSANOW, &terminal.before[0]);
}

/* Ctrl-\ and Ctrl-Z keep their usual effect, but the terminal is restored first.  After SIGCONT in
 * the foreground, our settings are applied again. */
static void on_terminal_signal(int number)
{
    int keep = errno;

    if (number != SIGCONT)
        terminal_restore();
    if (number == SIGQUIT) {
        signal(SIGQUIT, SIG_DFL);
        raise(SIGQUIT);
    } else if (number == SIGTSTP) {
        raise(SIGSTOP);
    } else if (terminal.depth && is_ours(terminal.fd)) {
        terminal.continued = 1;
        tcsetattr(terminal.fd, TCSANOW, &terminal.now);
        if (terminal.prompt && write(terminal.fd, terminal.prompt, strlen(terminal.prompt)) < 0)
            keep = errno;
    }
    errno = keep;
}

/* Needs a terminal_change_back even when it fails. */
static bool terminal_change(int fd, const struct termios *now, int when)
{
    struct sigaction action = {.sa_handler = on_terminal_signal, .sa_flags = SA_RESTART};

    assert(terminal.depth < CHANGES_MAX);
    if (tcgetattr(fd, &terminal.before[terminal.depth]) != 0)
        terminal.before[terminal.depth] = *now;
    if (!terminal.depth) {
        sigemptyset(&action.sa_mask);
        sigaction(SIGQUIT, &action, &terminal.quit);
        sigaction(SIGTSTP, &action, &terminal.stop);
        sigaction(SIGCONT, &action, &terminal.cont);
        die_first(terminal_restore);
    }
    terminal.fd = terminal.fds[terminal.depth] = fd;
    terminal.now = *now;
    terminal.depth++;
    return tcsetattr(fd, when, now) == 0;
}

static void terminal_change_back(int fd)
{
    terminal.depth--;
    if (is_ours(fd))
        tcsetattr(fd, TCSANOW, &terminal.before[terminal.depth]);
    terminal.now = terminal.before[terminal.depth];
    terminal.fd = terminal.fds[terminal.depth ? terminal.depth - 1 : 0];
    if (!terminal.depth) {
        sigaction(SIGQUIT, &terminal.quit, NULL);
        sigaction(SIGTSTP, &terminal.stop, NULL);
        sigaction(SIGCONT, &terminal.cont, NULL);
    }
}

bool loop_was_continued(void)
{
    bool was = terminal.continued;

    terminal.continued = 0;
    return was;
}

static void question_end(struct loop *loop, bool answered);

static void on_signal(uv_signal_t *handle, int number)
{
    struct loop *loop = handle->data;

    if (!loop->signal)
        loop->signal = number;
    loop->signal_count++;
    if (loop->question)
        question_end(loop, false);
    if (loop->on_signal)
        loop->on_signal(NULL);
}

static void on_until(uv_timer_t *handle)
{
    (void)handle; /* the timer only has to wake the loop */
}

static void on_tick(uv_timer_t *handle)
{
    struct loop *loop = handle->data;

    /* The question stands where the live line would be drawn. */
    if (loop->tick && !loop->question)
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
        die_errno("cannot start the event loop", -r); /* libuv's errors are negative errno values */
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
    if (loop->question)
        question_end(loop, false);
    loop_keys(loop, false);
    loop_quiet(loop, false);
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&loop->signals[i], NULL);
    uv_close((uv_handle_t *)&loop->until, NULL);
    uv_close((uv_handle_t *)&loop->ticker, NULL);
    if (lookups) {
        /* A running name lookup cannot be cancelled.  Neither this function nor the end of the
         * process waits for it; libuv would wait in its destructor, hence _exit. */
        for (int i = 0; i < CLOSING_TURNS; i++)
            uv_run(&loop->uv, UV_RUN_NOWAIT);
        left_behind = true;
        return;
    }
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int left = uv_loop_close(&loop->uv);
    assert(left == 0);
    (void)left;
    free(loop);
}

void loop_lookup(bool begins)
{
    lookups += begins ? 1 : -1;
}

bool loop_is_left_behind(void)
{
    return left_behind;
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
        /* Without an active handle, uv_run returns at once and does not see signals. */
        uv_timer_start(&loop->until, on_until, 1000, 0);
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        uv_timer_stop(&loop->until);
        return;
    }
    /* UV_RUN_ONCE runs due timers first and then waits for the next event.  A timer that fires in
     * the first part must therefore repeat, or the wait would never end. */
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

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &raw) != 0)
        return;
    /* Changing the terminal would stop a job in the background. */
    if (tcgetpgrp(STDIN_FILENO) != getpgrp())
        return;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (uv_poll_init(&loop->uv, &loop->keyboard, STDIN_FILENO) != 0)
        return;
    loop->keyboard.data = loop;
    loop->keys_on = true;
    if (!terminal_change(STDIN_FILENO, &raw, TCSANOW)) {
        loop_keys(loop, false);
        return;
    }
    uv_poll_start(&loop->keyboard, UV_READABLE, on_key);
    uv_unref((uv_handle_t *)&loop->keyboard);
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
    /* One turn closes the handle, so that it can be initialised again. */
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    terminal_change_back(STDIN_FILENO);
}

void loop_quiet(struct loop *loop, bool on)
{
    int fd = isatty(STDIN_FILENO) ? STDIN_FILENO : STDOUT_FILENO;
    struct termios quiet;

    if (on == loop->quiet || loop->keys_on)
        return;
    if (!on) {
        loop->quiet = false;
        terminal_change_back(fd);
        return;
    }
    if (tcgetattr(fd, &quiet) != 0 || !is_ours(fd))
        return;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    loop->quiet = true;
    if (!terminal_change(fd, &quiet, TCSANOW))
        loop_quiet(loop, false);
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

/* ---- questions ---- */

static void free_question(uv_handle_t *handle)
{
    struct question *q = handle->data;

    close(q->tty);
    explicit_bzero(q->answer, sizeof q->answer);
    free(q);
}

static void answer_to_nobody(void *arg, const char *answer)
{
    (void)arg;
    (void)answer;
}

/* Restores the terminal, then delivers the answer: NULL when there is none. */
static void question_end(struct loop *loop, bool answered)
{
    struct question *q = loop->question;
    ssize_t n = write(q->tty, "\n", 1);

    (void)n; /* if the terminal is gone, the question is over as well */
    loop->question = NULL;
    terminal.prompt = NULL;
    terminal_change_back(q->tty);
    if (loop->keys_on)
        uv_poll_start(&loop->keyboard, UV_READABLE, on_key);
    q->answer[q->len] = '\0';
    q->answered(q->arg, answered && q->len ? q->answer : NULL);
    uv_close((uv_handle_t *)&q->poll, free_question);
}

static void on_typed(uv_poll_t *poll, int status, int events)
{
    struct question *q = poll->data;
    char bytes[ANSWER_MAX];
    ssize_t n = status < 0 ? 0 : read(q->tty, bytes, sizeof bytes);

    (void)events;
    if (q->loop->question != q || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    bool whole = false;
    for (ssize_t i = 0; i < n && !whole; i++) {
        whole = bytes[i] == '\n' || bytes[i] == '\r';
        if (!whole && q->len < ANSWER_MAX - 1)
            q->answer[q->len++] = bytes[i];
    }
    explicit_bzero(bytes, sizeof bytes);
    if (whole || n <= 0)
        question_end(q->loop, whole);
}

bool loop_is_asking(const struct loop *loop)
{
    return loop->question != NULL;
}

bool loop_ask(struct loop *loop, const char *prompt, loop_answer *answered, void *arg)
{
    struct termios quiet;

    if (loop->question || loop->signal || !isatty(STDIN_FILENO))
        return false;
    struct question *q = xcalloc(1, sizeof *q);
    q->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (q->tty < 0 || tcgetattr(q->tty, &quiet) != 0 ||
        uv_poll_init(&loop->uv, &q->poll, q->tty) != 0) {
        if (q->tty >= 0)
            close(q->tty);
        free(q);
        return false;
    }
    q->poll.data = q;
    q->loop = loop;
    q->answered = answered;
    q->arg = arg;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ICANON | ISIG;
    if (loop->keys_on)
        uv_poll_stop(&loop->keyboard);
    loop->question = q;
    terminal.prompt = prompt;
    if (!terminal_change(q->tty, &quiet, TCSAFLUSH) || write(q->tty, prompt, strlen(prompt)) < 0 ||
        uv_poll_start(&q->poll, UV_READABLE, on_typed) != 0) {
        q->answered = answer_to_nobody;
        question_end(loop, false);
        return false;
    }
    return true;
}

void loop_on_signal(struct loop *loop, loop_tick *noticed)
{
    loop->on_signal = noticed;
}

struct library loop_library(struct arena *a)
{
    return (struct library){.name = "libuv",
                            .version = uv_version_string(),
                            .built_with =
                                arena_printf(a, "%d.%d.%d%s", UV_VERSION_MAJOR, UV_VERSION_MINOR,
                                             UV_VERSION_PATCH, UV_VERSION_SUFFIX)};
}
