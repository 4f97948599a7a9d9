/* cmd_help.c -- 'crelease help': commands and options, keys of the recipe, exit statuses; all from the
 * tables that the program itself uses. */
#include "cli/cmd.h"

#include "base/text.h"
#include "recipe/keys.h"
#include "recipe/presets.h"

static void print_usage(struct arena *a)
{
    printf("crelease deploys revisions of a Git repository to hosts.  A run that failed or was "
           "interrupted can be resumed.\n\n"
           "  crelease COMMAND [ENV] [OPTIONS]\n\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  %-10s %-12s%s%s\n", c->name, c->args,
               strlen(c->args) > 12 ? "\n                          " : " ", c->about);
    printf("\nOptions of every command:\n%s", options_help(a, OPT_ALL, true));
    printf("\n'crelease help COMMAND' shows the options of a command, 'crelease help recipe' the "
           "keys of a recipe,\n"
           "'crelease help exit' the exit statuses.\n");
}

/* Wraps at blanks, indented. */
static void print_wrapped(const char *text)
{
    enum { COLUMNS = 76 };

    while (*text) {
        size_t n = strlen(text);
        for (size_t i = COLUMNS; n > COLUMNS && i > 0; i--)
            if (text[i] == ' ')
                n = i;
        size_t blank = n + strspn(text + n, " ");
        while (n > 0 && text[n - 1] == ' ')
            n--;
        printf("  %.*s\n", (int)n, text);
        text += blank;
    }
}

static void print_command(struct arena *a, const struct command *c)
{
    const char *own = options_help(a, c->takes, false);

    printf("crelease %s%s%s\n\n  %s\n", c->name, *c->args ? " " : "", c->args, c->about);
    if (c->more) {
        printf("\n");
        print_wrapped(c->more);
    }
    if (*own)
        printf("\n%s", own);
    printf("\nOptions of every command:\n%s", options_help(a, OPT_ALL, true));
}

static void print_exit(void)
{
    printf("Exit statuses:\n\n");
    for (enum err_code c = ERR_NONE; c < ERR_CODES; c++)
        printf("  %3d  %-12s %s\n", err_status(c), err_word(c), err_meaning(c));
}

static void put_command(struct json *o, const struct command *c)
{
    json_put_text(o, "command", c->name);
    json_put_text(o, "arguments", c->args);
    json_put_text(o, "about", c->about);
}

/* --json: all commands, one of them, the exit statuses, or a key of the recipe. */
static bool print_json(struct session *s, const char *topic, const char *text)
{
    struct json *o = json_open_object();
    const struct command *one = topic ? command_find(topic) : NULL;
    bool is_exit = topic && strcmp(topic, "exit") == 0;

    if (one) {
        put_command(o, one);
    } else if (!topic) {
        struct json *list = json_put_array(o, "commands");
        for (const struct command *c = commands; c->name; c++)
            put_command(json_put_object(list, NULL), c);
    } else if (is_exit) {
        struct json *list = json_put_array(o, "exit");
        for (enum err_code c = ERR_NONE; c < ERR_CODES; c++) {
            struct json *e = json_put_object(list, NULL);
            json_put_int(e, "status", err_status(c));
            json_put_text(e, "word", err_word(c));
            json_put_text(e, "meaning", err_meaning(c));
        }
    } else if (text) {
        json_put_text(o, "key", topic);
        json_put_text(o, "text", text);
    }
    bool known = one || !topic || is_exit || text;
    if (known)
        session_answer(s, o);
    json_close(o);
    return known;
}

/* "deploy, resume": the commands that take it. */
static const char *takers(struct arena *a, unsigned takes)
{
    struct strs names = {0};

    if (takes == OPT_ALL)
        return "every command";
    for (const struct command *c = commands; c->name; c++)
        if (c->takes & takes)
            strs_add(a, &names, c->name);
    return strs_joined(a, &names, ", ");
}

/* An option, without its dashes, may have a row for each of its meanings.  NULL: there is none. */
static const char *option_text(struct arena *a, const char *topic)
{
    const char *text = NULL;
    struct option_about o;

    for (size_t i = 0; option_at(i, &o); i++)
        if (strcmp(o.word, topic) == 0)
            text = arena_printf(a, "%s%s--%s%s%s\n    %s\n    of %s", text ? text : "",
                                text ? "\n" : "", o.word, o.arg ? " " : "", o.arg ? o.arg : "",
                                o.about, takers(a, o.takes));
    return text;
}

/* On a key of the recipe, on an option, or on both. */
static const char *help_text(struct arena *a, const char *topic)
{
    const char *key = recipe_help(a, topic);
    const char *option = option_text(a, topic);

    return key && option ? arena_printf(a, "%s\n%s", key, option) : key ? key : option;
}

static const char *nearest_option(struct arena *a, const char *topic)
{
    struct strs words = {0};
    struct option_about o;

    for (size_t i = 0; option_at(i, &o); i++)
        strs_add(a, &words, o.word);
    strs_add(a, &words, NULL);
    return text_nearest(topic, words.v);
}

bool cmd_help(struct session *s, struct err *err)
{
    const char *topic = s->options.words.n > 1 ? s->options.words.v[1] : NULL;
    const char *text;

    if (s->options.json && !(topic && strcmp(topic, "recipe") == 0) &&
        print_json(s, topic, topic ? help_text(s->arena, topic) : NULL))
        return true;
    if (!topic) {
        print_usage(s->arena);
    } else if (command_find(topic)) {
        print_command(s->arena, command_find(topic));
    } else if (strcmp(topic, "recipe") == 0) {
        s->answered = s->options.json;
        if (s->options.json)
            printf("%s\n", recipe_schema(s->arena));
        else
            printf("%s\n", recipe_help(s->arena, NULL));
    } else if (strcmp(topic, "exit") == 0) {
        print_exit();
    } else if ((text = help_text(s->arena, topic))) {
        printf("%s\n", text);
    } else {
        const char *near = text_nearest(topic, (const char *const[]){"recipe", "exit", NULL});
        if (!near)
            near = command_nearest(s->arena, topic);
        if (!near)
            near = recipe_nearest_key(s->arena, topic);
        if (!near)
            near = nearest_option(s->arena, topic);
        return err_set(err, ERR_USAGE, "no help on '%s'; %s%s%s", text_shown(s->arena, topic),
                       near ? "did you mean '" : "'crelease help' lists the commands, ",
                       near ? near : "'crelease help recipe' the keys of a recipe",
                       near ? "'?" : "");
    }
    return true;
}
