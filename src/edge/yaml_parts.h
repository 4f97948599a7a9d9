/* yaml_parts.h -- what the files behind yaml.h share; it has no type of libyaml. */
#ifndef CRELEASE_YAML_PARTS_H
#define CRELEASE_YAML_PARTS_H

#include "edge/yaml.h"

/* A position in the file, as libyaml counts: from 0. */
struct yaml_place {
    size_t line;
    size_t column;
};

/* A syntax error as libyaml reports it. */
struct yaml_problem {
    const char *what;    /* NULL: memory ran out */
    const char *context; /* what libyaml was reading, or NULL */
    struct yaml_place at;
    struct yaml_place context_at;
    bool in_bytes; /* the bytes could not be decoded: only `offset` is set, not `at` */
    size_t offset;
    const struct node *root; /* of the tree so far, or NULL */
};

/* Creates a node for that place of the file. */
struct node *yaml_node(struct arena *a, const struct yaml_file *file, enum node_kind kind,
                       struct yaml_place at);

/* Returns room for element n of an array that grows by one; the room doubles at each power of two,
 * as in strs_add. */
void *yaml_grown(struct arena *a, void *v, size_t n, size_t size);

/* Whether the bytes are UTF-8 without control characters; if not, records where the first bad one
 * is.  libyaml gives no position for some of these, and would read others as UTF-16. */
bool yaml_check_bytes(const struct yaml_file *file, struct mistakes *m);

/* Records a syntax error at the place where the mistake was made, as far as that can be told. */
void yaml_explain(const struct yaml_file *file, const struct yaml_problem *problem,
                  struct mistakes *m);

/* Finishes a map whose pairs were read in file order: applies merge keys and records duplicates. */
void yaml_finish_map(struct arena *a, struct node *map, struct mistakes *m);

#endif
