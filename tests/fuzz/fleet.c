/* fleet.c -- a run whose hosts answer with the parts of an input.  The linker puts these functions in the
 * place of those of fleet/fleet.h and edge/loop.h (-Wl,--wrap), so that time passes only in waits. */
#include "base/text.h"
#include "edge/loop.h"
#include "fleet/fleet.h"
#include "fleet/sudo.h"
#include "fuzz.h"

size_t fleet_piece;
struct buf events;

static const struct input *input;
static const char *rest;
static long long clock_ms;

enum { EVENTS_MAX = 4 << 20, TURNS_MAX = 500 };

/* Each piece in memory of its own, so that a look beyond it is seen. */
static void send_pieces(const struct call *call, const char *bytes)
{
    size_t n;

    for (size_t left = strlen(bytes); left; left -= n, bytes += n) {
        n = fleet_piece && fleet_piece < left ? fleet_piece : left;
        char *copy = xcalloc(n, 1);
        memcpy(copy, bytes, n);
        call->output(call->arg, copy, n);
        free(copy);
    }
}

/* An answer begins with "lost", "signal KILL", or its status, in a line of its own. */
static struct reply reply_of(const char **answer)
{
    struct reply r = {.kind = REPLY_EXIT, .err_out = ""};
    const char *line = *answer;
    size_t len = strcspn(line, "\n");

    if (strncmp(line, "lost", len) == 0 && len == 4)
        r = (struct reply){.kind = REPLY_LOST, .err_out = "", .why = "lost"};
    else if (strncmp(line, "signal", len) == 0 && len == 6)
        r = (struct reply){.kind = REPLY_SIGNAL, .signal = "KILL", .err_out = "said so\n"};
    else if (len && len <= 3 && strspn(line, "0123456789") >= len)
        r.status = atoi(line) & 255;
    else
        return r;
    *answer = line + len + (line[len] == '\n');
    return r;
}

void __wrap_fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
                      struct reply *ret_replies);
void __wrap_fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
                      struct reply *ret_replies)
{
    (void)fleet;
    for (size_t i = 0; i < n; i++) {
        const char *answer = next_part(input, &rest);
        if (!answer)
            answer = "lost\n";
        ret_replies[i] = reply_of(&answer);
        if (calls[i].output)
            send_pieces(&calls[i], answer);
        ret_replies[i].out = calls[i].output ? "" : arena_strdup(a, answer);
        ret_replies[i].out_len = strlen(ret_replies[i].out);
        if (calls[i].lost && ret_replies[i].kind == REPLY_LOST)
            calls[i].lost(calls[i].arg, ret_replies[i].why);
    }
}

/* The words of greetings, the same in each run. */
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    static unsigned char next;

    (void)flags;
    memset(bytes, ++next % 4, len);
    return (ssize_t)len;
}

long long __wrap_loop_now(void);
long long __wrap_loop_now(void)
{
    return clock_ms;
}

bool __wrap_loop_wait(struct loop *loop, long long ms);
bool __wrap_loop_wait(struct loop *loop, long long ms)
{
    (void)loop;
    clock_ms += ms;
    return true;
}

bool __wrap_fleet_wait(struct fleet *fleet, long long ms);
bool __wrap_fleet_wait(struct fleet *fleet, long long ms)
{
    (void)fleet;
    clock_ms += ms;
    return true;
}

int __wrap_loop_signal(const struct loop *loop);
int __wrap_loop_signal(const struct loop *loop)
{
    (void)loop;
    return clock_ms > TURNS_MAX * 1000000LL ? 15 : 0;
}

int __wrap_loop_signal_count(const struct loop *loop);
int __wrap_loop_signal_count(const struct loop *loop)
{
    return __wrap_loop_signal(loop) ? 1 : 0;
}

/* What has nothing to do without a loop and a fleet. */
int __wrap_loop_key(struct loop *loop);
int __wrap_loop_key(struct loop *loop)
{
    (void)loop;
    return 0;
}

void __wrap_loop_keys(struct loop *loop, bool on);
void __wrap_loop_keys(struct loop *loop, bool on)
{
    (void)loop;
    (void)on;
}

bool __wrap_loop_was_continued(void);
bool __wrap_loop_was_continued(void)
{
    return false;
}

void __wrap_fleet_impatient(struct fleet *fleet, bool on);
void __wrap_fleet_impatient(struct fleet *fleet, bool on)
{
    (void)fleet;
    (void)on;
}

void __wrap_fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg);
void __wrap_fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg)
{
    (void)fleet;
    (void)stop;
    (void)arg;
}

void __wrap_fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg);
void __wrap_fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg)
{
    (void)fleet;
    (void)progress;
    (void)arg;
}

void __wrap_fleet_let_go(struct fleet *fleet);
void __wrap_fleet_let_go(struct fleet *fleet)
{
    (void)fleet;
}

void __wrap_fleet_said(struct fleet *fleet, size_t host);
void __wrap_fleet_said(struct fleet *fleet, size_t host)
{
    (void)fleet;
    (void)host;
}

/* ---- the run ---- */

/* Everything but the output of jobs is one line of text by the time it is reported. */
static void note(void *self, const struct event *e)
{
    (void)self;
    buf_printf(&events, "%d %d %s %s %s\n", (int)e->kind, (int)e->state, e->stage ? e->stage : "-",
               e->host ? e->host : "-", e->detail ? e->detail : "-");
    if (e->kind == EVENT_OUTPUT)
        buf_add(&events, e->bytes, e->len);
}

struct run *run_of(const struct input *in, const char *answers)
{
    static struct host hosts[] = {{.name = "app1", .deploy_to = "/srv/shop"},
                                  {.name = "db1", .deploy_to = "/srv/shop"}};
    static struct recipe recipe = {.hosts = hosts, .n_hosts = 2, .application = "shop"};
    static const struct watcher watcher = {.tell = note};
    static struct plan plan;
    static struct run run;

    input = in;
    rest = answers;
    clock_ms = 1000;
    recipe.database = (struct database_keys){ADAPTER_POSTGRESQL, "shop", "psql", "mysql"};
    recipe.migrate.run = "rake db:migrate";
    plan.what = what_none;
    plan.what.run = "abc123";
    plan.what.release = "20261122153012";
    buf_free(&events);
    events = buf_make(EVENTS_MAX);
    run = (struct run){.arena = in->arena,
                       .guard = arena_alloc(in->arena, sizeof(struct guard)),
                       .recipe = &recipe,
                       .plan = &plan,
                       .watcher = &watcher,
                       .sites = arena_array(in->arena, 2, sizeof(struct site)),
                       .on_backup = POLICY_ABORT};
    return &run;
}
