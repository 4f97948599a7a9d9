/* complete.c -- the candidates for the last word of a command line, from the tables of commands, options
 * and keys, and from the recipe.  'crelease completion words' prints them for the shells. */
#include "cli/cmd.h"

#include "base/text.h"
#include "recipe/keys.h"

#include <unistd.h>

extern char **environ;

/* What the words before the last one say. */
struct typed {
    struct session *s;
    const char *word;   /* is completed: after "--option=" only the value */
    const char *before; /* is repeated in front of each candidate: "--option=" */
    struct strs names;  /* the command, ENV, ... */
    const char *recipe;
    struct option_about
        value;  /* the option that the word is the value of; its word is NULL: of none */
    bool ended; /* by -- */
};

/* Prints a candidate if it begins with what was typed.  One that a shell would interpret is left out:
 * names come from the recipe. */
static void offer(const struct typed *t, const char *candidate, const char *about)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/@:+,";

    if (strspn(candidate, plain) == strlen(candidate) &&
        strncmp(candidate, t->word, strlen(t->word)) == 0)
        printf("%s%s%s%s\n", t->before, candidate, about ? "\t" : "", about ? about : "");
}

/* The last part of a list with commas. */
static void offer_in_list(const struct typed *t, const char *name)
{
    const char *comma = strrchr(t->word, ',');
    size_t kept = comma ? (size_t)(comma - t->word) + 1 : 0;

    offer(t, arena_printf(t->s->arena, "%.*s%s", (int)kept, t->word, name), NULL);
}

static struct recipe *read_recipe(const struct typed *t, const char *environment)
{
    struct strs mistakes = {0};
    struct err err = {.arena = t->s->arena};
    struct recipe_where where = {.file = t->recipe ? t->recipe : t->s->options.recipe,
                                 .environment = environment,
                                 .environ = (const char *const *)environ};

    return recipe_read(t->s->arena, &where, &mistakes, &err);
}

/* The recipe for the environment that was typed; NULL: none was, or it has mistakes. */
static struct recipe *typed_recipe(const struct typed *t)
{
    return t->names.n > 1 ? read_recipe(t, t->names.v[1]) : NULL;
}

static void offer_value(const struct typed *t)
{
    static const char *const reports[] = {"html:", "junit:", "markdown:", "json:", NULL};
    const char *option = t->value.word;
    struct recipe *r;

    for (size_t i = 0; t->value.words && t->value.words[i]; i++)
        offer(t, t->value.words[i], NULL);
    if (strcmp(option, "recipe") == 0 || (strcmp(option, "report") == 0 && strchr(t->word, ':')))
        printf(":files\n");
    else if (strcmp(option, "report") == 0)
        for (size_t i = 0; reports[i]; i++)
            offer(t, reports[i], NULL);
    else if (strcmp(option, "wait-limit") == 0)
        offer(t, "auto", NULL);
    else if (strcmp(option, "hosts") == 0 && (r = typed_recipe(t)))
        for (size_t i = 0; i < r->n_hosts; i++)
            offer_in_list(t, r->hosts[i].name);
    else if (strcmp(option, "roles") == 0 && (r = typed_recipe(t))) {
        struct strs roles = recipe_roles(t->s->arena, r);
        for (size_t i = 0; i < roles.n; i++)
            offer_in_list(t, roles.v[i]);
    }
}

static void offer_options(const struct typed *t, const struct command *c)
{
    struct strs seen = {0};
    struct option_about o;

    for (size_t i = 0; option_at(i, &o); i++)
        if (o.takes & (c ? c->takes : OPT_ALL) && (c || o.takes == OPT_ALL) &&
            !strs_has(&seen, o.word)) {
            strs_add(t->s->arena, &seen, o.word);
            offer(t, arena_printf(t->s->arena, "--%s", o.word), o.about);
        }
}

static void offer_topics(const struct typed *t)
{
    for (const struct command *c = commands; c->name; c++)
        offer(t, c->name, c->about);
    offer(t, "recipe", "every key of the recipe");
    offer(t, "exit", "the exit statuses");
    for (size_t i = 0; i < recipe_keys_n; i++)
        if (recipe_keys[i].kind != KEY_JOB)
            offer(t, recipe_keys[i].path, recipe_keys[i].about);
}

static void offer_name(const struct typed *t, const struct command *c)
{
    struct recipe *r;

    if (t->names.n > c->words_max)
        return;
    if (c->run == cmd_help)
        offer_topics(t);
    else if (c->run == cmd_completion)
        for (size_t i = 0; completion_shells[i]; i++)
            offer(t, completion_shells[i], NULL);
    else if (t->names.n == 1 && (r = read_recipe(t, NULL)))
        for (size_t i = 0; i < r->environments.n; i++)
            offer(t, r->environments.v[i], NULL);
    else if (t->names.n == 2 && (r = typed_recipe(t)))
        for (size_t i = 0; i < r->n_tasks; i++)
            offer(t, r->tasks[i].name, NULL);
}

static bool find_option(const char *word, size_t len, struct option_about *ret)
{
    for (size_t i = 0; option_at(i, ret); i++)
        if (word[1] == '-' ? strlen(ret->word) == len - 2 && !strncmp(word + 2, ret->word, len - 2)
                           : len == 2 && ret->letter == word[1])
            return true;
    return false;
}

/* Takes one word in front of the last one. */
static void take(struct typed *t, const char *word)
{
    struct option_about o;
    size_t len = strcspn(word, "=");

    if (t->value.word) {
        if (strcmp(t->value.word, "recipe") == 0)
            t->recipe = word;
        t->value.word = NULL;
    } else if (strcmp(word, "--") == 0) {
        t->ended = true;
    } else if (word[0] != '-' || !word[1]) {
        strs_add(t->s->arena, &t->names, word);
    } else if (find_option(word, len, &o) && o.arg) {
        if (!word[len])
            t->value = o;
        else if (strcmp(o.word, "recipe") == 0)
            t->recipe = word + len + 1;
    }
}

void complete(struct session *s, const struct strs *words)
{
    struct typed t = {.s = s, .word = "", .before = ""};
    size_t last = words->n ? words->n - 1 : 0;

    for (size_t i = 0; i < last && !t.ended; i++)
        take(&t, words->v[i]);
    if (words->n)
        t.word = words->v[last];
    size_t len = strcspn(t.word, "=");
    if (!t.value.word && !t.ended && strncmp(t.word, "--", 2) == 0 && t.word[len] &&
        find_option(t.word, len, &t.value)) {
        t.before = arena_strndup(s->arena, t.word, len + 1);
        t.word += len + 1;
    }
    const struct command *c = t.names.n ? command_find(t.names.v[0]) : NULL;
    if (t.ended)
        printf(":files\n");
    else if (t.value.word)
        offer_value(&t);
    else if (t.word[0] == '-')
        offer_options(&t, c);
    else if (c)
        offer_name(&t, c);
    else if (!t.names.n)
        for (c = commands; c->name; c++)
            offer(&t, c->name, c->about);
}
