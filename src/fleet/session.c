/* session.c -- the controlling side of a session (see session.h).  Sits between fleet.c and a carrier: the
 * shell is one exchange of the carrier, and each script an exchange of its own whose bytes travel in it. */
#define _GNU_SOURCE /* memmem */
#include "fleet/session.h"

#include "base/limits.h"
#include "base/number.h"

#include <string.h>

enum {
    BEAT_MS = 10000,
    INPUT_BYTES_MAX = SCRIPT_BYTES_MAX * 2,
    MARK_BYTES = 2 * GREETING_WORD + 2,
    STATUS_MAX = 255
};

struct session_shell {
    const struct carrier *carrier;
    struct link *link;
    struct exchange *shell;
    struct exchange *x;             /* the script that is running, or NULL */
    char abandoned[MARK_BYTES + 1]; /* or the end mark of one for which nobody waits */
    struct buf input;
    bool let_go;
    bool keeps;
    long long last_beat_ms;
    struct buf tail[2]; /* output of each stream that may be the beginning of the end mark */
    int status[2];      /* -1: not seen */
};

/* "TAG TOKEN ", behind which the status stands. */
static void end_mark(const struct exchange *x, char ret[MARK_BYTES + 1])
{
    snprintf(ret, MARK_BYTES + 1, "%s %s ", x->greeting.tag, x->greeting.token);
}

static void end_if_over(struct session_shell *s)
{
    struct exchange *x = s->x;

    if (s->status[0] < 0 || s->status[1] < 0)
        return;
    s->x = NULL;
    s->abandoned[0] = '\0';
    if (!x)
        return;
    x->in = NULL;
    exchange_exit(x, s->status[0], NULL);
}

/* The status that stands behind an end mark; STATUS_MAX if there is none. */
static int status_in(const char *digits, const char *end)
{
    long long status = STATUS_MAX;

    number_part(digits, (size_t)(end - digits), STATUS_MAX, &status);
    return (int)status;
}

static const char *find(const struct buf *in, const char *what, size_t len)
{
    return in->len >= len ? memmem(in->text, in->len, what, len) : NULL;
}

/* Passes on what is certainly output of the script, and keeps the rest. */
static void hear(void *session, int stream, const char *bytes, size_t len)
{
    struct session_shell *s = session;
    struct buf *tail = &s->tail[stream - 1];
    char mark[MARK_BYTES + 1];

    if (s->status[stream - 1] >= 0 || (!s->x && !*s->abandoned))
        return; /* nobody waits for it */
    if (s->x)
        end_mark(s->x, mark);
    else
        memcpy(mark, s->abandoned, sizeof mark);
    while (len) {
        size_t n = len < 65536 ? len : 65536;
        buf_add(tail, bytes, n);
        bytes += n;
        len -= n;
        const char *at = find(tail, mark, MARK_BYTES);
        size_t sure = at                       ? (size_t)(at - tail->text)
                      : tail->len > MARK_BYTES ? tail->len - MARK_BYTES
                                               : 0;
        if (sure && s->x)
            exchange_output(s->x, stream, tail->text, sure);
        buf_drop(tail, sure);
        const char *end = at ? memchr(tail->text, '\n', tail->len) : NULL;
        if (!end)
            continue;
        s->status[stream - 1] = status_in(tail->text + MARK_BYTES, end);
        buf_clear(tail);
        end_if_over(s);
        return;
    }
}

struct session_shell *session_start(const struct carrier *carrier, struct link *link,
                                    const struct fleet_host *host, size_t index, const char *text)
{
    struct session_shell *s = xcalloc(1, sizeof *s);
    const struct call call = {.host = index,
                              .script = text,
                              .payload = -1,
                              .reads = true,
                              .say = &s->input,
                              .said_all = &s->let_go};

    s->carrier = carrier;
    s->link = link;
    s->input = buf_make(INPUT_BYTES_MAX);
    for (int i = 0; i < 2; i++)
        s->tail[i] = buf_make(2 * 65536);
    s->last_beat_ms = loop_now();
    s->shell = exchange_make(host, &call);
    s->shell->raw = hear;
    s->shell->raw_arg = s;
    carrier->start(link, s->shell);
    return s;
}

bool session_is_over(const struct session_shell *s)
{
    return s->shell->over;
}

bool session_is_free(const struct session_shell *s)
{
    return !s->x && !*s->abandoned && !s->shell->over && !s->let_go;
}

void session_run(struct session_shell *s, struct exchange *x)
{
    const struct greeting *g = &x->greeting;

    s->x = x;
    for (int i = 0; i < 2; i++) {
        buf_clear(&s->tail[i]);
        s->status[i] = -1;
    }
    x->framed = true;
    x->in = s->shell;
    x->sent = s->shell->sent;
    /* One compound command, so that a shell whose input ends in it runs nothing of it. */
    buf_printf(&s->input, "(\nframe_begins %s %s\nset -- '%s %s' $frame_values\n", g->tag, g->token,
               g->tag, g->token);
    buf_puts(&s->input, x->call.frame);
    buf_printf(&s->input, "\n) </dev/null &\nframe_began '%s %s'\n", g->tag, g->token);
    s->carrier->wake(s->link, s->shell);
}

void session_abandon(struct session_shell *s)
{
    if (!s->x)
        return;
    end_mark(s->x, s->abandoned);
    s->x->in = NULL;
    s->x = NULL;
}

void session_keep(struct session_shell *s, const char *text)
{
    s->keeps = true;
    buf_printf(&s->input, "{\n%s}\n", text);
    s->carrier->wake(s->link, s->shell);
}

void session_keep_no_more(struct session_shell *s)
{
    if (!s->keeps)
        return;
    s->keeps = false;
    buf_puts(&s->input, "{ keeping=; }\n");
    s->carrier->wake(s->link, s->shell);
}

bool session_keeps(const struct session_shell *s)
{
    return s->keeps;
}

static void shell_has_ended(struct session_shell *s)
{
    struct exchange *x = s->x;
    const struct ending *end = &s->shell->end;

    s->x = NULL;
    x->in = NULL;
    x->sent = s->shell->sent;
    if (end->kind == REPLY_EXIT || end->kind == REPLY_SIGNAL)
        exchange_over(x, REPLY_LOST, "the shell on the host was ended");
    else if (end->kind == REPLY_UNREACHED)
        exchange_over(x, REPLY_UNREACHED, end->why.text);
    else
        exchange_fail(x, end->why.text);
}

void session_look(struct session_shell *s, long long now)
{
    if (s->x && s->shell->over)
        shell_has_ended(s);
    if (s->shell->over)
        return;
    if (s->x && s->shell->sent)
        s->x->sent = true;
    if (now - s->last_beat_ms < BEAT_MS || !greeting_is_over(&s->shell->greeting) || s->let_go)
        return;
    s->last_beat_ms = now;
    buf_puts(&s->input, "heard\n");
    s->carrier->wake(s->link, s->shell);
}

void session_let_go(struct session_shell *s)
{
    s->let_go = true;
    if (!s->shell->over)
        s->carrier->wake(s->link, s->shell);
}

const struct exchange *session_exchange(const struct session_shell *s)
{
    return s->shell;
}

void session_drop(struct session_shell *s)
{
    if (!s)
        return;
    if (!s->shell->over)
        s->carrier->cut(s->link, s->shell);
    exchange_free(s->shell);
    buf_free(&s->input);
    buf_free(&s->tail[0]);
    buf_free(&s->tail[1]);
    free(s);
}
