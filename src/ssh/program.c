/* program.c -- the ssh program as a carrier: one master connection a host, one `ssh -S` for each
 * script (see program.h).  fleet.c calls it through struct carrier.
 *
 * look() advances a link through its states.  It is called when the master prints or ends, when a
 * script ends, and by a timer while anything is pending. */
#include "ssh/program.h"

#include "base/text.h"
#include "fleet/process.h"
#include "ssh/master.h"
#include "ssh/sockets.h"

#include <errno.h>
#include <unistd.h>

enum {
    CONNECT_MS = 15000,
    LOGINS_AT_ONCE = 8, /* sshd's MaxStartups drops some from 10 on */
    LOOK_MS = 20,
    SETTLE_MS = 300, /* the master may end a moment after its sessions */
    RETRY_FIRST_MS = 150,
    RETRY_MOST_MS = 2000,
    SSH_FAILED = 255, /* exit status of ssh for errors of its own, ssh(1) */
};

enum program_state { PROGRAM_IDLE, PROGRAM_QUEUED, PROGRAM_LOGIN, PROGRAM_READY };

/* One script. */
struct session {
    struct session *next;
    struct link *link;
    struct exchange *x;
    struct process *process; /* NULL before there is a connection, and after the end */
    bool failed;             /* it ended with SSH_FAILED, and it is not known yet why */
    long long failed_ms;
};

struct link {
    struct link *next;
    struct loop *loop;
    uv_timer_t *timer;
    const struct fleet_host *host;
    const struct fleet_options *options;
    struct arena arena;
    enum program_state state;
    const char *socket; /* NULL: none yet */
    struct master *master;
    struct session *sessions;
    long connect_ms;
    long long deadline_ms;
    long long retry_ms; /* not before */
    int retries;
    int signals; /* before the login */
};

static struct link *links;

static void look(struct link *link);

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

static void look_soon(struct link *link, uint64_t ms)
{
    uv_update_time(loop_uv(link->loop));
    uv_timer_start(link->timer, on_timer, ms, 0);
}

static void on_master(void *arg)
{
    look_soon(arg, 0);
}

static void on_line(void *arg, const char *line)
{
    struct link *link = arg;

    if (link->options->log)
        link->options->log(link->options->log_arg, link->host->name, line);
}

static const char *place(struct link *link)
{
    return text_shown(&link->arena, link->host->address);
}

static struct session **session_at(struct link *link, const struct session *s)
{
    struct session **at = &link->sessions;

    while (*at != s)
        at = &(*at)->next;
    return at;
}

static void session_free(struct session *s)
{
    *session_at(s->link, s) = s->next;
    free(s);
}

/* Whether it waits for a connection. */
static bool session_waits(const struct session *s)
{
    return !s->process && !s->failed;
}

static void session_fail(struct session *s, const char *why)
{
    struct exchange *x = s->x;

    if (s->process)
        process_cut(s->process, true);
    session_free(s);
    exchange_fail(x, why);
}

static void disconnect(struct link *link)
{
    master_end(link->master);
    link->master = NULL;
    link->state = PROGRAM_IDLE;
}

static void fail_all(struct link *link, const char *why)
{
    disconnect(link);
    while (link->sessions)
        session_fail(link->sessions, why);
}

/* The first session that has begun.  NULL if there is none. */
static struct session *session_begun(const struct link *link)
{
    struct session *s = link->sessions;

    while (s && session_waits(s))
        s = s->next;
    return s;
}

/* Sessions that have not begun wait for the next connection. */
static void connection_lost(struct link *link)
{
    const char *words = master_words(link->master, &link->arena);
    const char *why = arena_printf(&link->arena, "the connection to %s was lost: %s", place(link),
                                   *words ? words : "the ssh program ended");
    struct session *s;

    disconnect(link);
    while ((s = session_begun(link)))
        session_fail(s, why);
}

/* Reports the end of a script that ended with ssh's own status.  The host may have sent it, but ssh also
 * uses it when it lost the session, and when the script was ended by a signal. */
static void session_settle(struct session *s)
{
    struct exchange *x = s->x;

    s->process = NULL;
    if (greeting_is_over(&x->greeting)) {
        session_fail(s,
                     "the script ended with status 255 or by a signal, or the ssh program lost the "
                     "session: ssh reports all of these alike");
    } else {
        session_free(s);
        exchange_exit(x, SSH_FAILED, NULL);
    }
}

static void on_session_end(struct exchange *x, void *arg, int status, const char *signal)
{
    struct session *s = arg;

    if (status == SSH_FAILED || signal) {
        s->failed = true;
        s->failed_ms = loop_now();
        s->process = NULL;
        look_soon(s->link, LOOK_MS);
        return;
    }
    session_free(s);
    exchange_exit(x, status, NULL);
}

