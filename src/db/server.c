/* server.c -- the struct server of a recipe, and the names of its sessions and programs
 * (server.h).  Called by the stages around the migration.  Sends nothing itself. */
#include "db/server.h"

#include <assert.h>

const struct server *server_of(const struct recipe *recipe)
{
    switch (recipe->database.adapter) {
    case ADAPTER_POSTGRESQL:
        return &server_postgresql;
    case ADAPTER_MYSQL:
        return &server_mysql;
    case ADAPTER_NONE:
        break;
    }
    return NULL;
}

const char *server_command(const struct recipe *recipe)
{
    return recipe->database.adapter == ADAPTER_MYSQL ? recipe->database.mysql
                                                     : recipe->database.psql;
}

const char *server_own(struct run *r)
{
    return arena_printf(r->arena, "crelease-%s", *r->plan->what.run ? r->plan->what.run : "none");
}

const char *server_text(struct run *r)
{
    const struct server *server = server_of(r->recipe);

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
