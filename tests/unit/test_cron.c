/* Times of cron lines in zones of tzdata; what the C library says of a zone is the measure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forecast/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static size_t read_zone(const char *name, unsigned char *bytes, size_t max)
{
    FILE *f = fopen(arena_printf(&arena, "/usr/share/zoneinfo/%s", name), "rb");

    assert_non_null(f);
    size_t n = fread(bytes, 1, max, f);
    fclose(f);
    return n;
}

static struct zone *zone_named(const char *name)
{
    unsigned char bytes[8192];
    struct zone *zone = zone_read(&arena, bytes, read_zone(name, bytes, sizeof bytes));

    assert_non_null(zone);
    return zone;
}

static const char *const zones[] = {"UTC",
                                    "Europe/Berlin",
                                    "Europe/Dublin",
                                    "America/New_York",
                                    "America/Sao_Paulo",
                                    "Australia/Lord_Howe",
                                    "Pacific/Apia",
                                    "Asia/Kathmandu",
                                    "Africa/Casablanca",
                                    "America/Santiago",
                                    "America/Nuuk"};

static void offsets(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(zones); i++) {
        struct zone *zone = zone_named(zones[i]);
        setenv("TZ", zones[i], 1);
        tzset();
        for (long long t = 0; t < 4102444800; t += 37 * 3599) {
            time_t at = (time_t)t;
            struct tm tm;
            localtime_r(&at, &tm);
            if (zone_offset(zone, t) != tm.tm_gmtoff)
                fail_msg("%s at %lld: %ld instead of %ld", zones[i], t, zone_offset(zone, t),
                         tm.tm_gmtoff);
        }
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

static void dates(void **state)
{
    (void)state;
    for (long long day = -200000; day < 200000; day += 7) {
        long long year;
        int month;
        int of_month;
        zone_date(day, &year, &month, &of_month);
        assert_int_equal(zone_days(year, month, of_month), day);
        assert_in_range(month, 1, 12);
        assert_in_range(of_month, 1, 31);
    }
    assert_int_equal(zone_days(1970, 1, 1), 0);
    assert_int_equal(zone_days(2000, 2, 29), 11016);
}

/* Every beginning of a file, and every byte of it changed, is read or refused. */
static void broken_zones(void **state)
{
    (void)state;
    unsigned char bytes[8192];
    size_t len = read_zone("Europe/Berlin", bytes, sizeof bytes);

    for (size_t n = 0; n < len; n++) {
        unsigned char *part = malloc(n + 1);
        assert_non_null(part);
        memcpy(part, bytes, n);
        assert_null(zone_read(&arena, part, n));
        free(part);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char was = bytes[i];
        for (int with = 0; with < 256; with += 51) {
            bytes[i] = (unsigned char)with;
            struct zone *zone = zone_read(&arena, bytes, len);
            struct cron_line line;
            long long next = -1;
            if (zone && cron_parse(&arena, "30 2 * * *", false, &line) == CRON_COMMAND)
                next = cron_next(&line, zone, 1774730000);
            assert_true(next < 0 || next > 1774730000);
        }
        bytes[i] = was;
        arena_free(&arena);
    }
}

/* "2026-03-29 02:30" in UTC. */
static long long utc(const char *text)
{
    int v[6] = {0};

    assert_true(sscanf(text, "%d-%d-%d %d:%d:%d", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) >= 5);
    return zone_days(v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5];
}

static const char *shown(long long t)
{
    long long year;
    int month;
    int day;

    if (t < 0)
        return "never";
    zone_date(t / 86400, &year, &month, &day);
    return arena_printf(&arena, "%04lld-%02d-%02d %02d:%02d%s", year, month, day,
                        (int)(t % 86400 / 3600), (int)(t % 3600 / 60), t % 60 ? ":xx" : "");
}

