/* expand.c -- replaces ${NAME} in values (see reader.h).  Called by value.c and list.c for every
 * scalar; limits how large a recipe can become that way. */
#include "recipe/reader.h"

#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "recipe/check.h"

#include <ctype.h>

enum { EXPANDED_BYTES_MAX = 4 * RECIPE_BYTES_MAX };

/* Length of "{NAME}" at s, 0 if there is none. */
static size_t reference_length(const char *s)
{
    size_t i = 1;

    if (s[0] != '{' || (!isalpha((unsigned char)s[1]) && s[1] != '_'))
        return 0;
    while (isalnum((unsigned char)s[i]) || s[i] == '_')
        i++;
    return s[i] == '}' ? i + 1 : 0;
}

/* Length of "NAME" at s, 0 if there is none. */
static size_t name_length(const char *s)
{
    size_t i = 0;

    if (!isalpha((unsigned char)*s) && *s != '_')
        return 0;
    while (isalnum((unsigned char)s[i]) || s[i] == '_')
        i++;
    return i;
}

static bool has_reference(const struct reader *rd, const char *s)
{
    while ((s = strchr(s, '$')))
        if (reference_length(++s) || (rd->variable && name_length(s)))
            return true;
    return false;
}

static bool is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(s, word, len) == 0;
}

/* Whether the reference at s, "NAME" or "{NAME}", is to a variable of the host.  ${PATH} in PATH
 * is, since this machine's PATH is of no use on another. */
static bool is_of_host(const struct reader *rd, const char *s, size_t len)
{
    if (!rd->variable)
        return false;
    if (*s == '{')
        return is_word(s + 1, len - 2, "PATH") && strcmp(rd->variable, "PATH") == 0;
    return is_word(s, len, "PATH") || is_word(s, len, "HOME") || is_word(s, len, rd->variable);
}

/* Appends to the value, and to its form as shell text. */
static void put(struct reader *rd, struct buf *out, const char *s, size_t len)
{
    buf_add(out, s, len);
    if (rd->shell)
        quote_word(rd->shell, arena_strndup(rd->a, s, len));
}

static void put_of_host(struct reader *rd, struct buf *out, const char *s, size_t len)
{
    const char *name =
        *s == '{' ? arena_strndup(rd->a, s + 1, len - 2) : arena_strndup(rd->a, s, len);

    buf_printf(out, "$%s", name);
    buf_printf(rd->shell, "\"${%s-}\"", name);
    rd->from_host = true;
}

static const char *environ_find(const char *const *environ, const char *name, size_t len)
{
    for (size_t i = 0; environ && environ[i]; i++)
        if (strncmp(environ[i], name, len) == 0 && environ[i][len] == '=')
            return environ[i] + len + 1;
    return NULL;
}

static void secret_found(struct reader *rd, const char *value)
{
    if (strlen(value) >= SECRET_BYTES_MIN)
        strs_add(rd->a, &rd->from_environ, value);
}

/* Appends the value of the reference at s, which is behind its '$' and len bytes long. */
static bool expand_one(struct reader *rd, const struct recipe_key *key, const struct node *node,
                       const char *s, size_t len, struct buf *out)
{
    const char *name = arena_strndup(rd->a, s + 1, len - 2);
    const char *value = environ_find(rd->environ, name, len - 2);

    if (!value) {
        if (rd->strict)
            mistake_add(rd->m, node,
                        "${%s} is not set in the environment, expected a value (write '$${%s}' for"
                        " the literal text)",
                        value_shown(rd->a, name), value_shown(rd->a, name));
        return false;
    }
    if (key->kind == KEY_VARIABLES) {
        if (rd->strict)
            secret_found(rd, value);
    } else if (value_has_control(value, false) || !text_is_utf8(value, strlen(value))) {
        mistake_add(rd->m, node,
                    "${%s} contains a line break or another control character, expected one line",
                    value_shown(rd->a, name));
        return false;
    }
    put(rd, out, value, strlen(value));
    return true;
}

/* Handles $NAME as in a shell, in a variable of env.  Only variables that every host has are
 * allowed. */
static bool expand_bare(struct reader *rd, const struct node *node, const char *s, size_t len,
                        struct buf *out)
{
    const char *name = value_shown(rd->a, arena_strndup(rd->a, s, len));

