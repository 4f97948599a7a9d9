/* connect.c -- the way of a link to its host, up to the first byte of SSH: a direct connection, one
 * through a jump host, or a ProxyCommand; and how many links may log in at one address at a time.
 * carrier.c calls it while a link is being connected. */
#include "base/text.h"
#include "ssh/link.h"

enum { LOGINS_PER_ADDRESS = 8 }; /* sshd drops connections from the 10th login on (MaxStartups) */

/* Whether both connect to the same server.  Behind a jump host only the names can be compared. */
static bool same_server(const struct link *a, const struct link *b)
{
    if (a->dial && b->dial)
        return dial_same_address(dial_address(a->dial), dial_address(b->dial));
    return !a->dial && !b->dial && a->host->via == b->host->via && a->port == b->port &&
           strcmp(a->host->address, b->host->address) == 0;
}

static bool slot_is_free(const struct link *link)
{
    int taken = 0;

    for (const struct link *l = links_first(); l; l = l->next)
        if (l->has_slot && same_server(l, link))
            taken++;
    return taken < LOGINS_PER_ADDRESS;
}

void link_leave_slot(struct link *link)
{
    if (!link->has_slot)
        return;
    link->has_slot = false;
    for (struct link *l = links_first(); l; l = l->next)
        if (l->state == LINK_QUEUED)
            link_poke(l);
}

static void on_proxy_line(void *arg, const char *line)
{
    struct link *link = arg;

    link_say(link, "ProxyCommand: %s", text_shown(&link->arena, line));
}

void connect_close(struct link *link)
{
    tunnel_close(link->tunnel);
    link->tunnel = NULL;
    proxy_close(link->proxy);
    link->proxy = NULL;
}

/* Starts the ProxyCommand, or asks the jump host for a connection. */
static void open_way(struct link *link)
{
    const char *why;
    int fd = -1;

    connect_close(link);
    if (link->via) {
        link->tunnel = tunnel_open(link->via, link, link->host->address, link->port);
        return;
    }
    link->proxy = proxy_open(link->uv, link->host->proxy_command,
                             (struct proxy_watch){on_proxy_line, link}, &fd, &why);
    if (!link->proxy) {
        link_die(link, "cannot connect to %s: cannot run it: %s", link_place(link), why);
        return;
    }
    link_say(link, "started the ProxyCommand");
    connection_begin(link, fd);
}

void connect_try(struct link *link)
{
    long long now = loop_now();

    if (!link->has_slot && !slot_is_free(link)) {
        if (link->state != LINK_QUEUED)
            link->queued_ms = now;
        link->state = LINK_QUEUED;
        return;
    }
    /* Time in the queue does not count. */
    if (link->state == LINK_QUEUED)
        link->deadline_ms += now - link->queued_ms;
    link->has_slot = true;
    link->state = LINK_DIALING;
    if (!link->dial) {
        open_way(link);
        return;
    }
    dial_connect(link->dial, link->deadline_ms - now);
}

/* The time limit counts from the moment at which the jump host is asked. */
static void step_tunnel(struct link *link)
{
    link_waits(link, tunnel_state(link->tunnel) == TUNNEL_WAITING);
    switch (tunnel_state(link->tunnel)) {
    case TUNNEL_WAITING:
    case TUNNEL_OPENING:
        return;
    case TUNNEL_OPEN:
        link_say(link, "connected through %s", text_shown(&link->arena, link->via->host->name));
        connection_begin(link, tunnel_take(link->tunnel));
        return;
    case TUNNEL_FAILED:
        link_die(link, "cannot connect to %s: %s", link_place(link), tunnel_why(link->tunnel));
        return;
    }
}

void connect_step(struct link *link)
{
    if (link->tunnel) {
        step_tunnel(link);
        return;
    }
    if (!link->dial) {
        connect_try(link);
        return;
    }
    switch (dial_state(link->dial)) {
    case DIAL_RESOLVING:
    case DIAL_CONNECTING:
        return;
    case DIAL_RESOLVED:
        connect_try(link);
        return;
    case DIAL_CONNECTED:
        link_say(link, "connected to %s", dial_address_text(link->dial, &link->arena));
        connection_begin(link, dial_take(link->dial));
        return;
    case DIAL_FAILED:
        link_die(link, "cannot connect to %s: %s", link_place(link), dial_why(link->dial));
        return;
    }
}

/* Tries again later: the server closed the connection before its banner because it was busy. */
void link_pause(struct link *link, long long ms)
{
    connection_end(link, false);
    link_leave_slot(link);
    connect_close(link);
    link->retry_ms = loop_now() + ms;
    link->state = LINK_PAUSED;
}
