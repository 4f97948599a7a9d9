/* databases.c -- reads `databases`, which says for each of several databases what `database`, `backup` and
 * `migrate` say for one (see reader.h).  Called by value.c for each layer alone, and by recipe.c after all
 * other values have been read.  Relies on recipe_for_database to make a recipe of its own of each. */
#include "recipe/reader.h"

#include "base/limits.h"
#include "recipe/check.h"

static const char *const sections[] = {"database", "backup", "migrate"};

static const struct recipe_key *section_of(const char *name)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(sections[i], name) == 0)
            return recipe_key_find("", name);
    return NULL;
}

static void key_unknown(struct reader *rd, const struct node *key)
{
    static const char *const names[] = {"database", "backup", "migrate", "role", NULL};
    const char *near = value_nearest(rd, key->text, names);

    mistake_add(rd->m, key, "unknown key '%s' in 'databases', %s%s%s",
                value_shown(rd->a, key->text),
                near ? "did you mean '" : "expected one of: database, backup, migrate, role",
                near ? near : "", near ? "'?" : "");
}

/* Reads the keys of one database into a recipe of its own. */
static void keys_read(struct reader *rd, const struct node *map, struct recipe *into,
                      struct recipe_database *ret)
{
    for (size_t i = 0; map->kind == NODE_MAP && i < map->n; i++) {
        const struct node *key = map->pair[i].key;
        const struct recipe_key *section = section_of(key->text);
        const struct recipe_key *own = recipe_key_find("databases.", key->text);
        if (section)
            value_read(rd, section, map->pair[i].value, into);
        else if (own)
            value_read(rd, own, map->pair[i].value, ret);
        else
            key_unknown(rd, key);
    }
}

static bool is_map_of_databases(struct reader *rd, const struct recipe_key *key,
                                const struct node *node)
{
    if (node->kind != NODE_MAP || !node->n) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return false;
    }
    if (node->n <= DATABASES_MAX)
        return true;
    mistake_add(rd->m, node, "'databases' has %zu members, expected at most %d", node->n,
                DATABASES_MAX);
    return false;
}

void databases_check(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    if (rd->layer == LAYER_MERGED || !is_map_of_databases(rd, key, node))
        return;
    for (size_t i = 0; i < node->n; i++) {
        const struct node *name = node->pair[i].key;
        const struct node *map = node->pair[i].value;
        struct recipe scratch = {0};
        struct recipe_database one = {0};
        if (!check_database_name(name->text))
            mistake_add(
                rd->m, name,
                "database '%s', expected a name of letters, digits and '_', at most %d long",
                value_shown(rd->a, name->text), DATABASE_NAME_MAX);
        if (map->kind == NODE_MAP)
            keys_read(rd, map, &scratch, &one);
        else if (!node_is_null(map))
            mistake_add(rd->m, map,
                        "database '%s' %s, expected a map with 'database', 'backup', 'migrate' and "
                        "'role'",
                        value_shown(rd->a, name->text),
                        map->kind == NODE_LIST ? "is a list"
                        : node_is_missing(map) ? "has no value"
                                               : "is a single value");
    }
}

/* Keys that stand beside `databases`, although each database has to have its own. */
static void refuse_beside(struct reader *rd, const struct node *root)
{
    static const char *const own[] = {"run", "status", "paths"};
    const struct node *database = node_get(root, "database");
    const struct node *migrate = node_get(root, "migrate");

    if (database && !node_is_null(database))
        mistake_add(rd->m, database,
                    "'database' is given together with 'databases', expected one of them");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const struct node *node = node_get(migrate, own[i]);
        if (node && !node_is_null(node) && strncmp(node->file, "recipes/", 8) != 0)
            mistake_add(rd->m, node,
                        "'migrate.%s' is given together with 'databases', expected it in each of "
                        "them that has one",
                        own[i]);
    }
}

/* How the migration of a preset is told which database is meant. */
static const struct {
    const char *file;
    const char *before; /* the name */
} preset_names[] = {{"recipes/rails/recipe.yml", ":"},
                    {"recipes/django/recipe.yml", " --database "},
                    {"recipes/laravel/recipe.yml", " --database="}};

/* The command at migrate.KEY that a preset has for one database; NULL: it has none. */
static const char *command_of_preset(struct reader *rd, const struct node *root, const char *key,
                                     const char *name)
{
    const struct node *node = node_get(node_get(root, "migrate"), key);

    for (size_t i = 0; node && i < sizeof preset_names / sizeof *preset_names; i++)
        if (node->kind == NODE_SCALAR && strcmp(node->file, preset_names[i].file) == 0)
            return arena_printf(rd->a, "%s%s%s", node->text, preset_names[i].before, name);
    return NULL;
}

static void database_read(struct reader *rd, const struct node *root, const struct node *name,
                          const struct node *map, struct recipe_database *ret)
{
    struct recipe *r = rd->recipe;
    struct recipe own = *r;

    ret->name = name->text;
    defaults_set(rd, "databases.", ret);
    own.migrate.run = command_of_preset(rd, root, "run", name->text);
    own.migrate.status = command_of_preset(rd, root, "status", name->text);
    own.migrate.paths = (struct strs){0};
    keys_read(rd, map, &own, ret);
    rd->recipe = &own;
    database_finish(rd, map);
    rd->recipe = r;
    if (!own.migrate.run)
        mistake_add(rd->m, name,
                    "database '%s' has no 'migrate.run', expected the command that migrates it",
                    value_shown(rd->a, name->text));
    if (rd->strict && r->n_hosts && r->environment && recipe_primary(r, ret->role) < 0)
        mistake_add(rd->m, name, "no host of '%s' has the role '%s', which database '%s' needs",
                    r->environment, value_shown(rd->a, ret->role), value_shown(rd->a, name->text));
    ret->database = own.database;
    ret->backup = own.backup;
    ret->migrate = own.migrate;
}

void databases_read(struct reader *rd, const struct node *root)
{
    struct recipe *r = rd->recipe;
    const struct node *all = node_get(root, "databases");
    struct strs paths = {0};

    if (!all || all->kind != NODE_MAP || !all->n || all->n > DATABASES_MAX)
        return;
    refuse_beside(rd, root);
    struct recipe_database *list = arena_array(rd->a, all->n, sizeof *list);
    for (size_t i = 0; i < all->n; i++) {
        database_read(rd, root, all->pair[i].key, all->pair[i].value, &list[i]);
        for (size_t k = 0; k < list[i].migrate.paths.n; k++)
            if (!strs_has(&paths, list[i].migrate.paths.v[k]))
                strs_add(rd->a, &paths, list[i].migrate.paths.v[k]);
    }
    r->databases = list;
    r->n_databases = all->n;
    r->database = list[0].database;
    r->backup = list[0].backup;
    r->migrate = list[0].migrate;
    r->migrate.paths = paths;
    r->db_role = list[0].role;
}
