/* fleet.c -- runs scripts on several hosts at once and waits for all replies (see fleet.h).  Called
 * by core/run.c and everything above it; relies on the event loop and on the carriers that its
 * options name. */
#include "fleet/fleet.h"

#include "base/limits.h"
#include "base/text.h"
#include "fleet/carrier.h"
#include "fleet/session.h"
#include "fleet/sudo.h"
#include "edge/loop_uv.h"

#include <assert.h>
#include <signal.h>
#include <unistd.h>

enum {
    BEAT_INTERVAL_MS = 10000,
    TURN_MS = 500,
    PROGRESS_MS = 250,
    ANSWER_MS = 200,      /* a signal that has not ended the trip by then is acknowledged */
    WAIT_SLICE_MS = 1000, /* interval for checking deadlines and heartbeats */
    LET_GO_MS = 3000,
    CLOSE_MS = 2000,
    LOGIN_SHELL_MS = 20000, /* from sending the command to the script's first line */
};

struct fleet_member {
    const struct carrier *carrier;
    struct link *link;
    struct exchange *held;         /* owned; NULL if none.  May have ended already */
    struct session_shell *session; /* owned; NULL until a call needs it.  May have ended already */
    bool hold_lost;
    bool noise_told;
};

struct fleet {
    struct loop *loop;
    const struct fleet_host *hosts;
    size_t n;
    struct fleet_options options;
    struct fleet_member *members;
    struct exchange **running; /* by the current fleet_run */
    size_t n_running;
    bool impatient;
    fleet_stop *stop;
    void *stop_arg;
    fleet_progress *progress;
    void *progress_arg;
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
        f->members[i].carrier = options->carriers[hosts[i].transport];
    return f;
}

void fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg)
{
    fleet->stop = stop;
    fleet->stop_arg = arg;
}

void fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg)
{
    fleet->progress = progress;
    fleet->progress_arg = arg;
}

void fleet_impatient(struct fleet *fleet, bool on)
{
    fleet->impatient = on;
}

static void exchange_cut(struct fleet *f, struct exchange *x, enum reply_kind kind, const char *why)
{
    struct fleet_member *m = &f->members[x->call.host];

    if (x->in && f->impatient && session_keeps(m->session)) {
        /* It changes nothing, and the lock stays. */
        session_abandon(m->session);
    } else if (x->in) {
        /* Only the end of its shell ends the script, or at least its connection. */
        m->hold_lost = session_keeps(m->session);
        session_drop(m->session);
        m->session = NULL;
        x->in = NULL;
    } else {
        m->carrier->cut(m->link, x);
    }
    exchange_over(x, x->sent ? kind : REPLY_UNREACHED, why);
}

static void tell_noise(struct fleet *f, const struct exchange *x)
{
    struct fleet_member *m = &f->members[x->call.host];
    const struct fleet_options *o = &f->options;
    struct arena a = {0};

    if (m->session)
        x = session_exchange(m->session);
    unsigned long long size = x->greeting.heard[0].size;

    if (size && o->log && !m->noise_told) {
        m->noise_told = true;
        o->log(o->log_arg, x->host->name,
               arena_printf(&a, "the login shell prints %s before each script (ignored): %s",
                            text_size(&a, size), greeting_words(&x->greeting, &a)));
    }
    arena_free(&a);
}

static void exchange_beat(struct fleet *f, struct exchange *x)
{
    struct fleet_member *m = &f->members[x->call.host];
    long long now = loop_now();

    if (!x->held || x->over || now - x->last_beat_ms < BEAT_INTERVAL_MS)
        return;
    x->last_beat_ms = now;
    x->beats = 1;
    m->carrier->wake(m->link, x);
}

/* Frees the member's held exchange; a script that still runs is not told. */
static void member_drop(struct fleet_member *m)
{
    if (!m->held)
        return;
    if (!m->held->over)
        m->carrier->cut(m->link, m->held);
    exchange_free(m->held);
    m->held = NULL;
}

static void member_look(struct fleet_member *m)
{
    if (m->session)
        session_look(m->session, loop_now());
    if (m->session && session_is_over(m->session)) {
        m->hold_lost = m->hold_lost || session_keeps(m->session);
        session_drop(m->session);
        m->session = NULL;
    }
    if (!m->held || !m->held->over)
        return;
    m->hold_lost = !m->held->let_go;
    member_drop(m);
}

static void member_keep(struct fleet_member *m, struct exchange *x)
{
    member_drop(m); /* the new one replaces it */
    m->held = x;
    m->hold_lost = false;
}

void fleet_beat(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++) {
        member_look(&f->members[i]);
        if (f->members[i].held)
            exchange_beat(f, f->members[i].held);
    }
}

static bool has_to_stop(const struct fleet *f, int signals_before)
{
    int enough = signals_before ? signals_before + 1 : f->impatient ? 1 : 2;

    return f->stop ? f->stop(f->stop_arg) : loop_signal_count(f->loop) >= enough;
}

