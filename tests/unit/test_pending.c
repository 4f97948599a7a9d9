/* What migration tools print, and what is read out of it.  Each text is the tool's own, as it
 * came or shortened by whole lines; its comment says of which version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recipe/check.h"
#include "stages/migrate/pending.h"

#include <locale.h>

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    arena = (struct arena){0};
    return 0;
}

static const char *joined(const struct strs *list)
{
    const char *s = "";

    for (size_t i = 0; i < list->n; i++)
        s = arena_printf(&arena, "%s%s%s", s, i ? "; " : "", list->v[i]);
    return s;
}

struct answer {
    enum pending_tool tool;
    const char *out;
    long n;
    const char *names;
};

static const struct answer answers[] = {
    /* rake db:migrate:status, ActiveRecord 6.1.7 */
    {PENDING_RAILS,
     "\ndatabase: shop\n\n Status   Migration ID    Migration Name\n"
     "--------------------------------------------------\n"
     "   up     20250101000000  ********** NO FILE **********\n"
     "   up     20260101000000  Create events\n"
     "  down    20260102000000  Add place to events\n"
     "  down    20260103000000  Add note to events\n\n",
     2, "20260102000000 Add place to events; 20260103000000 Add note to events"},
    {PENDING_RAILS,
     "\ndatabase: shop\n\n Status   Migration ID    Migration Name\n"
     "--------------------------------------------------\n"
     "   up     20260101000000  Create events\n"
     "   up     20260102000000  Go down Pending\n\n",
     0, ""},
    {PENDING_RAILS,
     "\ndatabase: shop\n\n Status   Migration ID    Migration Name\n"
     "--------------------------------------------------\n\n",
     0, ""},
    /* What has no file cannot be run, whatever its state. */
    {PENDING_RAILS, "  down    20250101000000  ********** NO FILE **********\n", 0, ""},
    {PENDING_RAILS, "", PENDING_UNKNOWN, ""},
    {PENDING_RAILS, "slow down please\n", PENDING_UNKNOWN, ""},

    /* manage.py showmigrations, Django 3.2.25: with --plan, with -v 2 as well, without both */
    {PENDING_DJANGO, "[X]  shop.0001_initial\n[ ]  shop.0002_note\n", 1, "shop.0002_note"},
    {PENDING_DJANGO, "[X]  shop.0001_initial\n[ ]  shop.0002_note ... (shop.0001_initial)\n", 1,
     "shop.0002_note"},
    {PENDING_DJANGO, "shop\n [X] 0001_initial\n [ ] 0002_note\n", 1, "0002_note"},
    {PENDING_DJANGO, "[X]  shop.0001_initial\n[X]  shop.0002_note\n", 0, ""},
    {PENDING_DJANGO, "(no migrations)\n", 0, ""},
    {PENDING_DJANGO, "Operations to perform:\n", PENDING_UNKNOWN, ""},

    /* php artisan migrate:status, Laravel 9 and later */
    {PENDING_LARAVEL,
     "\n  Migration name .............................................. Batch / Status  \n"
     "  0001_01_01_000000_create_users_table ............................... Pending  \n"
     "  2025_08_21_174746_create_services_table ............................ Pending  \n\n",
     2, "0001_01_01_000000_create_users_table; 2025_08_21_174746_create_services_table"},
    {PENDING_LARAVEL,
     "  Migration name ................................. Batch / Status\n"
     "  0001_01_01_000000_create_users_table .................. [1] Ran\n"
     "  2025_07_28_004514_add_original_filename_to_assignments_table [1] Ran\n",
     0, ""},
    {PENDING_LARAVEL,
     "  Migration name ................................. Batch / Status\n"
     "  2025_07_28_004752_add_original_filename_to_submissions_table Pending\n",
     1, "2025_07_28_004752_add_original_filename_to_submissions_table"},
    {PENDING_LARAVEL, "\n   INFO  No pending migrations.  \n\n", 0, ""},
    /* Laravel 5.5 to 8 */
    {PENDING_LARAVEL,
     "+------+------------------------------------------------+-------+\n"
     "| Ran? | Migration                                      | Batch |\n"
     "+------+------------------------------------------------+-------+\n"
     "| Yes  | 2014_10_12_000000_create_users_table           | 1     |\n"
     "| Yes  | 2014_10_12_100000_create_password_resets_table | 1     |\n"
     "| No   | 2019_08_19_000000_create_failed_jobs_table     |       |\n"
     "+------+------------------------------------------------+-------+\n",
     1, "2019_08_19_000000_create_failed_jobs_table"},
    /* Laravel 5.4: "No migrations found." with status 0 is also a database without the table. */
    {PENDING_LARAVEL,
     "| Ran? | Migration                            | Batch |\n"
     "| Y    | 2014_10_12_000000_create_users_table | 1     |\n"
     "| N    | 2019_08_19_000000_create_jobs_table  |       |\n",
     1, "2019_08_19_000000_create_jobs_table"},
    {PENDING_LARAVEL, "No migrations found.\n", PENDING_UNKNOWN, ""},

    /* flyway info, 6.0.8 */
    {PENDING_FLYWAY,
     "Flyway Community Edition 6.0.8 by Redgate\n"
     "Database: jdbc:mysql://127.0.0.1:3306/demo (MySQL 5.7)\nSchema version: 1.0.0\n"
     "+-----------+---------+-----------------------+----------+---------------------+----------+\n"
     "| Category  | Version | Description           | Type     | Installed On        | State    |\n"
     "+-----------+---------+-----------------------+----------+---------------------+----------+\n"
     "|           | 1.0.0   | << Flyway Baseline >> | BASELINE | 2019-11-25 20:57:33 | Baseline |\n"
     "| Versioned | 1.0.1   | create table          | SQL      | 2019-11-25 21:17:05 | Success  |\n"
     "| Versioned | 1.0.2   | insert into table     | SQL      |                     | Pending  |\n"
     "+-----------+---------+-----------------------+----------+---------------------+----------+"
     "\n",
     1, "1.0.2 insert into table"},
    /* 10.18, with one column more; a repeatable one has no version */
    {PENDING_FLYWAY,
     "Flyway OSS Edition 10.18.0 by Redgate\n\nSchema version: << Empty Schema >>\n\n"
     "+-----------+---------+-------------------------+------+--------------+---------+----------+"
     "\n"
     "| Category  | Version | Description             | Type | Installed On | State   | Undoable "
     "|\n"
     "+-----------+---------+-------------------------+------+--------------+---------+----------+"
     "\n"
     "| Versioned | 000001  |  create employees table | SQL  |              | Pending | No       "
     "|\n"
     "| Repeatable |        | People view             | SQL  |              | Pending |          "
     "|\n"
     "+-----------+---------+-------------------------+------+--------------+---------+----------+"
     "\n",
     2, "000001 create employees table; People view"},
    {PENDING_FLYWAY,
     "| Category  | Version | Description | Type | Installed On        | State   |\n"
     "| Versioned | 1.0     | add table   | SQL  | 2020-07-17 12:57:35 | Success |\n"
     "| Versioned | 1.1     | add Pending | SQL  | 2020-07-17 12:57:35 | Failed  |\n",
     1, "1.1 add Pending"},
    {PENDING_FLYWAY,
     "| Category  | Version | Description | Type | Installed On        | State        |\n"
     "| Versioned | 1.0     | add Pending | SQL  | 2020-07-17 12:57:35 | Success      |\n"
     "| Versioned | 2.0     | add table   | SQL  |                     | Above Target |\n",
     0, ""},
    {PENDING_FLYWAY,
     "| Version | Description | Installed on | State   |\n| 1 | First | | Pending |\n",
     PENDING_UNKNOWN, ""},

    /* sqitch status, 1.3.1 */
    {PENDING_SQITCH,
     "# On database db:pg:shop\n# Project:  shop\n"
     "# Change:   47e14c3a08afe9472a0b39301df15b35a0967716\n# Name:     events\n"
     "# Deployed: 2026-11-22 22:10:54 +0000\n# By:       ann <ann@example.com>\n# \n"
     "Undeployed changes:\n  * note\n  * note2 @v1\n",
     2, "note; note2"},
    {PENDING_SQITCH,
     "# On database db:pg:shop\n# Project:  shop\n# Name:     events\n# \n"
     "# Change:\n#   events - 2026-11-22 22:10:54 +0000 - ann <ann@example.com>\n# \n# Tags: "
     "None.\n# \n"
     "Nothing to deploy (up-to-date)\n",
     0, ""},
    {PENDING_SQITCH, "", PENDING_UNKNOWN, ""},

    /* alembic history; alembic current, 1.8.1 */
    {PENDING_ALEMBIC, "a1 -> a2 (head), add note\n<base> -> a1, create events\na1\n", 1,
     "a2 add note"},
    {PENDING_ALEMBIC, "<base> -> a1 (head), create events\n", 1, "a1 create events"},
    {PENDING_ALEMBIC, "<base> -> a1 (head), create events\na1 (head)\n", 0, ""},
    {PENDING_ALEMBIC, "<base> -> a1 (head) (current), create events\n", 0, ""},
    {PENDING_ALEMBIC,
     "a2 -> a3 (head), add third\na2 -> b3 (head), add branch\na1 -> a2 (branchpoint), add note\n"
     "<base> -> a1, create events\na3 (head)\n",
     1, "b3 add branch"},
    {PENDING_ALEMBIC,
     "a3, b3 -> c4 (head) (mergepoint), merge\na2 -> a3, add third\na2 -> b3, add branch\n"
     "a1 -> a2 (branchpoint), add note\n<base> -> a1, create events\na3\n",
     2, "b3 add branch; c4 merge"},
    {PENDING_ALEMBIC,
     "a3, b3 -> c4 (head) (mergepoint), merge\na2 -> a3, add third\na2 -> b3, add branch\n"
     "a1 -> a2 (branchpoint), add note\n<base> -> a1, create events\nc4 (head) (mergepoint)\n",
     0, ""},
    /* One that depends on another branch, labels, and a first paragraph of several lines */
    {PENDING_ALEMBIC,
     "x1 (a1, b9) -> x2 (head), second\nof the kind: one more -> better\n"
     "<base> -> x1 (extras, more), first\n<base> (x0) -> b9 (effective head), nine\n"
     "<base> -> a1 (shop), events\n<base> -> x0, zero\nx2 (head)\n",
     0, ""},
    {PENDING_ALEMBIC, "", PENDING_UNKNOWN, ""},
    {PENDING_ALEMBIC, "a1 (head)\n", PENDING_UNKNOWN, ""},

    {PENDING_AUTO, "  down    20260102000000  Add place to events\n", 1,
     "20260102000000 Add place to events"},
    {PENDING_AUTO, "   up     20260102000000  Make some Pending\n", 0, ""},
    {PENDING_AUTO, "[X]  shop.0001_initial\n[ ]  shop.0002_note\n", 1, "shop.0002_note"},
    {PENDING_AUTO, "| Ran? | Migration | Batch |\n| No   | 2019_08_19_create |  |\n", 1,
     "2019_08_19_create"},
    {PENDING_AUTO, "(no migrations)\n", 0, ""},
    {PENDING_AUTO, "all is well\n", PENDING_UNKNOWN, ""},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct pending_when when = {.tool = answers[i].tool};
        struct strs names = {0};
        long n = pending_read(&arena, &when, 0, answers[i].out, &names);
        if (n != answers[i].n || strcmp(joined(&names), answers[i].names) != 0)
            fail_msg("answer %zu: %ld '%s' instead of %ld '%s' in: %s", i, n, joined(&names),
                     answers[i].n, answers[i].names, answers[i].out);
        /* Whatever it printed: it failed. */
        names = (struct strs){0};
        assert_int_equal(pending_read(&arena, &when, 1, answers[i].out, &names), PENDING_UNKNOWN);
        /* The same from a program that ends its lines otherwise. */
        const char *dos = "";
        for (const char *s = answers[i].out; *s; s += strcspn(s, "\n") + 1)
            dos = arena_printf(&arena, "%s%.*s\r\n", dos, (int)strcspn(s, "\n"), s);
        names = (struct strs){0};
        assert_int_equal(pending_read(&arena, &when, 0, dos, &names), answers[i].n);
    }
}

