#include "ui/report/record.h"
#include "ui/report/writers.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-11-22 15:30:12, and as long after it as the clock went on. */
static long long now_ms;

static const char *const hosts[] = {"app1", "app2", NULL};
static const struct run_info deploy = {.id = "k7f2",
                                       .command = "deploy",
                                       .application = "shop",
                                       .environment = "production",
                                       .release = "20261122153012",
                                       .revision = "3f2a91c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0",
                                       .ref = "main",
                                       .subject = "Add notes",
                                       .by = "ann@laptop",
                                       .hosts = 2,
                                       .host_names = hosts};

static void tell(struct record *r, struct event e)
{
    e.unix_ms = now_ms;
    record_tell(r, &e);
}
#define TELL(r, ...)      tell(r, (struct event){__VA_ARGS__})
#define STAGE(r, of, ...) TELL(r, .kind = EVENT_STAGE, .stage = of, .hosts = hosts, __VA_ARGS__)

static struct record *begun(void)
{
    struct record *r = record_open("deploy", "production");

    now_ms = 1795361412000;
    TELL(r, .kind = EVENT_RUN, .run = &deploy, .fresh = true);
    return r;
}

static void print_in(struct record *r, const char *stage, const char *host, const char *text)
{
    TELL(r, .kind = EVENT_OUTPUT, .stage = stage, .host = host, .bytes = text, .len = strlen(text));
}

static void print(struct record *r, const char *host, const char *text)
{
    print_in(r, "build", host, text);
}

