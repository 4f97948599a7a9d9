#include "edge/yaml.h"

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
    struct node *key; /* of a map: read, its value not yet */
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
    size_t nodes; /* so far, aliases followed */
    size_t bytes; /* of text that aliases stand for */
    size_t documents;
};

/* ---- marks ---- */

static struct node *node_make(struct parser *p, enum node_kind kind, yaml_mark_t mark)
{
    struct node *node = arena_alloc(p->a, sizeof *node);

    node->kind = kind;
    node->file = p->file->name;
    node->line = (unsigned)mark.line + 1;
    node->column = (unsigned)mark.column + 1;
    node->weight = 1;
    return node;
}

static bool fatal_at(struct parser *p, yaml_mark_t mark, const char *what)
{
    mistake_add(p->m, node_make(p, NODE_SCALAR, mark), "%s", what);
    return false;
}

static yaml_mark_t mark_at(const struct yaml_file *file, size_t offset)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < offset && i < file->len; i++) {
        bool breaks = file->bytes[i] == '\r' && (i + 1 == file->len || file->bytes[i + 1] != '\n');
        if (file->bytes[i] == '\n' || breaks) {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)file->bytes[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* Said before libyaml sees the bytes: it would name no place for some of these, and take
 * UTF-16 for others. */
static bool bytes_are_text(struct parser *p)
{
    const unsigned char *s = (const unsigned char *)p->file->bytes;
    size_t len = p->file->len;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == 0)
            return fatal_at(p, mark_at(p->file, i), "a NUL byte, expected text");
        if ((s[i] < 0x20 && s[i] != '\n' && s[i] != '\r' && s[i] != '\t') || s[i] == 0x7f)
            return fatal_at(
                p, mark_at(p->file, i),
                arena_printf(p->a, "a control character (\\x%02x), expected text", s[i]));
    }
    if (text_is_utf8(p->file->bytes, len))
        return true;
    /* The first bad byte: the longest valid beginning, by halving on whole lines first. */
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\n') {
            if (!text_is_utf8(p->file->bytes + start, i - start))
                break;
            start = i + 1;
        }
    }
    size_t good = start;
    while (good < len) {
        size_t step = 1;
        while (step < 4 && good + step < len && (s[good + step] & 0xc0) == 0x80)
            step++;
        if (!text_is_utf8(p->file->bytes + good, step))
            break;
        good += step;
    }
    return fatal_at(p, mark_at(p->file, good), "a byte that is no UTF-8, expected text in UTF-8");
}

/* A line without its break, by libyaml's count of them: LF, CR LF, or CR alone. */
struct line {
    const char *text;
    size_t len;
    size_t indent; /* blanks in front */
};

static struct line line_at(const struct yaml_file *file, size_t number)
{
    const char *s = file->bytes;
    const char *end = s + file->len;
    struct line line;

    for (;; number--) {
        const char *stop = s;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        line = (struct line){.text = s, .len = (size_t)(stop - s)};
        if (!number || stop == end)
            break;
        s = stop + 1 + (stop + 1 < end && stop[0] == '\r' && stop[1] == '\n');
    }
    while (line.indent < line.len && line.text[line.indent] == ' ')
        line.indent++;
    return line;
}

static bool indent_has_tab(const struct yaml_file *file, size_t number)
{
    struct line line = line_at(file, number);

    return line.indent < line.len && line.text[line.indent] == '\t';
}

static bool has_colon(struct line line)
{
    for (size_t i = line.indent; i < line.len; i++)
        if (line.text[i] == ':' && (i + 1 == line.len || line.text[i + 1] == ' '))
            return true;
    return false;
}

/* A line that is as far in as the one with the problem, stands just before it, and has no colon:
 * libyaml takes both for one text and complains of the colon of the second. */
static bool key_without_colon(const struct parser *p, const yaml_parser_t *y, yaml_mark_t *ret)
{
    size_t number = y->problem_mark.line;
    const size_t indent = line_at(p->file, number).indent;
    struct line line = {0};

    while (number-- > 0 && line.indent == line.len)
        line = line_at(p->file, number);
    if (line.indent == line.len || line.indent != indent || strchr("-#'\"[{", line.text[indent]) ||
        has_colon(line))
        return false;
    *ret = (yaml_mark_t){.line = number + 1, .column = indent};
    return true;
}

