/* opt.c -- reads the command line, and variables that stand for options, into struct options, from one
 * table that the help prints, too. */
#include "cli/opt.h"

#include "cli/cmd.h"

#include "base/number.h"
#include "base/text.h"

enum opt_kind {
    OPT_FLAG,
    OPT_COUNT_UP,
    OPT_TEXT,
    OPT_DURATION,
    OPT_LIMIT,
    OPT_WORD,
    OPT_NUMBER,
    OPT_REPORT
};

static const struct option_row {
    char letter;
    const char *word;
    enum opt_kind kind;
    size_t at;
    unsigned takes;
    const char *arg;
    const char *about;
    const char *const *words;
} rows[] = {
#define AT(member) offsetof(struct options, member)
    {'f', "recipe", OPT_TEXT, AT(recipe), OPT_ALL, "FILE",
     "the recipe; default: crelease.yml or config/crelease.yml", NULL},
    {0, "hosts", OPT_TEXT, AT(hosts), OPT_ALL, "A,B", "only these hosts", NULL},
    {0, "roles", OPT_TEXT, AT(roles), OPT_ALL, "X,Y", "only hosts with one of these roles", NULL},
    {'q', "quiet", OPT_FLAG, AT(quiet), OPT_ALL, NULL, "print nothing, or one line on an error",
     NULL},
    {'v', "verbose", OPT_COUNT_UP, AT(verbose), OPT_ALL, NULL,
     "print more; keep the output of jobs on the screen", NULL},
    {0, "json", OPT_FLAG, AT(json), OPT_ALL, NULL, "write JSON to standard output, nothing else",
     NULL},
    {0, "color", OPT_WORD, AT(color), OPT_ALL, "WHEN",
     "auto, always or never; NO_COLOR is honoured",
     (const char *const[]){"auto", "always", "never", NULL}},
    {0, "report", OPT_REPORT, AT(reports), OPT_ALL, "REPORT",
     "write html:FILE, junit:FILE, markdown:FILE or json:FILE; may be given several times", NULL},
    {'h', "help", OPT_FLAG, AT(help), OPT_ALL, NULL, "show help on the command", NULL},
    {0, "version", OPT_FLAG, AT(version), OPT_ALL, NULL,
     "print the version; with -v also those of the libraries", NULL},
    {0, "on-backup", OPT_WORD, AT(on_backup), OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN,
     "POLICY", "if a backup blocks the migration: wait, kill, abort or ask",
     (const char *const[]){"wait", "kill", "abort", "ask", NULL}},
    /* An option has a row for each of its meanings; all of them set the same member. */
    {0, "wait-limit", OPT_LIMIT, AT(wait_limit_ms),
     OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, "LIMIT",
     "wait at most this long for a backup (6h); auto: as long as it is expected to take", NULL},
    {0, "wait-limit", OPT_LIMIT, AT(wait_limit_ms), OPT_BACKUPS, "LIMIT",
     "wait at most this long for a backup, or with --hold for a migration (6h); auto: as long as it is"
     " expected to take",
     NULL},
    {0, "wait", OPT_FLAG, AT(wait), OPT_BACKUPS, NULL, "wait until no backup blocks a migration",
     NULL},
    {0, "hold", OPT_FLAG, AT(hold), OPT_BACKUPS, NULL,
     "run CMD here when no migration is running; none starts until CMD has ended", NULL},
    {0, "database", OPT_TEXT, AT(database), OPT_BACKUPS, "NAME",
     "only this one of several databases", NULL},
    {0, "wait-lock", OPT_DURATION, AT(wait_lock_ms),
     OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, "DURATION",
     "wait at most this long for another run that is alive", NULL},
    {'n', "dry-run", OPT_FLAG, AT(dry_run), OPT_DEPLOY | OPT_RESUME | OPT_ROLLBACK | OPT_PLAN, NULL,
     "show what would be done, as 'plan' does", NULL},
    {0, "ref", OPT_TEXT, AT(ref), OPT_DEPLOY | OPT_PLAN, "REF",
     "the branch, tag or commit to deploy", NULL},
    {0, "no-migrate", OPT_FLAG, AT(no_migrate), OPT_DEPLOY | OPT_PLAN, NULL,
     "do not run the migration", NULL},
    {0, "no-migrate", OPT_FLAG, AT(no_migrate), OPT_RESUME, NULL,
     "do not run the migration; treat it as done", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_DEPLOY | OPT_PLAN, NULL,
     "deploy even if the revision is live or deploys are frozen; always look for pending migrations",
     NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_RESUME, NULL,
     "migrate again although the last attempt may have succeeded; take over without asking; with"
     " --if-waiting, also if deploys are frozen",
     NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_ABORT, NULL, "take over without asking", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_UPLOAD, NULL, "replace files that differ", NULL},
    {0, "force", OPT_FLAG, AT(force), OPT_INIT, NULL, "overwrite an existing recipe", NULL},
    {0, "from-capistrano", OPT_FLAG, AT(from_capistrano), OPT_INIT, NULL,
     "convert Capfile, config/deploy.rb and config/deploy/*.rb", NULL},
    {0, "on-unfinished", OPT_WORD, AT(on_unfinished), OPT_DEPLOY | OPT_PLAN, "POLICY",
     "if an earlier run is dead and unfinished: auto, stop, resume or abort",
     (const char *const[]){"auto", "stop", "resume", "abort", NULL}},
    {0, "older", OPT_WORD, AT(older), OPT_DEPLOY | OPT_PLAN, "POLICY",
     "if the live commit descends from this one: allow, warn or skip",
     (const char *const[]){"allow", "warn", "skip", NULL}},
    {0, "reason", OPT_TEXT, AT(reason), OPT_FREEZE, "TEXT", "why deploys are frozen", NULL},
    {0, "until", OPT_TEXT, AT(until), OPT_FREEZE, "TIME",
     "when the freeze ends, such as '2026-12-05 08:00', 08:00 or 2h; default: until 'thaw'", NULL},
    {0, "takeover", OPT_FLAG, AT(takeover), OPT_RESUME | OPT_ABORT, NULL,
     "take over the run although its owner is alive", NULL},
    {0, "new-recipe", OPT_FLAG, AT(new_recipe), OPT_RESUME | OPT_ABORT, NULL,
     "use the current recipe although the run was started with another one", NULL},
    {0, "if-any", OPT_FLAG, AT(if_any), OPT_RESUME, NULL,
     "end with status 0 if there is no unfinished run; this is the default", NULL},
    {0, "if-waiting", OPT_FLAG, AT(if_waiting), OPT_RESUME, NULL,
     "continue only a run that gave up waiting for a backup; else end with status 0", NULL},
    {0, "same-revision", OPT_FLAG, AT(same_revision), OPT_RESUME, NULL,
     "keep the commit that the run was started with although the ref has moved", NULL},
    {0, "to", OPT_TEXT, AT(to), OPT_ROLLBACK, "RELEASE", "the release to return to", NULL},
    {0, "verify", OPT_FLAG, AT(verify), OPT_STATUS, NULL,
     "compare the live release with its manifest", NULL},
    {0, "scan", OPT_FLAG, AT(scan), OPT_CHECK, NULL,
     "print the host keys that the hosts present, to pin them or add them to known_hosts", NULL},
    {0, "run", OPT_TEXT, AT(run), OPT_LOG, "ID",
     "the run, as 'history' lists it; default: the last one", NULL},
    {0, "follow", OPT_FLAG, AT(follow), OPT_LOG, NULL,
     "show output as it comes, until the run has ended", NULL},
    {0, "count", OPT_NUMBER, AT(count), OPT_HISTORY, "N", "how many runs to show (20)", NULL},
#undef AT
};

