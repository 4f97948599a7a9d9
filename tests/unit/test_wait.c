/* The wait behind a backup, however long it is: what it takes does not grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

#include "db/server.h"
#include "stages/backup/waiting.h"
#include "stages/backup/clear.h"
#include "stages/migrate/attempts.h"
#include "stages/migrate/watchdog.h"

#include <string.h>

/* ---- what the hosts answer ---- */

static size_t looks;        /* at the database, so far */
static size_t looks_before; /* the backup has ended */
static struct guard guard;
static struct run run;
static struct arena arena;
static const void *top_after_some; /* of what lives as long as the command, */
static const void *top_at_last;    /* and when the backup is seen for the last time */

enum { SOME = 50 };

#define SEP "\037"

/* A dump that goes from table to table, and what its host tells of it. */
static const char *answer_of(struct arena *a, const char *script)
{
    if (strstr(script, "tell_earlier"))
        return arena_printf(
            a,
            "client 812\nthrough pg_dump\nthrough gzip\noutput %zu /b/shop.gz\n"
            "birth 1795360000\nage %lld\nclients 1\n"
            "past 1 1795270000 90000 5000000 5000000 pg_dump shop\nend look\nended 0\n",
            looks * 1000, clock_ms / 1000);
    if (!strstr(script, "server_version_num"))
        return "client 0\nended 0\n";
    if (++looks == SOME)
        top_after_some = run_kept(&run)->top;
    if (looks == looks_before)
        top_at_last = run_kept(&run)->top;
    if (looks > looks_before)
        return "row version" SEP "150000\nclient 0\nended 0\n";
    return arena_printf(a,
                        "row version" SEP "150000\n"
                        "row session" SEP "pg_dump" SEP "4711" SEP "3/271" SEP
                        "1795361402000000" SEP "%lld" SEP "shop" SEP "ann" SEP "pg_dump" SEP
                        "yes" SEP "yes" SEP "COPY public.table_%zu (id, name) TO stdout" SEP
                        "-1" SEP "100" SEP "100\n"
                        "row copied" SEP "4711" SEP "%zu\nclient 0\nended 0\n",
                        clock_ms / 1000, looks / 7, looks * 512);
}

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    (void)fleet;
    for (size_t i = 0; i < n; i++)
        ret_replies[i] =
            (struct reply){.kind = REPLY_EXIT, .out = answer_of(a, calls[i].script), .err_out = ""};
}

/* ---- the run ---- */

static size_t told;
static char last_told[200];

static void tell(void *self, const struct event *e)
{
    (void)self;
    told++;
    if (e->backup)
        snprintf(last_told, sizeof last_told, "%s %s %s", backup_kind_word(e->backup->kind),
                 e->backup->database, e->backup->output ? e->backup->output : "-");
}

static struct host hosts[] = {{.name = "db1", .deploy_to = "/srv"}};
static struct recipe recipe = {.hosts = hosts, .n_hosts = 1};
static struct plan plan;
static struct watcher watcher = {.tell = tell};
static struct site sites[1];
static struct step step = {.name = "backup-clear"};
static struct err err;

