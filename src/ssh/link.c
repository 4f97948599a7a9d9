/* link.c -- what a link reports: log lines, why it died, and text from the server made safe to
 * show. Used by the other files of this folder (see link.h). */
#include "ssh/link.h"

#include "base/text.h"

enum { SERVER_TEXT_MAX = 200 };

void link_say(struct link *link, const char *fmt, ...)
{
    struct arena a = {0};
    va_list ap;

    if (!link->options->log)
        return;
    va_start(ap, fmt);
    link->options->log(link->options->log_arg, link->host->name, arena_vprintf(&a, fmt, ap));
    va_end(ap);
    arena_free(&a);
}

/* Keeps the first cause.  pump() cleans up once nothing uses the link any more. */
void link_die(struct link *link, const char *fmt, ...)
{
    va_list ap;

    if (link->state == LINK_DEAD)
        return;
    va_start(ap, fmt);
    link->why = arena_vprintf(&link->arena, fmt, ap);
    va_end(ap);
    link->state = LINK_DEAD;
}

const char *link_server_text(struct link *link, const char *text, size_t len)
{
    bool cut = len > SERVER_TEXT_MAX;

    return arena_printf(
        &link->arena, "%s%s",
        text_shown(&link->arena, arena_strndup(&link->arena, text, cut ? SERVER_TEXT_MAX : len)),
        cut ? "..." : "");
}

const char *link_error_text(struct link *link)
{
    char *text = NULL;
    int len = 0;

    int rc = libssh2_session_last_error(link->ssh, &text, &len, 0);
    return arena_printf(&link->arena, "%s (libssh2 %d)",
                        text ? link_server_text(link, text, len > 0 ? (size_t)len : 0) : "", rc);
}

const char *link_loss(struct link *link)
{
    const char *said = link->proxy ? proxy_last_line(link->proxy) : NULL;

    if (link->goodbye)
        return arena_printf(&link->arena, "the server said '%s'", link->goodbye);
    if (link->tunnel && tunnel_why(link->tunnel))
        return arena_strdup(&link->arena, tunnel_why(link->tunnel));
    if (said)
        return arena_printf(&link->arena, "the ProxyCommand said '%s'",
                            link_server_text(link, said, strlen(said)));
    if (wire_trouble(link->wire))
        return wire_trouble(link->wire);
    return link_error_text(link);
}

const char *link_place(struct link *link)
{
    const struct fleet_host *via = link->host->via;

    return arena_printf(&link->arena, "%s port %d%s%s",
                        text_shown(&link->arena, link->host->address), link->port,
                        via                         ? " through "
                        : link->host->proxy_command ? " through its ProxyCommand"
                                                    : "",
                        via ? text_shown(&link->arena, via->name) : "");
}

const char *const *link_known_hosts(const struct link *link)
{
    return link->host->known_hosts ? link->host->known_hosts : link->options->known_hosts;
}

void link_lost(struct link *link)
{
    link_die(link, "the connection to %s was lost: %s", link_place(link), link_loss(link));
}
