/* recipe_reader.h -- between the files that turn a recipe's tree into a struct recipe.
 *
 * A tree is read twice.  First each layer (the built-in recipe, the recipe, every environment)
 * alone, so that every mistake is found, also in what another layer replaces; what depends on the
 * environment of this process is let pass.  Then the layers merged, for what is asked for. */
#ifndef CRELEASE_RECIPE_READER_H
#define CRELEASE_RECIPE_READER_H

#include "recipe/recipe.h"
#include "recipe/keys.h"
#include "edge/yaml.h"

enum layer { LAYER_BUILT_IN, LAYER_RECIPE, LAYER_ENVIRONMENT, LAYER_MERGED };

enum {
    SECRET_BYTES_MIN = 4,
    NEAREST_MAX = 100, /* mistakes after which no more suggestions are thought about */
};

struct secret_item {
    const struct node *node;
    const char *text;
};

struct reader {
    struct arena *a;
    struct mistakes *m;
    const char *const *environ;
    struct recipe *recipe; /* being filled */
    enum layer layer;
    bool strict;              /* ${NAME} must be there, roles must be somebody's */
    const char *variable;     /* of env, while its value is read */
    struct buf *shell;        /* gets that value as shell text */
    bool from_host;           /* and has something of the host in it */
    size_t expanded;          /* bytes that ${NAME} has become so far */
    struct variables env;     /* of every host */
    struct strs from_environ; /* values of env that came from ${NAME} */
    struct secret_item *secret;
    size_t n_secrets;
};

/* What people are shown of a text of the recipe: harmless, and not all of a long one. */
const char *value_shown(struct arena *a, const char *s);

/* As text_nearest, but does not think for ever about a recipe full of mistakes. */
const char *value_nearest(const struct reader *rd, const char *word, const char *const *names);

/* Why a key cannot stand in this layer, as the end of a sentence; NULL: it can. */
const char *key_misplaced(const struct reader *rd, const struct recipe_key *key);

/* Whether the key's own check likes it; else that was noted. */
bool value_checked(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   const char **value);

/* recipe_expand.c: the text of a scalar with ${NAME} replaced.  False when that was noted as a
 * mistake or, unless strict, cannot be known. */
bool value_text(struct reader *rd, const struct recipe_key *key, const struct node *node,
                const char **ret);

/* The same for a variable of 'env'.  $NAME in it, without braces, is the host's: of PATH, HOME and
 * the variable itself. */
bool value_variable(struct reader *rd, const struct recipe_key *key, const char *name,
                    const struct node *node, struct variable *ret);

/* "'port' is 'x', expected y" */
void value_wrong(struct reader *rd, const struct recipe_key *key, const struct node *node,
                 const char *expected);

/* Digits, from min to max. */
bool value_count(const char *s, long min, long max, long *ret);

/* False, with a mistake, when a list or map has more members than KEY_ITEMS_MAX. */
bool value_fits(struct reader *rd, const struct recipe_key *key, const struct node *node);

/* Reads a value to its place in `into`: the recipe, a host or a job, as the key's path says. */
void value_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                void *into);

/* Every pair of a map; at: where a missing key is noted. */
void map_read(struct reader *rd, const struct node *map, const char *scope, const struct node *at,
              void *into);
void map_required(struct reader *rd, const struct node *map, const char *scope,
                  const struct node *at);
void map_unknown(struct reader *rd, const char *scope, const struct node *key);

/* Sets what has a default below a scope. */
void defaults_set(struct reader *rd, const char *scope, void *into);

/* recipe_list.c; variables_read sets on top of what is in ret already, in an array of its own */
void texts_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                struct strs *ret);
void variables_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                    struct variables *ret);
void secrets_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void statuses_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct statuses *ret);

/* recipe_merge.c: what is in over wins; maps that the key table says so of are merged key by key.
 */
struct node *layers_merged(struct arena *a, struct node *base, struct node *over);

/* recipe_whole.c: what only the whole recipe can say: the database's adapter, roles, folders
 * linked twice, hosts that are the same, secrets. */
void whole_finish(struct reader *rd, const struct node *root);

/* recipe_host.c */
void hosts_read(struct reader *rd, const struct recipe_key *key, const struct node *node);

/* Names, roles and what comes from the recipe as a whole; after everything was read. */
void hosts_finish(struct reader *rd, const struct node *node);

/* recipe_job.c */
void job_list_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   struct jobs *ret);
void hooks_read(struct reader *rd, const struct recipe_key *key, const struct node *node);
void tasks_read(struct reader *rd, const struct recipe_key *key, const struct node *node);

#endif
