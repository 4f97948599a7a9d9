/* opt.c -- reads the command line, and variables that stand for options, into struct options, from the
 * table of opt_table.c, and prints their help. */
#include "cli/opt.h"

#include "cli/cmd.h"
#include "cli/opt_table.h"

#include "base/number.h"
#include "base/text.h"

/* The options of the command on this command line, or of all commands if there is none yet. */
static unsigned taken_by(char **argv)
{
    for (size_t i = 1; argv[i] && strcmp(argv[i], "--") != 0; i++)
        if (command_find(argv[i]))
            return command_find(argv[i])->takes;
    return OPT_ALL;
}

static bool unknown(const char *word, char **argv, struct err *err)
{
    const unsigned taken = taken_by(argv);
    struct strs names = {0};

    for (size_t i = 0; i < option_rows_n; i++)
        if (option_rows[i].takes & taken)
            strs_add(err->arena, &names, option_rows[i].word);
    strs_add(err->arena, &names, NULL);
    const char *bare = arena_strndup(err->arena, word, strcspn(word, "="));
    const char *near = text_meant(bare, names.v, option_synonyms);
    return err_set(err, ERR_USAGE, "unknown option '--%s'%s%s%s", text_shown(err->arena, bare),
                   near ? "; did you mean '--" : "", near ? near : "", near ? "'?" : "");
}

/* "--wait-limit", or the variable that the value came from. */
static const char *named(struct arena *a, const struct option_row *row, bool variable)
{
    if (!variable)
        return arena_printf(a, "--%s", row->word);
    char *name = arena_printf(a, "CRELEASE_%s", row->word);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    return name;
}

static bool word_is_one_of(const struct option_row *row, const char *value, const char *name,
                           struct err *err)
{
    const char *list = "";