/* Where a quote, a list or a map begins that is never closed: at the end of the file, or where a
 * line is no further in than the one that it began in. */
static bool is_unclosed(const struct parser *p, const yaml_parser_t *y)
{
    return strcmp(y->problem, "found unexpected end of stream") == 0 ||
           (strncmp(y->problem, "did not find expected ','", 25) == 0 &&
            y->problem_mark.line > y->context_mark.line &&
            (line_at(p->file, y->problem_mark.line).len == 0 ||
             line_at(p->file, y->problem_mark.line).indent <=
                 line_at(p->file, y->context_mark.line).indent));
}

/* libyaml names the place where it noticed.  Where the mistake itself is known to be elsewhere,
 * that place is named instead. */
static bool mistake_elsewhere(struct parser *p, const yaml_parser_t *y)
{
    yaml_mark_t at = y->context_mark;
    bool no_colon = y->context && strcmp(y->problem, "could not find expected ':'") == 0;

    if (strncmp(y->problem, "mapping values are not", 22) == 0)
        no_colon = key_without_colon(p, y, &at);
    if (y->context && is_unclosed(p, y))
        fatal_at(p, at,
                 arena_printf(p->a, "no valid YAML: this %s is not closed (noticed in line %zu)",
                              strstr(y->context, "sequence")  ? "'['"
                              : strstr(y->context, "mapping") ? "'{'"
                                                              : "quote",
                              y->problem_mark.line + 1));
    else if (no_colon)
        fatal_at(p, at, "no valid YAML: a key without ':' and a value");
    else if (strcmp(y->problem, "did not find expected <document start>") == 0 && p->root &&
             p->root->column > y->problem_mark.column + 1)
        mistake_add(
            p->m, p->root,
            "no valid YAML: this begins further in than line %zu; the keys of a map begin in"
            " one column",
            y->problem_mark.line + 1);
    else
        return false;
    return true;
}

static bool parser_error(struct parser *p, const yaml_parser_t *y)
{
    const char *problem = y->problem ? y->problem : "not enough memory";

    if (y->error == YAML_READER_ERROR)
        return fatal_at(p, mark_at(p->file, y->problem_offset),
                        arena_printf(p->a, "no valid YAML: %s", problem));
    if (indent_has_tab(p->file, y->problem_mark.line))
        return fatal_at(p, y->problem_mark,
                        "no valid YAML: a tab indents this line, expected blanks");
    if (y->problem && mistake_elsewhere(p, y))
        return false;
    if (y->context)
        return fatal_at(p, y->problem_mark,
                        arena_printf(p->a, "no valid YAML: %s, %s that begins in line %zu", problem,
                                     y->context, y->context_mark.line + 1));
    return fatal_at(p, y->problem_mark, arena_printf(p->a, "no valid YAML: %s", problem));
}

/* ---- the tree ---- */

static unsigned hash(const char *s)
{
    unsigned h = 2166136261u;

    while (*s)
        h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

/* Room doubles at each power of two, as in strs_add. */
static void *grown(struct arena *a, void *v, size_t n, size_t size)
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
    p->anchor = grown(p->a, p->anchor, p->n_anchors, sizeof *p->anchor);
    char *copy = arena_strdup(p->a, (const char *)name);
    p->anchor[p->n_anchors++] = (struct anchor){.name = copy, .hash = hash(copy), .node = node};
}

/* The last one of that name: an anchor may be set again. */
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
    return fatal_at(p, mark,
                    arena_printf(p->a,
                                 "more than %d values when all aliases are followed, "
                                 "which is more than a recipe may have",
                                 RECIPE_NODES_MAX));
}

static bool count_text(struct parser *p, size_t bytes, yaml_mark_t mark)
{
    p->bytes += bytes;
    if (p->bytes <= TEXT_BYTES_MAX)
        return true;
    return fatal_at(p, mark, "more text when all aliases are followed than a recipe may have");
}