static void next_starts(void **state)
{
    (void)state;
    static const struct {
        const char *zone;
        const char *line;
        const char *after; /* UTC */
        const char *next;  /* UTC */
    } rows[] = {
        {"UTC", "0 2 * * *", "2026-11-22 01:56", "2026-11-22 02:00"},
        {"UTC", "0 2 * * *", "2026-11-22 02:00", "2026-11-23 02:00"},
        {"UTC", "0 2 * * *", "2026-11-22 01:59:59", "2026-11-22 02:00"},
        {"UTC", "* * * * *", "2026-11-22 02:00:01", "2026-11-22 02:01"},
        {"UTC", "*/15 * * * *", "2026-11-22 02:01", "2026-11-22 02:15"},
        {"UTC", "5-59/20 * * * *", "2026-11-22 02:26", "2026-11-22 02:45"},
        {"UTC", "0 1,13 * * *", "2026-11-22 02:00", "2026-11-22 13:00"},
        {"UTC", "59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"},
        {"UTC", "0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"},
        {"UTC", "0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"},
        {"UTC", "0 0 30 2 *", "2026-01-01 00:00", "never"},
        {"UTC", "0 0 31 * *", "2026-11-01 00:00", "2026-12-31 00:00"},
        {"UTC", "0 3 * jan,Jul *", "2026-02-01 00:00", "2026-07-01 03:00"},
        /* 2026-11-22 is a Sunday. */
        {"UTC", "0 3 * * 7", "2026-11-22 00:00", "2026-11-22 03:00"},
        {"UTC", "0 3 * * 0", "2026-11-22 00:00", "2026-11-22 03:00"},
        {"UTC", "0 3 * * sun", "2026-11-22 00:00", "2026-11-22 03:00"},
        {"UTC", "0 3 * * mon-fri", "2026-11-21 00:00", "2026-11-23 03:00"},
        {"UTC", "0 3 * * 5-7", "2026-11-22 04:00", "2026-11-27 03:00"},
        {"UTC", "0 3 13 * 5", "2026-11-22 00:00", "2026-11-27 03:00"}, /* either */
        {"UTC", "0 3 25 * 5", "2026-11-22 00:00", "2026-11-25 03:00"},
        {"UTC", "0 3 13 * *", "2026-11-22 00:00", "2026-12-13 03:00"},
        {"UTC", "0 3 */2 * 1", "2026-11-22 00:00", "2026-11-23 03:00"}, /* '*' with a step: both */
        {"UTC", "0 3 */2 * 2", "2026-11-24 04:00", "2026-12-01 03:00"},
        {"UTC", "@daily", "2026-11-22 00:00", "2026-11-23 00:00"},
        {"UTC", "@midnight x", "2026-11-22 00:00", "2026-11-23 00:00"},
        {"UTC", "@hourly", "2026-11-22 00:00", "2026-11-22 01:00"},
        {"UTC", "@weekly", "2026-11-22 00:00", "2026-11-29 00:00"},
        {"UTC", "@monthly", "2026-11-22 00:00", "2026-12-01 00:00"},
        {"UTC", "@yearly", "2026-11-22 00:00", "2027-01-01 00:00"},
        {"UTC", "@annually", "2026-11-22 00:00", "2027-01-01 00:00"},
        {"UTC", "@reboot", "2026-11-22 00:00", "never"},
        /* The host's zone, not ours. */
        {"Europe/Berlin", "0 2 * * *", "2026-11-22 00:00", "2026-11-22 01:00"},
        {"Europe/Berlin", "0 2 * * *", "2026-07-22 00:30", "2026-07-23 00:00"},
        {"America/New_York", "0 22 * * *", "2026-11-22 00:00", "2026-11-22 03:00"},
        {"Asia/Kathmandu", "0 0 * * *", "2026-11-22 00:00", "2026-11-22 18:15"},
        /* Clocks go from 02:00 to 03:00 at 01:00 UTC. */
        {"Europe/Berlin", "30 2 * * *", "2026-03-28 12:00", "2026-03-29 01:00"},
        {"Europe/Berlin", "30 2 * * *", "2026-03-29 01:00", "2026-03-30 00:30"},
        {"Europe/Berlin", "0 3 * * *", "2026-03-28 12:00", "2026-03-29 01:00"},
        {"Europe/Berlin", "*/30 2 * * *", "2026-03-28 12:00", "2026-03-30 00:00"},
        {"Europe/Berlin", "*/30 * * * *", "2026-03-29 00:30", "2026-03-29 01:00"},
        /* From 03:00 back to 02:00 at 01:00 UTC. */
        {"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", "2026-10-25 00:30"},
        {"Europe/Berlin", "30 2 * * *", "2026-10-25 00:30", "2026-10-26 01:30"},
        {"Europe/Berlin", "30 * * * *", "2026-10-25 00:30", "2026-10-25 01:30"},
        {"Europe/Berlin", "*/30 2 * * *", "2026-10-25 00:30", "2026-10-25 01:00"},
        /* Half an hour. */
        {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03 12:00", "2026-10-03 15:30"},
        /* Midnight is skipped. */
        {"America/Santiago", "0 0 * * *", "2026-09-05 12:00", "2026-09-06 04:00"},
        /* A day that was left out altogether: 24 hours are no summer time. */
        {"Pacific/Apia", "0 12 30 12 *", "2011-12-01 00:00", "2012-12-29 22:00"},
    };

    for (size_t i = 0; i < N(rows); i++) {
        struct cron_line line;
        assert_int_equal(cron_parse(&arena, rows[i].line, false, &line), CRON_COMMAND);
        const char *next = shown(cron_next(&line, zone_named(rows[i].zone), utc(rows[i].after)));
        if (strcmp(next, rows[i].next) != 0)
            fail_msg("'%s' in %s after %s: %s instead of %s", rows[i].line, rows[i].zone,
                     rows[i].after, next, rows[i].next);
    }
}

static void lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has_user;
        enum cron_kind kind;
        const char *user; /* of a setting: its name */
        const char *command;
    } rows[] = {
        {"", false, CRON_NOTHING, NULL, NULL},
        {"  \t ", false, CRON_NOTHING, NULL, NULL},
        {"# 0 2 * * * x", false, CRON_NOTHING, NULL, NULL},
        {"  # x=y", false, CRON_NOTHING, NULL, NULL},
        {"MAILTO=ann@example.com", false, CRON_SETTING, "MAILTO", "ann@example.com"},
        {"CRON_TZ = Europe/Berlin ", false, CRON_SETTING, "CRON_TZ", "Europe/Berlin"},
        {"\"A\"='b c'", true, CRON_SETTING, "A", "b c"},
        {"MAILTO=\"\"", true, CRON_SETTING, "MAILTO", ""},
        {"=x", true, CRON_WRONG, NULL, NULL},
        {"0 2 * * * pg_dump shop | gzip > /b/shop.gz", false, CRON_COMMAND, NULL,
         "pg_dump shop | gzip > /b/shop.gz"},
        {"0 2 * * *\tpostgres  pg_dump  shop ", true, CRON_COMMAND, "postgres", "pg_dump  shop"},
        {"\t0 2 * * * postgres pg_dump\r", true, CRON_COMMAND, "postgres", "pg_dump"},
        {"0 2 * * * postgres", true, CRON_WRONG, NULL, NULL},
        {"0 2 * * *", false, CRON_COMMAND, NULL, ""},
        {"0 2 * * * f=$(date +\\%F) x", false, CRON_COMMAND, NULL, "f=$(date +%F) x"},
        {"0 2 * * * x $(date +%F).gz", false, CRON_COMMAND, NULL, "x $(date +"},
        {"@daily postgres x=1", true, CRON_COMMAND, "postgres", "x=1"},
        {"-0 2 * * * root x", true, CRON_COMMAND, "root", "x"},
        {"@fortnightly x", false, CRON_WRONG, NULL, NULL},
        {"60 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"0 24 * * * x", false, CRON_WRONG, NULL, NULL},
        {"0 2 0 * * x", false, CRON_WRONG, NULL, NULL},
        {"0 2 32 * * x", false, CRON_WRONG, NULL, NULL},
        {"0 2 * 13 * x", false, CRON_WRONG, NULL, NULL},
        {"0 2 * * 8 x", false, CRON_WRONG, NULL, NULL},
        {"0 2 * * moon x", false, CRON_WRONG, NULL, NULL},
        {"0 2 jan * * x", false, CRON_WRONG, NULL, NULL},
        {"5-1 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"5/10 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"*/0 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"1,, 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"0~59 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"0 2 * *", false, CRON_WRONG, NULL, NULL},
        {"99999999999999999999 2 * * * x", false, CRON_WRONG, NULL, NULL},
        {"pg_dump shop", false, CRON_WRONG, NULL, NULL},
    };

    for (size_t i = 0; i < N(rows); i++) {
        struct cron_line line;
        enum cron_kind kind = cron_parse(&arena, rows[i].text, rows[i].has_user, &line);
        if (kind != rows[i].kind)
            fail_msg("'%s' is %d instead of %d", rows[i].text, (int)kind, (int)rows[i].kind);
        if (kind == CRON_SETTING) {
            assert_string_equal(line.name, rows[i].user);
            assert_string_equal(line.value, rows[i].command);
        } else if (kind == CRON_COMMAND) {
            assert_string_equal(line.command, rows[i].command);
            assert_string_equal(line.user ? line.user : "-", rows[i].user ? rows[i].user : "-");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(offsets, teardown),
        cmocka_unit_test_teardown(dates, teardown),
        cmocka_unit_test_teardown(broken_zones, teardown),
        cmocka_unit_test_teardown(next_starts, teardown),
        cmocka_unit_test_teardown(lines, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
