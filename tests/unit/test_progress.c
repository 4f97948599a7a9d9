/* The last mark of a run whose hosts have clocks of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/progress.h"

#include <string.h>

enum { HOSTS = 3, MARKS = 2 };

static struct step steps[] = {{.name = "lock"},          {.name = "build"},
                              {.name = "backup-detect"}, {.name = "backup-clear"},
                              {.name = "migrate"},       {.name = "switch"}};
static const struct plan plan = {.steps = steps, .n_steps = sizeof steps / sizeof *steps};

/* One host: its clock, and its marks with their age. */
struct row {
    long long clock;
    const char *step;
    const char *state;
    long long age;
    const char *then; /* a mark after the first one; NULL: none */
};

static void last_is(const struct row rows[HOSTS], const char *step, const char *state)
{
    struct site sites[HOSTS] = {0};
    struct mark marks[HOSTS][MARKS] = {0};
    bool reached[HOSTS] = {true, true, true};

    for (size_t h = 0; h < HOSTS; h++) {
        const struct row *r = &rows[h];
        if (!r->step)
            continue;
        marks[h][0] = (struct mark){r->step, r->state, r->clock - r->age};
        marks[h][1] = (struct mark){r->then, "done", r->clock};
        sites[h].marks = marks[h];
        sites[h].n_marks = r->then ? 2 : 1;
        sites[h].lock.held = true;
        sites[h].now_unix = r->clock;
    }
    const struct mark *m = progress_mark(&plan, sites, reached, HOSTS);
    if (!step) {
        assert_null(m);
        return;
    }
    assert_non_null(m);
    assert_string_equal(m->step, step);
    assert_string_equal(m->state, state);
}

static void test_youngest(void **state)
{
    (void)state;
    last_is((struct row[HOSTS]){{1000, "backup-clear", "begun", 60, NULL},
                                {1000, "build", "done", 300, NULL}},
            "backup-clear", "begun");
    /* Left behind when its host was lost. */
    last_is((struct row[HOSTS]){{1000, "build", "begun", 300, NULL},
                                {1000, "migrate", "done", 10, NULL}},
            "migrate", "done");
    last_is((struct row[HOSTS]){{0}}, NULL, NULL);
}

/* The shells of two hosts round the same time to seconds that differ. */
static void test_rounded(void **state)
{
    (void)state;
    last_is((struct row[HOSTS]){{1000, "build", "done", 0, NULL},
                                {1000, "backup-clear", "begun", 1, NULL}},
            "backup-clear", "begun");
    last_is((struct row[HOSTS]){{1000, "build", "done", 0, NULL},
                                {1000, "backup-detect", "done", 2, NULL}},
            "backup-detect", "done");
}

/* A clock that is years ahead or behind changes nothing. */
static void test_clocks(void **state)
{
    (void)state;
    last_is((struct row[HOSTS]){{1000000000, "build", "done", 60, NULL},
                                {1000, "backup-clear", "begun", 30, NULL}},
            "backup-clear", "begun");
    last_is((struct row[HOSTS]){{5000000000, "build", "done", 30, NULL},
                                {1000, "backup-clear", "begun", 60, NULL}},
            "build", "done");
}

/* A resume marks the lock once more. */
static void test_lock_again(void **state)
{
    (void)state;
    last_is((struct row[HOSTS]){{1000, "migrate", "begun", 60, "lock"}}, "migrate", "begun");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_youngest),
        cmocka_unit_test(test_rounded),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_lock_again),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
