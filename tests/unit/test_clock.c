#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/clock.h"

#include <sys/wait.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;

/* What the scripts on hosts take for the name of a release. */
static bool is_name_on_host(const char *name)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        execl("/bin/sh", "sh", "-c",
              "eval \"$(sed -n '/^is_release_name/,/^}/p' src/host/releases.sh)\";"
              " is_release_name \"$1\"",
              "sh", name, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 0;
}

static void test_release_names(void **state)
{
    static const struct {
        const char *name;
        long long unix_s; /* -1: no release name */
    } rows[] = {
        {"19700101000000", 0},
        {"19700101000001", 1},
        {"20000229120000", 951825600},
        {"20261122153012", 1795361412},
        {"20380119031408", 2147483648},
        {"20991231235959", 4102444799},
        {"99991231235959", 253402300799},
        {"20261301000000", -1}, /* month 13 */
        {"20260001000000", -1},
        {"20260100000000", -1},
        {"20260132000000", -1},
        {"20260229000000", -1}, /* no leap year */
        {"21000229000000", -1},
        {"20240229000000", 1709164800},
        {"20260431000000", -1},
        {"20260931000000", -1},
        {"20261131000000", -1},
        {"20261031000000", 1793404800},
        {"20260230000000", -1},
        {"20261200000000", -1},
        {"20262201000000", -1},
        {"20261122300000", -1},
        {"19691231235959", -1},
        {"02026112215301", -1},
        {"20261122240000", -1},
        {"20261122156000", -1},
        {"20261122153060", -1},
        {"20261122153061", -1},
        {"20161231235960", -1}, /* a leap second has no name */
        {"00000000000000", -1},
        {"", -1},
        {"2026112215301", -1},
        {"202611221530123", -1},
        {"2026112215301a", -1},
        {"2026112215301 ", -1},
        {" 2026112215301", -1},
        {"-2026112215301", -1},
        {"+2026112215301", -1},
        {"2026-11-22 153", -1},
        {"../../../../..", -1},
        {"20261122153012\n", -1},
        {"\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0", -1}, /* other digits */
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        long long t = clock_release_time(rows[i].name);
        if (t != rows[i].unix_s)
            fail_msg("'%s': found %lld, expected %lld", rows[i].name, t, rows[i].unix_s);
        if (t >= 0)
            assert_string_equal(clock_release_name(&arena, t), rows[i].name);
        if (is_name_on_host(rows[i].name) != (t >= 0))
            fail_msg("'%s': is_release_name of releases.sh says otherwise", rows[i].name);
    }
}

static void test_release_round_trip(void **state)
{
    long long t = 0;

    (void)state;
    for (int i = 0; i < 5000; i++, t += 1234577) {
        const char *name = clock_release_name(&arena, t);
        assert_int_equal(strlen(name), 14);
        assert_int_equal(clock_release_time(name), t);
    }
}

/* Names are UTC and in the order of time, wherever the machine is. */
static void test_zone(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "XYZ-5:30", 1), 0);
    tzset();
    assert_string_equal(clock_release_name(&arena, 1795361412), "20261122153012");
    assert_int_equal(clock_release_time("20261122153012"), 1795361412);
    assert_string_equal(clock_rfc3339(&arena, 1795361412345, false), "2026-11-22T15:30:12Z");
    assert_string_equal(clock_rfc3339(&arena, 1795361412045, true), "2026-11-22T15:30:12.045Z");
    assert_string_equal(clock_of_day(&arena, 1795361412999), "21:00:12");
    assert_string_equal(clock_date(&arena, 1795361412999), "2026-11-22 21:00");
    assert_string_equal(clock_date_zoned(&arena, 1795361412999), "2026-11-22 21:00 UTC+05:30");
    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    tzset();
    assert_string_equal(clock_of_day(&arena, 1795361412999), "15:30:12");
    assert_string_equal(clock_date(&arena, 0), "1970-01-01 00:00");
    assert_string_equal(clock_date_zoned(&arena, 0), "1970-01-01 00:00 UTC");
    assert_int_equal(setenv("TZ", "XYZ3:30", 1), 0);
    tzset();
    assert_string_equal(clock_date_zoned(&arena, 1795361412999), "2026-11-22 12:00 UTC-03:30");
    assert_int_equal(setenv("TZ", "UTC0", 1), 0);
    tzset();
}

static void test_now(void **state)
{
    long long before = time(NULL);
    long long s = clock_now_ms() / 1000;

    (void)state;
    /* What time() says may be a tick behind. */
    assert_in_range(s, before, time(NULL) + 1);
}

static void test_read(void **state)
{
    static const struct {
        const char *text;
        long long t; /* -1: refused */
    } rows[] = {{"2026-12-05 08:00", 1796457600},
                {"2026-12-05T08:00", 1796457600},
                {"2026-12-05 08:00:30", 1796457630},
                {"2026-12-05T08:00:00Z", 1796457600},
                {"2026-12-05", 1796428800},
                {"08:00", 1796457600},
                {"07:59", 1796457600 + 86340},
                {"tomorrow", -1},
                {"2026-13-05", -1},
                {"08:00Z", -1},
                {"", -1}};
    const long long now = 1796457599; /* 2026-12-05 07:59:59 */

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < N(rows); i++)
        if (clock_read(rows[i].text, now) != rows[i].t)
            fail_msg("'%s' is %lld", rows[i].text, clock_read(rows[i].text, now));
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_release_names, teardown),
        cmocka_unit_test_teardown(test_release_round_trip, teardown),
        cmocka_unit_test_teardown(test_zone, teardown),
        cmocka_unit_test_teardown(test_now, teardown),
        cmocka_unit_test_teardown(test_read, teardown),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
