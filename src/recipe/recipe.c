/* recipe.c -- reads a recipe from its file into a struct recipe (see recipe.h).  cli/session.c
 * calls it before anything else happens; the other files of this folder read the parts. */
#include "recipe/recipe.h"

#include "base/limits.h"
#include "base/number.h"
#include "base/redact.h"
#include "base/text.h"
#include "recipe/check.h"
#include "recipe/find.h"
#include "recipe/reader.h"
#include "recipe/trust.h"
#include "recipe/presets.h"
#include "edge/digest.h"
#include "git/url.h"

enum { KEPT_BYTES_MAX = 64 * 1024 };

/* ---- questions ---- */

bool host_has_role(const struct host *h, const char *role)
{
    return !h->roles.n || strs_has(&h->roles, role);
}

bool host_has_any(const struct host *h, const struct strs *roles)
{
    for (size_t i = 0; i < roles->n; i++)
        if (host_has_role(h, roles->v[i]))
            return true;
    return !roles->n;
}

long recipe_primary(const struct recipe *r, const char *role)
{
    for (size_t i = 0; i < r->n_hosts; i++)
        if (host_has_role(&r->hosts[i], role))
            return (long)i;
    return -1;
}

size_t recipe_databases_n(const struct recipe *r)
{
    return r->n_databases ? r->n_databases : 1;
}

const struct recipe *recipe_for_database(struct arena *a, const struct recipe *r, size_t i)
{
    if (!r->n_databases)
        return r;
    struct recipe *one = arena_alloc(a, sizeof *one);
    const struct recipe_database *d = &r->databases[i];
    *one = *r;
    one->whole = r;
    one->db = d->name;
    one->db_at = i;
    one->db_role = d->role;
    one->database = d->database;
    one->backup = d->backup;
    one->migrate = d->migrate;
    return one;
}

long recipe_database_host(const struct recipe *r)
{
    return recipe_primary(r, r->db_role ? r->db_role : "db");
}

static void roles_add(struct arena *a, struct strs *list, const struct strs *roles)
{
    for (size_t i = 0; i < roles->n; i++)
        if (!strs_has(list, roles->v[i]))
            strs_add(a, list, roles->v[i]);
}

static void roles_of_jobs(struct arena *a, struct strs *list, const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        roles_add(a, list, &jobs->v[i].roles);
}

struct strs recipe_roles(struct arena *a, const struct recipe *r)
{
    struct strs list = {0};

    for (size_t h = 0; h < r->n_hosts; h++)
        roles_add(a, &list, &r->hosts[h].roles);
    roles_of_jobs(a, &list, &r->build);
    for (size_t i = 0; i < r->n_hooks; i++)
        roles_of_jobs(a, &list, &r->hooks[i].jobs);
    for (size_t i = 0; i < r->n_tasks; i++)
        roles_add(a, &list, &r->tasks[i].job.roles);
    roles_add(a, &list, &r->restart.roles);
    roles_add(a, &list, &r->health.roles);
    roles_add(a, &list, &(struct strs){.v = (const char *[]){"app", "db"}, .n = 2});
    for (size_t i = 0; i < r->n_databases; i++)
        roles_add(a, &list, &(struct strs){.v = &r->databases[i].role, .n = 1});
    return list;
}

size_t recipe_batch(const struct recipe *r)
{
    const char *batch = r->rolling.batch;
    size_t n = r->n_hosts;
    long long count;

    if (batch && number_part(batch, strcspn(batch, "%"), HOSTS_MAX, &count))
        n = (size_t)count;
    if (batch && strchr(batch, '%'))
        n = (r->n_hosts * n + 99) / 100;
    return n < 1 ? 1 : n < r->n_hosts ? n : r->n_hosts;
}

/* ---- one layer alone ---- */

