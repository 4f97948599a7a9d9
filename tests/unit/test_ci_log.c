#include "ui/ui.h"

#include "edge/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The log of a CI job: what is folded, what stays open, and that it is never silent. */

/* The clock of the test, instead of the loop's. */
static long long now_ms;

bool loop_was_continued(void)
{
    return false;
}

long long loop_now(void)
{
    return now_ms;
}

static struct ui *ui;
static struct watcher w;
static char *text;
static size_t len;
static FILE *out;

static void open_log(enum ui_ci ci, int verbose)
{
    setenv("TZ", "UTC", 1);
    now_ms = 1000;
    out = open_memstream(&text, &len);
    ui = ui_open(&(struct ui_options){
        .mode = UI_PLAIN, .ci = ci, .verbose = verbose, .out = out, .err = out});
    w = ui_watcher(ui);
}

static void close_log(void)
{
    ui_close(ui);
    fclose(out);
    free(text);
}

static void tell(struct event e)
{
    e.unix_ms = 1795361412000 + now_ms - 1000;
    w.tell(w.self, &e);
}
#define TELL(...) tell((struct event){__VA_ARGS__})

static const char *const hosts[] = {"app1", "app2", NULL};
#define STAGE(...) TELL(.kind = EVENT_STAGE, .stage = "build", .hosts = hosts, __VA_ARGS__)
#define JOB(on, ...)                                                                               \
    TELL(.kind = EVENT_JOB, .stage = "build", .host = on, .command = "make", __VA_ARGS__)

static void print(const char *host, const char *bytes)
{
    TELL(.kind = EVENT_OUTPUT, .stage = "build", .host = host, .bytes = bytes,
         .len = strlen(bytes));
}

static const char *logged(void)
{
    fflush(out);
    return text;
}

/* Without the times of day, since those of lines without an event are real. */
static const char *untimed(void)
{
    fflush(out);
    char *to = text;
    for (char *from = text; *from;) {
        char *next = strchr(from, '\n') + 1;
        size_t n = (size_t)(next - from) - 9;
        memmove(to, from + 9, n);
        to += n;
        from = next;
    }
    *to = '\0';
    return text;
}

static void spend(long long ms)
{
    for (; ms > 0; ms -= 250) {
        now_ms += 250;
        ui_tick(ui);
    }
}

static void build(enum event_state end)
{
    STAGE(.state = EVENT_BEGUN, .detail = "make");
    JOB("app1", .state = EVENT_BEGUN);
    print("app1", "one ##[add-mask]two\n::error::three\n");
    spend(2000);
    JOB("app1", .state = end);
    STAGE(.state = end, .took_ms = 2000, .detail = "make");
}

static void folded_when_it_went_well(void **state)
{
    (void)state;
    open_log(UI_CI_GITHUB, 0);
    build(EVENT_DONE);
    assert_string_equal(logged(), "15:30:12 build app1 app2: started: make\n"
                                  "::group::15:30:14 build app1 app2: done (2.0 s)\n"
                                  "15:30:12 build app1: make: started\n"
                                  "15:30:12 app1 | one ## [add-mask]two\n"
                                  "15:30:12 app1 | ::error::three\n"
                                  "15:30:14 build app1: make: done\n"
                                  "::endgroup::\n");
    close_log();
    open_log(UI_CI_GITLAB, 0);
    build(EVENT_DONE);
    assert_string_equal(logged(),
                        "15:30:12 build app1 app2: started: make\n"
                        "\033[0Ksection_start:1795361412:crelease_1_build[collapsed=true]\r\033[0K"
                        "15:30:14 build app1 app2: done (2.0 s)\n"
                        "15:30:12 build app1: make: started\n"
                        "15:30:12 app1 | one ##[add-mask]two\n"
                        "15:30:12 app1 | ::error::three\n"
                        "15:30:14 build app1: make: done\n"
                        "\033[0Ksection_end:1795361414:crelease_1_build\r\033[0K\n");
    close_log();
}

static void open_when_it_failed(void **state)
{
    (void)state;
    static const char *now[] = {"users see no change"};
    static const char *next[] = {"fix it, then run 'crelease resume 100%'", "or abort"};
    const struct failure failure = {.now = {now, 1}, .next = {next, 2}};
    const struct run_info run = {.command = "deploy", .environment = "production"};

    open_log(UI_CI_GITHUB, 0);
    build(EVENT_FAILED);
    TELL(.kind = EVENT_END, .code = ERR_FAILED, .run = &run, .failure = &failure,
         .message = "stage 'build' failed");
    assert_string_equal(
        logged(), "15:30:12 build app1 app2: started: make\n"
                  "15:30:12 build app1: make: started\n"
                  "15:30:12 app1 | one ## [add-mask]two\n"
                  "15:30:12 app1 | ::error::three\n"
                  "15:30:14 build app1: make: failed\n"
                  "15:30:14 build app1 app2: failed (2.0 s)\n"
                  "::error title=deploy production%3A failed::stage 'build' failed%0Ausers see no "
                  "change%0Anext: fix it, then run 'crelease resume 100%25'%0Aor abort\n"
                  "crelease: stage 'build' failed\n"
                  "  users see no change\n"
                  "  next: fix it, then run 'crelease resume 100%'\n"
                  "        or abort\n");
    close_log();
}