static void look_at_login(struct fleet *f, struct exchange *x, long long now)
{
    struct arena a = {0};

    const struct exchange *shell = x->in ? x->in : x;
    if (greeting_is_over(&shell->greeting) || now - x->sent_ms < LOGIN_SHELL_MS)
        return;
    const char *why = exchange_no_script(
        shell, &a,
        arena_printf(&a, "did not start the script within %s", text_span(&a, LOGIN_SHELL_MS)));
    exchange_cut(f, x, REPLY_UNREACHED, why);
    arena_free(&a);
}

static void look_at_deadlines(struct fleet *f, struct exchange **xs, size_t n, int signals_before)
{
    bool stop = has_to_stop(f, signals_before);
    long long now = loop_now();

    for (size_t i = 0; i < n; i++) {
        struct exchange *x = xs[i];
        long long limit = x->call.timeout_ms;
        if (!x->done && x->sent && !x->sent_ms)
            x->sent_ms = now;
        if (!x->done && stop)
            exchange_cut(f, x, REPLY_STOPPED, "stopped by a signal");
        if (!x->done && x->sent_ms && limit && now - x->sent_ms >= limit)
            exchange_cut(f, x, REPLY_TIMEOUT, "the script did not end within its time limit");
        if (!x->done && x->sent_ms)
            look_at_login(f, x, now);
    }
}

/* What a fleet_run has reported so far. */
struct told {
    int signals_before;
    long long signal_ms; /* when the first was noticed */
    bool signal;
    long long progress_ms;
};

static void answer_signal(struct fleet *f, struct told *told)
{
    long long now = loop_now();

    if (told->signal || f->stop || told->signals_before || !loop_signal_count(f->loop))
        return;
    if (!told->signal_ms)
        told->signal_ms = now;
    if (now - told->signal_ms < ANSWER_MS)
        return;
    told->signal = true;
    if (f->options.interrupted)
        f->options.interrupted(f->options.interrupted_arg);
}

static void tell_progress(struct fleet *f, struct exchange **xs, size_t n, struct told *told)
{
    long long now = loop_now();
    size_t loaded = 0;

    if (!f->progress || now - told->progress_ms < PROGRESS_MS)
        return;
    told->progress_ms = now;
    struct fleet_sent *sent = xcalloc(n ? n : 1, sizeof *sent);
    for (size_t i = 0; i < n; i++)
        if (exchange_payload(xs[i]))
            sent[loaded++] = (struct fleet_sent){.host = xs[i]->call.host,
                                                 .sent = exchange_payload_sent(xs[i]),
                                                 .total = exchange_payload(xs[i])};
    if (loaded)
        f->progress(f->progress_arg, sent, loaded);
    free(sent);
}

static bool all_done(struct exchange **xs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!xs[i]->done)
            return false;
    return true;
}

/* Starts a call in the host's session if it may run there, otherwise in a channel of its own. */
static struct exchange *member_start(struct fleet *f, const struct call *call)
{
    struct fleet_member *m = &f->members[call->host];
    const struct fleet_host *host = &f->hosts[call->host];

    if (!m->link)
        m->link = m->carrier->open(f, host, &f->options, f->loop);
    member_look(m);
    bool framed = call->frame && f->options.session;
    if (framed && call->keep && m->session && !session_is_free(m->session)) {
        /* Only a session can keep the lock. */
        session_drop(m->session);
        m->session = NULL;
    }
    if (framed && !m->session)
        m->session = session_start(m->carrier, m->link, host, call->host, f->options.session);
    framed = framed && session_is_free(m->session);
    if (!framed) {
        struct exchange *x = exchange_make(host, call);
        m->carrier->start(m->link, x);
        return x;
    }
    struct call in_frame = *call;
    in_frame.head_size = in_frame.payload_size = 0;
    in_frame.payload = -1;
    struct exchange *x = exchange_make_frame(host, &in_frame);
    session_run(m->session, x);
    return x;
}

/* A call that took the lock in a session leaves it to the session's shell. */
static void keep_lock(struct fleet_member *m, const struct exchange *x)
{
    if (x->framed && x->call.hold && m->session && !session_is_over(m->session) &&
        x->end.kind == REPLY_EXIT && x->end.status == 0) {
        m->hold_lost = false;
        session_keep(m->session, x->call.keep);
    }
}

static void run_trip(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
                     struct reply *ret_replies)
{
    struct exchange **xs = xcalloc(n ? n : 1, sizeof(struct exchange *));
    struct told told = {.signals_before = loop_signal_count(fleet->loop)};

