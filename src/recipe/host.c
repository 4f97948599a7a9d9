/* host.c -- reads the hosts of an environment (see reader.h).  Called by value.c; whole.c calls
 * hosts_finish at the end. */
#include "recipe/reader.h"

#include "base/limits.h"
#include "base/number.h"
#include "recipe/check.h"

static const char SHORT_FORM[] = "'user@host:port', 'host', '[v6]:port' or a map with 'host'";

/* Parses "user@host:port", where user and port may be missing. */
static void short_form(struct reader *rd, const struct recipe_key *key, const struct node *node,
                       const char *text, struct host *ret)
{
    const char *at = strrchr(text, '@');
    const char *rest = at ? at + 1 : text;
    bool v6 = *rest == '[';
    const char *end = v6 ? strchr(rest, ']') : NULL;
    const char *colon = strchr(end ? end : rest, ':');
    size_t len = colon ? (size_t)(colon - rest) : strlen(rest);

    if (!v6 && colon && strchr(colon + 1, ':')) {
        value_wrong(rd, key, node, "an IPv6 address in brackets, such as '[fe80::1]:22'");
        return;
    }
    ret->address = arena_strndup(rd->a, rest, len);
    if (check_address(rd->a, &ret->address)) {
        value_wrong(rd, key, node, SHORT_FORM);
        return;
    }
    if (at) {
        ret->user = arena_strndup(rd->a, text, (size_t)(at - text));
        if (check_user(rd->a, &ret->user))
            value_wrong(rd, key, node, SHORT_FORM);
    }
    if (colon) {
        long long port = number_or(colon + 1, 65535, 0);
        if (port < 1)
            value_wrong(rd, key, node, "a port from 1 to 65535 behind the ':'");
        ret->port = (int)port;
    }
}

static void host_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                      struct host *ret)
{
    const char *text;

    ret->env = rd->env;
    if (node->kind == NODE_MAP)
        map_read(rd, node, "hosts.", node, ret);
    else if (node->kind == NODE_LIST || node_is_missing(node) || node_is_null(node))
        value_wrong(rd, key, node, SHORT_FORM);
    else if (value_text(rd, key, node, &text))
        short_form(rd, key, node, text, ret);
    if (!ret->name)
        ret->name = ret->address;
}

void hosts_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    struct recipe *r = rd->recipe;
    bool list = node->kind == NODE_LIST;
    size_t n = list ? node->n : 1;

    if (n > HOSTS_MAX) {
        mistake_add(rd->m, node, "'hosts' has %zu members, expected at most %d", n, HOSTS_MAX);
        return;
    }
    if (!n) {
        mistake_add(rd->m, node, "'hosts' is empty, expected at least one host");
        return;
    }
    r->hosts = arena_array(rd->a, n, sizeof *r->hosts);
    r->n_hosts = n;
    for (size_t i = 0; i < n; i++)
        host_read(rd, key, list ? node->item[i] : node, &r->hosts[i]);
}

static bool same_site(const struct host *a, const struct host *b)
{
    int port_a = a->port ? a->port : 22;
    int port_b = b->port ? b->port : 22;

    if (!a->address || !b->address || !a->deploy_to || !b->deploy_to)
        return false;
    return port_a == port_b && strcmp(a->address, b->address) == 0 &&
           strcmp(a->deploy_to, b->deploy_to) == 0;
}

/* Records a mistake if two hosts have the same name or are the same site.  True if so. */
static bool hosts_clash(struct reader *rd, const struct host *host, const struct host *before,
                        const struct node *at, const struct node *at_before)
{
    bool same_name = host->name && before->name && strcmp(host->name, before->name) == 0;

    if (!same_name && !same_site(host, before))
        return false;
    if (same_name)
        mistake_add(
            rd->m, at,
            "duplicate host '%s'; it is already on line %u (give one of them its own 'name')",
            value_shown(rd->a, host->name), at_before->line);
    else
        mistake_add(rd->m, at,
                    "host '%s' is the same site as '%s' on line %u, "
                    "expected another address or deploy_to",
                    value_shown(rd->a, host->name), value_shown(rd->a, before->name),
                    at_before->line);
    return true;
}

void hosts_finish(struct reader *rd, const struct node *node)
{
    struct recipe *r = rd->recipe;
    bool list = node->kind == NODE_LIST;

    for (size_t i = 0; i < r->n_hosts; i++)
        if (!r->hosts[i].deploy_to)
            r->hosts[i].deploy_to = r->deploy_to;
    for (size_t i = 0; list && i < r->n_hosts; i++)
        for (size_t k = 0; k < i; k++)
            if (hosts_clash(rd, &r->hosts[i], &r->hosts[k], node->item[i], node->item[k]))
                break;
}
