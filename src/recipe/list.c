/* list.c -- reads lists of texts, secrets, exit statuses and variables (see reader.h).  Called by
 * value.c. */
#include "recipe/reader.h"

#include "recipe/check.h"

static void role_check(struct reader *rd, const struct node *node, const char *role)
{
    const struct recipe *r = rd->recipe;
    struct strs roles = {0};

    if (!rd->strict || !r->n_hosts || !r->environment || recipe_primary(r, role) >= 0)
        return;
    for (size_t i = 0; i < r->n_hosts && rd->m->n < NEAREST_MAX; i++)
        for (size_t k = 0; k < r->hosts[i].roles.n && roles.n < NEAREST_MAX; k++)
            if (!strs_has(&roles, r->hosts[i].roles.v[k]))
                strs_add(rd->a, &roles, r->hosts[i].roles.v[k]);
    strs_add(rd->a, &roles, NULL);
    const char *near = value_nearest(rd, role, roles.v);
    const char *list = "";
    for (size_t i = 0; i + 1 < roles.n && i < 20; i++)
        list = arena_printf(rd->a, "%s%s'%s'", list, i ? ", " : "", roles.v[i]);
    mistake_add(rd->m, node, "no host of '%s' has the role '%s', expected one of: %s%s",
                r->environment, value_shown(rd->a, role), list,
                near ? arena_printf(rd->a, "; did you mean '%s'?", near) : "");
}

/* Reads one item of a list.  Invalid items are kept, too, so that the list has an item per node. */
static void read_item(struct reader *rd, const struct recipe_key *key, const struct node *node,
                      struct strs *list)
{
    const char *text = "";

    if (node->kind != NODE_SCALAR || node_is_null(node))
        value_wrong(rd, key, node, "text in each item");
    else if (value_text(rd, key, node, &text) && value_checked(rd, key, node, &text) &&
             key->is_role)
        role_check(rd, node, text);
    strs_add(rd->a, list, text);
}

void texts_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                struct strs *ret)
{
    struct strs list = {0};

    if (node->kind == NODE_MAP || node_is_missing(node)) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, node))
        return;
    if (node->kind == NODE_SCALAR)
        read_item(rd, key, node, &list);
    for (size_t i = 0; node->kind == NODE_LIST && i < node->n; i++)
        read_item(rd, key, node->item[i], &list);
    *ret = list;
}

/* The sources are kept beside the paths, in a list of the same length. */
void files_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    bool list = node->kind == NODE_LIST;
    struct recipe *r = rd->recipe;
    struct strs paths = {0};
    struct strs from = {0};

    if (node->kind == NODE_MAP || node_is_missing(node)) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, node))
        return;
    for (size_t i = 0; i < (list ? node->n : 1); i++) {
        const struct node *item = list ? node->item[i] : node;
        struct linked_file file = {.path = ""};
        if (item->kind == NODE_MAP) {
            map_read(rd, item, "linked_files.", item, &file);
            strs_add(rd->a, &paths, file.path);
        } else {
            read_item(rd, key, item, &paths);
        }
        strs_add(rd->a, &from, file.from);
    }
    r->linked_files = paths;
    r->linked_from = from;
}

void secrets_read(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    bool list = node->kind == NODE_LIST;

    if (node->kind == NODE_MAP || node_is_missing(node)) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, node))
        return;
    rd->secret = arena_array(rd->a, list ? node->n : 1, sizeof *rd->secret);
    rd->n_secrets = 0;
    for (size_t i = 0; i < (list ? node->n : 1); i++) {
        const struct node *item = list ? node->item[i] : node;
        const char *text;
        if (item->kind != NODE_SCALAR || node_is_null(item))
            value_wrong(rd, key, item, "text in each item");
        else if (value_text(rd, key, item, &text))
            rd->secret[rd->n_secrets++] = (struct secret_item){.node = item, .text = text};
    }
}

void statuses_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct statuses *ret)
{
    bool list = node->kind == NODE_LIST;
    struct statuses set = {0};
    const char *text;
    long n;

    if (!value_fits(rd, key, node))
        return;
    if (list && !node->n)
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
    for (size_t i = 0; i < (list ? node->n : 1); i++) {
        const struct node *item = list ? node->item[i] : node;
        if (item->kind != NODE_SCALAR || node_is_null(item)) {
            value_wrong(rd, key, item, recipe_key_expected(rd->a, key));
        } else if (value_text(rd, key, item, &text)) {
            if (!value_count(text, 1, 255, &n)) {
                value_wrong(rd, key, item, recipe_key_expected(rd->a, key));
                continue;
            }
            set.n += !set.has[n];
            set.has[n] = true;
        }
    }
    *ret = set;
}

static void variable_set(struct variables *vars, struct variable set)
{
    for (size_t i = 0; i < vars->n; i++) {
        if (strcmp(vars->v[i].name, set.name) == 0) {
            vars->v[i] = set;
            return;
        }
    }
    vars->v[vars->n++] = set;
}

static void variable_drop(struct variables *vars, const char *name)
{
    for (size_t i = 0; i < vars->n; i++) {
        if (strcmp(vars->v[i].name, name) == 0) {
            memmove(&vars->v[i], &vars->v[i + 1], (vars->n - i - 1) * sizeof *vars->v);
            vars->n--;
            return;
        }
    }
}

/* Adds to the variables that are already in *ret, in a new array. */
void variables_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                    struct variables *ret)
{
    struct variables vars = {0};

    if (node->kind != NODE_MAP) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    }
    if (!value_fits(rd, key, node))
        return;
    vars.v = arena_array(rd->a, ret->n + node->n + 1, sizeof *vars.v);
    if (ret->n)
        memcpy(vars.v, ret->v, ret->n * sizeof *vars.v);
    vars.n = ret->n;
    for (size_t i = 0; i < node->n; i++) {
        const struct node *name = node->pair[i].key;
        const struct node *value = node->pair[i].value;
        const char *word = name->text;
        struct variable set;
        const char *expected = check_variable(rd->a, &word);
        if (expected)
            mistake_add(rd->m, name, "'%s' in '%s', expected %s", value_shown(rd->a, word),
                        recipe_key_shown(key), expected);
        else if (node_is_missing(value))
            mistake_add(rd->m, value, "'%s' has no value, expected text ('' for an empty one)",
                        word);
        else if (node_is_null(value))
            variable_drop(&vars, word);
        else if (value->kind != NODE_SCALAR)
            mistake_add(rd->m, value, "'%s' is a %s, expected text", word,
                        value->kind == NODE_LIST ? "list" : "map");
        else if (value_variable(rd, key, word, value, &set))
            variable_set(&vars, set);
    }
    *ret = vars;
}
