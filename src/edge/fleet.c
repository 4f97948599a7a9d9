#include "edge/fleet.h"

#include "base/limits.h"
#include "base/text.h"
#include "edge/link.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

enum {
    PAYLOAD_CHUNK = 256 * 1024,
    BEAT_INTERVAL_MS = 10000,
    TURN_MS = 500,
    WAIT_SLICE_MS = 1000, /* deadlines and heartbeats are looked at this often */
    LET_GO_MS = 3000,
    CLOSE_MS = 2000,
};

struct fleet_member {
    const struct carrier *carrier;
    struct link *link;
    struct exchange *held;
    bool hold_lost;
};

struct fleet {
    struct loop *loop;
    const struct fleet_host *hosts;
    size_t n;
    struct fleet_options options;
    struct fleet_member *members;
    bool impatient;
    fleet_stop *stop;
    void *stop_arg;
};

struct fleet *fleet_open(struct loop *loop, const struct fleet_host *hosts, size_t n,
                         const struct fleet_options *options)
{
    struct fleet *f = xcalloc(1, sizeof *f);

    f->loop = loop;
    f->hosts = hosts;
    f->n = n;
    f->options = *options;
    f->members = xcalloc(n ? n : 1, sizeof *f->members);
    for (size_t i = 0; i < n; i++)
        f->members[i].carrier =
            hosts[i].transport == TRANSPORT_LOCAL ? &carrier_local : &carrier_libssh2;
    return f;
}

void fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg)
{
    fleet->stop = stop;
    fleet->stop_arg = arg;
}

void fleet_impatient(struct fleet *fleet, bool on)
{
    fleet->impatient = on;
}

/* The script is padded to whole blocks, so that dd can read exactly it and nothing of what is
 * behind it in standard input, which is the script's own.  A shell that reads its script from
 * standard input, or head -c of busybox, would read ahead and swallow some of that.  The
 * second dd is for one that does not know iflag (it refuses before it reads). */
enum { SCRIPT_BLOCK = 512 };

static void script_pad(struct buf *script)
{
    while (script->len % SCRIPT_BLOCK)
        buf_add(script, "\n", 1);
}

/* What the login shell gets: constant but for two numbers, and of words that every shell
 * (also csh and fish) reads alike. */
static char *command_for(size_t script_len)
{
    struct buf b = buf_make(256);

    buf_printf(&b,
               "exec /bin/sh -c 'eval \"$(dd bs=%d count=%zu iflag=fullblock 2>/dev/null ||"
               " dd bs=1 count=%zu 2>/dev/null)\"'",
               SCRIPT_BLOCK, script_len / SCRIPT_BLOCK, script_len);
    return b.text;
}

static struct exchange *exchange_make(struct fleet *f, const struct call *call)
{
    struct exchange *x = xcalloc(1, sizeof *x);

    x->fleet = f;
    x->call = call;
    x->script = buf_make(SCRIPT_BYTES_MAX);
    buf_puts(&x->script, call->script);
    script_pad(&x->script);
    assert(!x->script.full);
    x->command = command_for(x->script.len);
    x->chunk = buf_make(PAYLOAD_CHUNK);
    x->out = buf_make(REPLY_BYTES_MAX);
    x->err_out = buf_make((size_t)REPLY_ERROR_BYTES_MAX * 2);
    x->last_beat_ms = loop_now();
    return x;
}

