#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "forecast/estimate.h"

#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define DAY     86400LL
#define MB      1000000LL

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Five nights: 1000 s and 100 MB, more or less. */
static const struct sample nights[] = {
    {9 * DAY, 1000, 100 * MB, -1}, {5 * DAY, 900, 90 * MB, -1},   {8 * DAY, 1040, 104 * MB, -1},
    {7 * DAY, 980, 98 * MB, -1},   {6 * DAY, 1100, 110 * MB, -1}, {1 * DAY, 7777, 777 * MB, -1},
};

static struct estimate make(size_t n, long long running_s, long long bytes)
{
    return estimate_make(&arena, &(struct estimate_of){.past = nights,
                                                       .n = n,
                                                       .running_s = running_s,
                                                       .bytes = bytes,
                                                       .db_bytes = -1,
                                                       .still_s = -1});
}

static void nothing_known(void **state)
{
    (void)state;
    struct estimate e = make(0, 700, 50 * MB);

    assert_int_equal(e.eta_s, -1);
    assert_int_equal(e.percent, -1);
    assert_null(e.from);
    assert_int_equal(e.overdue_s + e.high_s + e.stuck_s, 0);
    e = make(6, -1, 50 * MB);
    assert_int_equal(e.eta_s, -1);
    assert_null(e.from);
}

static void by_time(void **state)
{
    (void)state;
    struct estimate e = make(6, 400, -1);

    assert_int_equal(e.eta_s, 600);
    assert_int_equal(e.percent, 40);
    assert_string_equal(e.from, "the last 5 backups");
    assert_int_equal(e.low_s, 500); /* they differ by less than a tenth of the whole */
    assert_int_equal(e.high_s, 700);
    const struct sample wide[] = {
        {3 * DAY, 1000, -1, -1}, {2 * DAY, 700, -1, -1}, {DAY, 1300, -1, -1}};
    e = estimate_make(&arena, &(struct estimate_of){wide, 3, .running_s = 400, .bytes = -1,
                                                    .db_bytes = -1, .still_s = -1});
    assert_int_equal(e.eta_s, 600);
    assert_int_equal(e.low_s, 360); /* 760 at the tenth part, 1240 at the ninth */
    assert_int_equal(e.high_s, 840);
    e = make(6, 1720, -1);
    assert_int_equal(e.eta_s, 0);
    assert_int_equal(e.overdue_s, 720);
    assert_int_equal(e.percent, 99);
    e = make(1, 400, -1);
    assert_string_equal(e.from, "the last backup");
    assert_int_equal(e.low_s, 400); /* one tells nothing of how they differ */
    assert_int_equal(e.high_s, 800);
}

static void by_size(void **state)
{
    (void)state;
    /* Twice as slow as ever: half of the bytes after the whole time. */
    struct estimate e = make(6, 1000, 50 * MB);

    assert_int_equal(e.eta_s, 1000);
    assert_int_equal(e.percent, 50);
    assert_string_equal(e.from, "the last 5 backups and its size");
    assert_true(e.low_s <= 1000 && e.high_s >= 1000);
    /* Size comes before time: a slow machine is seen at once. */
    e = make(6, 500, 25 * MB);
    assert_int_equal(e.eta_s, 1500);
    assert_true(e.low_s <= 500); /* the time tells another story */
    /* Larger than ever, but in time. */
    e = make(6, 800, 120 * MB);
    assert_int_equal(e.eta_s, 200);
    /* The first bytes tell nothing yet. */
    e = make(6, 10, 3 * MB);
    assert_int_equal(e.eta_s, 990);
    assert_string_equal(e.from, "the last 5 backups");
    e = make(6, 0, 60 * MB);
    assert_int_equal(e.eta_s, 1000);
    /* A little ahead of its time: both count, the size as far as it is. */
    e = make(6, 400, 50 * MB);
    assert_int_equal(e.eta_s, 500);
    /* Half of the bytes ten seconds ago: it has gone on since. */
    e = estimate_make(&arena, &(struct estimate_of){.past = nights,
                                                    .n = 6,
                                                    .running_s = 40,
                                                    .bytes = 50 * MB,
                                                    .bytes_s = 30,
                                                    .db_bytes = -1,
                                                    .still_s = -1});
    assert_int_equal(e.eta_s, 20);
    /* Larger and longer than ever. */
    e = make(6, 1300, 130 * MB);
    assert_int_equal(e.eta_s, 0);
    assert_int_equal(e.overdue_s, 300);
}

/* Files whose age is not known. */
static void by_size_alone(void **state)
{
    (void)state;
    const struct sample files[] = {{DAY, -1, 80 * MB, -1}, {2 * DAY, -1, 80 * MB, -1}};
    struct estimate e =
        estimate_make(&arena, &(struct estimate_of){files, 2, .running_s = 60, .bytes = 20 * MB,
                                                    .db_bytes = -1, .still_s = -1});

    assert_int_equal(e.eta_s, 180);
    assert_string_equal(e.from, "its size and that of the last 2 backups");
    e = estimate_make(&arena, &(struct estimate_of){files, 2, .running_s = 60, .bytes = 160 * MB,
                                                    .db_bytes = -1, .still_s = -1});
    assert_int_equal(e.overdue_s, 30);
    e = estimate_make(&arena, &(struct estimate_of){files, 2, .running_s = 60, .bytes = -1,
                                                    .db_bytes = -1, .still_s = -1});
    assert_int_equal(e.eta_s, -1);
    assert_null(e.from);
}

