/* What hosts and databases answer about backups, as it is read: whatever they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/client.h"
#include "stages/backup/progress.h"
#include "stages/backup/rerun.h"
#include "stages/backup/sampled.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"

#define LINE                                                                                       \
    "1\t1795361412\tclient\tabc123\tpg_dump\t4711\tshop\tann\tpolicy\tbob@x\tincomplete\t/b/"      \
    "shop.sql"

static struct arena a;

static int teardown(void **state)
{
    (void)state;
    arena_free(&a);
    return 0;
}

static void record(void **state)
{
    (void)state;
    struct stopped s = {.pid = -7};
    static const char *const none[] = {
        "",
        "1",
        "\t",
        "\t\t\t\t\t\t\t\t\t\t\t",
        "1\t1795361412",
        "2\t1795361412\tclient\tabc\tpg_dump\t1\ta\tb\tc\td\te\tf", /* another version's */
        "1\t1795361412\tclient\tabc\tpg_dump\t1\ta\tb\tc\td\te",    /* a field is missing */
        "1\tx\tclient\tabc\tpg_dump\t1\ta\tb\tc\td\te\tf",
        "1\t-5\tclient\tabc\tpg_dump\t1\ta\tb\tc\td\te\tf",
        "1\t99999999999999999999\tclient\tabc\tpg_dump\t1\ta\tb\tc\td\te\tf",
        "1\t1795361412\tclient\tabc\tpg_dump\t99999999999\ta\tb\tc\td\te\tf",
        "1\t1795361412\tclient\tabc\tpg_dump\t\ta\tb\tc\td\te\tf",
        "1\t1795361412\tclient\tabc\tpg_dump\t1 2\ta\tb\tc\td\te\tf",
    };

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (stop_read(&a, none[i], &s) || s.pid != -7)
            fail_msg("'%s' is taken for a record", none[i]);
    assert_true(stop_read(&a, LINE, &s));
    assert_int_equal(s.pid, 4711);
    assert_int_equal(s.unix_s, 1795361412);
    assert_string_equal(s.output, "/b/shop.sql");
    assert_string_equal(s.by, "bob@x");
    assert_null(s.again);
    /* A path is what is left, whatever it has in it. */
    assert_true(stop_read(&a, "1\t1\t\t\t\t1\t\t\t\t\t\t/a\tb\033[31m", &s));
    assert_string_equal(s.output, "/a\tb\033[31m");
    assert_true(stop_read(&a, "1\t1\tclient\tr\tk\t1\td\tu\tw\tb\t-\t-", &s));
    assert_null(s.output);
    char *is_long = arena_alloc(&a, 100001);
    memset(is_long, 'x', 100000);
    assert_true(stop_read(
        &a, arena_printf(&a, "1\t1\tclient\tr\t%s\t1\td\tu\tw\tb\t-\t%s", is_long, is_long), &s));
}

static void started_again(void **state)
{
    (void)state;
    struct stopped v[3] = {{.run = "one"}, {.run = "two"}, {.run = "two"}};
    struct stops all = {.v = v, .n = 3};
    static const char *const none[] = {"",
                                       "two",
                                       "two running",
                                       "two running -",
                                       "two running - x",
                                       "two running - -1",
                                       "two running - 9999999999999999",
                                       "three running - 1",
                                       "two running - 1 2",
                                       "\033 \033 \033 1"};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        stop_read_rerun(&a, none[i], &all);
        if (v[0].again || v[1].again || v[2].again)
            fail_msg("'%s' is taken", none[i]);
    }
    stop_read_rerun(&a, "two ended 3 1795361412", &all);
    assert_null(v[1].again);
    assert_string_equal(v[2].again, "ended");
    assert_int_equal(v[2].again_status, 3);
    assert_int_equal(v[2].again_unix, 1795361412);
    stop_read_rerun(&a, "two ended 99999 1795361412", &all);
    assert_int_equal(v[2].again_status, -1);
    stop_read_rerun(&a, "two ended timeout 1795361412", &all);
    assert_int_equal(v[2].again_status, -1);
}

