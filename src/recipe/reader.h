/* reader.h -- shared by the files that turn a YAML tree into a struct recipe.
 *
 * A tree is read twice.  First each layer alone (the built-in recipe, the recipe, every
 * environment), so that all mistakes are found, also in values that another layer replaces; what
 * depends on this process's environment is not checked then.  Then the merged layers are read for
 * the environment that was asked for. */
#ifndef CRELEASE_RECIPE_READER_H
#define CRELEASE_RECIPE_READER_H

#include "recipe/recipe.h"
#include "recipe/keys.h"
#include "edge/yaml.h"

enum layer { LAYER_BUILT_IN, LAYER_RECIPE, LAYER_ENVIRONMENT, LAYER_MERGED };

enum {
    SECRET_BYTES_MIN = 4,
    NEAREST_MAX = 100, /* no suggestions are computed after this many mistakes */
};

struct secret_item {
    const struct node *node;
    const char *text;
};

struct reader {
    struct arena *a;
    struct mistakes *m;
    const char *const *environ;
    struct recipe *recipe; /* filled by the functions below */
    enum layer layer;
    bool strict;              /* ${NAME} must be set, and roles must exist */
    const char *variable;     /* name of the env variable being read, or NULL */
    struct buf *shell;        /* receives its value as shell text */
    bool from_host;           /* its value refers to a variable of the host */
    size_t expanded;          /* bytes of all expanded values so far */
    struct variables env;     /* of every host */
    struct strs from_environ; /* values of env that came from ${NAME} */
    struct secret_item *secret;
    size_t n_secrets;
};

/* Shortens a text of the recipe and makes it safe to show. */
const char *value_shown(struct arena *a, const char *s);

/* Like text_nearest, but gives up in a recipe with very many mistakes. */
const char *value_nearest(const struct reader *rd, const char *word, const char *const *names);

/* Why a key cannot be used in this layer, as the end of a sentence; NULL if it can. */
const char *key_misplaced(const struct reader *rd, const struct recipe_key *key);

/* Runs the key's own check.  False if it recorded a mistake. */
bool value_checked(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   const char **value);

/* expand.c: returns the text of a scalar with ${NAME} expanded.  False if a mistake was recorded
 * or, unless strict, the value is not known. */
bool value_text(struct reader *rd, const struct recipe_key *key, const struct node *node,
                const char **ret);

/* The same for a variable of 'env'.  There, $NAME without braces refers to a variable of the host:
 * PATH, HOME or the variable itself. */
bool value_variable(struct reader *rd, const struct recipe_key *key, const char *name,
                    const struct node *node, struct variable *ret);

/* Records "'port' is 'x', expected y". */
void value_wrong(struct reader *rd, const struct recipe_key *key, const struct node *node,
                 const char *expected);

/* Parses a number from min to max. */
bool value_count(const char *s, long min, long max, long *ret);

/* False, with a mistake recorded, if a list or map has more than KEY_ITEMS_MAX members. */
bool value_fits(struct reader *rd, const struct recipe_key *key, const struct node *node);

/* Reads a value and stores it in `into`: the recipe, a host or a job, depending on the key's
 * path. */
void value_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                void *into);

/* Reads every pair of a map.  Missing keys are reported at the node `at`. */
void map_read(struct reader *rd, const struct node *map, const char *scope, const struct node *at,
              void *into);
void map_required(struct reader *rd, const struct node *map, const char *scope,
                  const struct node *at);
void map_unknown(struct reader *rd, const char *scope, const struct node *key);

/* Stores the defaults of all keys in a scope. */
void defaults_set(struct reader *rd, const char *scope, void *into);

/* list.c.  variables_read adds to the variables that are already in *ret, in a new array. */
void texts_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                struct strs *ret);
void variables_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                    struct variables *ret);
void files_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void secrets_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void statuses_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct statuses *ret);

/* databases.c: checks `databases` in one layer; then, after all other values of the merged layers have
 * been read, reads it. */
void databases_check(struct reader *rd, const struct recipe_key *key, const struct node *node);
void databases_read(struct reader *rd, const struct node *root);

/* whole.c: adds a value to the recipe's secrets. */
void secret_add(struct reader *rd, const char *value);

/* whole.c: what `database`, `backup` and `migrate` mean together; root: the map that has them. */
void database_finish(struct reader *rd, const struct node *root);

/* merge.c: merges two layers.  `over` wins; the key table says which maps are merged key by key. */
struct node *layers_merged(struct arena *a, struct node *base, struct node *over);

/* whole.c: what depends on several keys: the database's adapter, roles, nested linked folders,
 * duplicate hosts, secrets. */
void whole_finish(struct reader *rd, const struct node *root);

/* host.c */
void hosts_read(struct reader *rd, const struct recipe_key *key, const struct node *node);

/* Fills in what hosts inherit from the recipe and checks for duplicates.  Called last. */
void hosts_finish(struct reader *rd, const struct node *node);

/* job.c */
void job_list_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct jobs *ret);
void hooks_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void notify_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void windows_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void tasks_read(struct reader *rd, const struct recipe_key *key, const struct node *node);

#endif