enum { N_ROWS = sizeof rows / sizeof *rows };
_Static_assert(N_ROWS <= 64, "options.given has a bit for each row");

static const struct option_row *row_by_word(const char *word, size_t len)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strlen(rows[i].word) == len && memcmp(rows[i].word, word, len) == 0)
            return &rows[i];
    return NULL;
}

/* The commands of all rows of that word. */
static unsigned word_takes(const char *word)
{
    unsigned takes = 0;

    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].word, word) == 0)
            takes |= rows[i].takes;
    return takes;
}

static const struct option_row *row_by_letter(char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].letter && rows[i].letter == letter)
            return &rows[i];
    return NULL;
}

/* What other programs call these options. */
static const struct synonym synonyms[] = {
    {"branch", "ref"},
    {"tag", "ref"},
    {"rev", "ref"},
    {"revision", "ref"},
    {"commit", "ref"},
    {"sha", "ref"},
    {"config", "recipe"},
    {"file", "recipe"},
    {"server", "hosts"},
    {"servers", "hosts"},
    {"limit", "hosts"},
    {"only", "hosts"},
    {"role-filter", "roles"},
    {"host-filter", "hosts"},
    {"release", "to"},
    {"debug", "verbose"},
    {"trace", "verbose"},
    {"silent", "quiet"},
    {"colour", "color"},
    {"no-color", "color"},
    {"no-colour", "color"},
    {"pretend", "dry-run"},
    {"check", "dry-run"},
    {"simulate", "dry-run"},
    {"plan", "dry-run"},
    {"skip-migrations", "no-migrate"},
    {"lines", "count"},
    {"last", "count"},
    {"number", "count"},
    {"timeout", "wait-limit"},
    {NULL, NULL},
};

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

    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].takes & taken)
            strs_add(err->arena, &names, rows[i].word);
    strs_add(err->arena, &names, NULL);
    const char *bare = arena_strndup(err->arena, word, strcspn(word, "="));
    const char *near = text_meant(bare, names.v, synonyms);
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
    o->given |= 1ULL << (row_by_word(row->word, strlen(row->word)) - rows);
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
    const struct option_row *row = row_by_word(word, len);

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
        const struct option_row *row = row_by_letter(*c);
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

    for (size_t i = 0; i < N_ROWS; i++) {
        const struct option_row *row = &rows[i];
        bool again = row_by_word(row->word, strlen(row->word)) != row;
        bool about_us = strcmp(row->word, "version") == 0 || strcmp(row->word, "help") == 0;
        if (again || about_us || o->given & 1ULL << i || !(word_takes(row->word) & taken))
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
        if (!(word_takes(word) & c->takes))
            continue;
        if (last)
            list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", last);
        last = c->name;
    }
    return *list ? arena_printf(a, "%s and %s", list, last) : last;
}

