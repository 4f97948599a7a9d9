#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cmd.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum { ARGS_MAX = 8 };

static struct arena arena;
static struct err err;

static bool read_args(const char *const *args, struct options *ret)
{
    char *argv[ARGS_MAX + 2] = {arena_strdup(&arena, "crelease")};
    int argc = 1;

    for (; args[argc - 1]; argc++)
        argv[argc] = arena_strdup(&arena, args[argc - 1]);
    err = (struct err){.arena = &arena};
    return options_read(&arena, argc, argv, ret, &err);
}

/* "a|b" */
static const char *joined(const struct strs *list)
{
    const char *text = "";

    for (size_t i = 0; i < list->n; i++)
        text = arena_printf(&arena, "%s%s%s", text, i ? "|" : "", list->v[i]);
    return text;
}

/* Every option that is not as it was to begin with, in the order of the struct. */
static const char *shown(const struct options *o)
{
    const struct {
        const char *word;
        const char *value;
    } texts[] = {{"recipe", o->recipe},
                 {"hosts", o->hosts},
                 {"roles", o->roles},
                 {"ref", o->ref},
                 {"on-backup", o->on_backup},
                 {"to", o->to},
                 {"on-unfinished", o->on_unfinished},
                 {"older", o->older}};
    const struct {
        const char *word;
        bool on;
    } flags[] = {{"quiet", o->quiet},
                 {"json", o->json},
                 {"version", o->version},
                 {"help", o->help},
                 {"dry-run", o->dry_run},
                 {"no-migrate", o->no_migrate},
                 {"force", o->force},
                 {"follow", o->follow},
                 {"from-capistrano", o->from_capistrano},
                 {"takeover", o->takeover},
                 {"new-recipe", o->new_recipe},
                 {"verify", o->verify},
                 {"scan", o->scan},
                 {"wait", o->wait},
                 {"hold", o->hold},
                 {"if-any", o->if_any},
                 {"if-waiting", o->if_waiting},
                 {"same-revision", o->same_revision}};
    const char *s = "";

    for (size_t i = 0; i < N(texts); i++)
        if (texts[i].value)
            s = arena_printf(&arena, "%s%s=%s ", s, texts[i].word, texts[i].value);
    for (size_t i = 0; i < N(flags); i++)
        if (flags[i].on)
            s = arena_printf(&arena, "%s%s ", s, flags[i].word);
    if (o->verbose)
        s = arena_printf(&arena, "%sverbose=%d ", s, o->verbose);
    if (strcmp(o->color, "auto") != 0)
        s = arena_printf(&arena, "%scolor=%s ", s, o->color);
    if (o->wait_limit_ms != -1)
        s = arena_printf(&arena, "%swait-limit=%lld ", s, o->wait_limit_ms);
    if (o->wait_lock_ms)
        s = arena_printf(&arena, "%swait-lock=%lld ", s, o->wait_lock_ms);
    for (size_t i = 0; i < o->n_reports; i++)
        s = arena_printf(&arena, "%sreport%d=%s ", s, (int)o->reports[i].format,
                         o->reports[i].path);
    if (o->count != 20)
        s = arena_printf(&arena, "%scount=%ld ", s, o->count);
    return s;
}