/* No answer of one tool is read as "nothing pending" when it is taken for another's. */
static void test_mistaken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (enum pending_tool t = PENDING_RAILS; t < PENDING_OWN; t++) {
            struct strs names = {0};
            if (answers[i].n <= 0 || t == answers[i].tool || answers[i].tool == PENDING_AUTO)
                continue;
            if (pending_read(&arena, &(struct pending_when){.tool = t}, 0, answers[i].out,
                             &names) == 0)
                fail_msg("answer %zu is read by tool %d as nothing pending", i, (int)t);
        }
}

static long own(const char *output, int exit1, int exit2, int status, const char *out,
                struct strs *names)
{
    struct pending_when when = {.tool = PENDING_OWN, .output = output};

    if (exit1)
        when.exit.has[exit1] = when.exit.has[exit2] = true;
    *names = (struct strs){0};
    return pending_read(&arena, &when, status, out, names);
}

static void test_exit(void **state)
{
    struct strs names;

    (void)state;
    assert_true(own(NULL, 3, 4, 3, "anything", &names) == PENDING_SOME);
    assert_true(own(NULL, 3, 4, 4, "", &names) == PENDING_SOME);
    assert_int_equal(own(NULL, 3, 4, 0, "pending", &names), 0);
    assert_int_equal(own(NULL, 3, 4, 1, "", &names), PENDING_UNKNOWN);
    assert_int_equal(own(NULL, 3, 4, 255, "", &names), PENDING_UNKNOWN);
    assert_int_equal(names.n, 0);
}

