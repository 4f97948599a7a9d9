/* upcoming.c -- the backups that start soon, for the first lines of a deploy that brings migrations.  report.c calls
 * it before the run begins; nothing is decided by it. */
#include "cli/cmd.h"
#include "db/find/find.h"
#include "stages/backup/upcoming.h"

enum { SHOWN_MAX = 3 }; /* of each database */

static void add_upcoming(struct session *s, const struct recipe *of, struct strs *ret)
{
    struct run *r = &s->run;
    struct err lost = {.arena = s->arena};
    long host = recipe_database_host(of);
    struct schedule next;

    if (of->database.adapter == ADAPTER_NONE || !of->migrate.run || host < 0 ||
        !database_find(r, (size_t)host, &lost) || database_is_off(r) ||
        !upcoming_look(r, (size_t)host, 0, &next, &lost))
        return;
    for (size_t i = 0, n = 0; i < next.n && n < SHOWN_MAX; i++) {
        if (next.v[i].blocks == BLOCKS_NO)
            continue;
        n++;
        strs_add(s->arena, ret,
                 arena_printf(s->arena, "upcoming: %s%s%s", of->db ? of->db : "",
                              of->db ? ": " : "", upcoming_text(r, &next, &next.v[i])));
    }
}

struct strs session_upcoming(struct session *s, const struct changes *changes)
{
    struct run *r = &s->run;
    struct strs list = {0};

    if (!changes || !changes->migrations.n || r->no_migrate || r->plan->what.no_migrate)
        return list;
    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        const struct recipe *of = recipe_for_database(s->arena, s->recipe, i);
        run_use(r, of);
        /* The run looks for its database in the new release, which is not there yet. */
        struct guard *guard = r->guard;
        r->guard = arena_alloc(s->arena, sizeof *r->guard);
        add_upcoming(s, of, &list);
        r->guard = guard;
    }
    run_use(r, NULL);
    return list;
}