    for (size_t i = 0; row->words[i]; i++) {
        if (strcmp(row->words[i], value) == 0)
            return true;
        list = arena_printf(err->arena, "%s%s%s", list,
                            i == 0              ? ""
                            : row->words[i + 1] ? ", "
                                                : " or ",
                            row->words[i]);
    }
    const char *near = text_nearest(value, row->words);
    return err_set(err, ERR_USAGE, "%s is '%s', expected %s%s%s%s", name,
                   text_shown(err->arena, value), list, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

/* One report, or in a variable one a line. */
static bool add_reports(struct options *o, const char *name, const char *value, struct err *err)
{
    while (*value) {
        size_t len = strcspn(value, "\r\n");
        struct report_target *more = arena_array(err->arena, o->n_reports + 1, sizeof *o->reports);
        if (len &&
            !report_parse(arena_strndup(err->arena, value, len), name, &more[o->n_reports], err))
            return false;
        for (size_t i = 0; i < o->n_reports; i++)
            more[i] = o->reports[i];
        o->reports = more;
        o->n_reports += len > 0;
        value += len + strspn(value + len, "\r\n");
    }
    return true;
}

/* Sets the option; name is what errors call it. */
static bool put(struct options *o, const struct option_row *row, const char *name,
                const char *value, struct err *err)
{
    char *at = (char *)o + row->at;

    switch (row->kind) {
    case OPT_FLAG:
        *(bool *)(void *)at = true;
        return true;
    case OPT_COUNT_UP:
        ++*(int *)(void *)at;
        return true;
    case OPT_WORD:
        if (!word_is_one_of(row, value, name, err))
            return false;
        *(const char **)(void *)at = value;
        return true;
    case OPT_TEXT:
        if (!*value)
            return err_set(err, ERR_USAGE, "%s needs a value", name);
        *(const char **)(void *)at = value;
        return true;
    case OPT_REPORT:
        return *value ? add_reports(o, name, value, err)
                      : err_set(err, ERR_USAGE, "%s needs a value", name);
    case OPT_LIMIT:
        if (strcmp(value, "auto") == 0) {
            *(long long *)(void *)at = WAIT_LIMIT_AUTO;
            return true;
        }
        if (!text_duration(value, (long long *)(void *)at))
            return err_set(err, ERR_USAGE,
                           "%s is '%s', expected a duration such as 90s, 5m or 6h, or auto", name,
                           text_shown(err->arena, value));
        return true;
    case OPT_DURATION:
        if (!text_duration(value, (long long *)(void *)at))
            return err_set(err, ERR_USAGE, "%s is '%s', expected a duration such as 90s, 5m or 6h",
                           name, text_shown(err->arena, value));
        return true;
    case OPT_NUMBER:
        *(long *)(void *)at = (long)number_or(value, 10000, 0);
        if (*(long *)(void *)at < 1)
            return err_set(err, ERR_USAGE, "%s is '%s', expected a number from 1 to 10000", name,
                           text_shown(err->arena, value));
        return true;
    }
    return true;
}

static bool set(struct options *o, const struct option_row *row, const char *value, struct err *err)
{
    o->given |= 1ULL << (option_by_word(row->word, strlen(row->word)) - option_rows);
    return put(o, row, named(err->arena, row, false), value, err);
}

static bool takes_value(const struct option_row *row)
{
    return row->kind != OPT_FLAG && row->kind != OPT_COUNT_UP;
}

/* "--word", "--word=value", "--word value". */
static bool read_long(struct options *o, char **argv, int *i, struct err *err)
{
    const char *word = argv[*i] + 2;
    size_t len = strcspn(word, "=");
    const struct option_row *row = option_by_word(word, len);

    if (!row)
        return unknown(word, argv, err);
    if (!takes_value(row))
        return word[len] ? err_set(err, ERR_USAGE, "--%s takes no value", row->word)
                         : set(o, row, "", err);
    if (word[len])
        return set(o, row, word + len + 1, err);
    if (!argv[*i + 1])
        return err_set(err, ERR_USAGE, "--%s needs a value (%s)", row->word, row->arg);
    return set(o, row, argv[++*i], err);
}

/* "-q", "-qv", "-fFILE", "-f FILE". */
static bool read_letters(struct options *o, char **argv, int *i, struct err *err)
{
    for (const char *c = argv[*i] + 1; *c; c++) {
        const struct option_row *row = option_by_letter(*c);
        if (!row)
            return err_set(err, ERR_USAGE, "unknown option '-%s'",
                           text_shown(err->arena, arena_strndup(err->arena, c, 1)));
        if (!takes_value(row)) {
            if (!set(o, row, "", err))
                return false;
            continue;
        }
        if (c[1])
            return set(o, row, c + 1, err);
        if (!argv[*i + 1])
            return err_set(err, ERR_USAGE, "-%c needs a value (%s)", *c, row->arg);
        return set(o, row, argv[++*i], err);
    }
    return true;
}

/* Notes what a hint must repeat to mean the same recipe, hosts and revision. */
static void note_called(struct arena *a, struct options *o)
{
    struct called *c = &o->called;

    c->recipe = o->recipe;
    c->hosts = o->hosts;
    c->roles = o->roles;
    if (o->ref) {
        strs_add(a, &c->deploy, "--ref");
        strs_add(a, &c->deploy, o->ref);
    }
    if (o->no_migrate)
        strs_add(a, &c->deploy, "--no-migrate");
    if (o->force)
        strs_add(a, &c->deploy, "--force");
    if (o->new_recipe)
        strs_add(a, &c->resume, "--new-recipe");
}

/* Whether a flag's variable says yes; -v counts, so its variable may be a number. */
static bool flag_read(const struct option_row *row, const char *value, int *ret)
{
    static const char *const no[] = {"", "0", "no", "false", "off", NULL};
    static const char *const yes[] = {"1", "yes", "true", "on", NULL};

    for (size_t i = 0; no[i]; i++)
        if (strcmp(value, no[i]) == 0) {
            *ret = 0;
            return true;
        }
    for (size_t i = 0; yes[i]; i++)
        if (strcmp(value, yes[i]) == 0) {
            *ret = 1;
            return true;
        }
    *ret = row->kind == OPT_COUNT_UP ? (int)number_or(value, 9, 0) : 0;
    return *ret > 0;
}

static bool set_from_variable(struct options *o, const struct option_row *row, struct err *err)
{
    const char *name = named(err->arena, row, true);
    const char *value = getenv(name);
    int n = 1;

    if (!value || (takes_value(row) && !*value)) /* CI systems pass on empty ones */
        return true;
    if (!takes_value(row) && !flag_read(row, value, &n))
        return err_set(err, ERR_USAGE, "%s is '%s', expected yes or no", name,
                       text_shown(err->arena, value));
    while (n-- > 0)
        if (!put(o, row, name, value, err))
            return false;
    return true;
}

/* CRELEASE_WAIT_LIMIT for --wait-limit and so on, unless the command line has the option or the command
 * does not take it: a job sets its variables for all commands.  Not --version and --help: a variable of
 * that name means something else. */
static bool read_variables(struct options *o, struct err *err)
{
    const struct command *c = o->words.n ? command_find(o->words.v[0]) : NULL;
    const unsigned taken = c ? c->takes : 0;

    for (size_t i = 0; i < option_rows_n; i++) {
        const struct option_row *row = &option_rows[i];
        bool again = option_by_word(row->word, strlen(row->word)) != row;
        bool about_us = strcmp(row->word, "version") == 0 || strcmp(row->word, "help") == 0;
        if (again || about_us || o->given & 1ULL << i || !(option_takers(row->word) & taken))
            continue;
        if (!set_from_variable(o, row, err))
            return false;
    }
    return true;
}

bool options_read(struct arena *a, int argc, char **argv, struct options *ret, struct err *err)
{
    *ret = (struct options){.color = "auto", .wait_limit_ms = -1, .count = 20};
    ret->called.program = argc > 0 && *argv[0] ? argv[0] : NULL;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strcmp(arg, "--") == 0) {
            while (++i < argc)
                strs_add(a, &ret->rest, argv[i]);
            break;
        }
        if (arg[0] == '-' && arg[1] == '-') {
            if (!read_long(ret, argv, &i, err))
                return false;
        } else if (arg[0] == '-' && arg[1]) {
            if (!read_letters(ret, argv, &i, err))
                return false;
        } else {
            strs_add(a, &ret->words, arg);
        }
    }
    if (!read_variables(ret, err))
        return false;
    note_called(a, ret);
    return true;
}