static void exchange_free(struct exchange *x)
{
    char *command = (char *)(uintptr_t)x->command;

    free(command);
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

/* Fills the chunk from the payload; false when the payload cannot be read to its end. */
static bool payload_read(struct exchange *x)
{
    static char block[PAYLOAD_CHUNK];
    const struct call *c = x->call;
    bool in_head = x->payload_sent < c->head_size;
    off_t left = in_head ? c->head_size - x->payload_sent : payload_total(c) - x->payload_sent;

    size_t want = left > PAYLOAD_CHUNK ? PAYLOAD_CHUNK : (size_t)left;
    ssize_t n = in_head ? pread(c->head, block, want, x->payload_sent)
                        : pread(c->payload, block, want, x->payload_sent - c->head_size);
    if (n <= 0)
        return false;
    buf_clear(&x->chunk);
    buf_add(&x->chunk, block, (size_t)n);
    x->payload_sent += n;
    return true;
}

size_t exchange_input(struct exchange *x, const char **ret)
{
    if (x->script_sent < x->script.len) {
        *ret = x->script.text + x->script_sent;
        return x->script.len - x->script_sent;
    }
    if (!x->chunk.len && x->payload_sent < payload_total(x->call) && !payload_read(x))
        x->payload_sent = payload_total(x->call); /* the host sees a short tar and says so */
    if (x->chunk.len) {
        *ret = x->chunk.text;
        return x->chunk.len;
    }
    if (x->beats > 0) {
        *ret = "beat\n";
        return 5;
    }
    struct buf *say = x->call->say;
    if (say && say->len) {
        /* The caller may add to it while a carrier still reads. */
        buf_clear(&x->chunk);
        buf_add(&x->chunk, say->text, say->len < PAYLOAD_CHUNK ? say->len : PAYLOAD_CHUNK);
        buf_drop(say, x->chunk.len);
        *ret = x->chunk.text;
        return x->chunk.len;
    }
    if (!say && (!x->call->hold || x->let_go))
        x->input_ended = true;
    return 0;
}

void exchange_sent(struct exchange *x, size_t n)
{
    if (x->script_sent < x->script.len) {
        x->script_sent += n;
    } else if (x->chunk.len) {
        buf_drop(&x->chunk, n);
    } else {
        /* Five bytes are taken whole or, by a carrier in distress, in part: then the line is
         * longer by some letters, which the reader of heartbeats does not mind. */
        x->beats = x->beats > 0 ? x->beats - 1 : 0;
    }
}

bool exchange_input_is_over(const struct exchange *x)
{
    return x->input_ended;
}

static void hold_if_told(struct exchange *x)
{
    struct fleet *f = x->fleet;
    const char *line = x->out.text;

    if (!x->call->hold || x->held)
        return;
    while (line && strncmp(line, "held", 4) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line || !strchr(line, '\n'))
        return;
    x->held = true;
    x->done = true;
    x->reply.kind = REPLY_EXIT;
    x->reply.status = 0;
    f->members[x->call->host].held = x;
    f->members[x->call->host].hold_lost = false;
}

void exchange_output(struct exchange *x, int stream, const char *bytes, size_t len)
{
    if (stream == 1 && x->held)
        return;
    if (stream == 1 && x->call->output) {
        x->call->output(x->call->arg, bytes, len);
    } else if (stream == 1) {
        buf_add(&x->out, bytes, len);
        hold_if_told(x);
    } else {
        if (len > REPLY_ERROR_BYTES_MAX) {
            bytes += len - REPLY_ERROR_BYTES_MAX;
            len = REPLY_ERROR_BYTES_MAX;
        }
        if (x->err_out.len + len > REPLY_ERROR_BYTES_MAX)
            buf_drop(&x->err_out, x->err_out.len + len - REPLY_ERROR_BYTES_MAX);
        buf_add(&x->err_out, bytes, len);
    }
}

static void exchange_over(struct exchange *x)
{
    if (x->held) {
        struct fleet_member *m = &x->fleet->members[x->call->host];
        m->held = NULL;
        m->hold_lost = !x->let_go;
        free((void *)(uintptr_t)x->call);
        exchange_free(x);
        return;
    }
    x->done = true;
}

void exchange_exit(struct exchange *x, int status, const char *signal)
{
    x->reply.kind = signal ? REPLY_SIGNAL : REPLY_EXIT;
    x->reply.status = status;
    if (!x->held) {
        free((void *)(uintptr_t)x->reply.signal);
        x->reply.signal = NULL;
        if (signal) {
            size_t len = strlen(signal);
            char *copy = xcalloc(1, len + 1);
            memcpy(copy, signal, len);
            x->reply.signal = copy;
        }
    }
    exchange_over(x);
}

void exchange_fail(struct exchange *x, const char *why)
{
    if (!x->held) {
        size_t len = strlen(why);
        char *copy = xcalloc(1, len + 1);
        memcpy(copy, why, len);
        x->reply.kind = x->sent ? REPLY_LOST : REPLY_UNREACHED;
        x->reply.why = copy;
        if (x->call->lost)
            x->call->lost(x->call->arg, copy);
    }
    exchange_over(x);
}

/* Moves what the reply says into the arena; the exchange is freed unless it is held. */
static struct reply reply_take(struct arena *a, struct exchange *x)
{
    struct reply r = x->reply;

    r.out_len = x->out.len;
    r.out = arena_strndup(a, x->out.text, x->out.len);
    r.err_out = arena_strndup(a, x->err_out.text, x->err_out.len);
    if (x->out.full && r.kind == REPLY_EXIT) {
        r.kind = REPLY_LOST;
        r.why = "the host's answer was larger than 8 MB";
    } else if (r.why) {
        r.why = arena_strdup(a, x->reply.why);
        free((void *)(uintptr_t)x->reply.why);
    }
    if (r.signal) {
        r.signal = arena_strdup(a, x->reply.signal);
        free((void *)(uintptr_t)x->reply.signal);
    }
    x->reply.why = NULL;
    x->reply.signal = NULL;
    if (!x->held)
        exchange_free(x);
    return r;
}

static void exchange_cut(struct fleet *f, struct exchange *x, enum reply_kind kind, const char *why)
{
    struct fleet_member *m = &f->members[x->call->host];
    size_t len = strlen(why);
    char *copy = xcalloc(1, len + 1);

    memcpy(copy, why, len);
    m->carrier->cut(m->link, x);
    x->done = true;
    x->reply.kind = x->sent ? kind : REPLY_UNREACHED;
    x->reply.why = copy;
}

void fleet_beat(struct fleet *f)
{
    long long now = loop_now();

    for (size_t i = 0; i < f->n; i++) {
        struct exchange *x = f->members[i].held;
        if (!x || now - x->last_beat_ms < BEAT_INTERVAL_MS)
            continue;
        x->last_beat_ms = now;
        x->beats = 1;
        f->members[i].carrier->wake(f->members[i].link, x);
    }
}

static bool has_to_stop(const struct fleet *f, int signals_before)
{
    int enough = signals_before ? signals_before + 1 : f->impatient ? 1 : 2;

    return f->stop ? f->stop(f->stop_arg) : loop_signal_count(f->loop) >= enough;
}

static void look_at_deadlines(struct fleet *f, struct exchange **xs, size_t n, int signals_before)
{
    bool stop = has_to_stop(f, signals_before);
    long long now = loop_now();

    for (size_t i = 0; i < n; i++) {
        struct exchange *x = xs[i];
        if (x->done)
            continue;
        if (x->sent && x->call->timeout_ms && !x->deadline_ms)
            x->deadline_ms = now + x->call->timeout_ms;
        if (stop)
            exchange_cut(f, x, REPLY_STOPPED, "stopped by a signal");
        else if (x->deadline_ms && now >= x->deadline_ms)
            exchange_cut(f, x, REPLY_TIMEOUT, "no end within its time limit");
    }
}

static bool all_done(struct exchange **xs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!xs[i]->done)
            return false;
    return true;
}

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    struct exchange **xs = xcalloc(n ? n : 1, sizeof(struct exchange *));
    int signals_before = loop_signal_count(fleet->loop);

    for (size_t i = 0; i < n; i++) {
        struct fleet_member *m = &fleet->members[calls[i].host];
        const struct call *call = &calls[i];
        assert(calls[i].host < fleet->n);
        if (calls[i].hold) {
            /* A held call lives longer than the caller's array. */
            struct call *copy = xcalloc(1, sizeof *copy);
            *copy = calls[i];
            call = copy;
        }
        xs[i] = exchange_make(fleet, call);
        if (!m->link)
            m->link =
                m->carrier->open(fleet, &fleet->hosts[call->host], &fleet->options, fleet->loop);
        m->carrier->start(m->link, xs[i]);
    }
    while (!all_done(xs, n)) {
        loop_turn(fleet->loop, loop_now() + TURN_MS);
        look_at_deadlines(fleet, xs, n, signals_before);
        fleet_beat(fleet);
    }
    fleet_beat(fleet);
    for (size_t i = 0; i < n; i++) {
        const struct call *call = xs[i]->call;
        bool held = xs[i]->held;
        ret_replies[i] = reply_take(a, xs[i]);
        if (calls[i].hold && !held)
            free((void *)(uintptr_t)call);
    }
    free(xs);
}

