/* carrier.c -- drives the connection of each host: connect, verify the host, log in, run scripts.
 * fleet.c calls it through struct carrier (carrier.h).
 *
 * There is one struct link per host (link.h).  pump() advances it through its states.  It is called
 * whenever something may have changed (bytes, a timer, a new script) and does all that can be done
 * until libssh2 returns EAGAIN everywhere.  Nothing blocks: the user and the agent are asked
 * through the event loop, too. */
#include "ssh/carrier.h"

#include "base/die.h"
#include "base/text.h"
#include "edge/loop_uv.h"
#include "ssh/link.h"

#include <assert.h>
#include <unistd.h>

enum {
    CONNECT_MS = 15000,
    ALIVE_INTERVAL_MS = 15000,
    ALIVE_INTERVALS = 3,
    REQUEST_MS = 60000, /* to open a channel: sshd may have slow PAM modules */
};

/* All links of the process, for counting logins per address and for waking them. */
static struct link *links;

struct link *links_first(void)
{
    return links;
}

/* The time limit for connecting is suspended while the link waits for the agent or the user. */
void link_waits(struct link *link, bool on)
{
    long long now = loop_now();

    if (on && !link->wait_ms)
        link->wait_ms = now;
    if (!on && link->wait_ms) {
        link->deadline_ms += now - link->wait_ms;
        link->wait_ms = 0;
    }
}

/* Wakes the links that may be waiting for the agent or for a secret. */
static void links_wake(void)
{
    for (struct link *l = links; l; l = l->next)
        if (l->state == LINK_LOGIN)
            link_poke(l);
}

static void links_tell(const char *line)
{
    if (links && links->options->tell)
        links->options->tell(links->options->tell_arg, line);
}

/* A signal ends connections that are still being set up, since nothing has been sent yet. */
static void links_look(void *arg)
{
    (void)arg;
    for (struct link *l = links; l; l = l->next)
        if (l->state != LINK_IDLE && l->state < LINK_READY)
            link_poke(l);
}

struct secret *link_ask(struct link *link, const char *name, const char *what)
{
    return share_secret(link->loop, name, what, link->options);
}

static void pump(struct link *link);

void link_on_change(void *arg)
{
    pump(arg);
}

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

void link_poke(struct link *link)
{
    uv_timer_start(link->timer, on_timer, 0, 0);
}

/* Connecting */

static void step_idle(struct link *link)
{
    if (!link->channels)
        return;
    link->deadline_ms = loop_now() + link->connect_ms;
    link->retries = 0;
    link->signals = loop_signal_count(link->loop);
    link->state = LINK_DIALING;
    /* Ask the agent early, so that its answer is there when the first host wants to log in. */
    link->agent = agent_begin(link->loop, &(struct agent_hooks){links_wake, links_tell},
                              link->host->agent, isatty(STDIN_FILENO));
    if (link->via || link->host->proxy_command)
        return; /* connect_step opens the way */
    link->dial = dial_open(link->uv,
                           &(struct dial_to){.host = link->host->address,
                                             .port = link->port,
                                             .family = link->host->family,
                                             .bind = link->host->bind},
                           (struct dial_watch){link_on_change, link});
}

/* Reports the end to all exchanges.  A link that had been connected can connect again. */
static void bury(struct link *link)
{
    connection_end(link, false);
    link_leave_slot(link);
    dial_close(link->dial);
    link->dial = NULL;
    connect_close(link);
    link_say(link, "%s", link->why);
    channels_end(link, link->why);
    if (link->was_ready) {
        link->was_ready = false;
        link->state = LINK_IDLE;
    }
}

/* Deadlines */

static const char *seconds(struct link *link, long long ms)
{
    return text_span(&link->arena, ms);
}

static void connecting_is_late(struct link *link)
{
    const char *limit = seconds(link, link->connect_ms);
    bool silent = !link->wire || !wire_first(link->wire)->len;

    if (link->state == LINK_LOGIN)
        link_die(link, "cannot log in to %s: the login did not finish within %s", link_place(link),
                 limit);
    else if (link->state == LINK_DIALING && link->dial && dial_state(link->dial) == DIAL_RESOLVING)
        link_die(link, "cannot connect to %s: the name lookup did not finish within %s",
                 link_place(link), limit);
    else if (link->state == LINK_HANDSHAKE)
        link_die(link, "cannot connect to %s: %s within %s", link_place(link),
                 silent ? "no SSH banner" : "key exchange did not finish", limit);
    else if (link->state == LINK_PAUSED)
        link_die(link,
                 "cannot connect to %s: the server kept closing the connection before its banner"
                 " for %s",
                 link_place(link), limit);
    else
        link_die(link, "cannot connect to %s: no answer within %s", link_place(link), limit);
}