    if (is_of_host(rd, s, len)) {
        put_of_host(rd, out, s, len);
        return true;
    }
    mistake_add(
        rd->m, node,
        "$%s in '%s', expected ${%s} for a value from the environment here, $PATH, $HOME or $%s for"
        " the host's, or $$%s for the literal text",
        name, rd->variable, name, rd->variable, name);
    return false;
}

/* Each expansion counts, because aliases can repeat a long text many times. */
static bool room_is_left(struct reader *rd, const struct node *node, const struct buf *out)
{
    rd->expanded += out->len;
    if (rd->expanded <= EXPANDED_BYTES_MAX && !out->full)
        return true;
    mistake_add(rd->m, node,
                "with ${NAME} expanded the recipe is larger than %s, the limit for a recipe",
                text_size(rd->a, EXPANDED_BYTES_MAX));
    return false;
}

/* Whether $NAME at s has its shell meaning: in PATH, and in other variables at the beginning of a
 * path in a list.  Elsewhere, as in a password, it is literal text. */
static bool is_bare_reference(const struct reader *rd, const char *text, const char *s)
{
    return rd->variable && (strcmp(rd->variable, "PATH") == 0 || s == text || s[-1] == ':');
}

static bool expand(struct reader *rd, const struct recipe_key *key, const struct node *node,
                   const char **ret)
{
    const char *s = node->text;
    struct buf out = buf_make(EXPANDED_BYTES_MAX);
    bool replaced = false;
    bool ok = true;

    if (!has_reference(rd, s)) {
        *ret = s;
        return true;
    }
    while (ok && *s && !out.full) {
        size_t plain = strcspn(s, "$");
        if (plain)
            put(rd, &out, s, plain);
        s += plain;
        if (!*s)
            break;
        bool may_be_bare = is_bare_reference(rd, node->text, s);
        size_t bare = may_be_bare ? name_length(s + 1) : 0;
        if (may_be_bare && s[1] == '$' && name_length(s + 2)) {
            put(rd, &out, s + 1, name_length(s + 2) + 1);
            s += name_length(s + 2) + 2;
            continue;
        }
        if (bare) {
            ok = expand_bare(rd, node, s + 1, bare, &out);
            s += bare + 1;
            continue;
        }
        size_t len = reference_length(s + 1);
        size_t quoted = s[1] == '$' ? reference_length(s + 2) : 0;
        if (quoted) {
            put(rd, &out, s + 1, quoted + 1);
            s += quoted + 2;
        } else if (len && is_of_host(rd, s + 1, len)) {
            put_of_host(rd, &out, s + 1, len);
            s += len + 1;
        } else if (len) {
            ok = expand_one(rd, key, node, s + 1, len, &out);
            replaced = true;
            s += len + 1;
        } else {
            put(rd, &out, s++, 1);
        }
    }
    ok = ok && room_is_left(rd, node, &out);
    if (ok) {
        *ret = arena_strndup(rd->a, out.text, out.len);
        if (replaced && key->kind == KEY_VARIABLES && rd->strict)
            secret_found(rd, *ret);
    }
    buf_free(&out);
    return ok;
}

bool value_text(struct reader *rd, const struct recipe_key *key, const struct node *node,
                const char **ret)
{
    if (node->kind != NODE_SCALAR || node_is_missing(node)) {
        value_wrong(rd, key, node, recipe_key_expected(rd->a, key));
        return false;
    }
    bool shell = key->kind == KEY_SHELL || key->kind == KEY_JOBS || key->kind == KEY_HOOKS ||
                 key->kind == KEY_TASKS;
    if (key->kind != KEY_VARIABLES && value_has_control(node->text, shell)) {
        value_wrong(rd, key, node,
                    shell ? "a command without control characters"
                          : "one line without control characters");
        return false;
    }
    return expand(rd, key, node, ret);
}

bool value_variable(struct reader *rd, const struct recipe_key *key, const char *name,
                    const struct node *node, struct variable *ret)
{
    struct buf shell = buf_make(EXPANDED_BYTES_MAX);

    *ret = (struct variable){.name = name};
    rd->variable = name;
    rd->shell = &shell;
    rd->from_host = false;
    bool ok = value_text(rd, key, node, &ret->value);
    if (ok && rd->from_host)
        ret->shell = arena_strndup(rd->a, shell.text, shell.len);
    rd->variable = NULL;
    rd->shell = NULL;
    buf_free(&shell);
    return ok;
}