/* The arguments that the recipe and crelease decide; `more` follows, then the destination. */
static const char *const *arguments(const struct link *link, struct arena *a, struct strs *argv,
                                    const char *const *more, const char *command)
{
    strs_add(a, argv, "ssh");
    for (; *more; more++)
        strs_add(a, argv, *more);
    strs_add(a, argv, "-S");
    strs_add(a, argv, link->socket);
    for (size_t i = 0; i < link->host->program.n; i++)
        strs_add(a, argv, link->host->program.v[i]);
    strs_add(a, argv, "--");
    strs_add(a, argv, link->host->destination);
    if (command)
        strs_add(a, argv, command);
    strs_add(a, argv, NULL);
    return argv->v;
}

static void session_begin(struct session *s)
{
    static const char *const without[] = {"-T", "-oControlMaster=no", NULL};
    static const char *const with_terminal[] = {"-tt", "-oEscapeChar=none", "-oLogLevel=ERROR",
                                                "-oControlMaster=no", NULL};
    const struct fleet_terminal *terminal = s->x->call.terminal;
    const char *const *more = terminal ? with_terminal : without;
    const struct link *link = s->link;
    struct arena a = {0}; /* a run can have very many scripts */
    struct strs argv = {0};
    const struct process_call call = {.argv = arguments(link, &a, &argv, more, s->x->command),
                                      .folder = "/",
                                      .terminal = terminal,
                                      .ended = on_session_end,
                                      .arg = s};
    const char *why;

    s->x->sent = true;
    s->x->own = s;
    s->process = process_start(loop_uv(link->loop), s->x, &call, &why);
    if (!s->process) {
        s->x->sent = false;
        session_fail(s, arena_printf(&a, "cannot start ssh: %s", why));
    }
    arena_free(&a);
}

static size_t logins(void)
{
    size_t n = 0;

    for (const struct link *l = links; l; l = l->next)
        n += l->state == PROGRAM_LOGIN;
    return n;
}

/* Starts the master connection.  setpriv ends it with crelease, also when that is killed. */
static void login_begin(struct link *link)
{
    static const char *const more[] = {"-M", "-N", "-T", "-oControlPersist=no", NULL};
    struct strs argv = {0};
    const struct master_watch watch = {on_master, on_line, link};
    const char *why;

    strs_add(&link->arena, &argv, "setpriv");
    strs_add(&link->arena, &argv, "--pdeathsig");
    strs_add(&link->arena, &argv, "TERM");
    if (!link->retries)
        link->deadline_ms = loop_now() + link->connect_ms;
    if (!link->socket)
        link->socket = sockets_path(&link->arena);
    if (!link->socket) {
        fail_all(link,
                 arena_printf(&link->arena, "cannot create a folder for the sockets of ssh: %s",
                              strerror(errno)));
        return;
    }
    unlink(link->socket);
    link->master = master_start(loop_uv(link->loop),
                                arguments(link, &link->arena, &argv, more, NULL), watch, &why);
    if (link->master)
        link->state = PROGRAM_LOGIN;
    else
        fail_all(link, arena_printf(&link->arena, "cannot start ssh with setpriv: %s", why));
}

/* sshd drops connections before its banner while too many are logging in (MaxStartups).  A jump host that
 * refuses the login, or cannot reach the host, says so first. */
static bool was_dropped(const char *words)
{
    static const char *const first[] = {"kex_exchange_identification", "Connection reset by"};

    return strncmp(words, first[0], strlen(first[0])) == 0 ||
           strncmp(words, first[1], strlen(first[1])) == 0;
}

/* What to do about the reasons that ssh gives, since it can ask nobody here. */
static const char *advice(const char *words)
{
    if (strstr(words, "Permission denied"))
        return "; ssh cannot ask for a passphrase or a password here: load the key with ssh-add, or set "
               "identity: in the recipe to a key without a passphrase";
    if (strstr(words, "Host key verification failed") &&
        !strstr(words, "IDENTIFICATION HAS CHANGED") && !strstr(words, "has changed"))
        return "; 'crelease check --scan' prints the host's key, to be compared and added";
    return "";
}

static void login_failed(struct link *link)
{
    const char *words = master_words(link->master, &link->arena);
    long long pause = (long long)RETRY_FIRST_MS << (link->retries < 4 ? link->retries : 4);
    long long now = loop_now();

    if (was_dropped(words) && now + pause < link->deadline_ms) {
        master_end(link->master);
        link->master = NULL;
        link->retries++;
        link->retry_ms = now + (pause < RETRY_MOST_MS ? pause : RETRY_MOST_MS);
        link->state = PROGRAM_QUEUED;
        return;
    }
    fail_all(link,
             arena_printf(&link->arena, "the ssh program cannot log in to %s: %s%s", place(link),
                          *words ? words : "it ended without a message", advice(words)));
}

