/* yaml.c -- builds the tree of yaml.h from libyaml's events; the only file that includes libyaml.
 * Called by the recipe reader.  yaml_syntax.c words syntax errors, yaml_merge.c finishes maps. */
#include "edge/yaml_parts.h"

#include "base/limits.h"
#include "base/text.h"

#include <yaml.h>

enum { TEXT_BYTES_MAX = 4 * RECIPE_BYTES_MAX };

struct anchor {
    const char *name;
    unsigned hash;
    struct node *node;
};

struct frame {
    struct node *node;
    struct node *key; /* of a map: a key whose value has not been read yet; else NULL */
};

struct parser {
    struct arena *a;
    const struct yaml_file *file;
    struct mistakes *m;
    struct frame frame[RECIPE_DEPTH_MAX];
    size_t depth;
    struct node *root;
    struct anchor *anchor;
    size_t n_anchors;
    size_t nodes; /* so far, with aliases expanded */
    size_t bytes; /* of text that aliases refer to */
    size_t documents;
};

struct node *yaml_node(struct arena *a, const struct yaml_file *file, enum node_kind kind,
                       struct yaml_place at)
{
    struct node *node = arena_alloc(a, sizeof *node);

    node->kind = kind;
    node->file = file->name;
    node->line = (unsigned)at.line + 1;
    node->column = (unsigned)at.column + 1;
    node->weight = 1;
    return node;
}

static struct yaml_place place(yaml_mark_t mark)
{
    return (struct yaml_place){.line = mark.line, .column = mark.column};
}

static struct node *node_make(struct parser *p, enum node_kind kind, yaml_mark_t mark)
{
    return yaml_node(p->a, p->file, kind, place(mark));
}

static bool fatal_at(struct parser *p, yaml_mark_t mark, const char *what)
{
    mistake_add(p->m, node_make(p, NODE_SCALAR, mark), "%s", what);
    return false;
}

static bool parser_error(struct parser *p, const yaml_parser_t *y)
{
    const struct yaml_problem problem = {
        .what = y->problem,
        .context = y->context,
        .at = place(y->problem_mark),
        .context_at = place(y->context_mark),
        .in_bytes = y->error == YAML_READER_ERROR,
        .offset = y->problem_offset,
        .root = p->root,
    };

    yaml_explain(p->file, &problem, p->m);
    return false;
}

