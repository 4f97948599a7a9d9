/* yaml_merge.c -- duplicate keys and merge keys ("<<") of a map.  yaml.c calls it once a map has
 * been read completely. */
#include "edge/yaml_parts.h"

#include "base/text.h"

struct named_pair {
    struct pair pair;
    size_t at;
    bool merged;
};

static int by_key(const void *a, const void *b)
{
    const struct named_pair *x = a;
    const struct named_pair *y = b;
    int order = strcmp(x->pair.key->text, y->pair.key->text);

    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static int by_place(const void *a, const void *b)
{
    const struct named_pair *x = a;
    const struct named_pair *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static bool key_is_merge(const struct node *key)
{
    return key->plain && strcmp(key->text, "<<") == 0;
}

struct pair_list {
    struct named_pair *v;
    size_t n;
};

static void pair_list_add(struct arena *a, struct pair_list *list, struct pair pair, bool merged)
{
    list->v = yaml_grown(a, list->v, list->n, sizeof *list->v);
    list->v[list->n] = (struct named_pair){.pair = pair, .at = list->n, .merged = merged};
    list->n++;
}

static void merge(struct arena *a, struct pair_list *list, const struct node *value,
                  struct mistakes *m)
{
    if (value->kind == NODE_LIST) {
        for (size_t i = 0; i < value->n; i++)
            if (value->item[i]->kind == NODE_MAP)
                merge(a, list, value->item[i], m);
            else
                mistake_add(m, value->item[i], "'<<' merges maps, but this is not a map");
    } else if (value->kind == NODE_MAP) {
        for (size_t i = 0; i < value->n; i++)
            pair_list_add(a, list, value->pair[i], true);
    } else {
        mistake_add(m, value, "'<<' merges a map or a list of maps, but this is neither");
    }
}

/* The map's own keys win over merged ones, and the first merged one over later ones. */
void yaml_finish_map(struct arena *a, struct node *map, struct mistakes *m)
{
    struct pair_list list = {0};
    size_t kept = 0;

    if (!map->n)
        return;
    for (size_t i = 0; i < map->n; i++)
        if (!key_is_merge(map->pair[i].key))
            pair_list_add(a, &list, map->pair[i], false);
    const struct node *merge_key = NULL;
    for (size_t i = 0; i < map->n; i++) {
        if (!key_is_merge(map->pair[i].key))
            continue;
        if (merge_key)
            mistake_add(m, map->pair[i].key, "duplicate key '<<'; it is already on line %u",
                        merge_key->line);
        merge_key = map->pair[i].key;
        merge(a, &list, map->pair[i].value, m);
    }
    if (list.n)
        qsort(list.v, list.n, sizeof *list.v, by_key);
    for (size_t i = 0; i < list.n; i++) {
        const struct node *key = list.v[i].pair.key;
        if (kept && strcmp(list.v[kept - 1].pair.key->text, key->text) == 0) {
            if (!list.v[i].merged)
                mistake_add(m, key, "duplicate key '%s'; it is already on line %u",
                            text_shown(a, key->text), list.v[kept - 1].pair.key->line);
        } else {
            list.v[kept++] = list.v[i];
        }
    }
    if (kept)
        qsort(list.v, kept, sizeof *list.v, by_place);
    map->pair = kept ? arena_array(a, kept, sizeof *map->pair) : NULL;
    map->n = kept;
    for (size_t i = 0; i < kept; i++)
        map->pair[i] = list.v[i].pair;
}
