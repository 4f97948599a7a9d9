/* cmd_console.c -- 'crelease console', a terminal on one host.  Once the host's terminal is ready, the local one
 * is in raw mode: what is typed goes to the host, Ctrl-C too, and what the host prints goes to the terminal as it
 * is.  A timer polls both the keyboard and the size of the terminal. */
#include "cli/cmd.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/job/script.h"
#include "core/script.h"
#include "edge/loop_uv.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

EMBED(script_console, "host/console.sh");

enum { LOOK_MS = 10, PIECE = 4096, HELD_MAX = 64 * 1024, COLUMNS = 80, ROWS = 24 };

/* What the script prints when the host's terminal has its modes: a key that is sent before would be lost, or an Enter
 * or a Ctrl-C would mean nothing. */
static const char ready_sign = '\036';

struct console {
    struct fleet *fleet;
    size_t host;
    struct fleet_terminal terminal;
    struct termios modes; /* of the local terminal, to be restored */
    struct buf say;
    uv_timer_t timer;
    bool ready; /* the host's terminal has its modes, and the local one is raw */
    bool raw;
    bool over; /* the local terminal has gone away */
};

/* The shell of the account, unless that forbids logins, as those of service accounts do. */
static const char own_shell[] = "case ${SHELL-} in '' | */nologin | */false) exec /bin/sh ;; esac;"
                                " exec \"$SHELL\"";

static bool read_size(struct fleet_terminal *t)
{
    struct winsize size;
    struct fleet_terminal before = *t;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row)
        return false;
    t->columns = size.ws_col;
    t->rows = size.ws_row;
    return t->columns != before.columns || t->rows != before.rows;
}

static void make_raw(struct console *c)
{
    struct termios raw = c->modes;

    cfmakeraw(&raw);
    c->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void restore(struct console *c)
{
    if (c->raw)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &c->modes);
    c->raw = false;
}

static void read_keys(struct console *c)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    char piece[PIECE];

    while (!c->over && c->say.len <= HELD_MAX - PIECE && poll(&ready, 1, 0) > 0) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        c->over = n <= 0;
        buf_add(&c->say, piece, n > 0 ? (size_t)n : 0);
        fleet_said(c->fleet, c->host);
    }
}

/* Until then, the user may be asked for a passphrase, and Ctrl-C ends crelease. */
static void look(uv_timer_t *timer)
{
    struct console *c = timer->data;

    if (read_size(&c->terminal))
        fleet_resized(c->fleet, c->host);
    if (!c->ready)
        return;
    if (!c->raw)
        make_raw(c);
    read_keys(c);
}

static void show(void *arg, const char *bytes, size_t len)
{
    struct console *c = arg;
    const char *sign = c->ready ? NULL : memchr(bytes, ready_sign, len);
    size_t before = sign ? (size_t)(sign - bytes) : len;

    c->ready = c->ready || sign;
    fwrite(bytes, 1, before, stdout);
    if (sign)
        fwrite(sign + 1, 1, len - before - 1, stdout);
    fflush(stdout);
}

static const char *console_script(struct session *s, size_t host)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    job_command_values(&s->run, host, s->options.rest.n ? exec_command(s) : own_shell, NULL, &b);
    quote_assign(&b, "where",
                 arena_printf(s->arena, "%s/current", s->recipe->hosts[host].deploy_to));
    const struct script script = {.verb = "look",
                                  .umask = s->recipe->umask,
                                  .values = b.text,
                                  .parts = {script_command, script_console}};
    const char *text = b.full ? NULL : script_text(s->arena, &script);
    buf_free(&b);
    return text;
}

/* The timer's handle is closed by a later turn of the loop; it lives in the arena, which outlives that. */
static void talk(struct session *s, const struct call *call, struct console *c, struct reply *reply)
{
    c->timer.data = c;
    uv_timer_init(loop_uv(s->loop), &c->timer);
    uv_timer_start(&c->timer, look, 0, LOOK_MS);
    uv_unref((uv_handle_t *)&c->timer);
    fleet_impatient(s->fleet, true);
    fleet_run(s->fleet, s->arena, call, 1, reply);
    uv_close((uv_handle_t *)&c->timer, NULL);
    restore(c);
    buf_free(&c->say);
}

/* With several hosts, says which one it is. */
static bool is_one_host(struct session *s, struct err *err)
{
    const struct recipe *r = s->recipe;

    if (r->n_hosts > 1 && s->options.hosts)
        return err_set(err, ERR_USAGE,
                       "console is a terminal on one host, and --hosts names %zu; name one of them",
                       r->n_hosts);
    if (r->n_hosts > 1 && !s->options.quiet)
        fprintf(stderr, "%s, the first of %zu hosts; --hosts names another one\n", r->hosts[0].name,
                r->n_hosts);
    return true;
}

bool cmd_console(struct session *s, struct err *err)
{
    struct console *c = arena_alloc(s->arena, sizeof *c);
    const char *type = getenv("TERM");
    struct reply reply;

    if (s->options.json)
        return err_set(err, ERR_USAGE,
                       "console has no --json; use 'crelease exec %s --json -- CMD'",
                       s->recipe->environment);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &c->modes) != 0)
        return err_set(err, ERR_USAGE,
                       "console needs a terminal on standard input; without one, use"
                       " 'crelease exec %s -- CMD'",
                       s->recipe->environment);
    if (!is_one_host(s, err))
        return false;
    c->fleet = s->fleet;
    c->terminal = (struct fleet_terminal){.type = type && *type ? type : "dumb",
                                          .modes = &c->modes,
                                          .columns = COLUMNS,
                                          .rows = ROWS};
    read_size(&c->terminal);
    const char *script = console_script(s, c->host);
    if (!script)
        return err_set(err, ERR_USAGE, "the command is too long to be sent");
    c->say = buf_make(HELD_MAX);
    const struct call call = {.host = c->host,
                              .script = script,
                              .payload = -1,
                              .say = &c->say,
                              .terminal = &c->terminal,
                              .output = show,
                              .arg = c};
    talk(s, &call, c, &reply);
    if (reply.kind != REPLY_EXIT)
        return exec_judge(s, c->host, &reply, err);
    s->status = reply.status;
    return true;
}
