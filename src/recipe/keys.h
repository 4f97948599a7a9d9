/* recipe_keys.h -- every key a recipe can have: one table, read by the parser, by its
 * messages, by `help recipe` and by the schema for editors.
 *
 * A path names a key from the top ("backup.wait_limit").  "hosts.x" is x of one host,
 * "job.x" is x of a job written as a map, wherever it stands. */
#ifndef CRELEASE_RECIPE_KEYS_H
#define CRELEASE_RECIPE_KEYS_H

#include "base/text.h"

enum key_kind {
    KEY_TEXT,     /* one line */
    KEY_SHELL,    /* shell text, of several lines if need be */
    KEY_COUNT,    /* a whole number */
    KEY_PORT,     /* 1 to 65535 */
    KEY_DURATION, /* 90s, 5m, 6h, 1d */
    KEY_SHARE,    /* of the hosts: 2, 25% */
    KEY_BOOL,
    KEY_WORD,      /* one of `words` */
    KEY_TEXTS,     /* a list, or a single one */
    KEY_VARIABLES, /* a map of text; merged name by name */
    KEY_JOBS,
    KEY_HOOKS,
    KEY_TASKS,
    KEY_SECRETS,
    KEY_STATUSES, /* exit statuses but 0: a list, or a single one */
    KEY_PENDING,  /* one of `words`, or a map of keys that have rows of their own; never merged */
    KEY_SECTION,  /* a map of keys that have rows of their own; merged key by key */
    KEY_HOSTS,
    KEY_ENVIRONMENTS,
    KEY_JOB, /* no key: where the rows of "job." are introduced */
};

enum key_place {
    PLACE_ANY, /* at the top, and again in an environment */
    PLACE_TOP,
    PLACE_ENVIRONMENT,
};

struct key_word {
    const char *word; /* NULL ends the list */
    int value;
    bool unbuilt; /* meant to be, and refused until it is built */
};

/* NULL when the value is as it should be; else what was expected.  May put a tidier value in its
 * place. */
typedef const char *key_check(struct arena *a, const char **value);

struct recipe_key {
    const char *path;
    enum key_kind kind;
    enum key_place place;
    bool required;
    bool unbuilt;         /* the whole key is refused until it is built */
    bool is_role;         /* somebody must have what it names */
    bool nonzero;         /* a duration that must not be 0 */
    long min;             /* of a count; its largest value is COUNT_MAX */
    size_t at;            /* where it goes: offset in struct recipe, struct host or struct job */
    const char *fallback; /* the default, as a recipe would say it */
    const char *fallback_shown; /* the default when it depends on others: for people */
    const struct key_word *words;
    key_check *check;
    const char *about; /* one sentence, without its full stop */
};

enum { KEY_COUNT_MAX = 100000, KEY_ITEMS_MAX = 1000 };

/* `at` of a key that is checked and kept nowhere, or in a place of its own. */
#define KEY_NOWHERE ((size_t)-1)

extern const struct recipe_key recipe_keys[];
extern const size_t recipe_keys_n;

/* The stages a hook can name, in the order of a deploy; NULL-terminated. */
extern const char *const recipe_hook_stages[];

/* The row of a key below a scope ("", "backup.", "hosts.", "job."), or NULL. */
const struct recipe_key *recipe_key_find(const char *scope, const char *key);

/* What people who come from other tools, Capistrano first of all, call these keys. */
extern const struct synonym recipe_key_synonyms[];

/* The key as it is written in a recipe: "backup.policy", but "port" for "hosts.port". */
const char *recipe_key_shown(const struct recipe_key *key);

/* The names below a scope, NULL-terminated. */
const char *const *recipe_key_names(struct arena *a, const char *scope);

/* What such a value looks like: "a duration such as 90s, 5m, 6h or 1d". */
const char *recipe_key_expected(struct arena *a, const struct recipe_key *key);

/* The path that `word` was probably meant to be: whole ("backup.polcy") or only its last part
 * ("wait_limt"); NULL when none is near. */
const char *recipe_nearest_key(struct arena *a, const char *word);

/* Text for people about one key (a path, or a last part that only one has) or, with NULL, about
 * all; NULL when there is no such key. */
const char *recipe_help(struct arena *a, const char *key);

/* The JSON schema (draft 7) of a recipe, for editors. */
const char *recipe_schema(struct arena *a);

#endif
