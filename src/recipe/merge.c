/* merge.c -- merges the layers of a recipe (see reader.h).  Called by recipe.c. */
#include "recipe/reader.h"

static struct node *node_copy(struct arena *a, const struct node *node, size_t room)
{
    struct node *copy = arena_alloc(a, sizeof *copy);

    *copy = *node;
    copy->n = 0;
    copy->pair = node->kind == NODE_MAP ? arena_array(a, room, sizeof *copy->pair) : NULL;
    copy->item = node->kind == NODE_LIST ? arena_array(a, room, sizeof *copy->item) : NULL;
    return copy;
}

/* Lists of secrets are joined: what is secret in one layer is secret in all. */
static struct node *lists_join(struct arena *a, struct node *base, struct node *over)
{
    struct node *parts[] = {base, over};
    struct node *list = node_copy(a, over, 0);

    list->kind = NODE_LIST;
    list->item = arena_array(a, base->n + over->n + 2, sizeof *list->item);
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; parts[p]->kind == NODE_LIST && i < parts[p]->n; i++)
            list->item[list->n++] = parts[p]->item[i];
        if (parts[p]->kind == NODE_SCALAR && !node_is_null(parts[p]))
            list->item[list->n++] = parts[p];
    }
    return list;
}

static struct node *merged(struct arena *a, struct node *base, struct node *over,
                           const char *scope);

static struct node *databases_merged(struct arena *a, struct node *base, struct node *over);

static struct node *merged_value(struct arena *a, const struct recipe_key *key, struct node *base,
                                 struct node *over)
{
    if (key && key->kind == KEY_SECRETS && base->kind != NODE_MAP && over->kind != NODE_MAP)
        return lists_join(a, base, over);
    if (!key || base->kind != NODE_MAP || over->kind != NODE_MAP)
        return over;
    if (key->kind == KEY_DATABASES)
        return databases_merged(a, base, over);
    if (key->kind == KEY_SECTION)
        return merged(a, base, over, arena_printf(a, "%s.", key->path));
    if (key->kind == KEY_VARIABLES || key->kind == KEY_HOOKS || key->kind == KEY_TASKS)
        return merged(a, base, over, NULL);
    return over;
}

/* Databases are merged name by name, and each of them as the whole recipe is. */
static struct node *databases_merged(struct arena *a, struct node *base, struct node *over)
{
    struct node *map = merged(a, base, over, NULL);

    for (size_t i = 0; i < map->n; i++) {
        struct node *was = node_get(base, map->pair[i].key->text);
        struct node *own = node_get(over, map->pair[i].key->text);
        if (was && own && was->kind == NODE_MAP && own->kind == NODE_MAP)
            map->pair[i].value = merged(a, was, own, "");
    }
    return map;
}

/* Pairs of `over` win.  With scope NULL, values are replaced and not merged further. */
static struct node *merged(struct arena *a, struct node *base, struct node *over, const char *scope)
{
    struct node *map = node_copy(a, over, base->n + over->n);

    for (size_t i = 0; i < base->n; i++) {
        struct pair pair = base->pair[i];
        struct node *value = node_get(over, pair.key->text);
        if (value)
            pair.value = merged_value(a, scope ? recipe_key_find(scope, pair.key->text) : NULL,
                                      pair.value, value);
        map->pair[map->n++] = pair;
    }
    for (size_t i = 0; i < over->n; i++)
        if (!node_get(base, over->pair[i].key->text))
            map->pair[map->n++] = over->pair[i];
    return map;
}

struct node *layers_merged(struct arena *a, struct node *base, struct node *over)
{
    return merged(a, base, over, "");
}
