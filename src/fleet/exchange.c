/* exchange.c -- one script on one host: its input, its output and how it ended (see carrier.h).
 * fleet.c creates an exchange for each call; a carrier moves its bytes. */
#include "fleet/carrier.h"

#include "base/limits.h"
#include "base/text.h"
#include "fleet/sudo.h"

#include <assert.h>
#include <unistd.h>

enum { PAYLOAD_CHUNK = 256 * 1024, WHY_BYTES_MAX = 64 * 1024, LEAD_BYTES_MAX = 1024 };

struct exchange *exchange_make_frame(const struct fleet_host *host, const struct call *call)
{
    struct exchange *x = xcalloc(1, sizeof *x);

    x->host = host;
    x->call = *call;
    x->end.why = buf_make(WHY_BYTES_MAX);
    x->greeting = greeting_make();
    x->out = buf_make(REPLY_BYTES_MAX);
    x->err_out = buf_make((size_t)REPLY_ERROR_BYTES_MAX * 2);
    x->last_beat_ms = loop_now();
    return x;
}

struct exchange *exchange_make(const struct fleet_host *host, const struct call *call)
{
    struct exchange *x = exchange_make_frame(host, call);
    size_t len = strlen(call->script);
    size_t padded = (len + SCRIPT_BLOCK - 1) / SCRIPT_BLOCK * SCRIPT_BLOCK;

    x->asks = host->become && host->sudo && host->sudo->asks;
    if (host->sudo)
        host->sudo->refused = false;
    x->waits = x->asks || call->terminal;
    x->command = greeting_command(&x->greeting, &(struct greeting_of){.script_len = padded,
                                                                      .reads = call->reads,
                                                                      .account = host->become,
                                                                      .asks = x->asks,
                                                                      .terminal = call->terminal});
    x->script = buf_make(SCRIPT_BYTES_MAX + LEAD_BYTES_MAX);
    greeting_lead(&x->greeting, x->command, &x->script);
    buf_add(&x->script, call->script, len);
    for (; len < padded; len++)
        buf_add(&x->script, "\n", 1);
    assert(!x->script.full);
    x->chunk = buf_make(PAYLOAD_CHUNK);
    return x;
}

void exchange_free(struct exchange *x)
{
    free(x->command);
    greeting_free(&x->greeting);
    buf_free(&x->end.why);
    buf_free(&x->script);
    buf_free(&x->chunk);
    buf_free(&x->out);
    buf_free(&x->err_out);
    free(x);
}

static off_t payload_total(const struct call *c)
{
    return c->head_size + (c->payload >= 0 ? c->payload_size : 0);
}

/* Fills the chunk from the payload.  False if the payload cannot be read to its end. */
static bool payload_read(struct exchange *x)
{
    static char block[PAYLOAD_CHUNK];
    const struct call *c = &x->call;
    bool in_head = x->payload_sent < c->head_size;
    off_t left = in_head ? c->head_size - x->payload_sent : payload_total(c) - x->payload_sent;

    size_t want = left > PAYLOAD_CHUNK ? PAYLOAD_CHUNK : (size_t)left;
    ssize_t n =
        in_head ? pread(c->head, block, want, x->payload_sent)
                : pread(c->payload, block, want, c->payload_at + x->payload_sent - c->head_size);
    if (n <= 0)
        return false;
    buf_clear(&x->chunk);
    buf_add(&x->chunk, block, (size_t)n);
    explicit_bzero(block, (size_t)n); /* it may be a linked file */
    x->payload_sent += n;
    return true;
}

long long exchange_payload(const struct exchange *x)
{
    return payload_total(&x->call);
}

long long exchange_payload_sent(const struct exchange *x)
{
    return x->payload_sent > (off_t)x->chunk.len ? x->payload_sent - (off_t)x->chunk.len : 0;
}

/* Whether sudo asks for a password that it cannot be given: once more, or there is none. */
static bool sudo_is_stuck(const struct exchange *x)
{
    int prompts = greeting_prompts(&x->greeting);

    return prompts > 1 || (prompts == 1 && !x->answered && !x->host->sudo->given);
}

/* What sudo gets before the shell has begun: the password once, after its prompt.  A second prompt, or
 * one without a password, is answered with the end of input, which is Ctrl-D in a terminal. */
