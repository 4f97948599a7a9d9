/* help.c -- 'crelease help recipe', 'help KEY' and config/recipe.schema.json, all made from the table in
 * keys.c. */
#include "recipe/keys.h"

#include "base/buf.h"
#include "recipe/presets.h"
#include "recipe/recipe.h"

enum { TEXT_MAX = 1024 * 1024, NAME_COLUMN = 27 };

static const char *text_of(struct arena *a, struct buf *b)
{
    const char *text = arena_strndup(a, b->text, b->len);

    buf_free(b);
    return text;
}

/* ---- for people ---- */

static const char *default_of(const struct recipe_key *key)
{
    return key->fallback_shown ? key->fallback_shown : key->fallback;
}

static void help_line(struct buf *b, const struct recipe_key *key)
{
    const char *fallback = default_of(key);

    buf_printf(b, "  %-*s %s", NAME_COLUMN, key->path, key->about);
    if (key->required)
        buf_puts(b, " (required)");
    else if (fallback)
        buf_printf(b, " [%s]", fallback);
    buf_puts(b, "\n");
}

static bool is_whole_or_below(const char *path, const char *section)
{
    size_t len = strlen(section);

    return strncmp(path, section, len) == 0 && (!path[len] || path[len] == '.');
}

static bool has_rows_below(const struct recipe_key *key)
{
    return key->kind == KEY_SECTION || key->kind == KEY_HOSTS || key->kind == KEY_JOB ||
           key->kind == KEY_WINDOWS || key->kind == KEY_NOTIFY || key->kind == KEY_FILES ||
           key->kind == KEY_DATABASES || key->kind == KEY_PENDING;
}

static const char *help_all(struct arena *a)
{
    struct buf b = buf_make(TEXT_MAX);

    buf_puts(&b, "Keys of a recipe, with defaults in brackets:\n\n");
    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        if (i && !strchr(key->path, '.') && (has_rows_below(key) || !strcmp(key->path, "hooks")))
            buf_puts(&b, "\n");
        help_line(&b, key);
    }
    buf_puts(&b, "\n'crelease help KEY' shows more about a key.\n");
    return text_of(a, &b);
}

static void help_place(struct buf *b, const struct recipe_key *key)
{
    if (strncmp(key->path, "hosts.", 6) == 0)
        buf_puts(b, "  place: a host of an environment\n");
    else if (strncmp(key->path, "job.", 4) == 0)
        buf_puts(b, "  place: a job (build, hooks, tasks)\n");
    else if (strncmp(key->path, "windows.", 8) == 0)
        buf_puts(b, "  place: a window\n");
    else if (strncmp(key->path, "notify.", 7) == 0)
        buf_puts(b, "  place: one of 'notify'\n");
    else if (strncmp(key->path, "linked_files.", 13) == 0)
        buf_puts(b, "  place: one of 'linked_files'\n");
    else if (strncmp(key->path, "databases.", 10) == 0)
        buf_puts(b, "  place: one of 'databases'\n");
    else if (key->place == PLACE_TOP)
        buf_puts(b, "  place: the top level of the recipe\n");
    else if (key->place == PLACE_ENVIRONMENT)
        buf_puts(b, "  place: an environment\n");
    else if (key->kind != KEY_JOB)
        buf_puts(b, "  place: the top level of the recipe, or an environment, where it wins\n");
}

static const char *help_one(struct arena *a, const struct recipe_key *key)
{
    struct buf b = buf_make(TEXT_MAX);
    const char *fallback = default_of(key);

    buf_printf(&b, "%s: %s\n\n", key->path, key->about);
    buf_printf(&b, "  value: %s\n", recipe_key_expected(a, key));
    if (key->required)
        buf_puts(&b, "  required\n");
    else if (key->kind != KEY_JOB)
        buf_printf(&b, "  default: %s\n", fallback ? fallback : "none");
    help_place(&b, key);
    if (key->kind == KEY_HOOKS) {
        buf_puts(&b, "  stages:");
        for (size_t i = 0; recipe_hook_stages[i]; i++)
            buf_printf(&b, " %s", recipe_hook_stages[i]);
        buf_puts(&b, "\n");
    }
    if (has_rows_below(key)) {
        buf_puts(&b, "\n");
        for (size_t i = 0; i < recipe_keys_n; i++)
            if (is_whole_or_below(recipe_keys[i].path, key->path) && &recipe_keys[i] != key)
                help_line(&b, &recipe_keys[i]);
    }
    return text_of(a, &b);
}