static void look_alive(struct link *link, long long now)
{
    long long last = wire_last_byte_ms(link->wire);
    int next = 0;

    if (last >= link->asked_ms)
        link->asked_ms = 0;
    if (link->asked_ms && now - link->asked_ms >= (link->alive_max - 1) * link->alive_ms) {
        link_die(link, "no answer from %s for %s", link_place(link),
                 seconds(link, link->alive_max * link->alive_ms));
        return;
    }
    if (link->turn && now - link->turn_ms >= REQUEST_MS) {
        link_die(link, "%s did not answer the request for a session", link_place(link));
        return;
    }
    if (link->pinged_ms > last)
        last = link->pinged_ms;
    if (now - last < link->alive_ms)
        return;
    link->pinged_ms = now;
    if (!link->asked_ms)
        link->asked_ms = now;
    int rc = libssh2_keepalive_send(link->ssh, &next);
    if (rc != 0 && rc != LIBSSH2_ERROR_EAGAIN)
        link_lost(link);
}

static void look_at_clocks(struct link *link)
{
    long long now = loop_now();

    switch (link->state) {
    case LINK_DIALING:
    case LINK_PAUSED:
    case LINK_HANDSHAKE:
    case LINK_LOGIN:
    case LINK_QUEUED:
        if (loop_signal_count(link->loop) > link->signals)
            link_die(link, "cannot connect to %s: interrupted", link_place(link));
        else if (now >= link->deadline_ms && link->state != LINK_QUEUED && !link->wait_ms)
            connecting_is_late(link);
        return;
    case LINK_READY:
        look_alive(link, now);
        return;
    case LINK_IDLE:
    case LINK_DEAD:
        return;
    }
}

static void arm_timer(struct link *link, bool at_once)
{
    long long now = loop_now();
    long long next = link->deadline_ms;

    switch (link->state) {
    case LINK_IDLE:
    case LINK_QUEUED:
    case LINK_DEAD:
        if (!at_once)
            return;
        break;
    case LINK_PAUSED:
        if (link->retry_ms < next)
            next = link->retry_ms;
        break;
    case LINK_READY:
        next = now + link->alive_ms / 2 + 1;
        break;
    case LINK_DIALING:
    case LINK_LOGIN:
        if (link->wait_ms && !at_once)
            return;
        break;
    case LINK_HANDSHAKE:
        break;
    }
    uv_update_time(link->uv);
    uv_timer_start(link->timer, on_timer, at_once || next <= now ? 0 : (uint64_t)(next - now), 0);
}

