/* cap_servers.c -- reads `server` and `role` of a file of Capistrano (see cap_statement.h). */
#include "cli/capistrano/cap_statement.h"

enum { SERVERS_MAX = 1000 };

static const char *text_at(const struct ruby_value *map, const char *key)
{
    const struct ruby_value *v = ruby_get(map, key);

    return v && v->kind == RUBY_TEXT ? v->text : NULL;
}

/* What is in the options of a server; false if one of them has a value that was not read. */
static bool server_options(struct arena *a, struct cap_server *server, const struct ruby_value *o)
{
    const struct ruby_value *ssh = ruby_get(o, "ssh_options"),
                            *keys = ssh ? ruby_get(ssh, "keys") : NULL;
    const struct ruby_value *roles = ruby_get(o, "roles");

    for (size_t i = 0; i < o->n; i += 2)
        if (strcmp(o->items[i].text, "user") == 0 && o->items[i + 1].kind == RUBY_ENV)
            return false;
    for (int pass = 0; pass < 2; pass++) {
        const struct ruby_value *from = pass == 0 ? o : ssh;
        if (!from || from->kind != RUBY_MAP)
            continue;
        server->user = text_at(from, "user") ? text_at(from, "user") : server->user;
        server->port = text_at(from, "port") ? text_at(from, "port") : server->port;
    }
    if (keys && keys->kind == RUBY_LIST && keys->n == 1 && keys->items[0].kind == RUBY_TEXT)
        server->identity = keys->items[0].text;
    const char *primary = text_at(o, "primary"), *no_release = text_at(o, "no_release");
    server->primary = server->primary || (primary && strcmp(primary, "true") == 0);
    server->no_release = server->no_release || (no_release && strcmp(no_release, "true") == 0);
    const struct ruby_value *one = roles ? roles : ruby_get(o, "role");
    if (one && one->kind == RUBY_TEXT)
        strs_add(a, &server->roles, one->text);
    for (size_t i = 0; one && one->kind == RUBY_LIST && i < one->n; i++)
        if (one->items[i].kind == RUBY_TEXT)
            strs_add(a, &server->roles, one->items[i].text);
    return true;
}

/* "user@host:port"; a server that was named before gets more roles. */
static bool add_server(struct cap_statement *s, const char *name, const char *role,
                       const struct ruby_value *options)
{
    struct cap_site *site = s->site;
    struct arena *a = site->cap->arena;
    struct cap_server one = {.host = name, .mark = s->mark};
    const char *at = strchr(name, '@'), *colon;

    if (at) {
        one.user = arena_strndup(a, name, (size_t)(at - name));
        one.host = at + 1;
    }
    colon = strrchr(one.host, ':');
    if (colon && (strchr(one.host, ':') == colon || (colon > one.host && colon[-1] == ']'))) {
        one.port = colon + 1;
        one.host = arena_strndup(a, one.host, (size_t)(colon - one.host));
    }
    if (!*one.host || (options && !server_options(a, &one, options)))
        return false;
    if (role)
        strs_add(a, &one.roles, role);
    for (size_t i = 0; i < site->n_servers; i++) {
        struct cap_server *old = &site->servers[i];
        if (strcmp(old->host, one.host) != 0)
            continue;
        old->user = one.user ? one.user : old->user;
        old->port = one.port ? one.port : old->port;
        old->identity = one.identity ? one.identity : old->identity;
        old->primary = old->primary || one.primary;
        for (size_t k = 0; k < one.roles.n; k++)
            strs_add(a, &old->roles, one.roles.v[k]);
        return true;
    }
    if (site->n_servers >= SERVERS_MAX)
        return false;
    struct cap_server *more = arena_array(a, site->n_servers + 1, sizeof *more);
    if (site->n_servers)
        memcpy(more, site->servers, site->n_servers * sizeof *more);
    more[site->n_servers++] = one;
    site->servers = more;
    site->cap->fuel -= (long)(site->n_servers * sizeof *more);
    return site->cap->fuel > 0;
}

/* server 'host', options; role :app, %w[user@host ...], options. */
bool cap_read_server(struct cap_statement *s, bool is_role)
{
    struct ruby_value args;

    if (!ruby_args(&s->ruby, &args) || args.n < 1 + (size_t)is_role ||
        args.items[0].kind != RUBY_TEXT)
        return false;
    const struct ruby_value *options = &args.items[args.n - 1];
    options = options->kind == RUBY_MAP ? options : NULL;
    size_t n = args.n - (options != NULL);
    const char *role = is_role ? args.items[0].text : NULL;
    for (size_t i = is_role; i < n; i++) {
        const struct ruby_value *v = &args.items[i];
        size_t count = v->kind == RUBY_LIST ? v->n : 1;
        for (size_t k = 0; k < count; k++) {
            const struct ruby_value *host = v->kind == RUBY_LIST ? &v->items[k] : v;
            /* Capistrano 2: server "host", :app, :web */
            bool more_roles = !is_role && i > 0;
            if (host->kind != RUBY_TEXT ||
                !(more_roles ? add_server(s, args.items[0].text, host->text, NULL)
                             : add_server(s, host->text, role, options)))
                return false;
        }
    }
    cap_mark(s->mark, CAP_DONE);
    const char *variable = cap_variable(&args);
    if (variable)
        s->mark->note = arena_printf(s->ruby.arena, "Capistrano took it from %s", variable);
    return true;
}