static unsigned hash(const char *s)
{
    unsigned h = 2166136261u;

    while (*s)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

void *yaml_grown(struct arena *a, void *v, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return v;
    void *more = arena_array(a, n ? n * 2 : 1, size);
    if (n)
        memcpy(more, v, n * size);
    return more;
}

static void anchor_add(struct parser *p, const yaml_char_t *name, struct node *node)
{
    if (!name)
        return;
    p->anchor = yaml_grown(p->a, p->anchor, p->n_anchors, sizeof *p->anchor);
    char *copy = arena_strdup(p->a, (const char *)name);
    p->anchor[p->n_anchors++] = (struct anchor){.name = copy, .hash = hash(copy), .node = node};
}

/* The last anchor of that name, because a later one replaces an earlier one. */
static struct node *anchor_find(const struct parser *p, const char *name)
{
    unsigned h = hash(name);

    for (size_t i = p->n_anchors; i-- > 0;)
        if (p->anchor[i].hash == h && strcmp(p->anchor[i].name, name) == 0)
            return p->anchor[i].node;
    return NULL;
}

static bool count(struct parser *p, size_t nodes, yaml_mark_t mark)
{
    p->nodes += nodes;
    if (p->nodes <= RECIPE_NODES_MAX)
        return true;
    return fatal_at(
        p, mark,
        arena_printf(p->a, "more than %d values after expanding aliases, the limit for a recipe",
                     RECIPE_NODES_MAX));
}

static bool count_text(struct parser *p, size_t bytes, yaml_mark_t mark)
{
    p->bytes += bytes;
    if (p->bytes <= TEXT_BYTES_MAX)
        return true;
    return fatal_at(p, mark, "more text after expanding aliases than a recipe may have");
}

static bool deeper(struct parser *p, size_t height, yaml_mark_t mark)
{
    if (p->depth + height <= RECIPE_DEPTH_MAX)
        return true;
    return fatal_at(
        p, mark,
        arena_printf(p->a, "lists and maps nested deeper than %d levels, the limit for a recipe",
                     RECIPE_DEPTH_MAX));
}

static bool attach(struct parser *p, struct node *node, yaml_mark_t mark)
{
    if (!p->depth) {
        p->root = node;
        return true;
    }
    struct frame *f = &p->frame[p->depth - 1];
    struct node *parent = f->node;
    if (parent->kind == NODE_LIST) {
        parent->item = yaml_grown(p->a, parent->item, parent->n, sizeof *parent->item);
        parent->item[parent->n++] = node;
    } else if (!f->key) {
        if (node->kind != NODE_SCALAR)
            return fatal_at(p, mark,
                            node->kind == NODE_LIST ? "a list as a key, expected text"
                                                    : "a map as a key, expected text");
        f->key = node;
    } else {
        parent->pair = yaml_grown(p->a, parent->pair, parent->n, sizeof *parent->pair);
        parent->pair[parent->n++] = (struct pair){.key = f->key, .value = node};
        f->key = NULL;
    }
    return true;
}

static bool on_alias(struct parser *p, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    struct node *node = anchor_find(p, name);
    const char *shown = text_shown(p->a, name);

    if (!node)
        return fatal_at(p, e->start_mark,
                        arena_printf(p->a, "alias '*%s', but there is no anchor '&%s' before it",
                                     shown, shown));
    for (size_t i = 0; i < p->depth; i++)
        if (p->frame[i].node == node)
            return fatal_at(
                p, e->start_mark,
                arena_printf(p->a, "alias '*%s' is inside the value it refers to", shown));
    return count(p, node->weight, e->start_mark) && count_text(p, node->bytes, e->start_mark) &&
           deeper(p, node->height, e->start_mark) && attach(p, node, e->start_mark);
}

static void tag_check(struct parser *p, const yaml_char_t *tag, const struct node *node)
{
    if (!tag || strcmp((const char *)tag, "!") == 0)
        return;
    if (node->kind == NODE_SCALAR && strcmp((const char *)tag, YAML_STR_TAG) == 0)
        return;
    mistake_add(p->m, node, "tag '%s': recipes do not support tags",
                text_shown(p->a, (const char *)tag));
}

static bool on_scalar(struct parser *p, const yaml_event_t *e)
{
    struct node *node = node_make(p, NODE_SCALAR, e->start_mark);
    const char *value = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;

    node->text = arena_strndup(p->a, value, len);
    node->bytes = len;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag;
    tag_check(p, e->data.scalar.tag, node);
    if (strlen(node->text) != len)
        mistake_add(p->m, node, "text with a NUL character, which no value may contain");
    anchor_add(p, e->data.scalar.anchor, node);
    return count(p, 1, e->start_mark) && attach(p, node, e->start_mark);
}

static bool on_start(struct parser *p, const yaml_event_t *e, enum node_kind kind)
{
    struct node *node = node_make(p, kind, e->start_mark);
    bool list = kind == NODE_LIST;

    tag_check(p, list ? e->data.sequence_start.tag : e->data.mapping_start.tag, node);
    anchor_add(p, list ? e->data.sequence_start.anchor : e->data.mapping_start.anchor, node);
    if (!count(p, 1, e->start_mark) || !deeper(p, 1, e->start_mark) ||
        !attach(p, node, e->start_mark))
        return false;
    p->frame[p->depth++] = (struct frame){.node = node};
    return true;
}

static void measure(struct node *node)
{
    for (size_t i = 0; i < node->n; i++) {
        const struct node *child = node->kind == NODE_MAP ? node->pair[i].value : node->item[i];
        node->weight += child->weight + (node->kind == NODE_MAP);
        node->bytes += child->bytes + (node->kind == NODE_MAP ? node->pair[i].key->bytes : 0);
        if (child->height + 1 > node->height)
            node->height = child->height + 1;
    }
    if (!node->height)
        node->height = 1;
}

static bool on_end(struct parser *p)
{
    struct node *node = p->frame[--p->depth].node;

    if (node->kind == NODE_MAP)
        yaml_finish_map(p->a, node, p->m);
    measure(node);
    return true;
}

static bool on_event(struct parser *p, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (p->documents++)
            return fatal_at(p, e->start_mark,
                            "a second document begins here, expected the end of the recipe");
        return true;
    case YAML_ALIAS_EVENT:
        return on_alias(p, e);
    case YAML_SCALAR_EVENT:
        return on_scalar(p, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(p, e, NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_start(p, e, NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(p);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

static bool parse_events(struct parser *p, yaml_parser_t *y)
{
    for (;;) {
        yaml_event_t e;
        if (!yaml_parser_parse(y, &e))
            return parser_error(p, y);
        bool over = e.type == YAML_STREAM_END_EVENT;
        bool ok = on_event(p, &e);
        yaml_event_delete(&e);
        if (!ok || over)
            return ok;
    }
}

struct node *yaml_parse(struct arena *a, const struct yaml_file *file, struct mistakes *m)
{
    struct yaml_file text = *file;
    struct parser p = {.a = a, .file = &text, .m = m};
    yaml_parser_t y;

    if (text.len >= 3 && memcmp(text.bytes, "\xef\xbb\xbf", 3) == 0) {
        /* libyaml would count a byte order mark as a column. */
        text.bytes += 3;
        text.len -= 3;
    }
    if (!yaml_check_bytes(&text, m))
        return NULL;
    if (!yaml_parser_initialize(&y)) {
        fatal_at(&p, (yaml_mark_t){0}, "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y, (const unsigned char *)text.bytes, text.len);
    bool ok = parse_events(&p, &y);
    yaml_parser_delete(&y);
    if (ok && (!p.root || node_is_missing(p.root))) {
        fatal_at(&p, (yaml_mark_t){0}, "the file is empty, expected a recipe");
        return NULL;
    }
    return ok ? p.root : NULL;
}

struct node *node_get(const struct node *node, const char *key)
{
    if (!node || node->kind != NODE_MAP)
        return NULL;
    for (size_t i = 0; i < node->n; i++)
        if (strcmp(node->pair[i].key->text, key) == 0)
            return node->pair[i].value;
    return NULL;
}

bool node_is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->plain &&
           (strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}

bool node_is_missing(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->plain && !*node->text;
}

struct library yaml_library(struct arena *a)
{
    (void)a;
    return (struct library){.name = "libyaml", .version = yaml_get_version_string()};
}