    for (size_t i = 0; i < n; i++) {
        assert(calls[i].host < fleet->n);
        xs[i] = member_start(fleet, &calls[i]);
    }
    fleet->running = xs;
    fleet->n_running = n;
    while (!all_done(xs, n)) {
        loop_turn(fleet->loop, loop_now() + (fleet->progress ? PROGRESS_MS : TURN_MS));
        look_at_deadlines(fleet, xs, n, told.signals_before);
        if (all_done(xs, n))
            break;
        answer_signal(fleet, &told);
        tell_progress(fleet, xs, n, &told);
        for (size_t i = 0; i < n; i++)
            exchange_beat(fleet, xs[i]);
        fleet_beat(fleet);
    }
    fleet->n_running = 0;
    for (size_t i = 0; i < n; i++) {
        ret_replies[i] = exchange_reply(a, xs[i]);
        keep_lock(&fleet->members[calls[i].host], xs[i]);
        tell_noise(fleet, xs[i]);
        if (xs[i]->held && !xs[i]->over)
            member_keep(&fleet->members[calls[i].host], xs[i]);
        else
            exchange_free(xs[i]);
    }
    free(xs);
}

/* Repeats some of the calls. */
static void run_again(struct fleet *fleet, const struct sudo_trip *t, const size_t *again, size_t n)
{
    struct call *calls = xcalloc(n, sizeof *calls);
    struct reply *replies = xcalloc(n, sizeof *replies);

    for (size_t i = 0; i < n; i++)
        calls[i] = t->calls[again[i]];
    run_trip(fleet, t->arena, calls, n, replies);
    for (size_t i = 0; i < n; i++)
        t->replies[again[i]] = replies[i];
    free(calls);
    free(replies);
}

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    struct sudo_trip trip = {.hosts = fleet->hosts,
                             .user = {.ask = fleet->options.ask,
                                      .ask_arg = fleet->options.ask_arg,
                                      .loop = fleet->loop,
                                      .fleet = fleet},
                             .arena = a,
                             .calls = calls,
                             .replies = ret_replies,
                             .n = n};
    size_t *again = xcalloc(n ? n : 1, sizeof *again);
    size_t left;

    run_trip(fleet, a, calls, n, ret_replies);
    while ((left = sudo_retry(&trip, again)))
        run_again(fleet, &trip, again, left);
    free(again);
}

static struct exchange *running_on(const struct fleet *fleet, size_t host)
{
    for (size_t i = 0; i < fleet->n_running; i++)
        if (fleet->running[i]->call.host == host && !fleet->running[i]->done)
            return fleet->running[i];
    return NULL;
}

bool fleet_is_running(const struct fleet *fleet, size_t host)
{
    return running_on(fleet, host) != NULL;
}

void fleet_said(struct fleet *fleet, size_t host)
{
    struct fleet_member *m = &fleet->members[host];
    struct exchange *x = running_on(fleet, host);

    if (x)
        m->carrier->wake(m->link, x);
}

void fleet_resized(struct fleet *fleet, size_t host)
{
    struct fleet_member *m = &fleet->members[host];
    struct exchange *x = running_on(fleet, host);

    if (x && x->call.terminal)
        m->carrier->resize(m->link, x);
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
    const struct fleet_member *m = &fleet->members[host];

    return m->hold_lost || (m->held && m->held->over && !m->held->let_go) ||
           (m->session && session_keeps(m->session) && session_is_over(m->session));
}

void fleet_let_go_of(struct fleet *fleet, size_t host)
{
    struct fleet_member *m = &fleet->members[host];

    member_look(m);
    m->hold_lost = false;
    if (m->session)
        session_keep_no_more(m->session);
}

void fleet_let_go(struct fleet *fleet)
{
    long long deadline = loop_now() + LET_GO_MS;
    bool waiting = true;

    for (size_t i = 0; i < fleet->n; i++) {
        struct fleet_member *m = &fleet->members[i];
        member_look(m);
        if (m->session && session_keeps(m->session))
            session_let_go(m->session);
        if (!m->held)
            continue;
        m->held->let_go = true;
        m->held->beats = 0;
        m->carrier->wake(m->link, m->held);
    }
    while (waiting && loop_now() < deadline) {
        waiting = false;
        for (size_t i = 0; i < fleet->n; i++) {
            member_look(&fleet->members[i]);
            waiting = waiting || fleet->members[i].held ||
                      (fleet->members[i].session && session_keeps(fleet->members[i].session));
        }
        if (waiting)
            loop_turn(fleet->loop, loop_now() + 20);
    }
    for (size_t i = 0; i < fleet->n; i++) {
        struct fleet_member *m = &fleet->members[i];
        member_drop(m);
        if (m->session && session_keeps(m->session)) {
            session_drop(m->session);
            m->session = NULL;
        }
    }
}

void fleet_close(struct fleet *fleet)
{
    if (!fleet)
        return;
    fleet_let_go(fleet);
    for (size_t i = 0; i < fleet->n; i++) {
        session_drop(fleet->members[i].session);
        if (fleet->members[i].link)
            fleet->members[i].carrier->close(fleet->members[i].link);
    }
    /* Their handles close in the loop. */
    long long deadline = loop_now() + CLOSE_MS;
    while (uv_loop_alive(loop_uv(fleet->loop)) && loop_now() < deadline)
        loop_turn(fleet->loop, loop_now() + 5);
    free(fleet->members);
    free(fleet);
}