/* "rollback", "resume and abort": the commands that take it. */
static const char *takers(struct arena *a, const char *word)
{
    const char *list = "";
    const char *last = NULL;

    for (const struct command *c = commands; c->name; c++) {
        if (!(option_takers(word) & c->takes))
            continue;
        if (last)
            list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", last);
        last = c->name;
    }
    return *list ? arena_printf(a, "%s and %s", list, last) : last;
}

bool option_is_typed(const struct options *o, const char *word)
{
    return o->given & 1ULL << (option_by_word(word, strlen(word)) - option_rows);
}

/* What an option that has a value was given as. */
static const char *name_of(const struct options *o, const char *word, struct err *err)
{
    const struct option_row *row = option_by_word(word, strlen(word));

    return named(err->arena, row, !option_is_typed(o, word));
}

bool options_check(const struct options *o, const char *command, unsigned takes, struct err *err)
{
    for (size_t i = 0; i < option_rows_n; i++)
        if (option_rows[i].takes != OPT_ALL && !(option_takers(option_rows[i].word) & takes) &&
            o->given & 1ULL << i)
            return err_set(err, ERR_USAGE, "'%s' does not take --%s; it is an option of %s",
                           command, option_rows[i].word, takers(err->arena, option_rows[i].word));
    const char *const lists[][2] = {{"hosts", o->hosts}, {"roles", o->roles}};
    for (size_t i = 0; i < 2; i++)
        if (lists[i][1] && strspn(lists[i][1], ", ") == strlen(lists[i][1]))
            return err_set(err, ERR_USAGE, "%s is '%s', expected names separated by commas",
                           name_of(o, lists[i][0], err), lists[i][1]);
    return true;
}

bool option_at(size_t i, struct option_about *ret)
{
    if (i >= option_rows_n)
        return false;
    const struct option_row *r = &option_rows[i];
    *ret = (struct option_about){r->letter, r->word, r->takes, r->arg, r->about, r->words};
    return true;
}

const char *options_help(struct arena *a, unsigned takes, bool common)
{
    const char *text = "";

    for (size_t i = 0; i < option_rows_n; i++) {
        const struct option_row *row = &option_rows[i];
        bool again = i && strcmp(row->word, option_rows[i - 1].word) == 0 &&
                     (option_rows[i - 1].takes & takes);
        if ((row->takes == OPT_ALL) != common || !(row->takes & takes) || again)
            continue;
        const char *word =
            arena_printf(a, "%s%s%s", row->word, row->arg ? " " : "", row->arg ? row->arg : "");
        char letter[8] = "    ";
        if (row->letter)
            snprintf(letter, sizeof letter, "-%c, ", row->letter);
        text = arena_printf(a, "%s  %s--%-22s %s\n", text, letter, word, row->about);
    }
    return text;
}
