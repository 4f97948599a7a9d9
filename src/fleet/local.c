/* local.c -- the carrier for this machine: runs scripts with /bin/sh, without a connection.
 * fleet.c calls it through struct carrier. */
#include "fleet/carrier.h"

#include "fleet/process.h"

#include <unistd.h>

struct link {
    uv_loop_t *uv;
};

static struct link *local_open(struct fleet *fleet, const struct fleet_host *host,
                               const struct fleet_options *options, struct loop *loop)
{
    struct link *link = xcalloc(1, sizeof *link);

    (void)fleet;
    (void)host;
    (void)options;
    link->uv = loop_uv(loop);
    return link;
}

static void on_end(struct exchange *x, void *arg, int status, const char *signal)
{
    (void)arg;
    exchange_exit(x, status, signal);
}

static void local_start(struct link *link, struct exchange *x)
{
    const char *argv[] = {"/bin/sh", "-c", x->command, NULL};
    const char *home = getenv("HOME");
    const struct process_call call = {.argv = argv,
                                      .folder = home && access(home, X_OK) == 0 ? home : "/",
                                      .terminal = x->call.terminal,
                                      .ended = on_end};
    const char *why;

    x->sent = true;
    x->own = process_start(link->uv, x, &call, &why);
    if (x->own)
        return;
    struct arena a = {0};
    x->sent = false;
    exchange_fail(x, arena_printf(&a, "cannot start /bin/sh: %s", why));
    arena_free(&a);
}

static void local_wake(struct link *link, struct exchange *x)
{
    (void)link;
    process_wake(x->own);
}

static void local_resize(struct link *link, struct exchange *x)
{
    (void)link;
    process_resize(x->own, x->call.terminal);
}

/* The script is left alone; it notices that its streams are closed. */
static void local_cut(struct link *link, struct exchange *x)
{
    (void)link;
    process_cut(x->own, false);
}

static void local_close(struct link *link)
{
    free(link);
}

const struct carrier carrier_local = {
    .name = "local",
    .open = local_open,
    .start = local_start,
    .wake = local_wake,
    .resize = local_resize,
    .cut = local_cut,
    .close = local_close,
};
