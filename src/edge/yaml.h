/* yaml.h -- a YAML file as a tree of nodes that know their line and column.
 *
 *     struct yaml_file file;
 *     struct mistakes mistakes = {.arena = a};
 *     if (!yaml_read(a, path, &file, err)) ...               no such file, a folder, too large
 *     struct node *root = yaml_parse(a, &file, &mistakes);   NULL: invalid; mistakes says why
 *
 * Aliases share the node of their anchor, and merge keys ("<<") are already applied.  A walk of the
 * tree, aliases included, is never deeper than RECIPE_DEPTH_MAX and never visits more than
 * RECIPE_NODES_MAX nodes or 4 * RECIPE_BYTES_MAX bytes of text, so it may recurse.  Everything is
 * allocated in the arena.  Only yaml.c includes libyaml. */
#ifndef CRELEASE_YAML_H
#define CRELEASE_YAML_H

#include "base/err.h"
#include "base/library.h"

#include <sys/stat.h>

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    const char *file;
    unsigned line;      /* from 1 */
    unsigned column;    /* from 1 */
    const char *text;   /* of a scalar: valid UTF-8 without NULs */
    bool plain;         /* a scalar without quotes that is not a block */
    struct node **item; /* of a list */
    struct pair *pair;  /* of a map: in file order, then the merged ones; keys are unique */
    size_t n;           /* items or pairs */
    size_t weight;      /* nodes in a walk of this subtree, this node included */
    size_t bytes;       /* of text in such a walk */
    unsigned height;    /* of the subtree; 0 for a scalar */
};

struct pair {
    struct node *key; /* a scalar */
    struct node *value;
};

struct yaml_file {
    const char *name; /* for messages */
    const char *bytes;
    size_t len;
    struct stat st; /* of the open file that was read */
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
    size_t more; /* mistakes beyond MISTAKES_KEPT, only counted */
};

enum { MISTAKES_KEPT = 500 };

/* Records a mistake at the position of a node. */
void mistake_add(struct mistakes *m, const struct node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sorts by file and position and removes duplicates. */
void mistakes_sort(struct mistakes *m);

/* Reads the whole file, at most RECIPE_BYTES_MAX.  Fails with ERR_USAGE if it is not a regular
 * file, is larger or cannot be read.  Never blocks on a FIFO or a device.  `path` becomes the
 * name. */
bool yaml_read(struct arena *a, const char *path, struct yaml_file *ret,
               struct err *err) MUST_CHECK;

/* Parses the file as one document.  Returns NULL and records a mistake if it is not valid YAML.
 * Duplicate keys and tags are recorded as mistakes, but the tree is returned. */
struct node *yaml_parse(struct arena *a, const struct yaml_file *file, struct mistakes *m);

/* Returns the value of a key, or NULL if the key is missing or node is not a map. */
struct node *node_get(const struct node *node, const char *key);

/* Whether a value is a plain null or ~, and whether it was left out. */
bool node_is_null(const struct node *node);
bool node_is_missing(const struct node *node);

/* libyaml, its version and features. */
struct library yaml_library(struct arena *a);

#endif