static void test_forms(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *options;
        const char *words;
        const char *rest;
    } rows[] = {
        {{NULL}, "", "", ""},
        {{"deploy", "production"}, "", "deploy|production", ""},
        {{"-f", "X"}, "recipe=X ", "", ""},
        {{"-fX"}, "recipe=X ", "", ""},
        {{"--recipe=X"}, "recipe=X ", "", ""},
        {{"--recipe", "X"}, "recipe=X ", "", ""},
        {{"--recipe=a=b"}, "recipe=a=b ", "", ""},
        {{"--recipe", "--json"}, "recipe=--json ", "", ""}, /* whatever comes next is its value */
        {{"-f", "-"}, "recipe=- ", "", ""},
        {{"-f=X"}, "recipe==X ", "", ""},
        {{"-fX", "-fY"}, "recipe=Y ", "", ""}, /* the last one counts */
        {{"--report", "html:X", "--report=json:a:b"}, "report0=X report3=a:b ", "", ""},
        {{"-q"}, "quiet ", "", ""},
        {{"-qv"}, "quiet verbose=1 ", "", ""},
        {{"-vvv"}, "verbose=3 ", "", ""},
        {{"-v", "--verbose"}, "verbose=2 ", "", ""},
        {{"-qfX"}, "recipe=X quiet ", "", ""},
        {{"-qvf", "X"}, "recipe=X quiet verbose=1 ", "", ""},
        {{"-fqv"}, "recipe=qv ", "", ""},
        {{"-nh"}, "help dry-run ", "", ""},
        {{"deploy", "-q", "production", "--json"}, "quiet json ", "deploy|production", ""},
        {{"exec", "p", "--", "-q", "--json", "--"}, "", "exec|p", "-q|--json|--"},
        {{"--"}, "", "", ""},
        {{"-q", "--", "x"}, "quiet ", "", "x"},
        {{"-"}, "", "-", ""},
        {{""}, "", "", ""},
        {{"--hosts", "a,b", "--roles=x,y"}, "hosts=a,b roles=x,y ", "", ""},
        {{"--color", "never"}, "color=never ", "", ""},
        {{"--color=always"}, "color=always ", "", ""},
        {{"--on-backup=kill"}, "on-backup=kill ", "", ""},
        {{"--on-backup", "ask"}, "on-backup=ask ", "", ""},
        {{"--wait-limit=1h30m"}, "wait-limit=5400000 ", "", ""},
        {{"--wait-limit=auto"}, "wait-limit=-2 ", "", ""},
        {{"--wait-limit", "0"}, "wait-limit=0 ", "", ""},
        {{"--wait-lock", "90"}, "wait-lock=90000 ", "", ""},
        {{"--ref=origin/x", "--no-migrate", "--force"}, "ref=origin/x no-migrate force ", "", ""},
        {{"--takeover", "--to", "20261122153012"}, "to=20261122153012 takeover ", "", ""},
        {{"--verify", "--count=1"}, "verify count=1 ", "", ""},
        {{"--count", "10000"}, "count=10000 ", "", ""},
        {{"--version"}, "version ", "", ""},
        {{"--help"}, "help ", "", ""},
        {{"--dry-run"}, "dry-run ", "", ""},
        {{"resume", "p", "--if-waiting"}, "if-waiting ", "resume|p", ""},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct options o;
        if (!read_args(rows[i].args, &o))
            fail_msg("row %zu: %s", i, err.msg);
        assert_string_equal(shown(&o), rows[i].options);
        assert_string_equal(joined(&o.words), rows[i].words);
        assert_string_equal(joined(&o.rest), rows[i].rest);
    }
}

/* Only what looks like an option or a key; other variables are somebody's own. */
static void test_misspelt_variables(void **state)
{
    static const struct {
        const char *name;
        const char *near; /* NULL: no warning */
    } rows[] = {{"CRELEASE_WAIT_LOK", "CRELEASE_WAIT_LOCK"},
                {"CRELEASE_KNOWN_HOST", "CRELEASE_KNOWN_HOSTS"},
                {"CRELEASE_SSHKEY", "CRELEASE_SSH_KEY"},
                {"CRELEASE_WAIT_LOCK", NULL},
                {"CRELEASE_HOST", NULL},
                {"CRELEASE_SLACK_WEBHOOK", NULL},
                {"CRELEASE_RIG", NULL},
                {"OTHER_WAIT_LOK", NULL}};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        assert_int_equal(setenv(rows[i].name, "hunter2", 1), 0);
        struct strs found = variables_misspelt(&arena);
        assert_int_equal(found.n, rows[i].near ? 1 : 0);
        if (rows[i].near)
            assert_string_equal(
                found.v[0], arena_printf(&arena, "the variable %s is not known; did you mean %s?",
                                         rows[i].name, rows[i].near));
        assert_int_equal(unsetenv(rows[i].name), 0);
    }
}

