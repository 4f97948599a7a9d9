/* yaml.h -- a YAML file as a tree of nodes that know where they stand.
 *
 *     struct yaml_file file;
 *     struct mistakes mistakes = {.arena = a};
 *     if (!yaml_read(a, path, &file, err)) ...               no such file, a folder, too large
 *     struct node *root = yaml_parse(a, &file, &mistakes);   NULL: no YAML; mistakes says why
 *
 * Aliases share the node of their anchor and merge keys are done already.  A tree is never
 * deeper than RECIPE_DEPTH_MAX and never has more than RECIPE_NODES_MAX nodes (and 4
 * RECIPE_BYTES_MAX of text) however it is walked, so that walking it may recurse.  Everything lives
 * in the arena. */
#ifndef CRELEASE_YAML_H
#define CRELEASE_YAML_H

#include "base/err.h"

#include <sys/stat.h>

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    const char *file;
    unsigned line;      /* from 1 */
    unsigned column;    /* from 1 */
    const char *text;   /* of a scalar: no NUL in it, valid UTF-8 */
    bool plain;         /* a scalar without quotes, on one line or more, no block */
    struct node **item; /* of a list */
    struct pair *pair;  /* of a map, in the file's order, then what was merged; no key twice */
    size_t n;           /* items or pairs */
    size_t weight;      /* nodes of a walk from here, this one included */
    size_t bytes;       /* of text in such a walk */
    unsigned height;    /* of the tree below: 0 for a scalar */
};

struct pair {
    struct node *key; /* a scalar */
    struct node *value;
};

struct yaml_file {
    const char *name; /* as messages show it */
    const char *bytes;
    size_t len;
    struct stat st; /* of the descriptor that was read */
};

struct mistake {
    const char *file;
    unsigned line;
    unsigned column;
    const char *text;
};

struct mistakes {
    struct arena *arena;
    struct mistake *v;
    size_t n;
    size_t more; /* that were not kept */
};

enum { MISTAKES_KEPT = 500 };

/* Notes a mistake at a node. */
void mistake_add(struct mistakes *m, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts by file and line and drops those that are the same twice. */
void mistakes_sort(struct mistakes *m);

/* The whole file, at most RECIPE_BYTES_MAX; USAGE when it is none.  Never waits for a FIFO or a
 * device.  path is kept as the name. */
bool yaml_read(struct arena *a, const char *path, struct yaml_file *ret,
               struct err *err) MUST_CHECK;

/* NULL when it cannot be read as one document; smaller mistakes (a key twice, a tag) are noted
 * and the tree is there. */
struct node *yaml_parse(struct arena *a, const struct yaml_file *file, struct mistakes *m);

/* The value of a key of a map, NULL when it is not there or node is no map. */
struct node *node_get(const struct node *node, const char *key);

/* A plain null or ~; and a value that was left out. */
bool node_is_null(const struct node *node);
bool node_is_missing(const struct node *node);

#endif
