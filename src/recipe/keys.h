/* keys.h -- every key that a recipe can have, in one table.  The reader, its messages, the help and
 * the schema for editors all use it.
 *
 * A path names a key from the top ("backup.wait_limit").  "hosts.x" is the key x of a host, and
 * "job.x" the key x of a job written as a map, wherever that stands. */
#ifndef CRELEASE_RECIPE_KEYS_H
#define CRELEASE_RECIPE_KEYS_H

#include "base/text.h"

enum key_kind {
    KEY_TEXT,     /* one line */
    KEY_SHELL,    /* shell text, possibly several lines */
    KEY_COUNT,    /* a whole number */
    KEY_PORT,     /* 1 to 65535 */
    KEY_DURATION, /* 90s, 5m, 6h, 1d */
    KEY_SHARE,    /* a share of the hosts: 2, 25% */
    KEY_BOOL,
    KEY_WORD,      /* one of `words` */
    KEY_TEXTS,     /* a list of texts, or a single one */
    KEY_VARIABLES, /* a map of text; merged name by name */
    KEY_JOBS,
    KEY_HOOKS,
    KEY_TASKS,
    KEY_SECRETS,
    KEY_STATUSES, /* a list of exit statuses other than 0, or a single one */
    KEY_PENDING,  /* one of `words`, or a map of keys with rows of their own; never merged */
    KEY_SECTION,  /* a map of keys with rows of their own, merged key by key; or one of `words` */
    KEY_HOSTS,
    KEY_ENVIRONMENTS,
    KEY_WINDOWS,
    KEY_NOTIFY,
    KEY_FILES,     /* a list of texts, or of maps with `path` */
    KEY_DATABASES, /* a map of maps with the keys of some sections */
    KEY_JOB,       /* not a key; introduces the rows of "job." in the help */
};

enum key_place {
    PLACE_ANY, /* at the top and in an environment */
    PLACE_TOP,
    PLACE_ENVIRONMENT,
};

struct key_word {
    const char *word; /* NULL ends the list */
    int value;
};

/* Checks a value.  Returns NULL if it is valid, else what was expected.  May replace the value by a
 * normalised one. */
typedef const char *key_check(struct arena *a, const char **value);

struct recipe_key {
    const char *path;
    enum key_kind kind;
    enum key_place place;
    bool required;
    bool is_role;         /* its values are roles, which some host must have */
    bool nonzero;         /* a duration that must not be 0 */
    long min;             /* of a count; its maximum is KEY_COUNT_MAX */
    size_t at;            /* where the value is stored: offset in struct recipe, host or job */
    const char *fallback; /* the default, as it would be written in a recipe */
    const char *fallback_shown; /* a default that depends on other keys, described */
    const struct key_word *words;
    key_check *check;
    const char *about; /* one sentence without a full stop */
};

enum { KEY_COUNT_MAX = 100000, KEY_ITEMS_MAX = 1000 };

/* `at` of a key whose value is only checked, or stored in a special place. */
#define KEY_NOWHERE ((size_t)-1)

extern const struct recipe_key recipe_keys[];

/* The value of a word of the key at that path, for an option that overrides the key; otherwise, when the
 * word is NULL or not one of the key's. */
int recipe_word(const char *path, const char *word, int otherwise);
extern const size_t recipe_keys_n;

/* The stages that a hook can name, in the order of a deploy; NULL-terminated. */
extern const char *const recipe_hook_stages[];

/* Returns the row of a key in a scope ("", "backup.", "hosts.", "job."), or NULL. */
const struct recipe_key *recipe_key_find(const char *scope, const char *key);

/* Names of these keys in other tools, especially Capistrano. */
extern const struct synonym recipe_key_synonyms[];

/* Returns the key as it is written in a recipe: "backup.policy", but "port" for "hosts.port". */
const char *recipe_key_shown(const struct recipe_key *key);

/* Returns the names of the keys in a scope, NULL-terminated. */
const char *const *recipe_key_names(struct arena *a, const char *scope);

/* Describes a valid value: "a duration such as 90s, 5m, 6h or 1d". */
const char *recipe_key_expected(struct arena *a, const struct recipe_key *key);

/* Returns the path that `word` is most likely a misspelling of: a whole path ("backup.polcy") or
 * only its last part ("wait_limt").  NULL if none is near. */
const char *recipe_nearest_key(struct arena *a, const char *word);

/* Returns the help text for one key (a path, or an unambiguous last part), or for all keys if key
 * is NULL.  NULL if there is no such key. */
const char *recipe_help(struct arena *a, const char *key);

/* Returns the JSON schema (draft 7) of a recipe, for editors. */
const char *recipe_schema(struct arena *a);

#endif