static void test_output(void **state)
{
    struct strs names;

    (void)state;
    assert_int_equal(own("^todo: (.*)$", 0, 0, 0, "done: a\ntodo: b \ntodo:  c  d\nx", &names), 2);
    assert_string_equal(joined(&names), "b; c d");
    assert_int_equal(own("^todo: .*$", 0, 0, 0, "todo: b\n", &names), 1);
    assert_string_equal(joined(&names), "todo: b");
    assert_int_equal(own("^todo(: )?(.*)$", 0, 0, 0, "todo\n", &names), 1);
    assert_string_equal(joined(&names), "todo");
    assert_int_equal(own("^todo: (.*)$", 0, 0, 0, "done: a\n", &names), 0);
    assert_int_equal(own("^todo: (.*)$", 0, 0, 0, "", &names), 0);
    assert_int_equal(own("^todo: (.*)$", 0, 0, 1, "todo: a\n", &names), PENDING_UNKNOWN);
    /* Both: the status says whether, the lines say which. */
    assert_int_equal(own("^todo: (.*)$", 1, 2, 1, "todo: a\n", &names), 1);
    assert_string_equal(joined(&names), "a");
    assert_true(own("^todo: (.*)$", 1, 2, 1, "Connection refused\n", &names) == PENDING_SOME);
    assert_int_equal(own("^todo: (.*)$", 1, 2, 0, "", &names), 0);
    assert_int_equal(own("^todo: (.*)$", 1, 2, 0, "todo: a\n", &names), 1);
    assert_int_equal(own("^todo: (.*)$", 1, 2, 3, "todo: a\n", &names), PENDING_UNKNOWN);
    assert_int_equal(own("(", 0, 0, 0, "(\n", &names), PENDING_UNKNOWN);
}