const char *key_misplaced(const struct reader *rd, const struct recipe_key *key)
{
    if (rd->layer == LAYER_RECIPE && key->place == PLACE_ENVIRONMENT)
        return "belongs in an environment: environments, its name, then hosts";
    if (rd->layer == LAYER_ENVIRONMENT && key->place == PLACE_TOP)
        return "cannot be in an environment, only at the top of the recipe";
    return NULL;
}

static void layer_keys(struct reader *rd, const struct node *map)
{
    defaults_set(rd, "", rd->recipe);
    for (size_t i = 0; i < map->n; i++) {
        const struct node *name = map->pair[i].key;
        const struct recipe_key *key = recipe_key_find("", name->text);
        const char *why = key ? key_misplaced(rd, key) : NULL;
        if (!key)
            map_unknown(rd, "", name);
        else if (why)
            mistake_add(rd->m, name, "'%s' %s", key->path, why);
        else
            value_read(rd, key, map->pair[i].value, rd->recipe);
    }
}

static void layer_check(struct reader *base, enum layer layer, const struct node *map)
{
    struct recipe scratch = {0};
    struct reader rd = {.a = base->a,
                        .m = base->m,
                        .environ = base->environ,
                        .recipe = &scratch,
                        .layer = layer,
                        .expanded = base->expanded};

    layer_keys(&rd, map);
    base->expanded = rd.expanded;
}

static void environment_check(struct reader *rd, const struct node *name, const struct node *map)
{
    const char *word = name->text;
    const char *expected = check_name(rd->a, &word);

    if (expected)
        mistake_add(rd->m, name, "environment '%s', expected a name of %s",
                    value_shown(rd->a, name->text), expected);
    if (map->kind != NODE_MAP && !node_is_missing(map) && !node_is_null(map)) {
        mistake_add(rd->m, map, "environment '%s' is %s, expected a map with 'hosts'",
                    value_shown(rd->a, name->text),
                    map->kind == NODE_LIST ? "a list" : "a single value");
        return;
    }
    if (!node_get(map, "hosts"))
        mistake_add(rd->m, name, "environment '%s' has no hosts, expected 'hosts' in it",
                    value_shown(rd->a, name->text));
    layer_check(rd, LAYER_ENVIRONMENT, map);
}

static void environments_check(struct reader *rd, const struct node *root)
{
    const struct recipe_key *key = recipe_key_find("", "environments");
    const struct node *all = node_get(root, key->path);

    if (!all)
        return;
    if (all->kind != NODE_MAP || !all->n) {
        value_wrong(rd, key, all, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, all))
        return;
    for (size_t i = 0; i < all->n; i++)
        environment_check(rd, all->pair[i].key, all->pair[i].value);
}

/* ---- layers merged ---- */

/* Used without an environment: the name in the first environment, even if it is a literal
 * ${NAME}. */
static const char *application_unknown(struct arena *a, const struct node *root)
{
    const struct node *own = node_get(root, "application");
    const struct node *all = node_get(root, "environments");

    for (size_t i = 0; !own && all && all->kind == NODE_MAP && i < all->n; i++)
        own = node_get(all->pair[i].value, "application");
    return own && own->kind == NODE_SCALAR ? value_shown(a, own->text) : NULL;
}

/* Reads env before hosts, which inherit it, and hosts before the rest, since they define the
 * roles. */
static void merged_read(struct reader *rd, const struct node *root)
{
    static const char *const first[] = {"env", "hosts"};
    struct recipe *r = rd->recipe;

    defaults_set(rd, "", r);
    for (size_t i = 0; i < 2; i++) {
        const struct node *value = node_get(root, first[i]);
        if (value)
            value_read(rd, recipe_key_find("", first[i]), value, r);
    }
    for (size_t i = 0; i < root->n; i++) {
        const struct recipe_key *key = recipe_key_find("", root->pair[i].key->text);
        if (key && strcmp(key->path, first[0]) != 0 && strcmp(key->path, first[1]) != 0)
            value_read(rd, key, root->pair[i].value, r);
    }
    if (!rd->strict && !r->application)
        r->application = application_unknown(rd->a, root);
    if (!r->deploy_to && r->application)
        r->deploy_to = arena_printf(rd->a, "/var/www/%s", r->application);
    whole_finish(rd, root);
}