/* Seen by crelease, and left as a file. */
static void one_backup_twice(void **state)
{
    (void)state;
    const struct sample past[] = {
        {DAY, -1, 80 * MB, -1}, {DAY + 60, 100, -1, -1}, {2 * DAY, 100, 80 * MB, -1}};
    struct estimate e =
        estimate_make(&arena, &(struct estimate_of){past, 3, .running_s = 50, .bytes = 40 * MB,
                                                    .db_bytes = -1, .still_s = -1});

    assert_string_equal(e.from, "the last 2 backups and its size");
    assert_int_equal(e.eta_s, 50);
}

static void growth(void **state)
{
    (void)state;
    const struct sample past[] = {{DAY, 1000, -1, 100 * MB}};
    struct estimate e =
        estimate_make(&arena, &(struct estimate_of){past, 1, .running_s = 1000, .bytes = -1,
                                                    .db_bytes = 120 * MB, .still_s = -1});

    assert_int_equal(e.eta_s, 200);
}

/* What was measured on 2.8 GB after it had grown by a fifth: the end lies within the range. */
static void a_backup_that_grew(void **state)
{
    (void)state;
    const struct sample past[] = {{DAY, 47, 1000 * MB, 2300 * MB},
                                  {2 * DAY, 46, 1000 * MB, 2300 * MB},
                                  {3 * DAY, 48, 990 * MB, 2300 * MB}};

    for (long long at = 5; at < 69; at += 4) {
        struct estimate e = estimate_make(
            &arena, &(struct estimate_of){past, 3, .running_s = at, .bytes = at * 1250 * MB / 69,
                                          .db_bytes = 2800 * MB, .still_s = -1});
        if (!e.overdue_s && e.high_s < 69 - at - 2)
            fail_msg("after %lld s: at most %lld s left, it were %lld", at, e.high_s, 69 - at);
    }
}

static void stuck(void **state)
{
    (void)state;
    struct estimate_of of = {nights,           N(nights),      .running_s = 400,
                             .bytes = 40 * MB, .db_bytes = -1, .still_s = 299};

    assert_int_equal(estimate_make(&arena, &of).eta_s, 600);
    of.still_s = 300;
    struct estimate e = estimate_make(&arena, &of);
    assert_int_equal(e.stuck_s, 300);
    assert_int_equal(e.eta_s, -1);
    assert_null(e.from);
}

/* Without earlier ones, by its text. */
static void by_text(void **state)
{
    (void)state;
    struct estimate_of of = {.running_s = 100,
                             .bytes = 7 * MB,
                             .db_bytes = -1,
                             .text = 100 * MB,
                             .text_all = 400 * MB,
                             .still_s = -1};
    struct estimate e = estimate_make(&arena, &of);

    assert_int_equal(e.eta_s, 300);
    assert_int_equal(e.percent, 25);
    assert_int_equal(e.low_s, 150);
    assert_int_equal(e.high_s, 601);
    assert_string_equal(e.from, "sampled rows of its tables, a guess");
    of.text = of.text_all;
    e = estimate_make(&arena, &of);
    assert_int_equal(e.eta_s, 1); /* indexes and foreign keys are still to come */
    /* What an earlier one tells goes first. */
    of.past = nights;
    of.n = 1;
    assert_string_equal(estimate_make(&arena, &of).from, "the last backup and its size");
    of.n = 0;
    const long long too_little[][2] = {
        {0, 0}, {-1, 0}, {15 * MB, 20 * MB}, {20 * MB, 500 * MB}, {401 * MB, 400 * MB}};
    for (size_t i = 0; i < N(too_little); i++) {
        of.text = too_little[i][0];
        of.text_all = too_little[i][1];
        e = estimate_make(&arena, &of);
        assert_int_equal(e.eta_s, -1);
        assert_null(e.from);
    }
}

static void odd_numbers(void **state)
{
    (void)state;
    static const long long odd[] = {-1, 0, 1, 59, 1000000, 9223372036854775807LL};

    for (size_t i = 0; i < N(odd) * N(odd) * N(odd) * N(odd); i++) {
        struct sample past[] = {{DAY, odd[i % 6], odd[i / 6 % 6], odd[i / 36 % 6]},
                                {odd[i % 6], odd[i / 216 % 6], odd[i % 6], 5}};
        struct estimate e =
            estimate_make(&arena, &(struct estimate_of){.past = past,
                                                        .n = 2,
                                                        .running_s = odd[i / 36 % 6],
                                                        .bytes = odd[i / 216 % 6],
                                                        .bytes_s = odd[i / 6 % 6],
                                                        .db_bytes = odd[i % 6],
                                                        .text = odd[i / 36 % 6],
                                                        .text_all = odd[i / 216 % 6],
                                                        .still_s = -1});
        assert_in_range(e.percent + 1, 0, 100);
        assert_true(e.eta_s >= -1 && e.low_s >= 0 && e.high_s >= e.low_s);
        assert_true(e.eta_s <= 0 || (e.low_s <= e.eta_s && e.eta_s <= e.high_s));
        assert_true((e.eta_s < 0) == (e.from == NULL));
        assert_true((e.eta_s == 0) == (e.overdue_s > 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_known, teardown),
        cmocka_unit_test_teardown(by_time, teardown),
        cmocka_unit_test_teardown(by_size, teardown),
        cmocka_unit_test_teardown(by_size_alone, teardown),
        cmocka_unit_test_teardown(one_backup_twice, teardown),
        cmocka_unit_test_teardown(growth, teardown),
        cmocka_unit_test_teardown(a_backup_that_grew, teardown),
        cmocka_unit_test_teardown(stuck, teardown),
        cmocka_unit_test_teardown(by_text, teardown),
        cmocka_unit_test_teardown(odd_numbers, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
