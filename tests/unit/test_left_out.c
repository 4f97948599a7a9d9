/* Which hosts a run may go on without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

#include "core/left_out.h"
#include "core/run.h"
#include "core/stage.h"

#include <signal.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;
static struct err err;
static struct guard guard;
static struct run run;
static struct recipe recipe;
static struct host hosts[] = {
    {.name = "app1"}, {.name = "app2"}, {.name = "app3"}, {.name = "db1"}};
static struct site sites[N(hosts)];
static struct mishap mishaps[N(hosts)];
static bool out[N(hosts)];
static const char *warnings;

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    (void)fleet;
    (void)a;
    (void)calls;
    (void)n;
    (void)ret_replies;
    fail_msg("it talks to hosts");
}

static void note(void *self, const struct event *e)
{
    (void)self;
    warnings = arena_printf(&arena, "%s%s\n", warnings, e->detail);
}

static const struct watcher watcher = {.tell = note};

/* build, migrate on db1, and a job of app1 after the switch. */
static const struct stage build = {.name = "build", .leaves_out = true};
static const struct stage migrate = {.name = "migrate", .needs = "the migration runs there"};
static const struct stage switching = {.name = "switch"};
static struct job once = {.run = "tell", .name = "tell", .once = true};
static const struct jobs once_jobs = {&once, 1};
static size_t all[] = {0, 1, 2, 3};
static struct step steps[] = {
    {.stage = &build, .name = "build", .hosts = all, .n_hosts = 4},
    {.stage = &migrate, .name = "migrate", .hosts = all + 3, .n_hosts = 1},
    {.stage = &switching, .name = "switch", .hosts = all, .n_hosts = 4},
    {.stage = &switching,
     .name = "after-switch",
     .hook = true,
     .jobs = &once_jobs,
     .hosts = all,
     .n_hosts = 1},
};
static struct plan plan = {.what = {.run = "k7f2ab"}, .steps = steps, .n_steps = N(steps)};

static int setup(void **state)
{
    (void)state;
    recipe = (struct recipe){.hosts = hosts,
                             .n_hosts = N(hosts),
                             .on_host_failure = HOST_FAILURE_CONTINUE,
                             .host_failures = 1};
    memset(sites, 0, sizeof sites);
    memset(mishaps, 0, sizeof mishaps);
    memset(out, 0, sizeof out);
    guard = (struct guard){0};
    run = (struct run){.arena = &arena,
                       .guard = &guard,
                       .recipe = &recipe,
                       .plan = &plan,
                       .watcher = &watcher,
                       .sites = sites,
                       .left_out = {.mishaps = mishaps, .out = out}};
    err = (struct err){.arena = &arena};
    signal_that_came = 0;
    warnings = "";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static bool fails(size_t host, enum err_code code)
{
    if (err.code == ERR_NONE)
        err_set(&err, code, "%s: 'make' failed", hosts[host].name);
    mishaps[host] = (struct mishap){code, "'make' failed"};
    run.failure.host = hosts[host].name;
    return left_out_may_go_on(&run, &steps[0], &err);
}

static void test_one(void **state)
{
    (void)state;
    assert_true(left_out_end(&run, &err));
    assert_true(fails(1, ERR_FAILED));
    assert_int_equal(err.code, ERR_NONE);
    assert_null(run.failure.host);
    assert_true(out[1]);
    assert_string_equal(
        warnings, "app2 is left out in stage 'build': 'make' failed; continuing without it\n");
    assert_false(left_out_end(&run, &err));
    assert_int_equal(err.code, ERR_FAILED);
    assert_string_equal(err.msg, "live on 3 of 4 hosts; app2 was left out in stage 'build': 'make'"
                                 " failed; resume brings it up to date");
    assert_string_equal(run.failure.stage, "build");
    assert_string_equal(run.failure.host, "app2");
}

static void test_two(void **state)
{
    (void)state;
    assert_true(fails(2, ERR_UNCERTAIN)); /* a lost connection */
    memset(mishaps, 0, sizeof mishaps);
    assert_false(fails(1, ERR_FAILED));
    assert_non_null(strstr(warnings, "\n2 hosts failed, but 'host_failures' allows only 1\n"));
    assert_int_equal(err.code, ERR_FAILED); /* as it was */
    assert_string_equal(run.failure.host, "app2");
    recipe.host_failures = 2;
    assert_true(fails(1, ERR_FAILED));
    assert_int_equal(run.left_out.n, 2);
    assert_false(left_out_end(&run, &err));
    assert_string_equal(err.msg, "live on 2 of 4 hosts; app3 was left out in stage 'build': 'make'"
                                 " failed; app2 was left out in stage 'build': 'make' failed;"
                                 " resume brings them up to date");
}

static void test_needed(void **state)
{
    (void)state;
    assert_false(fails(3, ERR_FAILED));
    assert_string_equal(warnings, "db1 cannot be left out: the migration runs there\n");
    setup(NULL);
    assert_false(fails(0, ERR_FAILED));
    assert_string_equal(warnings, "app1 cannot be left out: 'tell' runs there for all hosts\n");
    plan.n_steps = 3;
    setup(NULL);
    assert_true(fails(0, ERR_FAILED));
    plan.n_steps = N(steps);
    /* One of two is needed: nobody is left out. */
    setup(NULL);
    recipe.host_failures = 9;
    mishaps[1] = (struct mishap){ERR_FAILED, "'make' failed"};
    assert_false(fails(3, ERR_FAILED));
    assert_int_equal(run.left_out.n, 0);
}

static void test_never(void **state)
{
    static const enum err_code codes[] = {ERR_LOCKED,      ERR_BACKUP,     ERR_UNFINISHED,
                                          ERR_INTERRUPTED, ERR_TERMINATED, ERR_UNREACHABLE};

    (void)state;
    for (size_t i = 0; i < N(codes); i++) {
        setup(NULL);
        assert_false(fails(1, codes[i]));
        /* Nor when another host's failure would be its own. */
        assert_false(fails(2, ERR_FAILED));
    }
    setup(NULL);
    recipe.on_host_failure = HOST_FAILURE_STOP;
    assert_false(fails(1, ERR_FAILED));
    setup(NULL);
    signal_that_came = SIGTERM;
    assert_false(fails(1, ERR_UNCERTAIN));
    setup(NULL);
    assert_false(left_out_may_go_on(&run, &steps[0], &err)); /* no host's own failure */
    setup(NULL);
    err_set(&err, ERR_FAILED, "no");
    mishaps[1] = (struct mishap){ERR_FAILED, "no"};
    assert_false(left_out_may_go_on(&run, &steps[2], &err));
    assert_string_equal(warnings, "");
}

/* With nobody to go on with, it is an ordinary failure. */
static void test_last_one(void **state)
{
    (void)state;
    for (size_t h = 0; h < N(hosts); h++)
        sites[h].last_run = h == 1 ? NULL : "k7f2ab 1 done";
    assert_false(fails(1, ERR_FAILED));
    assert_string_equal(warnings, "");
    sites[2].last_run = NULL;
    assert_true(fails(1, ERR_FAILED));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one), TEST(test_two), TEST(test_needed), TEST(test_never), TEST(test_last_one),
    };

    return cmocka_run_group_tests_name("left out", tests, NULL, NULL);
}