/* Variables stand for options that the command line lacks and the command takes. */
static void test_variables(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *args[ARGS_MAX];
        const char *options; /* or the error */
    } rows[] = {
        {"CRELEASE_WAIT_LOCK", "90", {"deploy", "p"}, "wait-lock=90000 "},
        {"CRELEASE_WAIT_LOCK", "90", {"deploy", "--wait-lock=0", "p"}, ""},
        {"CRELEASE_WAIT_LOCK", "90", {"status", "p"}, ""}, /* has no such option */
        {"CRELEASE_WAIT_LOCK", "", {"deploy", "p"}, ""},
        {"CRELEASE_WAIT_LIMIT",
         "soon",
         {"deploy", "p"},
         "CRELEASE_WAIT_LIMIT is 'soon', expected a duration such as 90s, 5m or 6h, or auto"},
        {"CRELEASE_WAIT_LIMIT", "soon", {"status", "p"}, ""},
        {"CRELEASE_COLOR", "always", {"status", "p"}, "color=always "},
        {"CRELEASE_COLOR", "always", {"status", "--color", "auto", "p"}, ""},
        {"CRELEASE_COLOR",
         "purple",
         {"status", "p"},
         "CRELEASE_COLOR is 'purple', expected auto, always or never"},
        {"CRELEASE_ON_BACKUP",
         "kil",
         {"resume", "p"},
         "CRELEASE_ON_BACKUP is 'kil', expected wait, kill, abort or ask; did you mean 'kill'?"},
        {"CRELEASE_NO_MIGRATE", "true", {"deploy", "p"}, "no-migrate "},
        {"CRELEASE_NO_MIGRATE", "0", {"deploy", "p"}, ""},
        {"CRELEASE_NO_MIGRATE",
         "perhaps",
         {"deploy", "p"},
         "CRELEASE_NO_MIGRATE is 'perhaps', expected yes or no"},
        {"CRELEASE_FORCE", "yes", {"abort", "p"}, "force "},
        {"CRELEASE_FORCE", "yes", {"rollback", "p"}, ""},
        {"CRELEASE_VERBOSE", "2", {"deploy", "p"}, "verbose=2 "},
        {"CRELEASE_VERBOSE", "2", {"deploy", "-v", "p"}, "verbose=1 "},
        {"CRELEASE_COUNT", "20", {"history", "--count=7"}, "count=7 "},
        {"CRELEASE_COUNT",
         "x",
         {"history"},
         "CRELEASE_COUNT is 'x', expected a number from 1 to 10000"},
        {"CRELEASE_RECIPE", "X", {"deploy"}, "recipe=X "},
        {"CRELEASE_VERSION", "1", {"deploy"}, ""},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct options o;
        setenv(rows[i].name, rows[i].value, 1);
        bool ok = read_args(rows[i].args, &o);
        assert_string_equal(ok ? shown(&o) : err.msg, rows[i].options);
        unsetenv(rows[i].name);
    }
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *msg;
    } rows[] = {
        {{"--recpie=X"}, "unknown option '--recpie'; did you mean '--recipe'?"},
        {{"--no-migrat"}, "unknown option '--no-migrat'; did you mean '--no-migrate'?"},
        {{"--dryrun"}, "unknown option '--dryrun'; did you mean '--dry-run'?"},
        {{"--wait_limit", "5m"}, "unknown option '--wait_limit'; did you mean '--wait-limit'?"},
        {{"--branch", "x"}, "unknown option '--branch'; did you mean '--ref'?"},
        {{"deploy", "--branch=x"}, "unknown option '--branch'; did you mean '--ref'?"},
        {{"rollback", "--branch=x"}, "unknown option '--branch'"}, /* it has no --ref */
        {{"rollback", "--release=x"}, "unknown option '--release'; did you mean '--to'?"},
        {{"deploy", "--host=a"}, "unknown option '--host'; did you mean '--hosts'?"},
        {{"deploy", "--Role=a"}, "unknown option '--Role'; did you mean '--roles'?"},
        {{"exec", "--fource", "--", "deploy"}, "unknown option '--fource'"},
        {{"--zzzzzzzzz"}, "unknown option '--zzzzzzzzz'"},
        {{"--=x"}, "unknown option '--'"},
        {{"--bad\x1b[2J=x"}, "unknown option '--bad\\x1b[2J'"},
        {{"---json"}, "unknown option '---json'; did you mean '--json'?"},
        {{"-x"}, "unknown option '-x'"},
        {{"-qx"}, "unknown option '-x'"},
        {{"-\x01"}, "unknown option '-\\x01'"},
        {{"-f"}, "-f needs a value (FILE)"},
        {{"-qf"}, "-f needs a value (FILE)"},
        {{"-f", ""}, "--recipe needs a value"},
        {{"--recipe"}, "--recipe needs a value (FILE)"},
        {{"--recipe="}, "--recipe needs a value"},
        {{"--wait-lock"}, "--wait-lock needs a value (DURATION)"},
        {{"--json=1"}, "--json takes no value"},
        {{"--quiet="}, "--quiet takes no value"},
        {{"--verbose=2"}, "--verbose takes no value"},
        {{"--color=purple"}, "--color is 'purple', expected auto, always or never"},
        {{"--color=nevr"},
         "--color is 'nevr', expected auto, always or never; did you mean 'never'?"},
        {{"--color="}, "--color is '', expected auto, always or never"},
        {{"--on-backup", "kil"},
         "--on-backup is 'kil', expected wait, kill, abort or ask; did you mean 'kill'?"},
        {{"--wait-limit=soon"},
         "--wait-limit is 'soon', expected a duration such as 90s, 5m or 6h, or auto"},
        {{"--wait-limit=-5"},
         "--wait-limit is '-5', expected a duration such as 90s, 5m or 6h, or auto"},
        {{"--wait-lock="}, "--wait-lock is '', expected a duration such as 90s, 5m or 6h"},
        {{"--count=0"}, "--count is '0', expected a number from 1 to 10000"},
        {{"--count=-1"}, "--count is '-1', expected a number from 1 to 10000"},
        {{"--count=10001"}, "--count is '10001', expected a number from 1 to 10000"},
        {{"--count=99999999999999999999"},
         "--count is '99999999999999999999', expected a number from 1 to 10000"},
        {{"--count=x"}, "--count is 'x', expected a number from 1 to 10000"},
        {{"--count="}, "--count is '', expected a number from 1 to 10000"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct options o;
        if (read_args(rows[i].args, &o))
            fail_msg("row %zu was taken, expected: %s", i, rows[i].msg);
        assert_int_equal(err.code, ERR_USAGE);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

/* Which command takes what; NULL: it does. */
static void test_check(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *msg;
    } rows[] = {
        {{"deploy", "--ref=x", "--no-migrate", "--force", "-n", "--wait-lock=5",
          "--on-backup=wait"},
         NULL},
        {{"plan", "--ref=x", "--no-migrate"}, NULL},
        {{"resume", "--takeover", "--wait-limit=5m"}, NULL},
        {{"abort", "--takeover"}, NULL},
        {{"rollback", "--to=20261122153012", "-n"}, NULL},
        {{"status", "--verify"}, NULL},
        {{"history", "--count=3"}, NULL},
        {{"check", "-f", "x", "--hosts=a", "--roles=b", "-qv", "--json", "--color=never"}, NULL},
        {{"help", "--help"}, NULL},
        {{"deploy", "--to=20261122153012"},
         "'deploy' does not take --to; it is an option of rollback"},
        {{"deploy", "--takeover"},
         "'deploy' does not take --takeover; it is an option of resume and abort"},
        {{"deploy", "--verify"}, "'deploy' does not take --verify; it is an option of status"},
        {{"resume", "--ref=x"}, "'resume' does not take --ref; it is an option of deploy and plan"},
        {{"resume", "--no-migrate"}, NULL},
        {{"abort", "--no-migrate"},
         "'abort' does not take --no-migrate; it is an option of deploy, resume and plan"},
        {{"rollback", "--ref=x"},
         "'rollback' does not take --ref; it is an option of deploy and plan"},
        {{"abort", "-n"},
         "'abort' does not take --dry-run; it is an option of deploy, resume, rollback and plan"},
        {{"abort", "--on-backup=wait"},
         "'abort' does not take --on-backup; it is an option of deploy, resume, rollback and plan"},
        {{"status", "--force"},
         "'status' does not take --force; it is an option of deploy, resume, abort, plan, upload and init"},
        {{"status", "--count=3"}, "'status' does not take --count; it is an option of history"},
        {{"history", "--wait-limit=5m"},
         "'history' does not take --wait-limit; it is an option of deploy, resume, rollback, plan and backups"},
        {{"backups", "--hold", "--database=orders"}, NULL},
        {{"deploy", "--database=orders"},
         "'deploy' does not take --database; it is an option of backups"},
        {{"init", "--force", "--from-capistrano"}, NULL},
        {{"deploy", "--from-capistrano"},
         "'deploy' does not take --from-capistrano; it is an option of init"},
        {{"abort", "--force"}, NULL},
        {{"check", "--force"},
         "'check' does not take --force; it is an option of deploy, resume, abort, plan, upload and init"},
        {{"rollback", "--force"},
         "'rollback' does not take --force; it is an option of deploy, resume, abort, plan, upload and init"},
        {{"deploy", "--hosts=,"}, "--hosts is ',', expected names separated by commas"},
        {{"exec", "--roles= , "}, "--roles is ' , ', expected names separated by commas"},
        {{"check", "--wait-lock=5m"},
         "'check' does not take --wait-lock; it is an option of deploy, resume, rollback and plan"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct options o;
        assert_true(read_args(rows[i].args, &o));
        const struct command *c = command_find(o.words.v[0]);
        assert_non_null(c);
        if (options_check(&o, c->name, c->takes, &err) != !rows[i].msg)
            fail_msg("row %zu: %s", i, err.msg ? err.msg : "was taken");
        if (rows[i].msg) {
            assert_int_equal(err.code, ERR_USAGE);
            assert_string_equal(err.msg, rows[i].msg);
        }
    }
}

/* Every option that the help names can be read, with and without a letter; none is named twice. */
static void test_help(void **state)
{
    const char *common = options_help(&arena, OPT_ALL, true);
    const char *own = options_help(&arena, OPT_ALL, false);
    const char *text = arena_printf(&arena, "%s%s", common, own);
    size_t n = 0;

    (void)state;
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1, n++) {
        const char *word = strstr(at, "--");
        struct options o;
        assert_non_null(word);
        assert_true(word - at == 6);
        const char *name = arena_strndup(&arena, word, strcspn(word, " "));
        bool takes_value = word[strlen(name)] == ' ' && word[strlen(name) + 1] != ' ';
        const char *again = strstr(word + 2, arena_printf(&arena, "%s ", name));
        assert_null(again);
        bool ok = read_args((const char *const[]){name, NULL}, &o);
        assert_int_equal(ok, !takes_value);
        if (!ok)
            assert_non_null(strstr(err.msg, "needs a value ("));
        else
            assert_string_equal(
                shown(&o),
                arena_printf(&arena, strcmp(name, "--verbose") ? "%s " : "%s=1 ", name + 2));
        if (at[2] == '-') {
            const char letter[] = {'-', at[3], '\0'};
            struct options by_letter;
            assert_int_equal(read_args((const char *const[]){letter, NULL}, &by_letter), ok);
            if (ok)
                assert_string_equal(shown(&by_letter), shown(&o));
        }
    }
    assert_true(n >= 20);
}

/* What a command's help names is what it takes. */
static void test_help_of_commands(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        const char *own = options_help(&arena, c->takes, false);
        assert_int_equal(strstr(own, "--ref ") != NULL, (c->takes & (OPT_DEPLOY | OPT_PLAN)) != 0);
        assert_int_equal(strstr(own, "--takeover ") != NULL,
                         (c->takes & (OPT_RESUME | OPT_ABORT)) != 0);
        assert_null(strstr(own, "--recipe "));
        assert_non_null(strstr(options_help(&arena, c->takes, true), "--recipe "));
    }
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* What it says is what a person pastes: the same program, recipe, hosts and revision. */
static void test_hint(void **state)
{
    static const struct {
        const char *const args[ARGS_MAX + 1];
        const char *command;
        const char *more;
        const char *said;
    } rows[] = {
        {{"deploy", "production", NULL}, "resume", NULL, "crelease resume production"},
        {{"deploy", "production", NULL}, "resume", "--force", "crelease resume --force production"},
        {{"deploy", "production", "-f", "other.yml", NULL},
         "abort",
         NULL,
         "crelease abort production -f other.yml"},
        {{"deploy", "production", "-f", "my file.yml", "--hosts", "a,b", "--roles=web", NULL},
         "resume",
         NULL,
         "crelease resume production -f \"my file.yml\" --hosts a,b --roles web"},
        {{"deploy", "production", "--ref", "v1 (old)", "--no-migrate", NULL},
         "deploy",
         NULL,
         "crelease deploy production --ref \"v1 (old)\" --no-migrate"},
        {{"deploy", "production", "--ref", "v1", NULL},
         "resume",
         NULL,
         "crelease resume production"},
        {{"resume", "--new-recipe", NULL}, "abort", NULL, "crelease abort production --new-recipe"},
        {{"resume", "--new-recipe", NULL},
         "resume",
         "--new-recipe",
         "crelease resume --new-recipe production"},
        {{"deploy", "-f", "x", NULL}, "help", NULL, "crelease help"},
    };
    struct options o;

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        assert_true(read_args(rows[i].args, &o));
        o.called.environment = "production";
        assert_string_equal(hint(&arena, &o.called, rows[i].command, rows[i].more), rows[i].said);
    }
    o.called.environment = "pro duction";
    o.called.program = "/opt/my tools/crelease";
    assert_string_equal(hint_on(&arena, &o.called, "resume", "a,b"),
                        "\"/opt/my tools/crelease\" resume \"pro duction\" -f x --hosts a,b");
    assert_string_equal(hint(&arena, NULL, "status", NULL), "crelease status");
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hint),     TEST(test_forms), TEST(test_variables), TEST(test_misspelt_variables),
        TEST(test_mistakes), TEST(test_check), TEST(test_help),      TEST(test_help_of_commands),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