/* Bytes that are no text, control characters, and lines without an end, in any character set. */
static void test_hostile(void **state)
{
    static const char *const locales[] = {"C", "C.UTF-8"};
    struct strs names;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(setlocale(LC_CTYPE, locales[i]));
        struct pending_when rails = {.tool = PENDING_RAILS};
        names = (struct strs){0};
        assert_int_equal(
            pending_read(&arena, &rails, 0,
                         "  down    20260102000000  Caf\xe9 \x1b[31m and \xe2\x82\xac\n", &names),
            1);
        assert_string_equal(names.v[0], "20260102000000 Caf\\xe9 \\x1b[31m and \xe2\x82\xac");
        char *longest = memset(arena_alloc(&arena, 100001), 'x', 100000);
        assert_int_equal(own("y$", 0, 0, 0, longest, &names), PENDING_UNKNOWN);
        assert_int_equal(own("^x", 0, 0, 0, longest, &names), 1);
        assert_true(names.n == 1 && strlen(names.v[0]) <= 200);
    }
    setlocale(LC_CTYPE, "C");
    char *many = memset(arena_alloc(&arena, 100001), '\n', 100000);
    assert_int_equal(own("^$", 0, 0, 0, many, &names), 100000);
    assert_int_equal(names.n, PENDING_NAMES_MAX);
    const char *history = "";
    for (int i = 0; i < 12; i++)
        history = arena_printf(&arena, "%s%s%s -> x, y\n<base> ( -> \n -> \n<base>) -> a (\n",
                               history, history, "a,");
    (void)!pending_read(&arena, &(struct pending_when){.tool = PENDING_ALEMBIC}, 0, history,
                        &names);
}