static int setup(void **state)
{
    (void)state;
    static size_t host;
    step.hosts = &host;
    step.n_hosts = 1;
    recipe.database.adapter = ADAPTER_POSTGRESQL;
    recipe.database.psql = "psql";
    recipe.database.name = "shop";
    recipe.migrate.run = "rake db:migrate";
    plan.what = what_none;
    plan.what.run = "abc123";
    plan.what.release = "20261122153012";
    guard = (struct guard){0};
    run = (struct run){
        .arena = &arena,
        .guard = &guard,
        .recipe = &recipe,
        .plan = &plan,
        .watcher = &watcher,
        .sites = sites,
        .on_backup = POLICY_WAIT,
    };
    err = (struct err){.arena = &arena};
    clock_ms = 1000;
    sites[0] = (struct site){0};
    site_set_mark(&arena, &sites[0], step.name, "begun");
    looks = told = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Hours of it: the run's arena has the same blocks as after a minute. */
static void behind_a_backup(void **state)
{
    (void)state;
    looks_before = 20000;
    assert_true(wait_until_clear(&run, &step, 0, false, &err));
    assert_in_range(looks, looks_before + 2, looks_before + 4);
    assert_true(told >= looks_before);
    assert_string_equal(last_told, "pg_dump shop /b/shop.gz");
    assert_ptr_equal(top_at_last, top_after_some);
}

static void others_behind_a_backup(void **state)
{
    (void)state;
    long long waited;
    looks_before = 20000;
    assert_true(backup_wait(&run, &step, 0, &waited, &err));
    assert_true(waited >= 1000 * 1000LL);
    assert_string_equal(last_told, "pg_dump shop /b/shop.gz");
    assert_ptr_equal(top_at_last, top_after_some);
}

/* The limit ends it with an error, whose words outlive the turn that found it. */
static void until_the_limit(void **state)
{
    (void)state;
    looks_before = SIZE_MAX;
    recipe.backup.wait_limit_ms = 5000LL * 1000;
    assert_false(wait_until_clear(&run, &step, 0, false, &err));
    recipe.backup.wait_limit_ms = 0;
    assert_int_equal(err.code, ERR_BACKUP);
    assert_non_null(strstr(err.msg, "pg_dump of shop by ann, pid 4711"));
    assert_true(looks > SOME);
}

/* --wait-limit auto: what the estimate, and the time limit of a CI job (in minutes), lead to. */
static void limit_from_the_estimate(void **state)
{
    static const struct {
        long long running_m;
        long long eta_m; /* -1: unknown */
        long long overdue_m;
        long job_m; /* 0: none */
        const char *why;
    } rows[] = {
        {10, 300, 0, 0, NULL},
        {60, 0, 9, 0, NULL},
        {60, 0, 15, 0, NULL}, /* less than half of its duration */
        {60, 0, 25, 0, "it is overdue by 25 min"},
        {10, 300, 0, 60, "it is expected to run for another 5 h"},
        {10, 50, 0, 60, NULL},
        {10, 50, 0, -1, "the time limit of this CI job comes first"},
        {10, -1, 0, 60, NULL},
    };
    /* With a fixed limit of an hour, after two hours of waiting: it counts where there is no estimate. */
    static const struct {
        bool is_auto;
        long long eta_s;
        bool over;
    } fixed[] = {{false, 300, true}, {false, -1, true}, {true, 300, false}, {true, -1, true}};

    (void)state;
    run.wait_auto = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct wait w = {.run = &run, .began_ms = loop_now(), .policy = POLICY_WAIT};
        const struct backup b = {.kind = BACKUP_PG_DUMP,
                                 .pid = 4711,
                                 .database = "shop",
                                 .user = "ann",
                                 .running_s = rows[i].running_m * 60,
                                 .eta_s = rows[i].eta_m < 0 ? -1 : rows[i].eta_m * 60,
                                 .overdue_s = rows[i].overdue_m * 60};
        err = (struct err){.arena = &arena};
        run.wait_until_ms = rows[i].job_m ? loop_now() + rows[i].job_m * 60000LL : 0;
        bool over = wait_limit_reached(&w, &b, &err);
        if (over != (rows[i].why != NULL) || (over && !strstr(err.msg, rows[i].why)))
            fail_msg("row %zu: %s", i, over ? err.msg : "waits");
    }
    run.wait_until_ms = 0;
    recipe.backup.wait_limit_ms = 3600 * 1000LL;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        struct wait w = {
            .run = &run, .began_ms = loop_now() - 7200 * 1000LL, .policy = POLICY_WAIT};
        const struct backup b = {.kind = BACKUP_PG_DUMP, .running_s = 60, .eta_s = fixed[i].eta_s};
        err = (struct err){.arena = &arena};
        run.wait_auto = fixed[i].is_auto;
        if (wait_limit_reached(&w, &b, &err) != fixed[i].over)
            fail_msg("fixed limit, row %zu", i);
    }
    recipe.backup.wait_limit_ms = 0;
    run.wait_auto = false;
}

/* What watches a migration says who is in its way every second. */
static void beside_a_migration(void **state)
{
    (void)state;
    struct attempts t = {.step = &step, .server = server_of(&run)};
    struct watching w = {&run, &t};
    const void *top = NULL;

    for (int i = 0; i < 100000; i++) {
        char line[200];
        snprintf(line, sizeof line,
                 "blocker" SEP "%d" SEP "session" SEP "3/%d" SEP "5" SEP "%d" SEP "ann" SEP
                 "psql" SEP "active" SEP "yes" SEP "%d" SEP "relation" SEP "select %d",
                 4711 + i % 3, i % 3, i, i % 50, i);
        watchdog_take(&w, line);
        if (i == SOME)
            top = arena.top;
    }
    assert_int_equal(t.seen.n, 3);
    assert_string_equal(t.seen.v[2].application, "psql");
    assert_int_equal(t.seen.v[2].behind, 49);
    assert_ptr_equal(arena.top, top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(behind_a_backup, setup, teardown),
        cmocka_unit_test_setup_teardown(others_behind_a_backup, setup, teardown),
        cmocka_unit_test_setup_teardown(until_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_from_the_estimate, setup, teardown),
        cmocka_unit_test_setup_teardown(beside_a_migration, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
