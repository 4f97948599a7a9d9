#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

#include "base/limits.h"
#include "core/chain.h"
#include "core/stage.h"
#include "core/trip.h"
#include "core/upload.h"

#include <signal.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;
static struct err err;
static struct guard guard;
static struct run run;
static struct recipe recipe;
static struct host hosts[] = {{.name = "app1", .deploy_to = "/srv/it's one"},
                              {.name = "app2", .deploy_to = "/srv/two"},
                              {.name = "db1", .deploy_to = "/srv/db"}};
static struct site sites[3];
static struct plan plan = {
    .what = {.run = "k7f2ab", .release = "20261122153012", .command = COMMAND_DEPLOY}};

/* ---- a fleet and a loop that do as they are told ---- */

static const struct reply *answers; /* by host */
static const struct call *sent;
static size_t n_sent;

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    (void)fleet;
    (void)a;
    sent = calls;
    n_sent = n;
    for (size_t i = 0; i < n; i++)
        ret_replies[i] = answers[calls[i].host];
}

static const char *warnings;

static void note(void *self, const struct event *e)
{
    (void)self;
    assert_true(e->unix_ms > 0);
    assert_string_equal(e->run_id, "k7f2ab");
    if (e->kind == EVENT_WARNING)
        warnings = arena_printf(&arena, "%s%s\n", warnings, e->detail);
}

static const struct watcher watcher = {.tell = note};

static void begin(size_t n_hosts)
{
    recipe = (struct recipe){.hosts = hosts, .n_hosts = n_hosts};
    memset(sites, 0, sizeof sites);
    guard = (struct guard){0};
    run = (struct run){.arena = &arena,
                       .guard = &guard,
                       .recipe = &recipe,
                       .plan = &plan,
                       .watcher = &watcher,
                       .sites = sites,
                       .epoch = 4};
    warnings = "";
    signal_that_came = 0;
    err = (struct err){.arena = &arena};
}

/* ---- redact ---- */