/* ---- from the file to the recipe ---- */

static const char *environment_names(struct arena *a, const struct node *all, struct strs *ret)
{
    const char *list = "";

    for (size_t i = 0; all && all->kind == NODE_MAP && i < all->n && i < KEY_ITEMS_MAX; i++) {
        const char *name = all->pair[i].key->text;
        strs_add(a, ret, name);
        if (i < 20)
            list = arena_printf(a, "%s%s%s", list, i ? ", " : "", value_shown(a, name));
    }
    return list;
}

static bool environment_find(struct reader *rd, const struct node *root, const char *name,
                             struct node **ret, struct err *err)
{
    struct strs names = {0};
    const struct node *all = node_get(root, "environments");
    const char *list = environment_names(rd->a, all, &names);

    rd->recipe->environments = names;
    if (!name || !names.n)
        return true;
    *ret = node_get(all, name);
    if (*ret)
        return true;
    struct strs terminated = names;
    strs_add(rd->a, &terminated, NULL);
    const char *near = text_nearest(name, terminated.v);
    return err_set(err, ERR_USAGE, "no environment '%s' in %s, expected one of: %s%s",
                   value_shown(rd->a, name), root->file, list,
                   near ? arena_printf(rd->a, "; did you mean '%s'?", value_shown(rd->a, near))
                        : "");
}

/* Returns the tree of the built-in recipe, or NULL if there is none or a mistake was recorded. */
static struct node *extended(struct reader *rd, const struct node *root, struct built_in *ret)
{
    const struct recipe_key *key = recipe_key_find("", "extends");
    const struct node *node = node_get(root, key->path);
    const char *name;

    if (!node || node_is_null(node) || !value_text(rd, key, node, &name))
        return NULL;
    if (!built_in_find(name, ret)) {
        const char *near = value_nearest(rd, name, built_in_names);
        const char *list = built_in_names[0];
        for (size_t i = 1; built_in_names[i]; i++)
            list = arena_printf(rd->a, "%s, %s", list, built_in_names[i]);
        value_wrong(rd, key, node,
                    arena_printf(rd->a, "a built-in recipe: %s%s", list,
                                 near ? arena_printf(rd->a, "; did you mean '%s'?", near) : ""));
        return NULL;
    }
    struct yaml_file file = {.name = ret->file, .bytes = ret->bytes, .len = ret->len};
    return yaml_parse(rd->a, &file, rd->m);
}

static const char *digest_of(struct arena *a, const struct yaml_file *file,
                             const struct built_in *base)
{
    struct digest *d = digest_open();
    char hex[65];

    digest_add(d, file->bytes, file->len);
    digest_add(d, "", 1);
    digest_add(d, base->bytes ? base->bytes : "", base->len);
    digest_hex(d, hex);
    digest_close(d);
    return arena_strdup(a, hex);
}

const char *recipe_digest(struct arena *a, const char *text, size_t len)
{
    struct mistakes ignored = {.arena = a};
    struct yaml_file file = {.name = "recipe", .bytes = text, .len = len};
    const struct node *root = yaml_parse(a, &file, &ignored);
    const struct node *name = root && root->kind == NODE_MAP ? node_get(root, "extends") : NULL;
    struct built_in base = {0};

    if (name && name->kind == NODE_SCALAR)
        built_in_find(name->text, &base);
    return digest_of(a, &file, &base);
}

