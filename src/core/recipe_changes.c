#include "core/recipe.h"

#include "edge/yaml.h"

enum { DEPTH_MAX = 4 };

/* What is compared, and what was found. */
struct changes {
    struct arena *a;
    struct strs *found;
    size_t max;
    size_t n;
};

static bool is_same(const struct node *x, const struct node *y)
{
    if (!x || !y || x->kind != y->kind || x->n != y->n)
        return x == y;
    if (x->kind == NODE_SCALAR)
        return strcmp(x->text, y->text) == 0;
    for (size_t i = 0; x->kind == NODE_LIST && i < x->n; i++)
        if (!is_same(x->item[i], y->item[i]))
            return false;
    for (size_t i = 0; x->kind == NODE_MAP && i < x->n; i++)
        if (!is_same(x->pair[i].value, node_get(y, x->pair[i].key->text)))
            return false;
    return true;
}

static void compare(struct changes *c, const char *path, const struct node *x, const struct node *y,
                    int depth);

/* The keys of x, or only those that y has not. */
static void compare_keys(struct changes *c, const char *path, const struct node *x,
                         const struct node *y, bool only_missing, int depth)
{
    for (size_t i = 0; i < x->n; i++) {
        const char *key = x->pair[i].key->text;
        const struct node *other = node_get(y, key);
        if (only_missing && other)
            continue;
        compare(c, *path ? arena_printf(c->a, "%s.%s", path, key) : key, x->pair[i].value, other,
                depth + 1);
    }
}

static void compare(struct changes *c, const char *path, const struct node *x, const struct node *y,
                    int depth)
{
    if (x && y && x->kind == NODE_MAP && y->kind == NODE_MAP && depth < DEPTH_MAX) {
        compare_keys(c, path, x, y, false, depth);
        compare_keys(c, path, y, x, true, depth);
    } else if (!is_same(x, y) && c->n++ < c->max) {
        strs_add(c->a, c->found, path);
    }
}

size_t recipe_changes(struct arena *a, const char *text, const char *other, size_t max,
                      struct strs *ret)
{
    struct changes c = {.a = a, .found = ret, .max = max};
    struct mistakes ignored = {.arena = a};
    struct yaml_file files[] = {{"recipe", text, strlen(text)}, {"recipe", other, strlen(other)}};
    const struct node *x = yaml_parse(a, &files[0], &ignored);
    const struct node *y = yaml_parse(a, &files[1], &ignored);

    if (x && y)
        compare(&c, "", x, y, 0);
    return c.n;
}