static void test_redact(void **state)
{
    static const struct {
        const char *secrets[4]; /* the longest first, as a recipe has them */
        const char *text;
        const char *out;
    } rows[] = {
        {{NULL}, "nothing to hide", "nothing to hide"},
        {{"hunter22"}, "", ""},
        {{"hunter22"}, "nothing to hide", "nothing to hide"},
        {{"hunter22"}, "hunter22", "[secret]"},
        {{"hunter22"}, "a hunter22 b hunter22", "a [secret] b [secret]"},
        {{"hunter22"}, "hunter22hunter22", "[secret]"},
        {{"hunter22"}, "hunter2", "hunter2"},
        {{"hunter22"}, "hunter2hunter22", "hunter2[secret]"},
        {{"hunter22", "hunter"}, "hunter hunter22", "[secret] [secret]"},
        {{"one-two", "two-one"}, "one-two two-one", "[secret] [secret]"},
        {{"aaaa"}, "aaaaaaaaab", "[secret]b"},
        {{"abcdef", "defghi"}, "-abcdefghi-", "-[secret]-"},
        {{"hunter22", "cret"}, "hunter22 cret", "[secret] [secret]"},
        {{"line one\nline two"}, "line one\nline two\n", "[secret]\n"},
        {{""}, "an empty one is none", "an empty one is none"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct strs secrets = {0};
        for (size_t k = 0; rows[i].secrets[k]; k++)
            strs_add(&arena, &secrets, rows[i].secrets[k]);
        assert_string_equal(redact(&arena, &secrets, rows[i].text), rows[i].out);
    }
    assert_null(redact(&arena, &(struct strs){0}, NULL));
    assert_null(redact(&arena, &(struct strs){(const char *[]){"abcd"}, 1}, NULL));
}

/* Secrets that lie in what is put in their place: it ends, and none of them can be read. */
static void test_redact_itself(void **state)
{
    static const char *const words[] = {"secret", "[secret]", "cret", "ecre", "ret]"};

    (void)state;
    for (size_t i = 0; i < N(words); i++) {
        struct strs one = {0};
        strs_add(&arena, &one, words[i]);
        strs_add(&arena, &one, "zzzz");
        const char *text =
            redact(&arena, &one, arena_printf(&arena, "-%s-%s-zzzz-", words[i], words[i]));
        assert_null(strstr(text, "zzzz"));
        assert_int_equal(strncmp(text, "-[", 2), 0);
        assert_true(strlen(text) < 1000);
    }
    struct strs all = {0};
    for (size_t i = 0; i < N(words); i++)
        strs_add(&arena, &all, words[i]);
    assert_true(strlen(redact(&arena, &all, "[secret] [secret]")) < 100000);
}

static void test_redact_much(void **state)
{
    struct buf b = buf_make(4 << 20);
    struct strs secrets = {0};

    (void)state;
    strs_add(&arena, &secrets, "hunter22");
    for (int i = 0; i < 4000; i++)
        buf_puts(&b, "x hunter22 y\n");
    const char *text = redact(&arena, &secrets, b.text);
    assert_null(strstr(text, "hunter22"));
    assert_int_equal(strlen(text), b.len);
    buf_free(&b);
}

/* ---- run_judge ---- */

#define SILENT "the script ended without reporting a result; its change may have been made"

static void test_judge(void **state)
{
    static const struct {
        struct reply reply;
        enum err_code code;
        const char *msg;
    } rows[] = {
        {{REPLY_EXIT, 0, .out = "held k7f2ab\n"}, ERR_NONE, NULL},
        {{REPLY_EXIT, 0, .out = "x y\nended 0\n"}, ERR_NONE, NULL},
        {{REPLY_EXIT, 0, .out = "error but 0 is 0\nended 0\n"}, ERR_NONE, NULL},
        {{REPLY_EXIT, 0, .out = ""}, ERR_UNCERTAIN, SILENT},
        {{REPLY_EXIT, 0, .out = "x y\n"}, ERR_UNCERTAIN, SILENT},
        {{REPLY_EXIT, 0, .out = "x ended 0\nended 0"}, ERR_UNCERTAIN, SILENT},
        {{REPLY_EXIT, 0, .out = "error cannot write\nended 70\n"}, ERR_FAILED, "cannot write"},
        {{REPLY_EXIT, 70, .out = "x y\nerror cannot write\n"}, ERR_FAILED, "cannot write"},
        {{REPLY_EXIT, 70, .out = "error one\nerror two\n"}, ERR_FAILED, "one"},
        {{REPLY_EXIT, 70, .out = "error \x1b[2Jbad\n"}, ERR_FAILED, "\\x1b[2Jbad"},
        {{REPLY_EXIT, 70, .out = ""}, ERR_FAILED, "failed"},
        {{REPLY_EXIT, 70, .out = "error cut o"}, ERR_FAILED, "failed"},
        {{REPLY_EXIT, 71, .out = "error no /proc\n"}, ERR_UNCERTAIN, "no /proc"},
        {{REPLY_EXIT, 71, .out = ""}, ERR_UNCERTAIN, "its result could not be checked"},
        {{REPLY_EXIT, 72, .out = "fenced bob@desk\n"},
         ERR_LOCKED,
         "this run no longer holds the lock: it was taken over by bob@desk"},
        {{REPLY_EXIT, 72, .out = "fenced nobody\n"},
         ERR_LOCKED,
         "this run no longer holds the lock: it was taken over or ended"},
        {{REPLY_EXIT, 72, .out = ""},
         ERR_LOCKED,
         "this run no longer holds the lock: it was taken over or ended"},
        {{REPLY_EXIT, 73, .out = "error run x by bob is alive\n"},
         ERR_LOCKED,
         "run x by bob is alive"},
        {{REPLY_EXIT, 73, .out = ""}, ERR_LOCKED, "another run holds the lock"},
        {{REPLY_EXIT, 74, .out = "error run x by bob is unfinished\n"},
         ERR_UNFINISHED,
         "run x by bob is unfinished"},
        {{REPLY_EXIT, 74, .out = ""}, ERR_UNFINISHED, "an earlier run was never finished"},
        {{REPLY_EXIT, 1, .out = ""}, ERR_FAILED, "the script ended with exit status 1"},
        {{REPLY_EXIT, 2, .out = "", .err_out = "sh: 1\nsh: 2: Syntax error\r\n\n"},
         ERR_FAILED,
         "the script ended with exit status 2: sh: 2: Syntax error"},
        {{REPLY_EXIT, 127, .out = "", .err_out = "sh: tar: not found"},
         ERR_FAILED,
         "the script ended with exit status 127: sh: tar: not found"},
        {{REPLY_EXIT, 255, .out = "", .err_out = "\x1b]0;x\a"},
         ERR_FAILED,
         "the script ended with exit status 255: \\x1b]0;x\\x07"},
        {{REPLY_SIGNAL, .signal = "KILL"}, ERR_FAILED, "the script was ended by signal KILL"},
        {{REPLY_LOST, .why = "the connection broke"},
         ERR_UNCERTAIN,
         "the connection broke; its change may have been made"},
        {{REPLY_TIMEOUT, .why = "no answer in 9 s"},
         ERR_UNCERTAIN,
         "no answer in 9 s; its change may have been made"},
        {{REPLY_UNREACHED, .why = "no route"}, ERR_UNREACHABLE, "no route"},
        {{.kind = REPLY_STOPPED}, ERR_UNCERTAIN, "stopped in the middle of a step"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct reply reply = rows[i].reply;
        reply.out = reply.out ? reply.out : "";
        reply.err_out = reply.err_out ? reply.err_out : "";
        begin(1);
        assert_int_equal(run_judge(&run, 0, &reply, &err), rows[i].code == ERR_NONE);
        assert_int_equal(err.code, rows[i].code);
        if (!rows[i].msg) {
            assert_null(run.failure.host);
            continue;
        }
        assert_string_equal(err.msg, rows[i].msg);
        assert_string_equal(run.failure.host, "app1");
        begin(3);
        assert_false(run_judge(&run, 2, &reply, &err));
        assert_string_equal(err.msg, arena_printf(&arena, "db1: %s", rows[i].msg));
    }
}

/* Once something has begun, not to reach a host leaves open what is so there. */
static void test_judge_later(void **state)
{
    const struct reply reply = {REPLY_UNREACHED, .out = "", .err_out = "", .why = "no route"};

    (void)state;
    begin(2);
    run.begun = true;
    assert_false(run_judge(&run, 1, &reply, &err));
    assert_int_equal(err.code, ERR_UNCERTAIN);
    assert_string_equal(err.msg, "app2: no route");
}

static void test_judge_stopped(void **state)
{
    static const struct {
        int signal;
        enum err_code code;
        const char *msg;
    } rows[] = {
        {SIGINT, ERR_INTERRUPTED, "stopped by Ctrl-C in the middle of a step"},
        {SIGTERM, ERR_TERMINATED, "stopped by SIGTERM in the middle of a step"},
        {SIGHUP, ERR_TERMINATED, "stopped by SIGHUP in the middle of a step"},
    };
    const struct reply reply = {REPLY_STOPPED, .out = "", .err_out = ""};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        begin(1);
        assert_false(run_is_stopped(&run, "", &err));
        signal_that_came = rows[i].signal;
        assert_false(run_judge(&run, 0, &reply, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

/* ---- run_scripts ---- */

static const size_t all_hosts[] = {0, 1, 2};

static void some_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    assert_ptr_equal(r, &run);
    assert_null(s);
    buf_printf(b, "value='of %s'\n", hosts[host].name);
}

static void test_script_text(void **state)
{
    const struct trip t = {.script = "# a comment\n\n\techo '# no comment'\n",
                           .step = "after-switch",
                           .verb = "undo",
                           .values = some_values};
    static const char values[] = "deploy_to='/srv/it'\\''s one'\n"
                                 "run='k7f2ab'\n"
                                 "epoch='4'\n"
                                 "release='20261122153012'\n"
                                 "step='after-switch'\n"
                                 "verb='undo'\n"
                                 "files_umask=''\n"
                                 "value='of app1'\n";
    static const char code[] = "begin_script \"$@\"\necho '# no comment'\n";
    static char large[SCRIPT_BYTES_MAX + 1];

    (void)state;
    begin(3);
    const char *text = run_script_text(&run, &t, 0);
    assert_int_equal(strncmp(text, values, strlen(values)), 0);
    assert_string_equal(text + strlen(text) - strlen(code), code);
    assert_non_null(strstr(text, "\nidentity_of() {\n"));
    assert_null(strstr(text + strlen(values), "\n#"));
    assert_null(strstr(text, "\n\t"));
    /* A session's shell has the functions already. */
    assert_string_equal(run_frame_text(&run, &t, 0), arena_printf(&arena, "%s%s", values, code));
    memset(large, 'x', sizeof large - 1);
    assert_null(
        run_script_text(&run, &(struct trip){.script = large, .step = "s", .verb = "v"}, 0));
    answers = NULL;
    n_sent = 0;
    const struct trip all = {
        .script = large, .step = "s", .verb = "v", .hosts = all_hosts, .n_hosts = 1};
    assert_false(run_scripts(&run, &all, NULL, &err));
    assert_int_equal(err.code, ERR_FAILED);
    assert_int_equal(n_sent, 0);
}

/* The reply to a frame of three scripts: as far as they came, each step gets its own. */
static void test_chain_split(void **state)
{
    static const struct {
        enum reply_kind kind;
        int status;
        const char *out;
        const char *outs[3];
        int n;
    } rows[] = {
        {REPLY_EXIT,
         0,
         "a\nended 0\nchained 0 0\nb\nchained 1 0\nended 0\n",
         {"a\nended 0\n", "b\n", "ended 0\n"},
         3},
        {REPLY_EXIT,
         70,
         "ended 0\nchained 0 0\nerror no\nchained 1 70\n",
         {"ended 0\n", "error no\nchained 1 70\n"},
         2},
        {REPLY_EXIT,
         70,
         "error chained 0 0\nchained 0 70\n",
         {"error chained 0 0\nchained 0 70\n"},
         1},
        {REPLY_LOST, 0, "ended 0\nchained 0 0\nb", {"ended 0\n", "b"}, 2},
        {REPLY_LOST, 0, "", {""}, 1},
        /* It did not run in the session, where it would have had company. */
        {REPLY_EXIT, 0, "a\nended 0\n", {"a\nended 0\n"}, 1},
    };
    static const char *const steps[] = {"cleanup", "unlock"};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct chain c = {.n = 2, .trips = {{.step = steps[0]}, {.step = steps[1]}}};
        struct reply one = {.kind = rows[i].kind,
                            .status = rows[i].status,
                            .err_out = "",
                            .out = rows[i].out,
                            .out_len = strlen(rows[i].out),
                            .why = "lost"};
        begin(1);
        chain_split(&run, &c, 0, &one);
        for (int k = 0; k < 3; k++) {
            bool last = k == rows[i].n - 1;
            bool there = k == 0 || chain_take(&run, steps[k - 1], 0, &one);
            assert_int_equal(there, k < rows[i].n);
            if (!there)
                continue;
            assert_string_equal(one.out, rows[i].outs[k]);
            assert_int_equal(one.out_len, strlen(one.out));
            assert_int_equal(one.kind, last ? rows[i].kind : REPLY_EXIT);
            assert_int_equal(one.status, last ? rows[i].status : 0);
            assert_false(k && chain_has(&run, steps[k - 1]));
        }
    }
}

static void test_scripts(void **state)
{
    const struct reply rows[] = {
        {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""},
        {REPLY_LOST, .out = "", .err_out = "", .why = "the connection broke"},
        {REPLY_EXIT, 70, .out = "error disk full\n", .err_out = ""},
    };
    struct trip t = {.script = "#\n",
                     .step = "link",
                     .verb = "run",
                     .hosts = all_hosts,
                     .n_hosts = 1,
                     .payload = -1};
    struct reply *replies = NULL;

    (void)state;
    begin(3);
    answers = rows;
    assert_true(run_scripts(&run, &t, &replies, &err));
    assert_int_equal(n_sent, 1);
    assert_true(sent[0].timeout_ms > 0);
    assert_int_equal(sent[0].payload, -1);
    t.n_hosts = 3;
    t.timeout_ms = 77;
    assert_false(run_scripts(&run, &t, &replies, &err));
    assert_int_equal(n_sent, 3);
    assert_int_equal(sent[2].timeout_ms, 77);
    assert_non_null(strstr(sent[2].script, "deploy_to='/srv/db'\n"));
    assert_int_equal(replies[2].status, 70);
    assert_int_equal(err.code, ERR_UNCERTAIN);
    assert_string_equal(err.msg, "app2: the connection broke; its change may have been made");
    assert_string_equal(warnings, "db1: disk full\n");
    assert_string_equal(run.failure.host, "app2");
}

/* ---- what is left to do ---- */

static void test_hosts_left(void **state)
{
    static const struct {
        const char *until;
        const char *mark;     /* of the step, NULL: none */
        const char *later;    /* of the stage that `until` names */
        const char *last_run; /* of the host's history */
        size_t left;
    } rows[] = {
        {NULL, NULL, NULL, NULL, 1},
        {NULL, "begun", NULL, NULL, 1},
        {NULL, "failed", NULL, NULL, 1},
        {NULL, "undone", NULL, NULL, 1},
        {NULL, "done", NULL, NULL, 0},
        {NULL, "skipped", NULL, NULL, 0},
        {"migrate", "done", NULL, NULL, 1},
        {"migrate", "done", "begun", NULL, 1},
        {"migrate", "done", "done", NULL, 0},
        {"migrate", "skipped", "skipped", NULL, 0},
        {"migrate", NULL, "done", NULL, 1},
        {NULL, NULL, NULL, "k7f2ab deploy done", 0},
        {NULL, NULL, NULL, "k7f2aa deploy done", 1},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct stage stage = {.name = "backup-clear", .until = rows[i].until};
        const struct step step = {
            .stage = &stage, .name = stage.name, .hosts = (size_t[]){0, 2}, .n_hosts = 2};
        size_t *left;
        begin(3);
        if (rows[i].mark)
            site_set_mark(&arena, &sites[2], stage.name, rows[i].mark);
        if (rows[i].later)
            site_set_mark(&arena, &sites[2], "migrate", rows[i].later);
        sites[2].last_run = rows[i].last_run;
        if (run_hosts_left(&run, &step, &left) != 1 + rows[i].left)
            fail_msg("row %zu", i);
        assert_int_equal(left[0], 0);
        if (rows[i].left)
            assert_int_equal(left[1], 2);
    }
}

static void test_takes_part(void **state)
{
    const struct stage stage = {.name = "switch"};
    const struct step step = {
        .stage = &stage, .name = stage.name, .hosts = (size_t[]){0, 1, 2}, .n_hosts = 3};
    bool out[] = {false, true, false};
    size_t *left;

    (void)state;
    begin(3);
    assert_int_equal(run_hosts_left(&run, &step, NULL), 3);
    run.left_out.out = out;
    assert_int_equal(run_hosts_left(&run, &step, NULL), 2);
    assert_true(run_is_through(&run, 1));
    assert_false(run_is_through(&run, 2));
    sites[2].last_run = "k7f2ab 1 done";
    assert_true(run_is_through(&run, 2));
    assert_int_equal(run_hosts_left(&run, &step, &left), 1);
    assert_int_equal(left[0], 0);
}

static void test_note(void **state)
{
    const struct reply rows[] = {
        {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""},
        {REPLY_EXIT, 72, .out = "fenced bob\n", .err_out = ""},
        {REPLY_LOST, .out = "", .err_out = "", .why = "it broke"},
    };
    const struct trip t = {
        .script = "#\n", .step = "link", .verb = "run", .hosts = all_hosts, .n_hosts = 3};
    struct mishap mishaps[3] = {{ERR_NONE, NULL}};

    (void)state;
    begin(3);
    answers = rows;
    run.left_out.mishaps = mishaps;
    assert_false(run_scripts(&run, &t, NULL, &err));
    assert_int_equal(mishaps[0].code, ERR_NONE);
    assert_int_equal(mishaps[1].code, ERR_LOCKED);
    assert_int_equal(mishaps[2].code, ERR_UNCERTAIN);
    assert_string_equal(mishaps[2].why, "it broke; its change may have been made");
    left_out_note(&run, 2, ERR_FAILED, "later");
    assert_int_equal(mishaps[2].code, ERR_UNCERTAIN); /* the first one stays */
}

static void test_script_act(void **state)
{
    const struct reply rows[] = {
        {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""},
        {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""},
        {REPLY_EXIT, 70, .out = "error no\n", .err_out = ""},
    };
    const struct stage stage = {.name = "link", .script = "# link\n"};
    struct step_result result = {0};
    const struct step step = {
        .stage = &stage, .name = "link", .hosts = (size_t[]){0, 1, 2}, .n_hosts = 3};

    (void)state;
    begin(3);
    answers = rows;
    site_set_mark(&arena, &sites[0], "link", "done");
    assert_false(stage_script_act(&run, &step, &result, &err));
    assert_int_equal(n_sent, 2);
    assert_string_equal(site_mark(&sites[1], "link"), "done");
    assert_string_equal(site_mark(&sites[2], "link"), "begun");
    assert_string_equal(err.msg, "db1: no");
}

static void test_script_undo(void **state)
{
    const struct reply good = {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""};
    const struct reply rows[] = {good, good, good};
    const struct stage stage = {.name = "switch", .script = "# switch\n"};
    const struct step step = {
        .stage = &stage, .name = "switch", .hosts = (size_t[]){0, 1, 2}, .n_hosts = 3};

    (void)state;
    begin(3);
    answers = rows;
    n_sent = 0;
    assert_true(stage_script_undo(&run, &step, &err));
    assert_int_equal(n_sent, 0); /* nobody ever began it */
    site_set_mark(&arena, &sites[0], "switch", "undone");
    site_set_mark(&arena, &sites[2], "switch", "begun");
    assert_true(stage_script_undo(&run, &step, &err));
    assert_int_equal(n_sent, 1);
    assert_int_equal(sent[0].host, 2);
    assert_non_null(strstr(sent[0].script, "verb='undo'\n"));
    assert_string_equal(site_mark(&sites[2], "switch"), "undone");
}

/* One host that is lost does not hide that another has been put back; one left out is not asked. */
static void test_script_undo_in_part(void **state)
{
    const struct reply rows[] = {
        {REPLY_EXIT, 0, .out = "ended 0\n", .err_out = ""},
        {REPLY_LOST, .out = "", .err_out = "", .why = "it broke"},
    };
    const struct stage stage = {.name = "switch", .script = "# switch\n"};
    const struct step step = {
        .stage = &stage, .name = "switch", .hosts = (size_t[]){0, 1, 2}, .n_hosts = 3};
    bool out[] = {false, false, true};

    (void)state;
    begin(3);
    answers = rows;
    run.left_out.out = out;
    for (size_t h = 0; h < 3; h++)
        site_set_mark(&arena, &sites[h], "switch", "done");
    assert_false(stage_script_undo(&run, &step, &err));
    assert_int_equal(n_sent, 2);
    assert_string_equal(site_mark(&sites[0], "switch"), "undone");
    assert_string_equal(site_mark(&sites[1], "switch"), "done");
    assert_string_equal(site_mark(&sites[2], "switch"), "done");
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

/* The times of steps add up, are kept as text, and are compared with the median of runs of the same command. */
static void test_times(void **state)
{
    (void)state;
    begin(1);
    plan.what.command = COMMAND_DEPLOY;
    assert_string_equal(times_text(&run), "");
    times_add(&run, "build", 1000);
    times_add(&run, "switch", 20);
    times_add(&run, "build", 500);
    assert_string_equal(times_text(&run), "deploy build 1500 switch 20");
    assert_false(times_learn(&run, "other build 1\n"));
    assert_true(times_learn(&run, "times a deploy build 900 switch 10\n"
                                  "times b rollback build 1\n"
                                  "times c deploy build 9x switch 30\n"
                                  "times d deploy switch\ntimes\n"
                                  "times e deploy build 700 switch 20\n"
                                  "times f deploy build 99999999999999999999"));
    assert_int_equal(run.times.v[0].usual_ms, -1); /* two are too few */
    assert_int_equal(run.times.v[1].usual_ms, 20);
    /* Only a part of it is known. */
    run.resumed = true;
    assert_string_equal(times_text(&run), "");
}

/* Each second, three hosts have got so many kB of 4 MB. */
static void test_upload(void **state)
{
    static const struct {
        long long kb[3];
        const char *text;
    } rows[] = {
        {{0, 0, 0}, NULL},
        {{1000, 900, 1100}, "3.0 MB of 12 MB sent to 3 hosts, 3.0 MB/s, about 4.0 s left"},
        {{2000, 1000, 2200},
         "slowest app2, 0.5 MB/s, about 7.0 s left; 5.2 MB of 12 MB sent to 3 hosts"},
        {{4000, 1100, 4000},
         "slowest app2, 0.4 MB/s, about 8.0 s left; 9.1 MB of 12 MB sent to 3 hosts"},
        {{4000, 3900, 4000}, "12 MB of 12 MB sent to 3 hosts, 3.0 MB/s, about 1.0 s left"},
        {{4000, 4000, 4000}, "12 MB sent to 3 hosts, unpacking"},
    };
    struct rate rates[3] = {0};
    struct upload u = {.run = &run, .n_hosts = 3, .of_host = rates};

    (void)state;
    begin(3);
    for (size_t i = 0; i < N(rows); i++) {
        struct fleet_sent to[3];
        for (size_t h = 0; h < 3; h++)
            to[h] =
                (struct fleet_sent){.host = h, .sent = rows[i].kb[h] * 1000, .total = 4000 * 1000};
        const char *text = upload_text(&arena, &u, to, 3, 1000 * (long long)i);
        if (rows[i].text)
            assert_string_equal(text, rows[i].text);
        else
            assert_null(text);
    }
    /* To one that gets nothing any more. */
    struct fleet_sent stuck[] = {{0, 4000000, 4000000}, {1, 1000000, 4000000}};
    rates[1] = (struct rate){0};
    assert_non_null(upload_text(&arena, &u, stuck, 2, 30000));
    assert_string_equal(upload_text(&arena, &u, stuck, 2, 40000),
                        "slowest app2, 0 B/s; 5.0 MB of 8.0 MB sent to 3 hosts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_redact),      TEST(test_redact_itself), TEST(test_redact_much),
        TEST(test_judge),       TEST(test_judge_later),   TEST(test_judge_stopped),
        TEST(test_script_text), TEST(test_chain_split),   TEST(test_scripts),
        TEST(test_hosts_left),  TEST(test_script_act),    TEST(test_script_undo),
        TEST(test_takes_part),  TEST(test_note),          TEST(test_script_undo_in_part),
        TEST(test_times),       TEST(test_upload),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
