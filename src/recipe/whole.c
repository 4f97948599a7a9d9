/* whole.c -- checks and completes what depends on several keys of a recipe (see reader.h).
 * recipe.c calls whole_finish after all values have been read. */
#include "recipe/reader.h"

#include "base/limits.h"
#include "git/url.h"

/* Values that nobody has declared secret must be long; short ones would hide ordinary words. */
enum { SECRET_LINE_BYTES_MIN = 8, SECRET_PASSWORD_BYTES_MIN = 8, SECRET_TOKEN_BYTES_MIN = 16 };

struct linked {
    const char *path;
    const struct node *node;
    bool folder;
};

static int by_path(const void *a, const void *b)
{
    const struct linked *x = a;
    const struct linked *y = b;
    const unsigned char *s = (const unsigned char *)x->path;
    const unsigned char *t = (const unsigned char *)y->path;

    while (*s && *s == *t) {
        s++;
        t++;
    }
    /* The end sorts as a slash, so that the content of a folder directly follows it. */
    int c = *s ? *s : '/';
    int d = *t ? *t : '/';
    if (c != d)
        return c < d ? -1 : 1;
    if (!*s != !*t)
        return !*s ? -1 : 1;
    return x->node->line < y->node->line ? -1 : x->node->line > y->node->line;
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (!path[len] || path[len] == '/');
}

static bool is_built_in(const struct node *node)
{
    return strncmp(node->file, "recipes/", 8) == 0;
}

static void link_wrong(struct reader *rd, const struct linked *x, const struct linked *above)
{
    /* Reported in the recipe itself rather than in the built-in one, if possible. */
    const struct linked *at = is_built_in(x->node) ? above : x;
    const struct node *other = at == x ? above->node : x->node;

    if (strcmp(x->path, above->path) == 0)
        mistake_add(rd->m, at->node, "'%s' is linked twice, also in %s:%u",
                    value_shown(rd->a, x->path), other->file, other->line);
    else
        mistake_add(
            rd->m, at->node,
            "'%s' is below '%s' and both are linked, here and in %s:%u; expected one of them",
            value_shown(rd->a, x->path), value_shown(rd->a, above->path), other->file, other->line);
}

static size_t linked_list(struct linked *list, const struct strs *paths, const struct node *node,
                          bool folder)
{
    for (size_t i = 0; node && i < paths->n; i++)
        list[i] = (struct linked){.path = paths->v[i],
                                  .folder = folder,
                                  .node = node->kind == NODE_LIST ? node->item[i] : node};
    return node ? paths->n : 0;
}

static void links_check(struct reader *rd, const struct node *root)
{
    const struct recipe *r = rd->recipe;
    struct linked *list = arena_array(rd->a, r->linked_files.n + r->linked_dirs.n, sizeof *list);
    size_t n = linked_list(list, &r->linked_files, node_get(root, "linked_files"), false);

    n += linked_list(list + n, &r->linked_dirs, node_get(root, "linked_dirs"), true);
    if (n)
        qsort(list, n, sizeof *list, by_path);
    for (size_t i = 1, top = 0; i < n; i++) {
        const struct linked *x = &list[i];
        const struct linked *above = &list[top];
        if (!*x->path || !*above->path || !is_at_or_below(x->path, above->path))
            top = i;
        else
            link_wrong(rd, x, above);
    }
}

static const struct node *node_below(const struct node *root, const char *section, const char *key)
{
    return node_get(node_get(root, section), key);
}

void database_finish(struct reader *rd, const struct node *root)
{
    struct recipe *r = rd->recipe;
    const struct node *database = node_get(root, "database");
    const struct node *adapter = node_below(root, "database", "adapter");

    /* A map without a name says at most how to reach the database that is found. */
    bool finds = r->migrate.run && (!database || database->kind != NODE_MAP ||
                                    node_get(database, "psql") || node_get(database, "mysql"));
    if (database && database->kind == NODE_SCALAR && !node_is_null(database))
        return; /* a word */
    if (!adapter || node_is_null(adapter))
        r->database.adapter = r->database.name ? ADAPTER_POSTGRESQL
                              : finds          ? ADAPTER_AUTO
                                               : ADAPTER_NONE;
    else if (r->database.adapter != ADAPTER_NONE && !node_below(root, "database", "name"))
        mistake_add(rd->m, adapter, "'database.adapter' is given, expected 'database.name' too");
}