static void test_answer_is_whole(void **state)
{
    (void)state;
    assert_string_equal(pending_answer(&arena, "a\nb\nended 0\n", 0), "a\nb");
    assert_string_equal(pending_answer(&arena, "\nended 3\n", 3), "");
    assert_string_equal(pending_answer(&arena, "ended 0\n\nended 0\n", 0), "ended 0\n");
    assert_null(pending_answer(&arena, "a\nb\n", 0));
    assert_null(pending_answer(&arena, "a\nended 0", 0));
    assert_null(pending_answer(&arena, "a\nended 1\n", 0));
    assert_null(pending_answer(&arena, "", 0));
}

static void test_text(void **state)
{
    (void)state;
    assert_string_equal(pending_text(&arena, 2, "A, B"), "2 pending: A, B");
    assert_string_equal(pending_text(&arena, 0, ""), "nothing pending");
    assert_string_equal(pending_text(&arena, PENDING_UNKNOWN, NULL), "pending migrations unknown");
    assert_string_equal(pending_text(&arena, PENDING_SOME, NULL), "pending, number unknown");
}

static void test_regex(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"^ *down +(.*)$", true},
        {"[0-9]{4}_[0-9]{2}_[0-9]{2}_[0-9]{6}_[a-z]+", true},
        {"", false},
        {"(", false},
        {"a{2", false},
        {"[z-a]", false},
        {"((a{100}){100}){100}", false},
        {"(a{1,30000}){1,30000}", false},
        {"a{99999999999999999999}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        const char *expected = check_regex(&arena, &text);
        if (!expected != cases[i].ok)
            fail_msg("'%s': %s", text, expected ? expected : "taken");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_answers, teardown),
        cmocka_unit_test_teardown(test_mistaken, teardown),
        cmocka_unit_test_teardown(test_exit, teardown),
        cmocka_unit_test_teardown(test_output, teardown),
        cmocka_unit_test_teardown(test_hostile, teardown),
        cmocka_unit_test_teardown(test_answer_is_whole, teardown),
        cmocka_unit_test_teardown(test_text, teardown),
        cmocka_unit_test_teardown(test_regex, teardown),
    };

    return cmocka_run_group_tests_name("pending", tests, NULL, NULL);
}
