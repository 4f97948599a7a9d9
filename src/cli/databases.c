/* databases.c -- the databases of a Rails application whose recipe does not name them: finds out their names, so that
 * each is guarded and migrated as if `databases` named it.  Called whenever the hosts were surveyed, before a plan is
 * made.
 *
 * A run that the database's host has a plan of keeps the databases that it began with.  Otherwise they are those of
 * config/database.yml in the repository; or, if that is a linked file, on the database's host, which alone runs what
 * is done for them. */
#include "cli/cmd.h"
#include "db/find/names.h"

#define DATABASE_YML "config/database.yml"

static bool is_linked(const struct recipe *r)
{
    return strs_has(&r->linked_files, DATABASE_YML) || strs_has(&r->linked_dirs, "config");
}

void databases_of_revision(struct session *s, const struct revision *rev)
{
    if (recipe_may_have_several(s->recipe) && !s->recipe->source && !is_linked(s->recipe))
        s->run.database_yml = repo_text(s->repo, s->arena, rev, DATABASE_YML);
}

/* Those of the run that holds the database's host; false if there is none. */
static bool of_run(struct session *s, const struct site *site, struct strs *ret)
{
    struct err ignored = {.arena = s->arena};
    struct what what;

    if (!site->lock.held || !site->plan)
        return false;
    if (plan_read(s->arena, site->plan, &what, &ignored))
        *ret = what.databases;
    return true;
}

void databases_learn(struct session *s, const struct survey *sv)
{
    struct recipe *r = s->recipe;
    long host = recipe_may_have_several(r) ? recipe_database_host(r) : -1;
    struct strs names = {0};

    if (host < 0 || !s->run.asks_several || (sv && !sv->reached[host]))
        return;
    bool runs = sv && of_run(s, &sv->sites[host], &names);
    if (!runs && (!sv || sv->sites[host].several)) {
        if (!s->databases_asked) {
            struct strs found = database_names(&s->run, (size_t)host);
            for (size_t i = 0; i < found.n; i++)
                strs_add(s->arena, &s->databases, arena_strdup(s->arena, found.v[i]));
        }
        s->databases_asked = true;
        names = s->databases;
    }
    recipe_take_several(s->arena, r, &names);
    s->run.guards = NULL;
}