/* A pending_when from a built-in recipe may remain although its status was removed. */
static void pending_finish(struct reader *rd, const struct node *root)
{
    const struct node *when = node_below(root, "migrate", "pending_when");

    if (when && !node_is_null(when) && !is_built_in(when) && !rd->recipe->migrate.status)
        mistake_add(rd->m, when, "'migrate.pending_when' is given, expected 'migrate.status' too");
}

/* The default is "app" if a host has that role. */
static void app_roles(struct reader *rd, const struct node *given, struct strs *ret)
{
    if ((!given || node_is_null(given)) && recipe_primary(rd->recipe, "app") >= 0)
        strs_add(rd->a, ret, "app");
}

static void roles_finish(struct reader *rd, const struct node *root)
{
    struct recipe *r = rd->recipe;

    app_roles(rd, node_below(root, "restart", "roles"), &r->restart.roles);
    app_roles(rd, node_below(root, "health", "roles"), &r->health.roles);
    if (r->migrate.run && r->n_hosts && !r->n_databases && recipe_primary(r, "db") < 0)
        mistake_add(rd->m, node_get(root, "hosts"),
                    "no host of '%s' has the role 'db', which 'migrate.run' needs", r->environment);
}

/* ---- secrets ---- */

void secret_add(struct reader *rd, const char *value)
{
    struct strs *list = &rd->recipe->secrets;

    strs_add(rd->a, list, value);
    /* Output is redacted line by line, so each line of a secret counts, without a carriage return.
     * It is also redacted in pieces (redact_carry), so the pieces of a very long line count,
     * too. */
    while (*value) {
        size_t len = strcspn(value, "\n");
        size_t end = len && value[len - 1] == '\r' ? len - 1 : len;
        if (end >= SECRET_LINE_BYTES_MIN)
            strs_add(rd->a, list, arena_strndup(rd->a, value, end));
        for (size_t at = 0; end > SECRET_PIECE_BYTES && at < end; at += SECRET_PIECE_BYTES) {
            size_t n = end - at < SECRET_PIECE_BYTES ? end - at : SECRET_PIECE_BYTES;
            if (n >= SECRET_BYTES_MIN)
                strs_add(rd->a, list, arena_strndup(rd->a, value + at, n));
        }
        value += len + (value[len] == '\n');
    }
}

/* The password in the repository's URL is secret, and so is a user name long enough to be a
 * token. */
static void secrets_of_repository(struct reader *rd)
{
    struct err ignored = {.arena = rd->a};
    struct url url = {0};

    if (!rd->recipe->repository || !url_parse(&url, rd->a, rd->recipe->repository, &ignored))
        return;
    if (url.password && strlen(url.password) >= SECRET_PASSWORD_BYTES_MIN)
        secret_add(rd, url.password);
    if (!url.password && url.userinfo && strlen(url.userinfo) >= SECRET_TOKEN_BYTES_MIN)
        secret_add(rd, url.userinfo);
}

/* The URL of a notification, and what follows its host if it is long enough to be a token: Slack's have
 * no other secret. */
static void secrets_of_notify(struct reader *rd)
{
    for (size_t i = 0; i < rd->recipe->n_notify; i++) {
        const char *url = rd->recipe->notify[i].url;
        const char *host = strstr(url, "://");
        const char *rest = host ? strpbrk(host + 3, "/?") : NULL;
        if (*url)
            secret_add(rd, url);
        if (rest && strlen(rest) >= SECRET_TOKEN_BYTES_MIN)
            secret_add(rd, rest);
    }
}

static void secret_check(struct reader *rd, const struct secret_item *item, const char *value)
{
    if (strlen(value) >= SECRET_BYTES_MIN)
        secret_add(rd, value);
    else
        mistake_add(rd->m, item->node,
                    "secret '%s' has fewer than %d characters, "
                    "expected more: it would hide ordinary words",
                    value_shown(rd->a, item->node->text), SECRET_BYTES_MIN);
}

static size_t secrets_of(struct reader *rd, const struct secret_item *item,
                         const struct variables *vars)
{
    size_t found = 0;

    for (size_t i = 0; i < vars->n; i++) {
        if (strcmp(vars->v[i].name, item->text) == 0) {
            secret_check(rd, item, vars->v[i].value);
            found++;
        }
    }
    return found;
}

