/* several.c -- the databases of an application that its recipe does not name: once they are known, the recipe is
 * as if `databases` named them.  cli/databases.c finds out the names; they come from the application's repository
 * or from the database's host, so that only those that cannot mean anything else in a command are taken. */
#include "recipe/recipe.h"

#include "base/limits.h"
#include "base/text.h"
#include "recipe/check.h"

/* What migrates all of them, and tells of all of them what is pending; with ":NAME" behind it, of one. */
#define MIGRATES "db:migrate"
#define TELLS    "db:migrate:status"

static bool ends_with_word(const char *text, const char *word)
{
    size_t len = strlen(text);
    size_t n = strlen(word);

    return len > n && strcmp(text + len - n, word) == 0 && strchr(" \t\n", text[len - n - 1]);
}

bool recipe_may_have_several(const struct recipe *r)
{
    const char *run = r->several ? r->run_for_all : r->migrate.run;
    const char *status = r->several ? r->status_for_all : r->migrate.status;

    return (r->several || !r->n_databases) && r->database.adapter == ADAPTER_AUTO && run &&
           ends_with_word(run, MIGRATES) && (!status || ends_with_word(status, TELLS));
}

/* Rails itself has tasks of some names, such as db:migrate:reset. */
static bool is_fit(const struct strs *names)
{
    static const char *const tasks[] = {"down", "redo", "reset", "status", "up"};

    for (size_t i = 0; i < names->n; i++) {
        if (!check_database_name(names->v[i]))
            return false;
        for (size_t k = 0; k < sizeof tasks / sizeof *tasks; k++)
            if (strcmp(names->v[i], tasks[k]) == 0)
                return false;
        for (size_t k = 0; k < i; k++)
            if (strcmp(names->v[i], names->v[k]) == 0)
                return false;
    }
    return names->n > 1 && names->n <= DATABASES_MAX;
}

void recipe_take_several(struct arena *a, struct recipe *r, const struct strs *names)
{
    if (!recipe_may_have_several(r))
        return;
    if (!r->several) {
        r->run_for_all = r->migrate.run;
        r->status_for_all = r->migrate.status;
    }
    r->several = is_fit(names);
    r->n_databases = r->several ? names->n : 0;
    r->databases = r->several ? arena_array(a, names->n, sizeof *r->databases) : NULL;
    r->migrate.run = r->run_for_all;
    r->migrate.status = r->status_for_all;
    for (size_t i = 0; i < r->n_databases; i++) {
        struct recipe_database *d = &r->databases[i];
        *d = (struct recipe_database){.name = arena_strdup(a, names->v[i]),
                                      .role = "db",
                                      .database = r->database,
                                      .backup = r->backup,
                                      .migrate = r->migrate};
        d->migrate.run = arena_printf(a, "%s:%s", r->run_for_all, d->name);
        if (r->status_for_all)
            d->migrate.status = arena_printf(a, "%s:%s", r->status_for_all, d->name);
    }
}
