/* The tables that a deploy and the program are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cmd.h"
#include "recipe/keys.h"
#include "stages/table.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

/* Lower case words with hyphens: they are typed, are in marks and in file names. */
static bool is_plain_name(const char *s)
{
    size_t len = strlen(s);

    return len > 0 && len <= 20 && strspn(s, "abcdefghijklmnopqrstuvwxyz-") == len && s[0] != '-' &&
           s[len - 1] != '-';
}

/* A row's text: one line, in the form of the others. */
static void is_sentence(const char *name, const char *about)
{
    size_t len = about ? strlen(about) : 0;

    if (len < 10 || about[len - 1] == '.' || strchr(about, '\n') ||
        (*about >= 'A' && *about <= 'Z'))
        fail_msg("about '%s': '%s'", name, about ? about : "(none)");
}

static size_t count(const struct stage *stages)
{
    size_t n = 0;

    while (stages[n].name)
        n++;
    return n;
}

static size_t place_of(const char *name)
{
    size_t i = 0;

    while (deploy_stages[i].name && strcmp(deploy_stages[i].name, name) != 0)
        i++;
    return i;
}

static void test_stages(void **state)
{
    size_t n = count(deploy_stages);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        const struct stage *s = &deploy_stages[i];
        assert_true(is_plain_name(s->name));
        assert_int_equal(place_of(s->name), i); /* else there are two */
        is_sentence(s->name, s->about);
        assert_non_null(s->act);
        assert_non_null(s->undo);
        if (s->act == stage_script_act || s->undo == stage_script_undo)
            assert_non_null(s->script);
        if (s->script)
            assert_true(*s->script);
        if (s->until)
            assert_true(place_of(s->until) > i && place_of(s->until) < n);
        assert_true(s->on_fail <= ON_FAIL_CARRY_ON);
        assert_true(!s->on_fail_as || s->on_fail == ON_FAIL_STOP);
    }
}

/* What the engine takes for granted, and what must never be moved. */
static void test_stage_order(void **state)
{
    static const char *const order[] = {
        "lock",   "checkout", "link",   "build",   "backup-detect", "backup-clear", "migrate",
        "switch", "restart",  "health", "cleanup", "backup-rerun",  "unlock"};
    size_t n = count(deploy_stages);

    (void)state;
    for (size_t i = 0; i < N(order); i++) {
        size_t at = place_of(order[i]);
        if (at == n)
            fail_msg("no stage '%s'", order[i]);
        assert_true(i == 0 || at > place_of(order[i - 1]));
    }
    assert_int_equal(place_of("lock"), 0);
    assert_int_equal(place_of("unlock"), n - 1);
    assert_true(deploy_stages[0].in_rollback && deploy_stages[n - 1].in_rollback);
    assert_true(!deploy_stages[0].hosts && !deploy_stages[n - 1].hosts); /* on all of them */
    assert_int_equal(deploy_stages[place_of("switch")].on_fail, ON_FAIL_UNDO);
    for (size_t i = place_of("switch") + 1; i < n - 1; i++) /* users are served by now */
        assert_true(deploy_stages[i].on_fail != ON_FAIL_UNDO);
    assert_int_equal(deploy_stages[place_of("cleanup")].on_fail, ON_FAIL_CARRY_ON);
}

/* Those that roll follow one another, or a batch would meet others in between; and no host is left
 * out any more once the database or the users are concerned. */
static void test_some_hosts(void **state)
{
    size_t first = place_of("switch");

    (void)state;
    for (size_t i = 0; deploy_stages[i].name; i++) {
        assert_int_equal(deploy_stages[i].rolls, i >= first && i <= place_of("health"));
        assert_int_equal(deploy_stages[i].leaves_out,
                         i >= place_of("checkout") && i <= place_of("build"));
        assert_true(!deploy_stages[i].leaves_out || !deploy_stages[i].in_rollback);
    }
    assert_true(place_of("build") < place_of("backup-detect") && place_of("build") < first);
}

static void test_hook_stages(void **state)
{
    size_t n = 0;

    (void)state;
    for (; recipe_hook_stages[n]; n++) {
        assert_non_null(deploy_stages[n].name);
        assert_string_equal(recipe_hook_stages[n], deploy_stages[n].name);
    }
    assert_int_equal(n, count(deploy_stages));
}

static void test_run_init(void **state)
{
    struct arena arena = {0};
    struct run r = {.arena = &arena};

    (void)state;
    run_init(&r);
    assert_ptr_equal(r.stages, deploy_stages);
    assert_true(r.epoch > 0);
    assert_non_null(r.guard);
    arena_free(&arena);
}

static void test_event_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        assert_non_null(event_kind_words[i]);
        assert_true(is_plain_name(event_kind_words[i]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(event_kind_words[k], event_kind_words[i]);
    }
    assert_null(event_state_words[EVENT_NONE]);
    for (size_t i = EVENT_NONE + 1; i < EVENT_STATES; i++) {
        assert_non_null(event_state_words[i]);
        assert_true(is_plain_name(event_state_words[i]));
        for (size_t k = EVENT_NONE + 1; k < i; k++)
            assert_string_not_equal(event_state_words[k], event_state_words[i]);
    }
    assert_string_equal(command_word(COMMAND_DEPLOY), "deploy");
    assert_string_equal(command_word(COMMAND_ROLLBACK), "rollback");
}

static void test_commands(void **state)
{
    static const char *const wanted[] = {
        "deploy", "resume", "rollback", "abort", "status", "plan", "check",  "backups", "history",
        "exec",   "run",    "init",     "help",  "freeze", "thaw", "upload", "log",     "console"};
    size_t n = 0;

    (void)state;
    for (const struct command *c = commands; c->name; c++, n++) {
        assert_true(is_plain_name(c->name));
        assert_ptr_equal(command_find(c->name), c); /* else there are two */
        is_sentence(c->name, c->about);
        assert_non_null(c->run);
        assert_non_null(c->args);
        assert_true(c->takes != 0 && (c->takes & ~(unsigned)OPT_ALL) == 0);
        assert_int_equal(c->env == ENV_NEEDED, strncmp(c->args, "ENV", 3) == 0);
        assert_int_equal(c->env == ENV_OPTIONAL, strncmp(c->args, "[ENV]", 5) == 0);
        assert_true(c->env == ENV_NONE || c->words_max > 0);
    }
    assert_true(n >= N(wanted));
    for (size_t i = 0; i < N(wanted); i++)
        assert_non_null(command_find(wanted[i]));
    assert_null(command_find(""));
    assert_null(command_find("deplo"));
    assert_null(command_find("Deploy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stages),      cmocka_unit_test(test_stage_order),
        cmocka_unit_test(test_hook_stages), cmocka_unit_test(test_run_init),
        cmocka_unit_test(test_event_words), cmocka_unit_test(test_commands),
        cmocka_unit_test(test_some_hosts),
    };

    return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
