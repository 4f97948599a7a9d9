/* value.c -- reads one value of a recipe as its key's row says, and maps of keys (see reader.h).
 * Called by recipe.c, host.c and job.c. */
#include "recipe/reader.h"

#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "recipe/check.h"

#include <ctype.h>

enum { SHOWN_BYTES = 60 };

const char *value_shown(struct arena *a, const char *s)
{
    size_t len = strlen(s);

    if (len <= SHOWN_BYTES)
        return text_shown(a, s);
    len = SHOWN_BYTES;
    while (len && ((unsigned char)s[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(a, "%s...", text_shown(a, arena_strndup(a, s, len)));
}

const char *value_nearest(const struct reader *rd, const char *word, const char *const *names)
{
    return rd->m->n < NEAREST_MAX ? text_nearest(word, names) : NULL;
}

void value_wrong(struct reader *rd, const struct recipe_key *key, const struct node *node,
                 const char *expected)
{
    const char *name = recipe_key_shown(key);

    if (node->kind == NODE_LIST)
        mistake_add(rd->m, node, "'%s' is a list, expected %s", name, expected);
    else if (node->kind == NODE_MAP)
        mistake_add(rd->m, node, "'%s' is a map, expected %s", name, expected);
    else if (node_is_missing(node))
        mistake_add(rd->m, node, "'%s' has no value, expected %s", name, expected);
    else
        mistake_add(rd->m, node, "'%s' is '%s', expected %s", name, value_shown(rd->a, node->text),
                    expected);
}

bool value_fits(struct reader *rd, const struct recipe_key *key, const struct node *node)
{
    if (node->n <= KEY_ITEMS_MAX)
        return true;
    mistake_add(rd->m, node, "'%s' has %zu members, expected at most %d", recipe_key_shown(key),
                node->n, KEY_ITEMS_MAX);
    return false;
}

/* ---- one value ---- */

bool value_checked(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   const char **value)
{
    const char *expected = key->check ? key->check(rd->a, value) : NULL;

    if (expected)
        value_wrong(rd, key, node, expected);
    return !expected;
}

bool value_count(const char *s, long min, long max, long *ret)
{
    long long n;

    if (!number_read(s, max, &n) || n < min)
        return false;
    *ret = (long)n;
    return true;
}

static bool read_word(struct reader *rd, const struct recipe_key *key, const struct node *node,
                      const char *text, int *ret)
{
    struct strs names = {0};

    for (const struct key_word *w = key->words; w->word; w++) {
        if (strcmp(w->word, text) == 0) {
            *ret = w->value;
            return true;
        }
        strs_add(rd->a, &names, w->word);
    }
    strs_add(rd->a, &names, NULL);
    const char *near = value_nearest(rd, text, names.v);
    const char *expected = recipe_key_expected(rd->a, key);
    if (near)
        expected = arena_printf(rd->a, "%s; did you mean '%s'?", expected, near);
    value_wrong(rd, key, node, expected);
    return false;
}

static bool read_bool(struct reader *rd, const struct recipe_key *key, const struct node *node,
                      const char *text, bool *ret)
{
    bool yes = strcmp(text, "true") == 0;

    if (!yes && strcmp(text, "false") != 0) {
        value_wrong(rd, key, node, "true or false");
        return false;
    }
    int value;
    if (key->words && !read_word(rd, key, node, text, &value))
        return false;
    *ret = yes;
    return true;
}

static void *place(const struct recipe_key *key, void *into)
{
    return (char *)into + key->at;
}

_Static_assert(sizeof(enum policy) == sizeof(int) && sizeof(enum transport) == sizeof(int) &&
                   sizeof(enum adapter) == sizeof(int) && sizeof(enum on_failure) == sizeof(int) &&
                   sizeof(enum on_host_failure) == sizeof(int) &&
                   sizeof(enum unknown) == sizeof(int) && sizeof(enum partial) == sizeof(int) &&
                   sizeof(enum pending_tool) == sizeof(int),
               "words are kept as int");

/* Converts a text and stores it.  `node` is its position for messages. */
static void read_scalar(struct reader *rd, const struct recipe_key *key, const struct node *node,
                        const char *text, void *into)
{
    bool kept = key->at != KEY_NOWHERE;
    long n = 0;
    long long ms = 0;
    int word = 0;
    bool yes = false;
    int port;

    switch (key->kind) {
    case KEY_TEXT:
    case KEY_SHELL:
    case KEY_SHARE:
        if (value_checked(rd, key, node, &text) && kept)
            memcpy(place(key, into), &text, sizeof text);
        return;
    case KEY_COUNT:
        if (!value_count(text, key->min, KEY_COUNT_MAX, &n))
            value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        else if (kept)
            memcpy(place(key, into), &n, sizeof n);
        return;
    case KEY_PORT:
        if (!value_count(text, 1, 65535, &n))
            value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        port = (int)n;
        memcpy(place(key, into), &port, sizeof port);
        return;
    case KEY_DURATION:
        if (!text_duration(text, &ms) || (key->nonzero && ms == 0))
            value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        else if (kept)
            memcpy(place(key, into), &ms, sizeof ms);
        return;
    case KEY_BOOL:
        if (read_bool(rd, key, node, text, &yes) && kept)
            memcpy(place(key, into), &yes, sizeof yes);
        return;
    case KEY_WORD:
    case KEY_PENDING:
    case KEY_SECTION:
        if (read_word(rd, key, node, text, &word) && kept)
            memcpy(place(key, into), &word, sizeof word);
        return;
    case KEY_TEXTS:
    case KEY_VARIABLES:
    case KEY_JOBS:
    case KEY_HOOKS:
    case KEY_TASKS:
    case KEY_SECRETS:
    case KEY_STATUSES:
    case KEY_HOSTS:
    case KEY_ENVIRONMENTS:
    case KEY_WINDOWS:
    case KEY_NOTIFY:
    case KEY_FILES:
    case KEY_DATABASES:
    case KEY_JOB:
        return;
    }
}

void defaults_set(struct reader *rd, const char *scope, void *into)
{
    static const struct node nowhere = {.file = "", .text = ""};
    size_t len = strlen(scope);

    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        bool elsewhere = recipe_key_shown(key) != key->path;
        if (key->fallback && elsewhere == (len > 0) && strncmp(key->path, scope, len) == 0)
            read_scalar(rd, key, &nowhere, key->fallback, into);
    }
}

static bool is_given(const struct node *map, const char *name)
{
    const struct node *node = node_get(map, name);

    return node && !node_is_null(node);
}

/* Reads the map that may stand in place of a word. */
static void read_pending(struct reader *rd, const struct recipe_key *key, const struct node *map,
                         void *into)
{
    enum pending_tool own = PENDING_OWN;

    map_read(rd, map, arena_printf(rd->a, "%s.", key->path), map, into);
    if (!is_given(map, "exit") && !is_given(map, "output"))
        mistake_add(rd->m, map, "'%s' is a map without 'exit' and 'output', expected one of them",
                    key->path);
    memcpy(place(key, into), &own, sizeof own);
}

static void read_kind(struct reader *rd, const struct recipe_key *key, const struct node *node,
                      void *into)
{
    const char *text;

    switch (key->kind) {
    case KEY_TEXT:
    case KEY_SHELL:
    case KEY_COUNT:
    case KEY_PORT:
    case KEY_DURATION:
    case KEY_SHARE:
    case KEY_BOOL:
    case KEY_WORD:
        if (value_text(rd, key, node, &text))
            read_scalar(rd, key, node, text, into);
        return;
    case KEY_TEXTS:
        texts_read(rd, key, node, place(key, into));
        return;
    case KEY_FILES:
        files_read(rd, key, node);
        return;
    case KEY_VARIABLES:
        variables_read(rd, key, node, key->at == KEY_NOWHERE ? (void *)&rd->env : place(key, into));
        return;
    case KEY_JOBS:
        job_list_read(rd, key, node, place(key, into));
        return;
    case KEY_HOOKS:
        hooks_read(rd, key, node);
        return;
    case KEY_TASKS:
        tasks_read(rd, key, node);
        return;
    case KEY_SECRETS:
        secrets_read(rd, key, node);
        return;
    case KEY_STATUSES:
        statuses_read(rd, key, node, place(key, into));
        return;
    case KEY_PENDING:
        if (node->kind == NODE_MAP)
            read_pending(rd, key, node, into);
        else if (value_text(rd, key, node, &text))
            read_scalar(rd, key, node, text, into);
        return;
    case KEY_SECTION:
        if (node->kind == NODE_MAP)
            map_read(rd, node, arena_printf(rd->a, "%s.", key->path), node, into);
        else if (key->words && node->kind == NODE_SCALAR) {
            if (value_text(rd, key, node, &text))
                read_scalar(rd, key, node, text, into);
        } else
            value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return;
    case KEY_HOSTS:
        hosts_read(rd, key, node);
        return;
    case KEY_WINDOWS:
        windows_read(rd, key, node);
        return;
    case KEY_NOTIFY:
        notify_read(rd, key, node);
        return;
    case KEY_DATABASES:
        databases_check(rd, key, node);
        return;
    case KEY_ENVIRONMENTS:
    case KEY_JOB:
        return;
    }
}

void value_read(struct reader *rd, const struct recipe_key *key, const struct node *node,
                void *into)
{
    if (node_is_null(node)) {
        if (key->required)
            value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
    } else {
        read_kind(rd, key, node, into);
    }
}

/* ---- maps of keys ---- */

/* Finds a key of that name elsewhere, preferably in a section. */
static const struct recipe_key *key_elsewhere(const char *name)
{
    const struct recipe_key *found = NULL;

    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        const char *dot = strrchr(key->path, '.');
        if (!dot || strcmp(dot + 1, name) != 0)
            continue;
        if (recipe_key_shown(key) == key->path)
            return key;
        found = found ? found : key;
    }
    return found;
}

void map_unknown(struct reader *rd, const char *scope, const struct node *key)
{
    const char *const *names = recipe_key_names(rd->a, scope);
    const char *near =
        rd->m->n < NEAREST_MAX ? text_meant(key->text, names, recipe_key_synonyms) : NULL;
    const char *why = near ? key_misplaced(rd, recipe_key_find(scope, near)) : NULL;
    const char *shown = value_shown(rd->a, key->text);
    const char *list = "one that 'crelease help recipe' lists";

    if (why) {
        mistake_add(rd->m, key, "unknown key '%s'; '%s' %s", shown, near, why);
        return;
    }
    if (near) {
        mistake_add(rd->m, key, "unknown key '%s'; did you mean '%s'?", shown, near);
        return;
    }
    const struct recipe_key *elsewhere = key_elsewhere(key->text);
    if (elsewhere) {
        bool shown_whole = recipe_key_shown(elsewhere) == elsewhere->path;
        mistake_add(
            rd->m, key, "unknown key '%s' here; %s '%s'", shown,
            shown_whole                                          ? "there is"
            : strncmp(elsewhere->path, "hosts.", 6) == 0         ? "a host has a key"
            : strncmp(elsewhere->path, "windows.", 8) == 0       ? "a window has a key"
            : strncmp(elsewhere->path, "notify.", 7) == 0        ? "a notification has a key"
            : strncmp(elsewhere->path, "linked_files.", 13) == 0 ? "one of 'linked_files' has a key"
            : strncmp(elsewhere->path, "databases.", 10) == 0    ? "one of 'databases' has a key"
                                                                 : "a job has a key",
            shown_whole ? elsewhere->path : shown);
        return;
    }
    for (size_t i = 0; *scope && names[i] && rd->m->n < NEAREST_MAX; i++)
        list = arena_printf(rd->a, "%s%s",
                            i ? arena_printf(rd->a, "%s, ", list) : "one of: ", names[i]);
    mistake_add(rd->m, key, "unknown key '%s', expected %s", shown, list);
}

void map_required(struct reader *rd, const struct node *map, const char *scope,
                  const struct node *at)
{
    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        size_t len = strlen(scope);
        if (key->required && strncmp(key->path, scope, len) == 0 && !strchr(key->path + len, '.') &&
            !node_get(map, key->path + len))
            mistake_add(rd->m, at, "'%s' is missing: %s", recipe_key_shown(key), key->about);
    }
}

void map_read(struct reader *rd, const struct node *map, const char *scope, const struct node *at,
              void *into)
{
    for (size_t i = 0; i < map->n; i++) {
        const struct recipe_key *key = recipe_key_find(scope, map->pair[i].key->text);
        if (key)
            value_read(rd, key, map->pair[i].value, into);
        else
            map_unknown(rd, scope, map->pair[i].key);
    }
    if (*scope)
        map_required(rd, map, scope, at);
}