bool option_is_typed(const struct options *o, const char *word)
{
    return o->given & 1ULL << (row_by_word(word, strlen(word)) - rows);
}

/* What an option that has a value was given as. */
static const char *name_of(const struct options *o, const char *word, struct err *err)
{
    const struct option_row *row = row_by_word(word, strlen(word));

    return named(err->arena, row, !option_is_typed(o, word));
}

bool options_check(const struct options *o, const char *command, unsigned takes, struct err *err)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].takes != OPT_ALL && !(word_takes(rows[i].word) & takes) && o->given & 1ULL << i)
            return err_set(err, ERR_USAGE, "'%s' does not take --%s; it is an option of %s",
                           command, rows[i].word, takers(err->arena, rows[i].word));
    const char *const lists[][2] = {{"hosts", o->hosts}, {"roles", o->roles}};
    for (size_t i = 0; i < 2; i++)
        if (lists[i][1] && strspn(lists[i][1], ", ") == strlen(lists[i][1]))
            return err_set(err, ERR_USAGE, "%s is '%s', expected names separated by commas",
                           name_of(o, lists[i][0], err), lists[i][1]);
    return true;
}

bool option_at(size_t i, struct option_about *ret)
{
    if (i >= N_ROWS)
        return false;
    const struct option_row *r = &rows[i];
    *ret = (struct option_about){r->letter, r->word, r->takes, r->arg, r->about, r->words};
    return true;
}

const char *options_help(struct arena *a, unsigned takes, bool common)
{
    const char *text = "";

    for (size_t i = 0; i < N_ROWS; i++) {
        const struct option_row *row = &rows[i];
        bool again = i && strcmp(row->word, rows[i - 1].word) == 0 && (rows[i - 1].takes & takes);
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