static bool deeper(struct parser *p, size_t height, yaml_mark_t mark)
{
    if (p->depth + height <= RECIPE_DEPTH_MAX)
        return true;
    return fatal_at(p, mark,
                    arena_printf(p->a,
                                 "lists and maps nested deeper than %d, "
                                 "which is more than a recipe may have",
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
        parent->item = grown(p->a, parent->item, parent->n, sizeof *parent->item);
        parent->item[parent->n++] = node;
    } else if (!f->key) {
        if (node->kind != NODE_SCALAR)
            return fatal_at(p, mark,
                            node->kind == NODE_LIST ? "a list as a key, expected text"
                                                    : "a map as a key, expected text");
        f->key = node;
    } else {
        parent->pair = grown(p->a, parent->pair, parent->n, sizeof *parent->pair);
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
                arena_printf(p->a, "alias '*%s' is inside of what it stands for", shown));
    return count(p, node->weight, e->start_mark) && count_text(p, node->bytes, e->start_mark) &&
           deeper(p, node->height, e->start_mark) && attach(p, node, e->start_mark);
}

static void tag_check(struct parser *p, const yaml_char_t *tag, const struct node *node)
{
    if (!tag || strcmp((const char *)tag, "!") == 0)
        return;
    if (node->kind == NODE_SCALAR && strcmp((const char *)tag, YAML_STR_TAG) == 0)
        return;
    mistake_add(p->m, node, "tag '%s': a recipe has no tags", text_shown(p->a, (const char *)tag));
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
        mistake_add(p->m, node, "text with a NUL in it, which no value can hold");
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

/* ---- keys: twice, and merged ---- */

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

static void pair_list_add(struct parser *p, struct pair_list *list, struct pair pair, bool merged)
{
    list->v = grown(p->a, list->v, list->n, sizeof *list->v);
    list->v[list->n] = (struct named_pair){.pair = pair, .at = list->n, .merged = merged};
    list->n++;
}

static void merge(struct parser *p, struct pair_list *list, const struct node *value)
{
    if (value->kind == NODE_LIST) {
        for (size_t i = 0; i < value->n; i++)
            if (value->item[i]->kind == NODE_MAP)
                merge(p, list, value->item[i]);
            else
                mistake_add(p->m, value->item[i], "'<<' merges maps, and this is none");
    } else if (value->kind == NODE_MAP) {
        for (size_t i = 0; i < value->n; i++)
            pair_list_add(p, list, value->pair[i], true);
    } else {
        mistake_add(p->m, value, "'<<' merges a map or a list of maps, and this is none");
    }
}

/* What the map says itself comes before what it merges, and the first merged wins. */
static void finish_map(struct parser *p, struct node *map)
{
    struct pair_list list = {0};
    size_t kept = 0;

    if (!map->n)
        return;
    for (size_t i = 0; i < map->n; i++)
        if (!key_is_merge(map->pair[i].key))
            pair_list_add(p, &list, map->pair[i], false);
    const struct node *merge_key = NULL;
    for (size_t i = 0; i < map->n; i++) {
        if (!key_is_merge(map->pair[i].key))
            continue;
        if (merge_key)
            mistake_add(p->m, map->pair[i].key,
                        "key '<<' a second time in one map; the first is in line %u",
                        merge_key->line);
        merge_key = map->pair[i].key;
        merge(p, &list, map->pair[i].value);
    }
    if (list.n)
        qsort(list.v, list.n, sizeof *list.v, by_key);
    for (size_t i = 0; i < list.n; i++) {
        const struct node *key = list.v[i].pair.key;
        if (kept && strcmp(list.v[kept - 1].pair.key->text, key->text) == 0) {
            if (!list.v[i].merged)
                mistake_add(p->m, key, "key '%s' a second time in one map; the first is in line %u",
                            text_shown(p->a, key->text), list.v[kept - 1].pair.key->line);
        } else {
            list.v[kept++] = list.v[i];
        }
    }
    if (kept)
        qsort(list.v, kept, sizeof *list.v, by_place);
    map->pair = kept ? arena_array(p->a, kept, sizeof *map->pair) : NULL;
    map->n = kept;
    for (size_t i = 0; i < kept; i++)
        map->pair[i] = list.v[i].pair;
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
        finish_map(p, node);
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
    if (!bytes_are_text(&p))
        return NULL;
    if (!yaml_parser_initialize(&y)) {
        fatal_at(&p, (yaml_mark_t){0}, "not enough memory");
        return NULL;
    }
    yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y, (const unsigned char *)text.bytes, text.len);
    bool ok = parse_events(&p, &y);
    yaml_parser_delete(&y);
    if (ok && (!p.root || node_is_missing(p.root))) {
        fatal_at(&p, (yaml_mark_t){0}, "nothing in the file, expected a recipe");
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