static void login_late(struct link *link)
{
    const char *words = master_words(link->master, &link->arena);

    fail_all(link, arena_printf(&link->arena, "the ssh program did not log in to %s within %s%s%s",
                                place(link), text_span(&link->arena, link->connect_ms),
                                *words ? ": " : "", words));
}

static void look_at_login(struct link *link)
{
    long long now = loop_now();

    if (loop_signal_count(link->loop) > link->signals)
        fail_all(link,
                 arena_printf(&link->arena, "cannot connect to %s: interrupted", place(link)));
    else if (link->state == PROGRAM_QUEUED)
        return;
    else if (access(link->socket, F_OK) == 0)
        link->state = PROGRAM_READY;
    else if (master_has_ended(link->master))
        login_failed(link);
    else if (now >= link->deadline_ms)
        login_late(link);
}

static void look_at_sessions(struct link *link)
{
    long long now = loop_now();

    if (master_has_ended(link->master)) {
        connection_lost(link);
        return;
    }
    if (master_is_ending(link->master))
        return;
    for (struct session *s = link->sessions, *next; s; s = next) {
        next = s->next;
        if (session_waits(s))
            session_begin(s);
        else if (s->failed && now - s->failed_ms >= SETTLE_MS)
            session_settle(s);
    }
}

static bool is_pending(const struct link *link)
{
    bool pending = link->state == PROGRAM_LOGIN || link->state == PROGRAM_QUEUED ||
                   (link->master && master_is_ending(link->master));

    for (const struct session *s = link->sessions; s; s = s->next)
        pending = pending || !s->process;
    return pending;
}

static void look(struct link *link)
{
    if (link->state == PROGRAM_IDLE && link->sessions) {
        link->signals = loop_signal_count(link->loop);
        link->retries = 0;
        link->retry_ms = 0;
        link->state = PROGRAM_QUEUED;
    }
    if (link->state == PROGRAM_QUEUED && logins() < LOGINS_AT_ONCE && loop_now() >= link->retry_ms)
        login_begin(link);
    if (link->state == PROGRAM_QUEUED || link->state == PROGRAM_LOGIN)
        look_at_login(link);
    if (link->state == PROGRAM_READY)
        look_at_sessions(link);
    if (is_pending(link))
        look_soon(link, LOOK_MS);
}

static struct link *program_open(struct fleet *fleet, const struct fleet_host *host,
                                 const struct fleet_options *options, struct loop *loop)
{
    struct link *link = xcalloc(1, sizeof *link);
    long ms = host->connect_ms ? host->connect_ms : options->connect_ms;

    (void)fleet;
    link->loop = loop;
    link->host = host;
    link->options = options;
    link->connect_ms = ms ? ms : CONNECT_MS;
    link->timer = xcalloc(1, sizeof *link->timer);
    link->timer->data = link;
    uv_timer_init(loop_uv(loop), link->timer);
    link->next = links;
    links = link;
    return link;
}

static void program_start(struct link *link, struct exchange *x)
{
    struct session *s = xcalloc(1, sizeof *s);
    struct session **last = &link->sessions;

    s->link = link;
    s->x = x;
    x->own = s;
    while (*last)
        last = &(*last)->next;
    *last = s;
    look_soon(link, 0);
}

static void program_wake(struct link *link, struct exchange *x)
{
    struct session *s = x->own;

    (void)link;
    if (s->process)
        process_wake(s->process);
}

static void program_resize(struct link *link, struct exchange *x)
{
    struct session *s = x->own;

    (void)link;
    if (s->process)
        process_resize(s->process, x->call.terminal);
}

/* Without its `ssh -S`, the master closes the session. */
static void program_cut(struct link *link, struct exchange *x)
{
    struct session *s = x->own;

    (void)link;
    if (s->process)
        process_cut(s->process, true);
    session_free(s);
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

static void program_close(struct link *link)
{
    struct link **at = &links;

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    while (link->sessions)
        program_cut(link, link->sessions->x);
    master_end(link->master);
    if (link->socket)
        sockets_leave(link->socket);
    uv_close((uv_handle_t *)link->timer, free_timer);
    arena_free(&link->arena);
    free(link);
}

const struct carrier carrier_openssh = {
    .name = "openssh",
    .open = program_open,
    .start = program_start,
    .wake = program_wake,
    .resize = program_resize,
    .cut = program_cut,
    .close = program_close,
};