const char *recipe_help(struct arena *a, const char *key)
{
    const struct recipe_key *found = NULL;

    if (!key)
        return help_all(a);
    for (size_t i = 0; i < recipe_keys_n; i++)
        if (strcmp(recipe_keys[i].path, key) == 0)
            return help_one(a, &recipe_keys[i]);
    for (size_t i = 0; i < recipe_keys_n; i++) {
        const char *dot = strrchr(recipe_keys[i].path, '.');
        if (!dot || strcmp(dot + 1, key) != 0)
            continue;
        if (found)
            return NULL;
        found = &recipe_keys[i];
    }
    return found ? help_one(a, found) : NULL;
}

/* ---- the schema ---- */

/* Any value may be or contain a ${NAME}. */
static const char REFERENCE[] = "\\\\$\\\\{[A-Za-z_][A-Za-z0-9_]*\\\\}";

static void json_text(struct buf *b, const char *s)
{
    buf_puts(b, "\"");
    for (; *s; s++)
        buf_printf(b, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    buf_puts(b, "\"");
}

/* An anyOf without its closing bracket. */
static void schema_alternatives(struct buf *b, const struct recipe_key *key)
{
    buf_puts(b, "\"anyOf\": [{\"enum\": [");
    for (const struct key_word *w = key->words; w->word; w++) {
        if (key->kind == KEY_BOOL)
            buf_puts(b, w->word);
        else
            json_text(b, w->word);
        buf_puts(b, ", ");
    }
    buf_printf(b, "null]}, {\"type\": \"string\", \"pattern\": \"%s\"}", REFERENCE);
}

static void schema_words(struct buf *b, const struct recipe_key *key)
{
    schema_alternatives(b, key);
    buf_puts(b, "]");
}

static void schema_properties(struct buf *b, const char *scope, int indent, enum key_place place);

static void schema_below(struct buf *b, const struct recipe_key *key, int indent)
{
    char scope[64];

    snprintf(scope, sizeof scope, "%s.", key->path);
    buf_puts(b, "\"additionalProperties\": false,\n");
    buf_printf(b, "%*s\"properties\": {\n", indent + 2, "");
    schema_properties(b, scope, indent + 4, PLACE_ANY);
    buf_printf(b, "%*s}}", indent + 2, "");
}

static void schema_status(struct buf *b)
{
    buf_printf(b,
               "{\"type\": [\"integer\", \"string\"], \"minimum\": 1, \"maximum\": 255, "
               "\"pattern\": \"^[0-9]+$|%s\"}",
               REFERENCE);
}

/* Numbers, which may also be written as text. */
static void schema_number(struct buf *b, const struct recipe_key *key, const char *null)
{
    switch (key->kind) {
    case KEY_COUNT:
        buf_printf(b, "\"type\": [\"integer\", \"string\"%s], \"minimum\": %ld, \"maximum\": %d, ",
                   null, key->min, KEY_COUNT_MAX);
        buf_printf(b, "\"pattern\": \"^[0-9]+$|%s\"", REFERENCE);
        return;
    case KEY_PORT:
        buf_printf(b, "\"type\": [\"integer\", \"string\"%s], \"minimum\": 1, \"maximum\": 65535, ",
                   null);
        buf_printf(b, "\"pattern\": \"^[0-9]+$|%s\"", REFERENCE);
        return;
    case KEY_DURATION:
        buf_printf(b, "\"type\": [\"string\", \"integer\"%s], \"minimum\": %d, ", null,
                   key->nonzero);
        buf_printf(b, "\"pattern\": \"^([0-9]+|([0-9]+(ms|s|m|h|d))+)$|%s\"", REFERENCE);
        return;
    default: /* KEY_SHARE */
        buf_printf(b, "\"type\": [\"integer\", \"string\"%s], \"minimum\": 1, \"maximum\": %d, ",
                   null, KEY_COUNT_MAX);
        buf_printf(b, "\"pattern\": \"^0*([1-9][0-9]*|([1-9][0-9]?|100)%%)$|%s\"", REFERENCE);
        return;
    }
}

static void schema_text(struct buf *b, const struct recipe_key *key, const char *null)
{
    if (strcmp(key->path, "extends") != 0) {
        buf_printf(b, "\"type\": [\"string\", \"number\", \"boolean\"%s]", null);
        return;
    }
    buf_puts(b, "\"enum\": [");
    for (size_t i = 0; built_in_names[i]; i++)
        buf_printf(b, "\"%s\", ", built_in_names[i]);
    buf_puts(b, "null]");
}

static void schema_bool(struct buf *b, const struct recipe_key *key, const char *null)
{
    if (key->words)
        schema_words(b, key);
    else
        buf_printf(b, "\"type\": [\"boolean\", \"string\"%s], \"pattern\": \"^(true|false)$|%s\"",
                   null, REFERENCE);
}

static void schema_statuses(struct buf *b)
{
    buf_puts(b, "\"anyOf\": [{\"type\": \"null\"}, ");
    schema_status(b);
    buf_puts(b, ", {\"type\": \"array\", \"minItems\": 1, \"items\": ");
    schema_status(b);
    buf_puts(b, "}]");
}

/* The sections of one database are those of the top level. */
static void schema_databases(struct buf *b, const struct recipe_key *key, int indent)
{
    static const char *const sections[] = {"database", "backup", "migrate"};
    char scope[64];

    snprintf(scope, sizeof scope, "%s.", key->path);
    buf_puts(b, "\"type\": [\"object\", \"null\"], \"minProperties\": 1,\n");
    buf_printf(b, "%*s\"propertyNames\": {\"pattern\": \"^[A-Za-z0-9_]{1,40}$\"},\n", indent + 2,
               "");
    buf_printf(b, "%*s\"additionalProperties\": {\"type\": [\"object\", \"null\"], ", indent + 2,
               "");
    buf_puts(b, "\"additionalProperties\": false, \"properties\": {\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        buf_printf(b, "%*s\"%s\": {\"$ref\": \"#/properties/%s\"},\n", indent + 4, "", sections[i],
                   sections[i]);
    schema_properties(b, scope, indent + 4, PLACE_ANY);
    buf_printf(b, "%*s}}", indent + 2, "");
}

static void schema_type(struct buf *b, const struct recipe_key *key, int indent)
{
    const char *null = key->required ? "" : ", \"null\"";

    switch (key->kind) {
    case KEY_TEXT:
    case KEY_SHELL:
        schema_text(b, key, null);
        return;
    case KEY_COUNT:
    case KEY_PORT:
    case KEY_DURATION:
    case KEY_SHARE:
        schema_number(b, key, null);
        return;
    case KEY_BOOL:
        schema_bool(b, key, null);
        return;
    case KEY_WORD:
        schema_words(b, key);
        return;
    case KEY_TEXTS:
    case KEY_SECRETS:
        buf_puts(b, "\"allOf\": [{\"$ref\": \"#/definitions/texts\"}]");
        return;
    case KEY_VARIABLES:
        buf_puts(b, "\"allOf\": [{\"$ref\": \"#/definitions/variables\"}]");
        return;
    case KEY_JOBS:
        buf_puts(b, "\"allOf\": [{\"$ref\": \"#/definitions/jobs\"}]");
        return;
    case KEY_HOOKS:
        buf_puts(b, "\"allOf\": [{\"$ref\": \"#/definitions/hooks\"}]");
        return;
    case KEY_TASKS:
        buf_puts(b, "\"type\": [\"object\", \"null\"], \"additionalProperties\": {\"anyOf\": "
                    "[{\"$ref\": \"#/definitions/job\"}, {\"type\": \"null\"}]}");
        return;
    case KEY_HOSTS:
        buf_puts(b, "\"anyOf\": [{\"$ref\": \"#/definitions/host\"}, {\"type\": \"array\", "
                    "\"minItems\": 1, \"items\": {\"$ref\": \"#/definitions/host\"}}]");
        return;
    case KEY_FILES:
        buf_puts(b, "\"anyOf\": [{\"$ref\": \"#/definitions/text\"}, {\"type\": \"null\"}, "
                    "{\"type\": \"array\", \"items\": {\"anyOf\": "
                    "[{\"$ref\": \"#/definitions/text\"}, {\"type\": \"object\", ");
        buf_puts(b, "\"required\": [\"path\"], ");
        schema_below(b, key, indent);
        buf_puts(b, "]}}]");
        return;
    case KEY_WINDOWS:
        buf_puts(b, "\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"object\", ");
        schema_below(b, key, indent);
        return;
    case KEY_NOTIFY:
        buf_puts(b, "\"type\": [\"array\", \"null\"], \"items\": {\"type\": \"object\", "
                    "\"required\": [\"url\"], ");
        schema_below(b, key, indent);
        return;
    case KEY_DATABASES:
        schema_databases(b, key, indent);
        return;
    case KEY_ENVIRONMENTS:
        buf_puts(b, "\"type\": \"object\", \"minProperties\": 1, \"additionalProperties\": "
                    "{\"$ref\": \"#/definitions/environment\"}");
        return;
    case KEY_STATUSES:
        schema_statuses(b);
        return;
    case KEY_PENDING:
        schema_alternatives(b, key);
        buf_puts(b, ", {\"type\": \"object\", \"minProperties\": 1, ");
        schema_below(b, key, indent);
        buf_puts(b, "]");
        return;
    case KEY_SECTION:
    case KEY_JOB:
        return;
    }
}

static void schema_key(struct buf *b, const struct recipe_key *key, int indent)
{
    buf_puts(b, "{\"description\": ");
    json_text(b, key->about);
    buf_puts(b, ", ");
    if (key->kind == KEY_SECTION && key->words) {
        schema_alternatives(b, key);
        buf_puts(b, ", {\"type\": \"object\", ");
        schema_below(b, key, indent);
        buf_puts(b, "]}");
        return;
    }
    if (key->kind == KEY_SECTION) {
        buf_puts(b, "\"type\": [\"object\", \"null\"], ");
        schema_below(b, key, indent);
        return;
    }
    schema_type(b, key, indent);
    buf_puts(b, "}");
}

/* place: of the map that has the keys; those of an environment refer to those of the top level. */
static void schema_properties(struct buf *b, const char *scope, int indent, enum key_place place)
{
    size_t len = strlen(scope);
    const char *separator = "";

    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        const char *name = key->path + len;
        if (strncmp(key->path, scope, len) != 0 || strchr(name, '.') || key->kind == KEY_JOB ||
            (key->place != PLACE_ANY && key->place != place))
            continue;
        buf_printf(b, "%s%*s\"%s\": ", separator, indent, "", name);
        if (place == PLACE_ENVIRONMENT && key->place == PLACE_ANY)
            buf_printf(b, "{\"$ref\": \"#/properties/%s\"}", name);
        else
            schema_key(b, key, indent);
        separator = ",\n";
    }
    buf_puts(b, "\n");
}

