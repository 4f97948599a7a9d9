/* When deploys are allowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forecast/window.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum { HOUR = 3600, DAY = 86400 };

/* Monday, 2026-11-30 00:00 UTC. */
static const long long monday = 1795996800;

static void test_days(void **state)
{
    static const struct {
        const char *text;
        unsigned days; /* 0: refused */
    } rows[] = {
        {"mon", 1},         {"sun", 64},     {"mon-fri", 31}, {"sat,sun", 96}, {"fri-mon", 0x71},
        {"mon-sun", 127},   {"mon, wed", 5}, {"", 0},         {"mo", 0},       {"monday", 0},
        {"mon-", 0},        {"-fri", 0},     {"mon,", 0},     {"mon--fri", 0}, {"Mon", 0},
        {"mon-tue-wed", 0}, {"mon;tue", 0},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        unsigned days = 0;
        bool ok = window_days(rows[i].text, &days);
        if (ok != (rows[i].days != 0) || (ok && days != rows[i].days))
            fail_msg("'%s' is %x", rows[i].text, days);
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int minute; /* -1: refused */
    } rows[] = {{"00:00", 0},  {"09:30", 570}, {"9:30", 570},  {"24:00", 1440}, {"24:01", -1},
                {"25:00", -1}, {"12:60", -1},  {"12", -1},     {"12:5", -1},    {"-1:00", -1},
                {":30", -1},   {"", -1},       {"12:30x", -1}, {"12:300", -1}};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        int minute = -1;
        bool ok = window_time(rows[i].text, &minute);
        if (ok != (rows[i].minute >= 0) || minute != rows[i].minute)
            fail_msg("'%s' is %d", rows[i].text, minute);
    }
}

static void test_open(void **state)
{
    static const struct {
        unsigned days;
        int from;
        int to;
        long east; /* hours */
        long long at;
        bool open;
        long long opens; /* after monday's midnight, in seconds */
    } rows[] = {
        {31, 540, 990, 0, 9 * HOUR, true, DAY + 9 * HOUR},
        {31, 540, 990, 0, 9 * HOUR - 1, false, 9 * HOUR},
        {31, 540, 990, 0, 16 * HOUR + 1799, true, DAY + 9 * HOUR},
        {31, 540, 990, 0, 16 * HOUR + 1800, false, DAY + 9 * HOUR},
        {31, 540, 990, 1, 8 * HOUR, true, DAY + 8 * HOUR},
        {31, 540, 990, 1, 7 * HOUR, false, 8 * HOUR},
        {31, 540, 990, 0, 5 * DAY + 10 * HOUR, false, 7 * DAY + 9 * HOUR},
        {127, 0, 1440, 0, 23 * HOUR + 3599, true, DAY},
        /* over midnight: Friday 22:00 to Saturday 04:00 */
        {16, 1320, 240, 0, 4 * DAY + 23 * HOUR, true, 11 * DAY + 22 * HOUR},
        {16, 1320, 240, 0, 5 * DAY + 3 * HOUR, true, 11 * DAY + 22 * HOUR},
        {16, 1320, 240, 0, 5 * DAY + 4 * HOUR, false, 11 * DAY + 22 * HOUR},
        {16, 1320, 240, 0, 4 * DAY + 3 * HOUR, false, 4 * DAY + 22 * HOUR},
    };
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct window_times w = {rows[i].days, rows[i].from, rows[i].to};
        const struct zone *zone = zone_fixed(&a, rows[i].east * HOUR);
        if (window_is_open(&w, zone, monday + rows[i].at) != rows[i].open)
            fail_msg("row %zu is %sopen", i, rows[i].open ? "not " : "");
        assert_int_equal(window_opens(&w, zone, monday + rows[i].at) - monday, rows[i].opens);
    }
    /* From the end of a day to the same moment. */
    const struct window_times none = {127, 1440, 0};
    assert_int_equal(window_opens(&none, zone_fixed(&a, 0), monday), -1);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_open),
    };

    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