/* The caller frees it. */
static char *written(const struct record *r, void (*write)(const struct record *r, FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    write(r, out);
    fclose(out);
    assert_int_equal(strlen(text), len);
    return text;
}

static void assert_has(const struct record *r, void (*write)(const struct record *r, FILE *out),
                       const char *what)
{
    char *text = written(r, write);

    if (!strstr(text, what))
        fail_msg("'%s' is not in\n%s", what, text);
    free(text);
}

static void assert_lacks(const struct record *r, void (*write)(const struct record *r, FILE *out),
                         const char *what)
{
    char *text = written(r, write);

    if (strstr(text, what))
        fail_msg("'%s' is in\n%s", what, text);
    free(text);
}

/* Every text that comes from elsewhere, in every format. */
static void hostile(void **state)
{
    (void)state;
    static const char evil[] = "</script><b \"'&>\033[31m\x07\xff|`x`\xef\xbf\xbf\xef\xbf\xbd";
    static const char *const evil_hosts[] = {evil, NULL};
    static const char *lines[] = {evil};
    const struct failure failure = {.stage = evil,
                                    .host = evil,
                                    .command = evil,
                                    .how = evil,
                                    .lines = {lines, 1},
                                    .now = {lines, 1},
                                    .next = {lines, 1}};
    struct commit commit = {evil, evil, evil};
    const struct changes changes = {.from = evil, .known = true, .added = {&commit, 1, 0}};
    const struct strs migrations = {lines, 1};
    struct run_info run = deploy;
    struct backup b = {.kind = BACKUP_PG_DUMP,
                       .pid = 1,
                       .database = evil,
                       .user = evil,
                       .eta_s = 5,
                       .eta_from = evil,
                       .percent = -1};
    const struct blocker blocker = {.kind = evil, .pid = 2, .start = evil};
    void (*const writers[])(const struct record *, FILE *) = {html_write, junit_write,
                                                              markdown_write, report_json_write};
    struct record *r = record_open(evil, evil);

    now_ms = 1795361412000;
    run.id = run.application = run.environment = run.release = run.revision = run.ref =
        run.subject = run.by = evil;
    run.host_names = evil_hosts;
    run.hosts = 1;
    TELL(r, .kind = EVENT_RUN, .run = &run, .changes = &changes);
    TELL(r, .kind = EVENT_STAGE, .stage = evil, .hosts = evil_hosts, .state = EVENT_BEGUN,
         .migrations = &migrations);
    TELL(r, .kind = EVENT_JOB, .stage = evil, .host = evil, .command = evil, .state = EVENT_BEGUN);
    TELL(r, .kind = EVENT_OUTPUT, .stage = evil, .host = evil, .bytes = evil,
         .len = sizeof evil - 1);
    TELL(r, .kind = EVENT_JOB, .stage = evil, .host = evil, .command = evil, .detail = evil,
         .state = EVENT_FAILED);
    TELL(r, .kind = EVENT_BACKUP, .stage = evil, .host = evil, .backup = &b, .detail = evil,
         .state = EVENT_WAITING);
    TELL(r, .kind = EVENT_BLOCKER, .stage = evil, .host = evil, .blocker = &blocker, .detail = evil,
         .state = EVENT_WAITING);
    TELL(r, .kind = EVENT_WARNING, .host = evil, .detail = evil);
    TELL(r, .kind = EVENT_STAGE, .stage = evil, .hosts = evil_hosts, .state = EVENT_FAILED,
         .detail = evil);
    TELL(r, .kind = EVENT_END, .run = &run, .code = ERR_FAILED, .failure = &failure,
         .message = evil);
    for (size_t i = 0; i < 4; i++) {
        char *text = written(r, writers[i]);
        assert_true(text_is_utf8(text, strlen(text)));
        for (const char *c = text; *c; c++)
            assert_true((unsigned char)*c >= ' ' || *c == '\n');
        /* XML must not have them. */
        assert_true(writers[i] != junit_write || !strstr(text, "\xef\xbf\xbf"));
        free(text);
    }
    assert_lacks(r, html_write, "<b ");
    assert_lacks(r, html_write, "</script");
    assert_lacks(r, junit_write, "<b ");
    assert_has(
        r, html_write,
        "&lt;/script&gt;&lt;b &quot;&#39;&amp;&gt;\\x1b[31m\\x07\\xff|`x`\\xef\\xbf\\xbf\xef\xbf\xbd");
    assert_has(r, markdown_write,
               "`` </script><b \"'&>\\x1b[31m\\x07\\xff\\|`x`\xef\xbf\xbf\xef\xbf\xbd ``");
    record_close(r);
}

/* What is known of one host alone, and what is not. */
static void verdicts(void **state)
{
    (void)state;
    const struct failure failure = {.stage = "build", .host = "app2"};
    struct record *r = begun();
    const char *detail;

    STAGE(r, "lock", .state = EVENT_BEGUN);
    STAGE(r, "lock", .state = EVENT_DONE);
    STAGE(r, "build", .state = EVENT_BEGUN);
    TELL(r, .kind = EVENT_JOB, .stage = "build", .host = "app1", .command = "make",
         .state = EVENT_BEGUN);
    TELL(r, .kind = EVENT_JOB, .stage = "build", .host = "app1", .command = "make",
         .state = EVENT_DONE);
    STAGE(r, "build", .state = EVENT_FAILED);
    TELL(r, .kind = EVENT_END, .run = &deploy, .code = ERR_FAILED, .failure = &failure,
         .message = "stage 'build' on app2: 'make' ended with exit status 7");
    struct stage_record *build = r->stages->next;
    assert_int_equal(record_host_state(r, r->stages, "app2", &detail), EVENT_DONE);
    assert_int_equal(record_host_state(r, build, "app1", &detail), EVENT_DONE);
    assert_int_equal(record_host_state(r, build, "app2", &detail), EVENT_FAILED);
    assert_has(r, junit_write, "tests=\"4\" failures=\"1\" errors=\"0\" skipped=\"0\"");
    assert_has(r, junit_write, "name=\"build on app2\" time=\"0.000\"><failure");
    /* The other one failed, too: with its own words. */
    build->notes[0].state = EVENT_FAILED;
    build->notes[0].detail = "out of memory";
    assert_has(r, junit_write, "<failure message=\"out of memory\" type=\"failed\">out of memory<");
    /* Of the other host nothing was told. */
    build->n_notes = 0;
    assert_int_equal(record_host_state(r, build, "app1", &detail), EVENT_NONE);
    assert_has(r, junit_write, "name=\"build on app1\" time=\"0.000\"><skipped");
    record_close(r);
}

/* Interrupted, or written while it runs. */
static void unended(void **state)
{
    (void)state;
    struct record *r = begun();

    STAGE(r, "build", .state = EVENT_BEGUN);
    assert_string_equal(record_word(r), "running");
    assert_has(r, junit_write, "errors=\"2\"");
    assert_has(r, html_write, "<b>not finished</b>");
    assert_has(r, markdown_write, "crelease resume production");
    TELL(r, .kind = EVENT_END, .run = &deploy, .code = ERR_INTERRUPTED,
         .message = "stopped by Ctrl-C");
    assert_has(r, junit_write, "<error message=\"stopped by Ctrl-C\" type=\"interrupted\">");
    /* Nothing after the end counts. */
    TELL(r, .kind = EVENT_WARNING, .detail = "late");
    assert_int_equal(r->n_warnings, 0);
    record_close(r);
    /* Before there was a run. */
    r = record_open("deploy", "production");
    TELL(r, .kind = EVENT_END, .code = ERR_UNREACHABLE, .message = "app1: connection refused");
    assert_has(r, junit_write, "tests=\"1\" failures=\"0\" errors=\"1\"");
    assert_has(r, html_write, "app1: connection refused");
    record_close(r);
}

/* Batches of a rolling deploy. */
static void batches(void **state)
{
    (void)state;
    static const char *const first[] = {"app1", NULL};
    static const char *const second[] = {"app2", NULL};
    struct record *r = begun();
    const char *detail;

    for (int i = 0; i < 2; i++) {
        const char *const *batch = i ? second : first;
        TELL(r, .kind = EVENT_STAGE, .stage = "switch", .hosts = batch, .state = EVENT_BEGUN);
        now_ms += 1000 + i;
        TELL(r, .kind = EVENT_STAGE, .stage = "switch", .hosts = batch,
             .state = i ? EVENT_FAILED : EVENT_DONE);
    }
    assert_int_equal(r->stages->n_spans, 2);
    assert_int_equal(record_took(r->stages, NULL), 2001);
    assert_int_equal(record_took(r->stages, "app2"), 1001);
    assert_int_equal(record_host_state(r, r->stages, "app1", &detail), EVENT_DONE);
    record_close(r);
}

/* The beginning and the end are kept, in whole lines at the cut. */
static void long_output(void **state)
{
    (void)state;
    struct record *r = begun();

    TELL(r, .kind = EVENT_JOB, .stage = "build", .host = "app1", .command = "make",
         .state = EVENT_BEGUN);
    for (int i = 0; i < 100000; i++) {
        char line[64];
        snprintf(line, sizeof line, "line %06d of the output\n", i);
        print(r, "app1", line);
    }
    const struct log *log = &r->jobs->log;
    assert_true(log->head.len + log->tail.len <= 256 * 1024);
    assert_int_equal(log->head.len + log->tail.len + log->left_out, 100000 * 26);
    assert_has(r, html_write, "<pre>line 000000 of the output\nline 000001 of");
    assert_has(r, html_write, "line 099999 of the output\n</pre>");
    assert_has(r, html_write, "left out; all of it is on the host");
    assert_int_equal(log->head.text[log->head.len - 1], '\n');
    record_close(r);
}

/* Many jobs with much output do not fill the memory. */
static void much_output(void **state)
{
    (void)state;
    static char block[8192];
    struct record *r = begun();
    size_t all = 0;

    memset(block, 'x', sizeof block - 1);
    block[sizeof block - 2] = '\n';
    for (int host = 0; host < 400; host++) {
        char name[16];
        snprintf(name, sizeof name, "app%d", host);
        TELL(r, .kind = EVENT_JOB, .stage = "build", .host = name, .command = "make",
             .state = EVENT_BEGUN);
        for (int i = 0; i < 40; i++)
            print(r, name, block);
    }
    for (const struct job_record *j = r->jobs; j; j = j->next)
        all += j->log.head.len + j->log.tail.len;
    assert_true(all < 24 * 1024 * 1024);
    record_close(r);
}

/* A wait of a day keeps as many estimates as one of a few minutes, and the first one. */
static void long_wait(void **state)
{
    (void)state;
    struct backup b = {.kind = BACKUP_PG_DUMP,
                       .pid = 12345,
                       .identity = {.start = "77"},
                       .database = "shop",
                       .percent = 10,
                       .eta_s = 86400};
    struct record *r = begun();

    for (int i = 0; i < 86400; i++) {
        b.eta_s = 86400 - i;
        TELL(r, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "app2", .backup = &b,
             .state = EVENT_WAITING, .waited_ms = i * 1000LL);
        now_ms += 1000;
    }
    const struct wait_record *w = &r->waits[0];
    assert_int_equal(r->n_waits, 1);
    assert_in_range(w->n_samples, RECORD_SAMPLES / 2, RECORD_SAMPLES);
    assert_int_equal(w->samples[0].estimate.eta_s, 86400);
    assert_true(w->samples[w->n_samples - 1].estimate.eta_s < 86400 / 20);
    /* Its end does not name it; another one is another wait. */
    TELL(r, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "app2", .state = EVENT_DONE,
         .detail = "ended on its own", .waited_ms = 86400000);
    b.pid = 4711;
    TELL(r, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "app2", .backup = &b,
         .state = EVENT_WAITING);
    assert_int_equal(r->n_waits, 2);
    assert_has(r, html_write, "the backup ended on its own");
    for (int i = 0; i < 200; i++) {
        b.pid = i + 1;
        TELL(r, .kind = EVENT_BACKUP, .stage = "backup-clear", .host = "app2", .backup = &b,
             .state = EVENT_WAITING);
        TELL(r, .kind = EVENT_BLOCKER, .host = "app2", .state = EVENT_WAITING, .detail = "x",
             .blocker = &(struct blocker){.pid = i});
        TELL(r, .kind = EVENT_WARNING, .detail = "x");
        TELL(r, .kind = EVENT_WARNING, .detail = "y");
    }
    assert_int_equal(r->n_waits + r->more_waits, 202);
    assert_int_equal(r->n_blockers + r->more_blockers, 200);
    assert_int_equal(r->n_warnings + r->more_warnings, 400);
    record_close(r);
}

/* When the output named a migration first and last. */
static void migrations(void **state)
{
    (void)state;
    static const char *names[] = {"20260102000000 Add place to events", "0002_add", "x"};
    const struct strs list = {names, 3};
    struct record *r = begun();

    print_in(r, "migrate", "app1", "20260102000000 before they are known\n");
    STAGE(r, "backup-detect", .state = EVENT_DONE, .migrations = &list);
    print(r, "app1", "packing 20260102000000_add_place.rb\n");
    now_ms += 1000;
    TELL(r, .kind = EVENT_JOB, .stage = "migrate", .host = "app1", .command = "rake db:migrate",
         .state = EVENT_BEGUN);
    STAGE(r, "migrate", .state = EVENT_BEGUN);
    print_in(r, "migrate", "app1", "== 20260102000000 AddPlaceToEvents: migrating\n");
    now_ms += 2500;
    print_in(r, "migrate", "app1",
             "0002_adder, 0002_add_2\n== 20260102000000 AddPlaceToEvents: migrated (2.5s)\n");
    assert_int_equal(r->migrations[0].last_ms - r->migrations[0].first_ms, 2500);
    assert_int_equal(r->migrations[1].first_ms, 0);
    print_in(r, "migrate", "app1", "Applying 0002_adder, 0002_add");
    assert_int_equal(r->migrations[1].last_ms, r->migrations[1].first_ms);
    assert_int_equal(r->migrations[1].first_ms, now_ms);
    assert_int_equal(r->migrations[2].first_ms, 0);
    assert_has(r, html_write, "<td class=\"number\">2.5 s</td>");
    record_close(r);
}

/* Two databases may have migrations of the same name. */
static void migrations_of_two(void **state)
{
    (void)state;
    static const char *names[] = {"0001_first"};
    const struct strs list = {names, 1};
    struct record *r = begun();

    STAGE(r, "backup-detect-main", .state = EVENT_DONE, .migrations = &list);
    STAGE(r, "backup-detect-orders", .state = EVENT_DONE, .migrations = &list);
    STAGE(r, "backup-detect-main", .state = EVENT_DONE, .migrations = &list);
    print_in(r, "migrate-orders", "app1", "0001_first\n");
    assert_int_equal(r->n_migrations, 2);
    assert_int_equal(r->migrations[0].first_ms, 0);
    assert_int_equal(r->migrations[1].first_ms, now_ms);
    assert_has(r, html_write, "<li>main: 0001_first</li>\n<li>orders: 0001_first</li>");
    record_close(r);
}

/* The jobs of a command stand together, in the order of the hosts. */
static void jobs_in_order(void **state)
{
    (void)state;
    static const char *const at[][2] = {
        {"app2", "make"}, {"app1", "make"}, {"app2", "test"}, {"local", "make"}, {"app1", "test"},
    };
    struct record *r = begun();
    struct arena a = {0};
    const char *text = "";

    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int end = 0; end < 2; end++)
            TELL(r, .kind = EVENT_JOB, .stage = "build", .host = at[i][0], .command = at[i][1],
                 .state = end ? EVENT_DONE : EVENT_BEGUN);
    struct job_records jobs = record_jobs(&a, r);
    for (size_t i = 0; i < jobs.n; i++)
        text = arena_printf(&a, "%s%s %s,", text, jobs.v[i]->command, jobs.v[i]->host);
    assert_string_equal(text, "make app1,make app2,make local,test app1,test app2,");
    arena_free(&a);
    record_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile),           cmocka_unit_test(verdicts),
        cmocka_unit_test(unended),           cmocka_unit_test(batches),
        cmocka_unit_test(long_output),       cmocka_unit_test(much_output),
        cmocka_unit_test(long_wait),         cmocka_unit_test(migrations),
        cmocka_unit_test(migrations_of_two), cmocka_unit_test(jobs_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