bool fleet_wait(struct fleet *fleet, long long ms)
{
    long long deadline = loop_now() + ms;
    bool quiet = true;

    for (long long left = ms; quiet && left > 0; left = deadline - loop_now()) {
        quiet = loop_wait(fleet->loop, left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS);
        fleet_beat(fleet);
    }
    return quiet;
}

bool fleet_hold_is_lost(const struct fleet *fleet, size_t host)
{
    return fleet->members[host].hold_lost;
}

void fleet_let_go(struct fleet *fleet)
{
    long long deadline = loop_now() + LET_GO_MS;
    bool waiting = true;

    for (size_t i = 0; i < fleet->n; i++) {
        struct fleet_member *m = &fleet->members[i];
        if (!m->held)
            continue;
        m->held->let_go = true;
        m->held->beats = 0;
        m->carrier->wake(m->link, m->held);
    }
    while (waiting && loop_now() < deadline) {
        waiting = false;
        for (size_t i = 0; i < fleet->n; i++)
            waiting = waiting || fleet->members[i].held;
        if (waiting)
            loop_turn(fleet->loop, loop_now() + 20);
    }
    for (size_t i = 0; i < fleet->n; i++) {
        struct fleet_member *m = &fleet->members[i];
        if (!m->held)
            continue;
        m->carrier->cut(m->link, m->held);
        exchange_over(m->held);
    }
}

void fleet_close(struct fleet *fleet)
{
    if (!fleet)
        return;
    fleet_let_go(fleet);
    for (size_t i = 0; i < fleet->n; i++)
        if (fleet->members[i].link)
            fleet->members[i].carrier->close(fleet->members[i].link);
    /* Their handles close in the loop. */
    long long deadline = loop_now() + CLOSE_MS;
    while (uv_loop_alive(loop_uv(fleet->loop)) && loop_now() < deadline)
        loop_turn(fleet->loop, loop_now() + 5);
    free(fleet->members);
    free(fleet);
}