/* A run that ends in the middle, as when it is cancelled, leaves out nothing. */
static void printed_when_the_run_ends(void **state)
{
    (void)state;
    open_log(UI_CI_GITLAB, 0);
    STAGE(.state = EVENT_BEGUN, .detail = "make");
    JOB("app1", .state = EVENT_BEGUN);
    print("app1", "one\nno newline");
    TELL(.kind = EVENT_END, .code = ERR_INTERRUPTED, .message = "stopped");
    assert_string_equal(logged(), "15:30:12 build app1 app2: started: make\n"
                                  "15:30:12 build app1: make: started\n"
                                  "15:30:12 app1 | one\n"
                                  "15:30:12 app1 | no newline\n"
                                  "crelease: stopped\n");
    close_log();
}

/* With -v, and elsewhere than in a CI job, as it comes. */
static void not_held_with_v(void **state)
{
    (void)state;
    open_log(UI_CI_GITHUB, 1);
    STAGE(.state = EVENT_BEGUN, .detail = "make");
    print("app1", "one\n");
    assert_string_equal(logged(), "15:30:12 build app1 app2: started: make\n"
                                  "15:30:12 app1 | one\n");
    close_log();
}

/* More than is held comes in several groups. */
static void much_output(void **state)
{
    (void)state;
    char line[1001];
    size_t groups = 0;
    size_t lines = 0;

    memset(line, 'x', 1000);
    line[999] = '\n';
    line[1000] = '\0';
    open_log(UI_CI_GITHUB, 0);
    STAGE(.state = EVENT_BEGUN);
    for (int i = 0; i < 2500; i++)
        print("app1", line);
    STAGE(.state = EVENT_DONE);
    for (const char *c = logged(); (c = strstr(c, "::group::")); c++)
        groups++;
    for (const char *c = logged(); (c = strstr(c, "| xxx")); c++)
        lines++;
    assert_int_equal(groups, 3);
    assert_int_equal(lines, 2500);
    close_log();
}

static void warnings(void **state)
{
    (void)state;
    size_t annotated = 0;
    size_t plain = 0;

    open_log(UI_CI_GITHUB, 0);
    for (int i = 0; i < 12; i++)
        TELL(.kind = EVENT_WARNING, .host = "app1", .detail = "full,\nnearly");
    for (const char *c = logged();
         (c = strstr(c, "::warning title=crelease::app1: full,\\x0anearly\n")); c++)
        annotated++;
    for (const char *c = logged(); (c = strstr(c, "15:30:12 warning: app1: full")); c++)
        plain++;
    assert_int_equal(annotated, 10);
    assert_int_equal(plain, 2);
    close_log();
}

/* A line a minute, whatever is waited for. */
static void never_silent(void **state)
{
    (void)state;
    open_log(UI_CI_NONE, 0);
    spend(61000); /* hosts that do not answer */
    STAGE(.state = EVENT_BEGUN, .detail = "make");
    spend(60000); /* a script */
    JOB("app1", .state = EVENT_BEGUN);
    JOB("app2", .state = EVENT_BEGUN);
    spend(185000); /* a job that prints nothing */
    JOB("app1", .state = EVENT_DONE);
    spend(59000);
    print("app2", "something\n");
    spend(59000);
    STAGE(.state = EVENT_DONE);
    assert_string_equal(untimed(), "still waiting; no news for 1 min 00 s\n"
                                   "build app1 app2: started: make\n"
                                   "build app1: make: started\n"
                                   "build app2: make: started\n"
                                   "build app1 app2: make: running for 1 min 01 s\n"
                                   "build app1 app2: make: running for 2 min 01 s\n"
                                   "build app1 app2: make: running for 3 min 01 s\n"
                                   "build app1: make: done\n"
                                   "app2 | something\n"
                                   "build app1 app2: done\n");
    close_log();
}

/* What is held back is named. */
static void never_silent_in_ci(void **state)
{
    (void)state;
    open_log(UI_CI_GITHUB, 0);
    STAGE(.state = EVENT_BEGUN, .detail = "make");
    JOB("app1", .state = EVENT_BEGUN);
    spend(30000);
    print("app1", "halfway\n");
    spend(32000);
    assert_string_equal(untimed(),
                        "build app1 app2: started: make\n"
                        "build app1: make: running for 1 min 01 s; last line: 15:30:42 app1 | "
                        "halfway\n");
    close_log();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_when_it_went_well),
        cmocka_unit_test(open_when_it_failed),
        cmocka_unit_test(printed_when_the_run_ends),
        cmocka_unit_test(not_held_with_v),
        cmocka_unit_test(much_output),
        cmocka_unit_test(warnings),
        cmocka_unit_test(never_silent),
        cmocka_unit_test(never_silent_in_ci),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
