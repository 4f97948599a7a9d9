/* What the watch beside a migration prints, and what people are shown of it. */
#include "stages/migrate/blockers.h"
#include "db/client.h"
#include "stages/migrate/leftovers.h"
#include "db/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SEP "\037"

static void row(void **state)
{
    (void)state;
    struct arena a = {0};
    struct blocker b;
    const char *line =
        "blocker" SEP "4711" SEP "session" SEP "3/271" SEP "1700000000000001" SEP "95" SEP "web" SEP
        "console" SEP "idle in transaction" SEP "yes" SEP "4" SEP "relation" SEP "select 1";

    assert_true(blocker_read(&a, line, &b));
    assert_string_equal(b.kind, "session");
    assert_int_equal(b.pid, 4711);
    assert_string_equal(b.vxid, "3/271");
    assert_string_equal(b.start, "1700000000000001");
    assert_int_equal(b.running_s, 95);
    assert_string_equal(b.waits_for, "relation");
    assert_int_equal(b.behind, 4);
    assert_true(b.may_stop);
    assert_string_equal(blocker_text(&a, &b),
                        "'console' of web, pid 4711, idle in transaction for 1 min 35 s: select 1");
    arena_free(&a);
}

/* What does not look like PostgreSQL's own goes nowhere, least of all into SQL again. */
static void hostile_rows(void **state)
{
    (void)state;
    struct arena a = {0};
    struct blocker b;
    static const char *const none[] = {"",
                                       "blocker",
                                       "blocker" SEP "x" SEP "session",
                                       "blocker" SEP "1" SEP,
                                       "blocker" SEP "1" SEP "x'; drop",
                                       "blocker" SEP "1;2" SEP "session",
                                       "cancelled" SEP "1" SEP "time" SEP "0" SEP "t",
                                       "blocker" SEP "99999999999999999999999" SEP "session"};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(blocker_read(&a, none[i], &b));
    assert_true(blocker_read(&a,
                             "blocker" SEP "1" SEP "session" SEP "1/2' or '1" SEP "1 or 1" SEP
                             "-5" SEP SEP SEP "ac\033tive" SEP "maybe" SEP "-1" SEP "x;y",
                             &b));
    assert_string_equal(b.vxid, "");
    assert_string_equal(b.start, "");
    assert_int_equal(b.running_s, -1);
    assert_string_equal(b.state, "");
    assert_string_equal(b.waits_for, "");
    assert_int_equal(b.behind, 0);
    assert_false(b.may_stop);
    assert_string_equal(blocker_text(&a, &b), "a session, pid 1");
    b.pid = 0;
    assert_non_null(strstr(blocker_text(&a, &b), "prepared"));
    arena_free(&a);
}

