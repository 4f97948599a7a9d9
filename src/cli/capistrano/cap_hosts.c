/* cap_hosts.c -- the hosts of an environment of Capistrano as lines of a recipe (see cap_site.h). */
#include "cli/capistrano/cap_site.h"

#include "base/number.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

static void left(struct cap_server *server, const char *why)
{
    server->mark->state = CAP_LEFT;
    server->mark->why = why;
}

static bool has_role(const struct cap_server *server, const char *role)
{
    for (size_t i = 0; i < server->roles.n; i++)
        if (strcmp(server->roles.v[i], role) == 0)
            return true;
    return false;
}

/* crelease migrates on the first host with the role db, Capistrano on that of migration_role. */
static struct strs roles_of(struct arena *a, const struct cap_server *server,
                            const char *migration_role)
{
    struct strs roles = {0};
    bool moved = strcmp(migration_role, "db") != 0;

    for (size_t i = 0; i < server->roles.n; i++) {
        const char *role = server->roles.v[i];
        bool again = false;
        for (size_t k = 0; k < roles.n; k++)
            again = again || strcmp(roles.v[k], role) == 0;
        if (!again && !(moved && strcmp(role, "db") == 0))
            strs_add(a, &roles, role);
    }
    if (moved && has_role(server, migration_role))
        strs_add(a, &roles, "db");
    return roles;
}

/* False if a recipe cannot have it. */
static bool tidy(struct arena *a, struct cap_server *server)
{
    const struct {
        const char **text;
        key_check *check;
        const char *why;
    } texts[] = {{&server->host, check_address, "not the name of a host"},
                 {&server->user, check_user, "not the name of a user"}};
    long long port;

    for (size_t i = 0; i < 2; i++)
        if (*texts[i].text && (!yaml_fits(*texts[i].text) || texts[i].check(a, texts[i].text))) {
            left(server, texts[i].why);
            return false;
        }
    for (size_t i = 0; i < server->roles.n; i++)
        if (!yaml_fits(server->roles.v[i]) || check_role(a, &server->roles.v[i])) {
            left(server, "not the name of a role");
            return false;
        }
    if (server->identity && !yaml_fits(server->identity))
        server->identity = NULL;
    if (server->port && (!number_read(server->port, 65535, &port) || port == 0)) {
        left(server, "not a port");
        return false;
    }
    return true;
}

static const char *host_line(struct arena *a, const struct cap_server *server,
                             const struct strs *roles)
{
    const char *line = arena_printf(a, "{host: %s", yaml_scalar(a, server->host));
    bool all = has_role(server, "all");

    if (server->user)
        line = arena_printf(a, "%s, user: %s", line, yaml_scalar(a, server->user));
    if (server->port && strcmp(server->port, "22") != 0)
        line = arena_printf(a, "%s, port: %s", line, server->port);
    if (server->identity)
        line = arena_printf(a, "%s, identity: %s", line, yaml_scalar(a, server->identity));
    if (!all) {
        line = arena_printf(a, "%s, roles: [", line);
        for (size_t i = 0; i < roles->n; i++)
            line = arena_printf(a, "%s%s%s", line, i ? ", " : "", yaml_scalar(a, roles->v[i]));
        line = arena_printf(a, "%s]", line);
    }
    return arena_printf(a, "%s}", line);
}

/* What the settings say about every server. */
static void fill_in(struct cap_site *site, struct cap_server *server)
{
    const struct ruby_value *ssh = cap_value(site, "ssh_options");
    const struct ruby_value *user = ssh ? ruby_get(ssh, "user") : NULL,
                            *port = ssh ? ruby_get(ssh, "port") : NULL;
    const struct ruby_value *keys = ssh ? ruby_get(ssh, "keys") : NULL;

    if (!server->user)
        server->user = user && user->kind == RUBY_TEXT ? user->text : cap_text(site, "user");
    if (!server->port)
        server->port = port && port->kind == RUBY_TEXT ? port->text : cap_text(site, "port");
    if (!server->identity && keys && keys->kind == RUBY_LIST && keys->n == 1 &&
        keys->items[0].kind == RUBY_TEXT)
        server->identity = keys->items[0].text;
    if (ssh && (ruby_get(ssh, "proxy") || (keys && keys->kind == RUBY_LIST && keys->n > 1)))
        cap_spoilt(site, "ssh_options", "put keys and jump hosts into ~/.ssh/config");
}

void cap_part_hosts(struct arena *a, struct cap_site *site, struct cap_part *ret)
{
    struct strs asked;
    const char *migration_role =
        cap_roles(a, site, "migration_role",
                  "the recipe migrates on the first host with the role db", &asked)
            ? asked.v[0]
            : "db";
    size_t behind = 0; /* servers that the one at hand is put in front of */

    if (asked.n > 1)
        cap_spoilt(site, "migration_role",
                   "migrations run on one host: the recipe takes the first of these roles");

    ret->servers = arena_array(a, site->n_servers + 1, sizeof *ret->servers);
    /* The primary server of the role db comes first, as crelease takes the first one. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < site->n_servers; i++) {
            struct cap_server *server = &site->servers[i];
            behind = i == 0 ? 0 : behind;
            if (server->primary != (pass == 0)) {
                behind += !server->no_release;
                continue;
            }
            if (server->no_release) {
                left(server, "'no_release': nothing is deployed to it");
                continue;
            }
            fill_in(site, server);
            if (!tidy(a, server))
                continue;
            server->roles = roles_of(a, server, migration_role);
            if (!server->roles.n) /* a host without roles has all of them in a recipe */
                strs_add(a, &server->roles, "none");
            const char *line = host_line(a, server, &server->roles);
            bool first = pass == 0 && behind && !ret->hosts.n;
            strs_add(a, &ret->hosts,
                     first ? arena_printf(
                                 a, "%s   # first, because it is the primary database server", line)
                           : line);
            ret->servers[ret->n_servers++] = server;
        }
}