static bool step(struct link *link)
{
    enum link_state before = link->state;

    switch (link->state) {
    case LINK_IDLE:
        step_idle(link);
        break;
    case LINK_DIALING:
        connect_step(link);
        break;
    case LINK_QUEUED:
        connect_try(link);
        break;
    case LINK_PAUSED:
        if (loop_now() >= link->retry_ms)
            connect_try(link);
        break;
    case LINK_HANDSHAKE:
        return connection_handshake(link);
    case LINK_LOGIN:
        return login_step(link);
    case LINK_READY:
        return channels_step(link);
    case LINK_DEAD:
        break;
    }
    return link->state != before;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void ssh_close(struct link *link);

static void link_free(struct link *link)
{
    struct link **at = &links;
    struct link *via = link->via;

    connection_end(link, true);
    link_leave_slot(link);
    dial_close(link->dial);
    connect_close(link);
    channels_end(link, NULL);
    if (link->more)
        ssh_close(link->more);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    uv_close((uv_handle_t *)link->timer, free_handle);
    arena_free(&link->arena);
    if (!links && !via) {
        loop_on_signal(link->loop, NULL);
        agents_end();
        libssh2_exit();
    }
    free(link);
    share_leave();
    if (via && --via->users == 0)
        ssh_close(via);
}

/* Without a channel libssh2 does not read, so an end of the connection would go unnoticed. */
static void soak_if_idle(struct link *link)
{
    if (link->state != LINK_READY || link->channels)
        return;
    wire_soak(link->wire);
    if (wire_trouble(link->wire))
        link_lost(link);
}

static void pump(struct link *link)
{
    bool moved = true;

    assert(!link->pumping);
    link->pumping = true;
    link->taken = 0;
    link->taken_all = false;
    if (link->wire)
        wire_flush(link->wire);
    for (int i = 0; i < ROUNDS && moved && !link->closing; i++) {
        size_t taken = link->taken;
        /* Reading one stream may have buffered packets of another one inside libssh2, and the
         * socket will not become readable for these. */
        moved = step(link) || link->taken != taken;
    }
    channels_sweep(link);
    soak_if_idle(link);
    look_at_clocks(link);
    if (link->state == LINK_DEAD)
        bury(link);
    if (link->wire)
        wire_flush(link->wire);
    link->pumping = false;
    if (link->closing)
        link_free(link);
    else
        arm_timer(link, moved || link->taken_all || (link->state == LINK_IDLE && link->channels));
}

/* The functions of struct carrier */

static long first(long a, long b, long otherwise)
{
    return a ? a : b ? b : otherwise;
}

static struct link *link_to_jump(const struct fleet_host *jump, const struct fleet_options *options,
                                 struct loop *loop);

static struct link *link_open(const struct fleet_host *host, const struct fleet_options *options,
                              struct loop *loop)
{
    struct link *link = xcalloc(1, sizeof *link);

    if (!links && libssh2_init(0) != 0)
        die("cannot initialise libssh2 (out of memory?)");
    share_join(links_wake);
    loop_on_signal(loop, links_look);
    link->loop = loop;
    link->host = host;
    link->options = options;
    link->uv = loop_uv(loop);
    link->port = host->port ? host->port : 22;
    /* An alias is looked up as it is, without the port (ssh_config(5), HostKeyAlias). */
    link->id = host->host_key_alias
                   ? (struct known_host){.name = host->host_key_alias, .port = 22}
                   : (struct known_host){.name = host->address, .port = link->port};
    link->connect_ms = first(host->connect_ms, options->connect_ms, CONNECT_MS);
    link->alive_ms = first(host->alive_interval_ms, options->alive_interval_ms, ALIVE_INTERVAL_MS);
    link->alive_max = host->alive_max ? host->alive_max : ALIVE_INTERVALS;
    link->timer = xcalloc(1, sizeof *link->timer);
    link->timer->data = link;
    uv_timer_init(link->uv, link->timer);
    link->next = links;
    links = link;
    if (host->via) {
        link->via = link_to_jump(host->via, options, loop);
        link->via->users++;
    }
    return link;
}

/* Returns the connection to a jump host, which all hosts behind it share. */
static struct link *link_to_jump(const struct fleet_host *jump, const struct fleet_options *options,
                                 struct loop *loop)
{
    for (struct link *l = links; l; l = l->next)
        if (l->host == jump)
            return l;
    return link_open(jump, options, loop);
}

struct link *link_more(struct link *link)
{
    if (!link->more)
        link->more = link_open(link->host, link->options, link->loop);
    return link->more;
}

static struct link *ssh_open(struct fleet *fleet, const struct fleet_host *host,
                             const struct fleet_options *options, struct loop *loop)
{
    (void)fleet;
    return link_open(host, options, loop);
}

static void ssh_start(struct link *link, struct exchange *x)
{
    channel_start(link, x);
    link_poke(link);
}

static void ssh_wake(struct link *link, struct exchange *x)
{
    struct channel *c = x->own;

    (void)link;
    if (c && c->link->state == LINK_READY)
        link_poke(c->link);
}

static void ssh_resize(struct link *link, struct exchange *x)
{
    struct channel *c = x->own;

    (void)link;
    if (c)
        channel_resize(c);
}

static void ssh_cut(struct link *link, struct exchange *x)
{
    struct channel *c = x->own;

    (void)link;
    if (!c)
        return;
    channel_cut(c);
    if (!c->link->pumping)
        link_poke(c->link);
}

static void ssh_close(struct link *link)
{
    if (link->pumping)
        link->closing = true;
    else
        link_free(link);
}

const struct carrier carrier_libssh2 = {
    .name = "libssh2",
    .open = ssh_open,
    .start = ssh_start,
    .wake = ssh_wake,
    .resize = ssh_resize,
    .cut = ssh_cut,
    .close = ssh_close,
};
