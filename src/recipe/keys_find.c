/* keys_find.c -- looks up the keys of the table (keys.c) and says what their values may be.  For the reader, its messages
 * and the help. */
#include "recipe/keys.h"

#include "base/text.h"
#include "recipe/check.h"
#include "recipe/recipe.h"

static bool is_below(const char *path, const char *scope)
{
    size_t len = strlen(scope);

    return strncmp(path, scope, len) == 0 && path[len] && !strchr(path + len, '.');
}

const struct recipe_key *recipe_key_find(const char *scope, const char *key)
{
    size_t len = strlen(scope);

    for (size_t i = 0; i < recipe_keys_n; i++)
        if (is_below(recipe_keys[i].path, scope) && strcmp(recipe_keys[i].path + len, key) == 0 &&
            recipe_keys[i].kind != KEY_JOB)
            return &recipe_keys[i];
    return NULL;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot ? dot + 1 : path;
}

const char *recipe_key_shown(const struct recipe_key *key)
{
    bool elsewhere =
        strncmp(key->path, "hosts.", 6) == 0 || strncmp(key->path, "job.", 4) == 0 ||
        strncmp(key->path, "windows.", 8) == 0 || strncmp(key->path, "notify.", 7) == 0 ||
        strncmp(key->path, "linked_files.", 13) == 0 || strncmp(key->path, "databases.", 10) == 0;

    return elsewhere ? last_part(key->path) : key->path;
}

const char *const *recipe_key_names(struct arena *a, const char *scope)
{
    struct strs names = {0};

    for (size_t i = 0; i < recipe_keys_n; i++)
        if (is_below(recipe_keys[i].path, scope) && recipe_keys[i].kind != KEY_JOB)
            strs_add(a, &names, recipe_keys[i].path + strlen(scope));
    strs_add(a, &names, NULL);
    return names.v;
}

/* "one of: a, b", or the only word. */
static const char *words_expected(struct arena *a, const struct key_word *words)
{
    const char *list = "";
    size_t n = 0;

    for (size_t i = 0; words[i].word; i++)
        list = arena_printf(a, "%s%s%s", list, n++ ? ", " : "", words[i].word);
    return n == 1 ? list : arena_printf(a, "one of: %s", list);
}

const char *recipe_key_expected(struct arena *a, const struct recipe_key *key)
{
    switch (key->kind) {
    case KEY_TEXT:
        return "text";
    case KEY_SHELL:
        return "a command";
    case KEY_COUNT:
        return arena_printf(a, "a whole number from %ld to %d", key->min, KEY_COUNT_MAX);
    case KEY_PORT:
        return "a port from 1 to 65535";
    case KEY_DURATION:
        return key->nonzero ? "a duration above 0 such as 90s, 5m, 6h or 1d"
                            : "a duration such as 90s, 5m, 6h or 1d";
    case KEY_SHARE:
        return "a number of hosts from 1, or a share from 1% to 100%";
    case KEY_BOOL:
        return key->words ? words_expected(a, key->words) : "true or false";
    case KEY_WORD:
        return words_expected(a, key->words);
    case KEY_TEXTS:
    case KEY_SECRETS:
        return "a list of texts";
    case KEY_FILES:
        return "a list of paths, or of maps with 'path' and 'from'";
    case KEY_VARIABLES:
        return "a map of variables";
    case KEY_JOB:
        return "a command, or a map with 'run'";
    case KEY_JOBS:
        return "a job or a list of jobs, each a command or a map with 'run'";
    case KEY_HOOKS:
        return "a map from 'before STAGE' or 'after STAGE' to jobs";
    case KEY_TASKS:
        return "a map from names to jobs";
    case KEY_SECTION:
        return key->words ? arena_printf(a, "%s; or a map", words_expected(a, key->words))
                          : "a map";
    case KEY_STATUSES:
        return "an exit status from 1 to 255, or a list of them";
    case KEY_PENDING:
        return arena_printf(a, "%s; or a map with 'exit', 'output' or both",
                            words_expected(a, key->words));
    case KEY_HOSTS:
        return "a list of hosts, each 'user@host:port' or a map with 'host'";
    case KEY_WINDOWS:
        return "a list of maps with 'days', 'from', 'to' and 'zone'";
    case KEY_NOTIFY:
        return "a list of maps with 'url', 'format' and 'on'";
    case KEY_DATABASES:
        return "a map from names to maps with 'database', 'backup', 'migrate' and 'role'";
    case KEY_ENVIRONMENTS:
        return "a map from names to environments, each with 'hosts'";
    }
    return "";
}

const char *recipe_nearest_key(struct arena *a, const char *word)
{
    struct strs paths = {0};
    struct strs lasts = {0};

    for (size_t i = 0; i < recipe_keys_n; i++) {
        strs_add(a, &paths, recipe_keys[i].path);
        strs_add(a, &lasts, last_part(recipe_keys[i].path));
    }
    strs_add(a, &paths, NULL);
    strs_add(a, &lasts, NULL);
    for (size_t i = 0; i < recipe_keys_n; i++)
        if (strcmp(lasts.v[i], word) == 0)
            return paths.v[i];
    const char *near = text_meant(word, paths.v, recipe_key_synonyms);
    if (near)
        return near;
    near = text_meant(word, lasts.v, recipe_key_synonyms);
    for (size_t i = 0; near && i < recipe_keys_n; i++)
        if (strcmp(lasts.v[i], near) == 0)
            return paths.v[i];
    return NULL;
}

int recipe_word(const char *path, const char *word, int otherwise)
{
    for (size_t i = 0; word && i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        for (const struct key_word *w = key->words; w && w->word && strcmp(key->path, path) == 0;
             w++)
            if (strcmp(w->word, word) == 0)
                return w->value;
    }
    return otherwise;
}