static void line_of_the_crontab(void **state)
{
    (void)state;
    static const struct {
        const char *lines[4];
        int which; /* -1: none */
    } rows[] = {
        {{NULL}, -1},
        {{"pg_dump shop"}, 0},
        {{"/opt/backup.sh"}, 0},
        {{"pg_dumpall >/b"}, 0},
        {{"pg_dump $DB"}, 0},
        {{"export PGDATABASE='shop'\npg_dump"}, 0},
        {{"pg_dump neighbour"}, -1}, /* the only one, and another's */
        {{"pg_dump shop_test"}, -1},
        {{"pg_dump my-shop"}, -1},
        {{"pg_dump neighbour", "pg_dump shop"}, 1},
        {{"pg_dump shop_test", "pg_dump -Fc -dshop"}, 1},
        {{"pg_dump shop_test", "pg_dump --dbname=shop"}, 1},
        {{"pg_dump shop_test", "pg_dump postgresql:///shop?user=x"}, 1},
        {{"pg_dump shop", "pg_dump -s shop"}, -1},
        {{"/opt/a.sh", "/opt/b.sh"}, -1},
        {{"/opt/a.sh", "pg_dump shop"}, 1},
        {{"/opt/a.sh", "pg_dump neighbour"}, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct start v[4] = {0};
        struct schedule next = {.v = v};
        const char *why;
        for (; next.n < 4 && rows[i].lines[next.n]; next.n++)
            v[next.n] = (struct start){.text = rows[i].lines[next.n], .blocks = BLOCKS_YES};
        const char *want = rows[i].which < 0 ? NULL : rows[i].lines[rows[i].which];
        if (rerun_line(&next, "shop", &why) != want)
            fail_msg("row %zu: '%s'", i, rows[i].lines[0]);
        assert_non_null(why);
    }
    const char *why;
    struct start one = {.text = "pg_dump shop", .blocks = BLOCKS_YES};
    assert_null(
        rerun_line(&(struct schedule){.v = &one, .n = 1, .why = "not allowed"}, "shop", &why));
    assert_string_equal(why, "not allowed");
    assert_null(rerun_line(&(struct schedule){.v = &one, .n = 1}, "", &why));
    one.blocks = BLOCKS_MAYBE;
    assert_null(rerun_line(&(struct schedule){.v = &one, .n = 1}, "shop", &why));
    one = (struct start){.blocks = BLOCKS_YES}; /* another user's */
    assert_null(rerun_line(&(struct schedule){.v = &one, .n = 1}, "shop", &why));
}

static void host_of_a_backup(void **state)
{
    (void)state;
    struct backup b = {.kind = BACKUP_PG_DUMP, .database = "my shop"};
    struct trace t = {.bytes = -1, .age_s = -1};

    trace_read(&a, &t, &b, "");
    assert_int_equal(t.bytes, -1);
    assert_null(t.path);
    assert_int_equal(t.n_past, 0);
    trace_read(
        &a, &t, &b,
        "output\noutput \noutputs 5 /x\noutput -5 /b\npast\npast \npast 1\npast 1 2 3\n"
        "past 1 1795361412 10 20 30 pg_dump my\npast 2 1795361412 10 20 30 pg_dump my shop\n"
        "past 1 x 10 20 30 pg_dump my shop\npast 1 99999999999999999999 10 20 30 pg_dump my shop\n"
        "past 1 1795361412 10 20 30 pg_dumpall my shop\nearlier\nearlier - - -\nearlier 0 1 "
        "2\nearlier 10 - -\n");
    assert_int_equal(t.bytes, -1);
    assert_int_equal(t.n_past, 0);
    trace_read(&a, &t, &b,
               "output 12345 /b/a  b\033[31m \npast 1 1795361412 10 - - pg_dump my shop\nearlier "
               "10 1795361412 1795361422\n"
               "earlier 10 1795361422 1795361412\nearlier 10 - 1795361422\nno end");
    assert_int_equal(t.bytes, 12345);
    assert_string_equal(t.path, "/b/a  b\033[31m ");
    assert_int_equal(t.n_past, 4);
    assert_int_equal(t.past[0].seconds, 10);
    assert_int_equal(t.past[0].bytes, -1);
    assert_int_equal(t.past[1].seconds, 10);
    assert_int_equal(t.past[2].seconds, -1); /* changed before it was made */
    assert_int_equal(t.past[3].seconds, -1);
    /* For how long it has run: the database does not tell everybody, its host does. */
    assert_int_equal(t.age_s, -1);
    b.running_s = -1;
    trace_read(&a, &t, &b, "age 77\noutput 12345 /b/a\n");
    assert_int_equal(t.age_s, 77);
    assert_int_equal(t.bytes_s, 77);
    trace_read(&a, &t, &b, "age -5\n");
    assert_int_equal(t.age_s, -1);
    /* Files that are written anew under their old names, night by night. */
    trace_read(&a, &t, &b, "earlier 10 1000 700000\nearlier 11 86000 600000\n");
    assert_int_equal(t.n_past, 2);
    assert_int_equal(t.past[0].seconds + t.past[1].seconds, -2);
    b.since_unix = 700000;
    trace_read(&a, &t, &b, "output 5 /b/a\nbirth 1000\nearlier 11 86000 600000\n");
    assert_int_equal(t.past[0].seconds, -1);
    trace_read(&a, &t, &b, "output 5 /b/a\nbirth 700001\nearlier 11 599000 600000\n");
    assert_int_equal(t.past[0].seconds, 1000);
    /* No end to them. */
    struct buf many = buf_make(1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_puts(&many, "earlier 10 1795361412 1795361422\n");
    trace_read(&a, &t, &b, many.text);
    buf_free(&many);
    assert_true(t.n_past <= 100);
}

static void a_sample_of_tables(void **state)
{
    (void)state;
    struct strs rows = {0};
    static const char *const lines[] = {
        "version\037150000",
        "table\037public.\"A b\"\0371000000",
        "table\037public.a\0373000000",
        "table\037public.ab\0372000000",
        "table\037public.z\0371000000",
        "table\037public.bad\037-5",
        "table",
        "text\037public.a\0379000000",
        "text\037public.\"A b\"\037500000",
        "text\037public.a\0371",
        "text\037public.nowhere\0371000000000",
        "text\037public.ab\0374000000",
        "text\037public.z\037",
        "text",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        strs_add(&a, &rows, lines[i]);
    const struct sampled *s = sampled_read(&a, &rows);
    assert_non_null(s);
    assert_int_equal(s->n, 4);
    assert_int_equal(s->all, 14500000); /* of z what it has on disk */
    assert_int_equal(sampled_done(s, "COPY public.\"A b\" (id) TO stdout", 300), 300);
    assert_int_equal(sampled_done(s, "COPY \"public\".\"a\" (id) TO stdout", 7), 500007);
    assert_int_equal(sampled_done(s, "COPY public.a (id) TO stdout", -1), 5000000);
    assert_int_equal(sampled_done(s, "COPY public.ab (id) TO stdout", 99999999), 13500000);
    assert_int_equal(sampled_done(s, "COPY public.z (id, ...", 0), 13500000);
    assert_int_equal(sampled_done(s, "COPY public.\"a b\" (id) TO stdout", 7), -1);
    static const char *const none[] = {"COPY public.nowhere (id) TO stdout",
                                       "COPY public.",
                                       "COPY ",
                                       "FETCH 100 FROM _pg_dump_cursor",
                                       "",
                                       NULL};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(sampled_done(s, none[i], 5), -1);
    /* Of most of what there is nothing is known. */
    rows.n = 8;
    assert_null(sampled_read(&a, &rows));
    rows.n = 0;
    assert_null(sampled_read(&a, &rows));
}

static void numbers(void **state)
{
    (void)state;
    static const char *const none[] = {
        "", "-1", "1.5", " 1", "1 ", "x", "1e9", "9999999999999", "99999999999999999999999"};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(db_seconds(none[i]), -1);
    assert_int_equal(db_seconds("0"), 0);
    assert_int_equal(db_seconds("999999999999"), 999999999999);
    assert_string_equal(db_field(&a, "a\037b", 1), "b");
    assert_string_equal(db_field(&a, "a\037b", 2), "");
    assert_string_equal(db_field(&a, "", 5), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(record, teardown),
        cmocka_unit_test_teardown(started_again, teardown),
        cmocka_unit_test_teardown(line_of_the_crontab, teardown),
        cmocka_unit_test_teardown(host_of_a_backup, teardown),
        cmocka_unit_test_teardown(a_sample_of_tables, teardown),
        cmocka_unit_test_teardown(numbers, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