static void schema_object(struct buf *b, const char *name, const char *scope, const char *required)
{
    buf_printf(b, "    \"%s\": {\n      \"anyOf\": [\n        {\"type\": \"string\"},\n", name);
    buf_printf(
        b,
        "        {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"%s\"],\n",
        required);
    buf_puts(b, "          \"properties\": {\n");
    schema_properties(b, scope, 12, PLACE_ANY);
    buf_puts(b, "          }}]\n    },\n");
}

static void schema_hooks(struct buf *b)
{
    const char *separator = "";

    buf_puts(b, "    \"hooks\": {\n      \"type\": [\"object\", \"null\"], "
                "\"additionalProperties\": false,\n"
                "      \"properties\": {\n");
    for (size_t i = 0; recipe_hook_stages[i]; i++) {
        for (int after = 0; after < 2; after++) {
            const char *stage = recipe_hook_stages[i];
            if (strcmp(stage, after ? "unlock" : "lock") == 0)
                continue;
            buf_printf(b, "%s        \"%s %s\": {\"$ref\": \"#/definitions/jobs\"}", separator,
                       after ? "after" : "before", stage);
            separator = ",\n";
        }
    }
    for (size_t i = 0; recipe_outcomes[i]; i++)
        buf_printf(b, "%s        \"on %s\": {\"$ref\": \"#/definitions/jobs\"}", separator,
                   recipe_outcomes[i]);
    buf_puts(b, "\n      }\n    },\n");
}

