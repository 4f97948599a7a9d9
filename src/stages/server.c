#include "stages/server.h"

#include "stages/stages.h"

const struct server *server_of(const struct recipe *recipe)
{
    switch (recipe->database.adapter) {
    case ADAPTER_POSTGRESQL:
        return &server_postgresql;
    case ADAPTER_NONE:
        break;
    }
    return NULL;
}

const char *server_command(const struct recipe *recipe)
{
    return recipe->database.psql;
}

const char *server_own(struct run *r)
{
    return arena_printf(r->arena, "crelease-%s", *r->plan->what.run ? r->plan->what.run : "none");
}

const char *server_text(struct run *r)
{
    const struct server *server = server_of(r->recipe);

    return arena_printf(r->arena, "%s %s", server->name,
                        r->server_version ? server->version_text(r->arena, r->server_version) : "");
}

bool server_is_name(const char *application)
{
    const char *id = application + strlen("crelease-");

    return strncmp(application, "crelease-", strlen("crelease-")) == 0 && *id &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(id);
}