static void statement(void **state)
{
    (void)state;
    struct arena a = {0};
    static const struct {
        const char *query, *shown;
    } cases[] = {
        {"", ""},
        {"select 1;", "select 1"},
        {"  select\n\t1 ;  ", "select 1"},
        {"select * from users where name = 'Ann' and id = 3",
         "select * from users where name = '...' and id = 3"},
        {"alter role web password 'secret", "alter role web password '...'"},
        {"select 'it''s' || x", "select '...' || x"},
        {"select E'a\\'b' || x", "select E'...' || x"},
        {"select 'a\\' || x", "select '...' || x"},
        {"do $$ begin perform 'x'; end $$", "do '...'"},
        {"do $body$ secret $$ more $body$ language x", "do '...' language x"},
        {"do $body$ secret", "do '...'"},
        {"select $1 + $2", "select $1 + $2"},
        {"select \"a b\"", "select \"a b\""},
        {"select\x01\x1b[31mred\x7f", "select [31mred"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(blocker_statement(&a, cases[i].query), cases[i].shown);
    const char *text = "";
    for (size_t i = 0; i < 100; i++)
        text = arena_printf(&a, "%s\xc3\xa9", text);
    const char *shown = blocker_statement(&a, arena_printf(&a, "x%s", text));
    assert_true(strlen(shown) <= 130);
    assert_string_equal(shown + strlen(shown) - 3, "...");
    assert_int_equal(strlen(shown) - 3, 119); /* not half of a character */
    arena_free(&a);
}

static void asked(void **state)
{
    (void)state;
    struct arena a = {0};
    struct waits w = {
        .own = "crelease-k7f2", .version = 150000, .limit_ms = 1000, .max_blocked = -1};

    const char *sql = server_postgresql.waits(&a, &w);
    assert_non_null(strstr(sql, "waitstart"));
    assert_non_null(strstr(sql, "backend_type"));
    assert_non_null(strstr(sql, "interval '1000 ms'"));
    assert_non_null(strstr(sql, "w.behind > 2147483647")); /* no limit */
    w.max_blocked = 3;
    w.version = 90600;
    sql = server_postgresql.waits(&a, &w);
    assert_null(strstr(sql, "waitstart"));
    assert_null(strstr(sql, "backend_type"));
    assert_non_null(strstr(sql, "w.behind > 3"));
    arena_free(&a);
}

static void leftovers(void **state)
{
    (void)state;
    struct arena a = {0};
    struct leftovers before = {.known = true};
    struct leftovers now = {.known = true};

    strs_add(&a, &before.v, "index" SEP "public.old");
    strs_add(&a, &now.v, "index" SEP "public.old");
    assert_int_equal(leftovers_new(&a, &before, &now).n, 0);
    strs_add(&a, &now.v, "detach" SEP "public.parts" SEP "public.\"P 1\"");
    struct strs new = leftovers_new(&a, &before, &now);
    assert_int_equal(new.n, 1);
    assert_non_null(strstr(leftover_text(&a, new.v[0]),
                           "ALTER TABLE public.parts DETACH PARTITION public.\"P 1\" FINALIZE;"));
    assert_non_null(
        strstr(leftover_text(&a, before.v.v[0]), "DROP INDEX CONCURRENTLY public.old;"));
    before.known = false;
    assert_int_equal(leftovers_new(&a, &before, &now).n, 0);
    assert_null(leftovers_exists_line(
        &a, &server_postgresql, "all well\nNOTICE:  relation \"x\" already exists, skipping\n"));
    assert_string_equal(
        leftovers_exists_line(&a, &server_postgresql,
                              "rake aborted!\nPG::DuplicateColumn: FEHLER: Spalte\n"),
        "PG::DuplicateColumn: FEHLER: Spalte");
    arena_free(&a);
}

/* Rows of a whole schema: what has changed is named once, as closely as it is known. */
static void schemas(void **state)
{
    (void)state;
    struct arena a = {0};
    struct leftovers before = {.known = true};
    struct leftovers now = {.known = true};
    static const char *const was[] = {"table" SEP "a" SEP "1", "table" SEP "b" SEP "1",
                                      "table" SEP "c" SEP "1", "column" SEP "a.id" SEP "1",
                                      "column" SEP "b.id" SEP "1"};
    static const char *const is[] = {"table" SEP "a" SEP "2",        "table" SEP "b" SEP "2",
                                     "table" SEP "d" SEP "1",        "column" SEP "a.id" SEP "1",
                                     "column" SEP "a.place" SEP "1", "column" SEP "b.id" SEP "1",
                                     "column" SEP "d.id" SEP "1",    "routine" SEP "r" SEP "1"};
    static const char *const told[] = {"column a.place is new", "routine r is new",
                                       "table b was changed", "table c is gone", "table d is new"};

    for (size_t i = 0; i < sizeof was / sizeof *was; i++)
        strs_add(&a, &before.v, was[i]);
    for (size_t i = 0; i < sizeof is / sizeof *is; i++)
        strs_add(&a, &now.v, is[i]);
    assert_int_equal(leftovers_new(&a, &before, &before).n, 0);
    struct strs new = leftovers_new(&a, &before, &now);
    assert_int_equal(new.n, sizeof told / sizeof *told);
    for (size_t i = 0; i < new.n; i++)
        assert_string_equal(leftover_text(&a, new.v[i]), told[i]);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row),   cmocka_unit_test(hostile_rows), cmocka_unit_test(statement),
        cmocka_unit_test(asked), cmocka_unit_test(leftovers),    cmocka_unit_test(schemas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