static const char TEXTS_SCHEMA[] =
    "    \"text\": {\"type\": [\"string\", \"number\", \"boolean\"]},\n"
    "    \"texts\": {\"anyOf\": [{\"$ref\": \"#/definitions/text\"}, {\"type\": \"null\"},\n"
    "      {\"type\": \"array\", \"items\": {\"$ref\": \"#/definitions/text\"}}]},\n"
    "    \"variables\": {\"type\": [\"object\", \"null\"],\n"
    "      \"propertyNames\": {\"pattern\": \"^[A-Za-z_][A-Za-z0-9_]*$\"},\n"
    "      \"additionalProperties\": {\"type\": [\"string\", \"number\", \"boolean\", "
    "\"null\"]}},\n"
    "    \"jobs\": {\"anyOf\": [{\"$ref\": \"#/definitions/job\"}, {\"type\": \"null\"},\n"
    "      {\"type\": \"array\", \"items\": {\"$ref\": \"#/definitions/job\"}}]},\n";

const char *recipe_schema(struct arena *a)
{
    struct buf b = buf_make(TEXT_MAX);

    buf_puts(&b, "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
                 "  \"title\": \"crelease recipe\",\n  \"type\": \"object\",\n"
                 "  \"additionalProperties\": false,\n"
                 "  \"required\": [\"environments\"],\n  \"properties\": {\n");
    schema_properties(&b, "", 4, PLACE_TOP);
    buf_puts(&b, "  },\n  \"definitions\": {\n");
    buf_puts(&b, TEXTS_SCHEMA);
    schema_object(&b, "job", "job.", "run");
    schema_object(&b, "host", "hosts.", "host");
    schema_hooks(&b);
    buf_puts(&b,
             "    \"environment\": {\n      \"type\": \"object\", \"additionalProperties\": false, "
             "\"required\": [\"hosts\"],\n      \"properties\": {\n");
    schema_properties(&b, "", 8, PLACE_ENVIRONMENT);
    buf_puts(&b, "      }\n    }\n  }\n}\n");
    return text_of(a, &b);
}