static size_t sudo_input(struct exchange *x, const char **ret)
{
    const struct sudo *s = x->host->sudo;
    int prompts = greeting_prompts(&x->greeting);

    if (prompts == 1 && s->given && !x->answered) {
        *ret = s->password + x->password_sent;
        return strlen(*ret);
    }
    if (!sudo_is_stuck(x))
        return 0;
    x->input_ended = !x->call.terminal;
    *ret = "\004";
    return x->call.terminal && x->ends < prompts;
}

size_t exchange_input(struct exchange *x, const char **ret)
{
    if (x->waits && !greeting_is_ready(&x->greeting))
        return x->asks ? sudo_input(x, ret) : 0;
    x->waits = x->asks = false;
    if (x->script_sent < x->script.len) {
        *ret = x->script.text + x->script_sent;
        return x->script.len - x->script_sent;
    }
    if (!x->chunk.len && x->payload_sent < payload_total(&x->call) && !payload_read(x))
        x->payload_sent = payload_total(&x->call); /* the script reports the truncated archive */
    if (x->chunk.len) {
        *ret = x->chunk.text;
        return x->chunk.len;
    }
    if (x->beats > 0) {
        *ret = "beat\n";
        return 5;
    }
    struct buf *say = x->call.say;
    if (say && say->len) {
        /* Copied, because the caller may add to it while the carrier still reads the bytes. */
        buf_clear(&x->chunk);
        buf_add(&x->chunk, say->text, say->len < PAYLOAD_CHUNK ? say->len : PAYLOAD_CHUNK);
        buf_drop(say, x->chunk.len);
        *ret = x->chunk.text;
        return x->chunk.len;
    }
    if (say ? x->call.said_all && *x->call.said_all : !x->call.hold || x->let_go)
        x->input_ended = true;
    return 0;
}

void exchange_sent(struct exchange *x, size_t n)
{
    if (x->asks && sudo_is_stuck(x)) {
        x->ends = greeting_prompts(&x->greeting);
    } else if (x->asks) {
        x->password_sent += n;
        x->answered = x->password_sent == strlen(x->host->sudo->password);
    } else if (x->script_sent < x->script.len) {
        x->script_sent += n;
        if (x->script_sent == x->script.len) {
            buf_free(&x->script);
            x->script_sent = 0;
        }
    } else if (x->chunk.len) {
        buf_drop(&x->chunk, n);
    } else {
        /* A carrier may write a heartbeat only in part.  The line then gets longer, but the script
         * that reads heartbeats ignores their text. */
        x->beats = x->beats > 0 ? x->beats - 1 : 0;
    }
}

bool exchange_input_is_over(const struct exchange *x)
{
    return x->input_ended;
}

static void hold_if_told(struct exchange *x)
{
    const char *line = x->out.text + x->hold_at;
    const char *end;

    if (!x->call.hold || x->held || x->framed)
        return;
    /* Each line is searched only once, however much the script prints. */
    while ((end = memchr(line, '\n', x->out.len - x->hold_at)) && strncmp(line, "held", 4) != 0) {
        x->hold_at += (size_t)(end + 1 - line);
        line = end + 1;
    }
    if (!end)
        return;
    x->held = true;
    x->done = true;
    x->end.kind = REPLY_EXIT;
    x->end.status = 0;
}

static void error_output(struct exchange *x, const char *bytes, size_t len)
{
    if (len > REPLY_ERROR_BYTES_MAX) {
        bytes += len - REPLY_ERROR_BYTES_MAX;
        len = REPLY_ERROR_BYTES_MAX;
    }
    if (x->err_out.len + len > REPLY_ERROR_BYTES_MAX)
        buf_drop(&x->err_out, x->err_out.len + len - REPLY_ERROR_BYTES_MAX);
    buf_add(&x->err_out, bytes, len);
}

/* The shell has begun, so the script is not sent once more. */
static void wipe_script(struct exchange *x)
{
    if (x->call.secret)
        explicit_bzero((char *)(uintptr_t)x->call.script, strlen(x->call.script));
}

void exchange_output(struct exchange *x, int stream, const char *bytes, size_t len)
{
    if (stream == 1 && x->held)
        return;
    if (!greeting_hear(&x->greeting, stream, &bytes, &len))
        return;
    wipe_script(x);
    if (x->raw) {
        x->raw(x->raw_arg, stream, bytes, len);
    } else if (stream == 2) {
        error_output(x, bytes, len);
    } else if (x->call.output) {
        x->call.output(x->call.arg, bytes, len);
    } else {
        buf_add(&x->out, bytes, len);
        hold_if_told(x);
    }
}

