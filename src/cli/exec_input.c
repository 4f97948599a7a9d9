/* exec_input.c -- copies standard input to the commands of exec on every host (exec_input.h).  A timer
 * polls it: whether it is a file, a pipe or a device decides what other ways of waiting work. */

#include "cli/exec_input.h"

#include "base/limits.h"
#include "edge/loop_uv.h"

#include <poll.h>
#include <unistd.h>

enum { LOOK_MS = 10, PIECE = 64 * 1024, HELD_MAX = 512 * 1024 };

struct receiver {
    struct receiver *next;
    size_t host;
    struct buf say;
};

struct exec_input {
    struct arena *arena;
    struct fleet *fleet;
    struct receiver *receivers;
    uv_timer_t timer;
    bool over;
};

/* A host whose command has ended does not hold up the others. */
static bool all_have_room(const struct exec_input *in)
{
    for (const struct receiver *r = in->receivers; r; r = r->next)
        if (r->say.len > HELD_MAX - PIECE && fleet_is_running(in->fleet, r->host))
            return false;
    return true;
}

static void give(struct exec_input *in, const char *bytes, size_t n)
{
    for (struct receiver *r = in->receivers; r; r = r->next) {
        if (!fleet_is_running(in->fleet, r->host))
            continue;
        buf_add(&r->say, bytes, n);
        fleet_said(in->fleet, r->host);
    }
}

static void look(uv_timer_t *timer)
{
    struct exec_input *in = timer->data;
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    static char piece[PIECE];

    while (!in->over && all_have_room(in) && poll(&ready, 1, 0) > 0) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        in->over = n <= 0;
        give(in, piece, n > 0 ? (size_t)n : 0);
        explicit_bzero(piece, sizeof piece); /* it may be a secret */
    }
    if (in->over)
        uv_timer_stop(timer);
}

struct exec_input *exec_input_open(struct arena *a, struct loop *loop, struct fleet *fleet)
{
    if (isatty(STDIN_FILENO))
        return NULL;
    struct exec_input *in = arena_alloc(a, sizeof *in);
    in->arena = a;
    in->fleet = fleet;
    in->timer.data = in;
    uv_timer_init(loop_uv(loop), &in->timer);
    uv_timer_start(&in->timer, look, 0, LOOK_MS);
    uv_unref((uv_handle_t *)&in->timer);
    return in;
}

struct buf *exec_input_for(struct exec_input *in, size_t host)
{
    struct receiver *r = arena_alloc(in->arena, sizeof *r);

    r->host = host;
    r->say = buf_make(HELD_MAX);
    r->next = in->receivers;
    in->receivers = r;
    return &r->say;
}

const bool *exec_input_end(const struct exec_input *in)
{
    return &in->over;
}

/* The handle is closed by the next turn of the loop; it lives in the arena, which outlives that. */
void exec_input_close(struct exec_input *in)
{
    if (!in)
        return;
    for (struct receiver *r = in->receivers; r; r = r->next)
        buf_free(&r->say);
    uv_close((uv_handle_t *)&in->timer, NULL);
}
