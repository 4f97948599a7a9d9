/* test_notify.c -- which events are told to whom, and in which words.  Nothing is sent: this file is the
 * module edge/webhook. */
#include "edge/webhook.h"
#include "ui/notify/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct strs posted;
static struct strs urls;
static const char *fails; /* why the next one is not delivered */
static enum err_code told_code;
static size_t warnings;

bool webhook_takes(const char *url)
{
    return url != NULL;
}

void webhook_start(struct webhook *w, const char *url, const char *body)
{
    *w = (struct webhook){.from = -1, .over = true};
    snprintf(w->why, sizeof w->why, "%s", fails ? fails : "");
    strs_add(&arena, &urls, arena_strdup(&arena, url));
    strs_add(&arena, &posted, arena_strdup(&arena, body));
}

bool webhook_is_over(struct webhook *w)
{
    return w->over;
}

void webhook_stop(struct webhook *w, const char *why)
{
    (void)w;
    (void)why;
}

static void told(void *self, const struct event *e)
{
    (void)self;
    warnings += e->kind == EVENT_WARNING;
    if (e->kind == EVENT_END)
        told_code = e->code;
}

static struct notifier *notifier;
static struct watcher watcher;

static const struct run_info run = {.id = "k7f2", .release = "20261203101112", .revision = "abc"};

static void begin(const char *command, const char *word, enum notify_format format)
{
    static struct notification to;
    static struct recipe recipe;
    const struct notify_about about = {.recipe = &recipe, .command = command, .user = "ann@laptop"};
    static struct loop *loop;

    posted = urls = (struct strs){0};
    warnings = 0;
    fails = NULL;
    loop = loop ? loop : loop_open();
    to = (struct notification){.url = "https://h/x", .format = format};
    strs_add(&arena, &to.on, word);
    recipe = (struct recipe){
        .application = "shop", .environment = "production", .notify = &to, .n_notify = 1};
    notifier_close(notifier);
    notifier = notifier_open(&about, loop);
    watcher = notifier_watcher(notifier, &(struct watcher){.tell = told});
}

static void tell(struct event e)
{
    watcher.tell(watcher.self, &e);
}

static void end(enum err_code code, const char *message)
{
    tell((struct event){.kind = EVENT_END, .code = code, .run = &run, .message = message});
}

/* A wait of a day tells thousands of events. */
static void test_waits(void **state)
{
    (void)state;
    begin("deploy", "waiting", NOTIFY_SLACK);
    for (int i = 0; i < 5000; i++)
        tell((struct event){
            .kind = EVENT_BACKUP, .state = EVENT_WAITING, .stage = "backup-clear", .detail = "x"});
    assert_int_equal(posted.n, 1);
    tell((struct event){.kind = EVENT_BLOCKER, .state = EVENT_WAITING, .stage = "migrate"});
    assert_int_equal(posted.n, 2);
    assert_string_equal(posted.v[0], "{\"text\":\"shop production: deploy is waiting at stage "
                                     "'backup-clear': x (by ann@laptop)\"}\n");
}

static void test_ends(void **state)
{
    static const struct {
        const char *command;
        const char *word;
        enum err_code code;
        size_t n;
    } cases[] = {
        {"deploy", "live", ERR_NONE, 1},          {"deploy", "live", ERR_UNTIDY, 1},
        {"deploy", "live", ERR_FAILED, 0},        {"deploy", "failed", ERR_FAILED, 1},
        {"deploy", "failed", ERR_UNTIDY, 0},      {"deploy", "failed", ERR_USAGE, 0},
        {"deploy", "failed", ERR_UNREACHABLE, 1}, {"abort", "live", ERR_NONE, 0},
        {"abort", "aborted", ERR_NONE, 1},        {"rollback", "live", ERR_NONE, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].command, cases[i].word, NOTIFY_JSON);
        end(cases[i].code, NULL);
        assert_int_equal(posted.n, cases[i].n);
        assert_int_equal(told_code, cases[i].code);
    }
    /* Nothing to do. */
    begin("deploy", "live", NOTIFY_JSON);
    tell((struct event){.kind = EVENT_END});
    assert_int_equal(posted.n, 0);
}

static void test_failure(void **state)
{
    static const struct {
        const char *command;
        const char *word;
        enum err_code code;
        enum err_code then;
    } cases[] = {
        {"deploy", "live", ERR_NONE, ERR_UNTIDY},
        {"deploy", "failed", ERR_FAILED, ERR_FAILED},
        {"deploy", "failed", ERR_UNCERTAIN, ERR_UNCERTAIN},
        {"abort", "aborted", ERR_NONE, ERR_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].command, cases[i].word, NOTIFY_JSON);
        fails = "no answer";
        end(cases[i].code, NULL);
        assert_int_equal(told_code, cases[i].then);
        assert_int_equal(warnings, 1);
        assert_true((notifier_failure(notifier) != NULL) == (cases[i].then == ERR_UNTIDY));
    }
}

/* Slack takes <...> for a link or a mention, and a control character never leaves. */
static void test_slack(void **state)
{
    (void)state;
    begin("deploy", "failed", NOTIFY_SLACK);
    end(ERR_FAILED, "<!channel> a & b \x1b[31m");
    assert_non_null(strstr(posted.v[0], ": &lt;!channel&gt; a &amp; b "));
    assert_null(strchr(posted.v[0], '\x1b'));
    assert_null(strstr(posted.v[0], "u001b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_slack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