/* Reads every layer alone and then the merged layers, recording mistakes. */
static bool tree_read(struct reader *rd, struct node *root, const struct yaml_file *file,
                      const char *environment, struct err *err)
{
    struct recipe *r = rd->recipe;
    struct built_in base = {0};
    struct node *own = NULL;

    if (root->kind != NODE_MAP) {
        mistake_add(rd->m, root, "the recipe is %s, expected a map of keys such as 'application'",
                    root->kind == NODE_LIST ? "a list" : "a single value");
        return true;
    }
    if (!environment_find(rd, root, environment, &own, err))
        return false;
    struct node *extends = extended(rd, root, &base);
    r->digest = digest_of(rd->a, file, &base);
    r->text = arena_strndup(rd->a, file->bytes, file->len);
    layer_check(rd, LAYER_RECIPE, root);
    environments_check(rd, root);
    if (extends)
        layer_check(rd, LAYER_BUILT_IN, extends);
    struct node *whole = extends ? layers_merged(rd->a, extends, root) : root;
    if (own && own->kind == NODE_MAP)
        whole = layers_merged(rd->a, whole, own);
    rd->layer = LAYER_MERGED;
    rd->strict = environment != NULL;
    r->environment = environment ? arena_strdup(rd->a, environment) : NULL;
    merged_read(rd, whole);
    if (!r->application && !node_get(whole, "application"))
        mistake_add(rd->m, root, "'application' is missing: %s",
                    recipe_key_find("", "application")->about);
    if (!node_get(root, "environments"))
        mistake_add(rd->m, root, "'environments' is missing: %s",
                    recipe_key_find("", "environments")->about);
    return true;
}

static bool mistakes_told(struct mistakes *m, const char *name, struct strs *errors,
                          struct err *err)
{
    size_t shown = m->n < RECIPE_ERRORS_MAX ? m->n : RECIPE_ERRORS_MAX;

    if (!m->n)
        return true;
    mistakes_sort(m);
    shown = m->n < shown ? m->n : shown;
    for (size_t i = 0; i < shown; i++)
        strs_add(m->arena, errors,
                 arena_printf(m->arena, "%s:%u:%u: %s", text_shown(m->arena, m->v[i].file),
                              m->v[i].line, m->v[i].column, m->v[i].text));
    if (m->n + m->more > shown)
        strs_add(m->arena, errors, arena_printf(m->arena, "and %zu more", m->n + m->more - shown));
    return err_set(err, ERR_USAGE, "%s has %s", text_shown(m->arena, name),
                   text_count(m->arena, m->n + m->more, "mistake"));
}

static const char *project_of(struct arena *a, const struct recipe *r)
{
    size_t len = strlen(r->dir);
    const char *last = strrchr(r->dir, '/');

    if (last == r->dir || strcmp(last, "/config") != 0 ||
        strcmp(r->file + len, "/crelease.yml") != 0)
        return r->dir;
    return arena_strndup(a, r->dir, (size_t)(last - r->dir));
}

struct recipe *recipe_read(struct arena *a, const struct recipe_where *where, struct strs *errors,
                           struct err *err)
{
    struct recipe *r = arena_alloc(a, sizeof *r);
    struct mistakes mistakes = {.arena = a};
    struct reader rd = {.a = a, .m = &mistakes, .environ = where->environ, .recipe = r};
    const char *path;
    struct yaml_file file;

    if (!recipe_find(a, where->file, &path, err) || !recipe_absolute(a, path, &r->file, err))
        return NULL;
    if (!yaml_read(a, path, &file, err))
        return NULL;
    if (!where->file && !recipe_trusted(a, path, &file.st, err))
        return NULL;
    r->dir = arena_strndup(a, r->file, (size_t)(strrchr(r->file, '/') - r->file));
    if (!*r->dir)
        r->dir = "/";
    r->project = project_of(a, r);
    struct node *root = yaml_parse(a, &file, &mistakes);
    if (root && !tree_read(&rd, root, &file, where->environment, err))
        return NULL;
    if (!mistakes_told(&mistakes, file.name, errors, err))
        return NULL;
    bool may_lie = r->text && strlen(r->text) == file.len && file.len <= KEPT_BYTES_MAX &&
                   !url_has_secret(a, r->repository) &&
                   strcmp(redact(a, &r->secrets, r->text), r->text) == 0;
    r->kept = may_lie ? r->text : NULL;
    return r;
}
