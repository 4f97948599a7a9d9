/* server.c -- the struct server of a recipe, and the names of its sessions and programs
 * (server.h).  Called by the stages around the migration.  Sends nothing itself. */
#include "db/server.h"

#include <assert.h>

/* The clients of a database that was found, with the variables that reach.sh sets.  psql takes the rest from its
 * environment.  A user's option file, which the application does not read, must not win over what it uses.  Newer
 * clients of MariaDB insist on TLS unless they are told not to. */
#define FOUND_PSQL "\"$db_client\""
#define FOUND_MYSQL                                                                                \
    "\"$db_client\" --no-defaults ${db_user:+--user=\"$db_user\"} ${db_host:+--host=\"$db_host\"}" \
    " ${db_port:+--port=\"$db_port\"} ${db_socket:+--socket=\"$db_socket\"}"                       \
    " ${db_sslrootcert:+--ssl-ca=\"$db_sslrootcert\"} ${db_sslcert:+--ssl-cert=\"$db_sslcert\"}"   \
    " ${db_sslkey:+--ssl-key=\"$db_sslkey\"} ${db_sslmode:+--loose-ssl-mode=\"$db_sslmode\"}"      \
    " --loose-ssl-verify-server-cert=0"

enum adapter server_adapter(const struct run *r)
{
    enum adapter given = r->recipe->database.adapter;

    return given == ADAPTER_AUTO ? r->guard->found.adapter : given;
}

const struct server *server_kind(enum adapter adapter)
{
    switch (adapter) {
    case ADAPTER_POSTGRESQL:
        return &server_postgresql;
    case ADAPTER_MYSQL:
        return &server_mysql;
    case ADAPTER_NONE:
    case ADAPTER_AUTO:
        break;
    }
    return NULL;
}

const struct server *server_of(const struct run *r)
{
    return server_kind(server_adapter(r));
}

const char *server_database(const struct run *r)
{
    return r->recipe->database.adapter == ADAPTER_AUTO ? r->guard->found.name
                                                       : r->recipe->database.name;
}

const char *server_client(const struct run *r, enum adapter adapter)
{
    bool is_mysql = adapter == ADAPTER_MYSQL;
    const char *given = is_mysql ? r->recipe->database.mysql : r->recipe->database.psql;
    bool is_own = strcmp(given, is_mysql ? "mysql" : "psql") != 0;

    return r->recipe->database.adapter != ADAPTER_AUTO || is_own ? given
           : is_mysql                                            ? FOUND_MYSQL
                                                                 : FOUND_PSQL;
}

const char *server_command(const struct run *r)
{
    return server_client(r, server_adapter(r));
}

const char *server_command_shown(const struct run *r)
{
    return server_adapter(r) == ADAPTER_MYSQL ? r->recipe->database.mysql
                                              : r->recipe->database.psql;
}

const char *server_own(struct run *r)
{
    return arena_printf(r->arena, "crelease-%s", *r->plan->what.run ? r->plan->what.run : "none");
}

const char *server_text(struct run *r)
{
    const struct server *server = server_of(r);

    assert(server);
    return r->guard->server_version ? server->product(r->arena, r->guard->server_version)
                                    : server->name;
}

bool server_is_name(const char *application)
{
    const char *id = application + strlen("crelease-");

    return strncmp(application, "crelease-", strlen("crelease-")) == 0 && *id &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(id);
}

bool server_is_dump(const struct server *s, enum backup_kind kind)
{
    return kind != BACKUP_NONE && (kind == s->dump || kind == s->dump_all);
}

const char *server_programs(const struct server *s, enum backup_kind kind)
{
    if (!server_is_dump(s, kind))
        return "";
    /* If both kinds have their own program, the programs are named like the kinds. */
    return s->dump_all ? backup_kind_word(kind) : s->programs;
}