/* Called for a held exchange, too: the end is no longer its reply, but fleet_run and the member
 * check `over`. */
void exchange_over(struct exchange *x, enum reply_kind kind, const char *why)
{
    assert(!x->over);
    x->over = true;
    x->done = true;
    x->end.kind = kind;
    buf_clear(&x->end.why);
    buf_puts(&x->end.why, why);
}

/* "on app1.example.com port 2222 as deploy" */
static const char *login_text(const struct exchange *x, struct arena *a)
{
    const struct fleet_host *h = x->host;

    if (h->transport == TRANSPORT_LOCAL)
        return "on this machine";
    return arena_printf(a, "on %s port %d%s%s", text_shown(a, h->address), h->port ? h->port : 22,
                        h->user ? " as " : "", h->user ? text_shown(a, h->user) : "");
}

const char *exchange_no_script(const struct exchange *x, struct arena *a, const char *how)
{
    const char *words = greeting_words(&x->greeting, a);

    const char *sudo =
        x->host->become
            ? arena_printf(a, "; 'become: %s' needs sudo on the host, for /bin/sh", x->host->become)
            : "";
    return arena_printf(a, "cannot run commands %s: the login shell printed %s%s%s and %s%s",
                        login_text(x, a), *words ? "'" : "nothing", words, *words ? "'" : "", how,
                        sudo);
}

static void exit_without_greeting(struct exchange *x, int status, const char *signal)
{
    struct arena a = {0};
    struct sudo *sudo = x->host->sudo;
    const char *why;

    if (sudo) {
        sudo->refused = true;
        sudo->prompted = greeting_prompts(&x->greeting) > 0;
        sudo->answered = x->answered;
    }
    if (signal)
        why = exchange_no_script(x, &a, arena_printf(&a, "was ended by signal %s", signal));
    else if (status == GREETING_INPUT_LOST)
        why = arena_printf(&a,
                           "cannot run commands %s: a start-up file of the login shell reads "
                           "standard input, or starts a shell that does; make it do so on a "
                           "terminal only",
                           login_text(x, &a));
    else
        why = exchange_no_script(x, &a, arena_printf(&a, "ended with exit status %d", status));
    exchange_over(x, REPLY_UNREACHED, why);
    arena_free(&a);
}

void exchange_exit(struct exchange *x, int status, const char *signal)
{
    if (!greeting_is_over(&x->greeting)) {
        exit_without_greeting(x, status, signal);
        return;
    }
    exchange_over(x, signal ? REPLY_SIGNAL : REPLY_EXIT, "");
    x->end.status = status;
    snprintf(x->end.signal, sizeof x->end.signal, "%s", signal ? signal : "");
}

void exchange_fail(struct exchange *x, const char *why)
{
    bool held = x->held;

    exchange_over(x, x->sent ? REPLY_LOST : REPLY_UNREACHED, why);
    if (!held && x->call.lost)
        x->call.lost(x->call.arg, x->end.why.text);
}

static const char *how_hold_ended(const struct exchange *x, struct arena *a)
{
    switch (x->end.kind) {
    case REPLY_EXIT:
        return arena_printf(a, "the script that was held there ended with exit status %d",
                            x->end.status);
    case REPLY_SIGNAL:
        return arena_printf(a, "the script that was held there was ended by signal %s",
                            x->end.signal);
    case REPLY_LOST:
    case REPLY_TIMEOUT:
    case REPLY_UNREACHED:
    case REPLY_STOPPED:
        break;
    }
    return arena_strdup(a, x->end.why.text);
}

struct reply exchange_reply(struct arena *a, const struct exchange *x)
{
    struct reply r = {.kind = x->end.kind,
                      .status = x->end.status,
                      .signal = x->end.kind == REPLY_SIGNAL ? arena_strdup(a, x->end.signal) : NULL,
                      .why = x->end.why.len ? arena_strdup(a, x->end.why.text) : NULL};

    r.out_len = x->out.len;
    r.out = arena_strndup(a, x->out.text, x->out.len);
    r.err_out = arena_strndup(a, x->err_out.text, x->err_out.len);
    /* A held script that ended while fleet_run was still waiting for other hosts. */
    if (x->held && x->over) {
        r.kind = REPLY_LOST;
        r.why = how_hold_ended(x, a);
    } else if (x->out.full && r.kind == REPLY_EXIT) {
        r.kind = REPLY_LOST;
        r.why = "the host's answer was larger than 8 MB";
        r.too_large = true;
    }
    return r;
}