static bool looks_like_variable(const char *s)
{
    return *s && !s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] && strchr(s, '_') != s &&
           (*s < '0' || *s > '9');
}

static int longest_first(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    size_t len_x = strlen(*x);
    size_t len_y = strlen(*y);

    return len_x != len_y ? (len_x > len_y ? -1 : 1) : strcmp(*x, *y);
}

/* Removes duplicates and sorts longer ones first, since one may be part of another. */
static void secrets_sort(struct strs *list)
{
    size_t kept = 0;

    if (!list->n)
        return;
    qsort(list->v, list->n, sizeof *list->v, longest_first);
    for (size_t i = 1; i < list->n; i++)
        if (strcmp(list->v[kept], list->v[i]) != 0)
            list->v[++kept] = list->v[i];
    list->n = kept + 1;
}

static void secrets_finish(struct reader *rd)
{
    const struct recipe *r = rd->recipe;

    secrets_sort(&rd->from_environ);
    for (size_t i = 0; i < rd->from_environ.n; i++)
        secret_add(rd, arena_strdup(rd->a, rd->from_environ.v[i]));
    for (size_t i = 0; i < rd->n_secrets; i++) {
        const struct secret_item *item = &rd->secret[i];
        bool literal = strcmp(item->text, item->node->text) == 0;
        size_t found = literal ? secrets_of(rd, item, &rd->env) : 0;
        for (size_t k = 0; literal && k < r->n_hosts; k++)
            if (r->hosts[k].env.v != rd->env.v)
                found += secrets_of(rd, item, &r->hosts[k].env);
        if (found)
            continue;
        if (literal && looks_like_variable(item->text) && r->environment)
            mistake_add(
                rd->m, item->node,
                "secret '%s' is not a variable of 'env' (write '${%s}' for the value of that"
                " name in your own environment)",
                item->text, item->text);
        else
            secret_check(rd, item, item->text);
    }
    secrets_of_repository(rd);
    secrets_of_notify(rd);
    secrets_sort(&rd->recipe->secrets);
}

static void rolling_finish(struct reader *rd, const struct node *root)
{
    const struct node *wait = node_below(root, "rolling", "wait");
    const struct node *batch = node_below(root, "rolling", "batch");

    /* A batch of null removes the one of another layer. */
    if (wait && !node_is_null(wait) && !batch)
        mistake_add(rd->m, wait, "'rolling.wait' is given, expected 'rolling.batch' too");
}

/* A preset's paths are those of an application, which the subtree contains. */
static void paths_finish(struct reader *rd, const struct node *root)
{
    const struct node *node = node_below(root, "migrate", "paths");
    struct strs *paths = &rd->recipe->migrate.paths;

    for (size_t i = 0; rd->recipe->subtree && node && is_built_in(node) && i < paths->n; i++)
        paths->v[i] = arena_printf(rd->a, "%s/%s", rd->recipe->subtree, paths->v[i]);
}

/* With a folder, the commit only says what it was made from. */
static void source_finish(struct reader *rd, const struct node *root)
{
    const struct node *subtree = node_get(root, "subtree");

    if (!rd->recipe->source)
        return;
    rd->recipe->ref = "HEAD";
    if (subtree && !node_is_null(subtree))
        mistake_add(rd->m, subtree, "'subtree' is given with 'source', expected only one of them");
    for (size_t i = 0; i < rd->recipe->build.n; i++)
        if (rd->recipe->build.v[i].where == WHERE_LOCAL)
            mistake_add(
                rd->m, node_get(root, "build"),
                "'build' has a job with 'where: local', but the folder of 'source' is read before "
                "any job runs; expected it to be built before 'crelease deploy'");
}

void whole_finish(struct reader *rd, const struct node *root)
{
    const struct node *hosts = node_get(root, "hosts");

    databases_read(rd, root);
    if (!rd->recipe->n_databases) {
        database_finish(rd, root);
        pending_finish(rd, root);
        paths_finish(rd, root);
    }
    roles_finish(rd, root);
    rolling_finish(rd, root);
    source_finish(rd, root);
    links_check(rd, root);
    secrets_finish(rd);
    if (hosts)
        hosts_finish(rd, hosts);
}
