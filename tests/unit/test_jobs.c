/* The protocol of src/host/job/job.sh as jobs_run reads it, from a fleet that sends it in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes.h"

#include "core/job/jobs.h"

#include "base/limits.h"

#include <signal.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

enum { TAIL_MAX = 64 * 1024, STREAM_MAX = 4 << 20 };

static struct arena arena;
static struct err err;
static struct guard guard;
static struct run run;
static struct recipe recipe;
static struct host hosts[] = {
    {.name = "app1", .address = "app1.example.com", .deploy_to = "/srv/shop"},
    {.name = "app2", .address = "app2.example.com", .deploy_to = "/srv/shop"},
    {.name = "db1", .deploy_to = "/srv/shop"}};
static struct site sites[3];
static struct plan plan = {.what = {.run = "k7f2ab",
                                    .application = "it's a shop",
                                    .environment = "production",
                                    .release = "20261122153012",
                                    .revision = ""}};
static const struct stage stage = {.name = "build", .about = "run the recipe's build jobs"};
static struct job job_list[] = {{.run = "make all", .name = "make all", .timeout_ms = 90500},
                                {.run = "make check", .name = "check"}};
static const struct jobs jobs = {job_list, N(job_list)};
static const struct step step = {
    .stage = &stage, .name = "build", .jobs = &jobs, .hosts = (size_t[]){0, 1, 2}, .n_hosts = 3};

/* ---- a fleet that sends what it is told to ---- */

struct stream {
    const char *bytes;
    size_t len;
    struct reply reply;
};

static const struct stream *streams; /* by host */
static size_t piece;                 /* bytes at a time */
static struct strs scripts;

/* Each piece in memory of its own, so that a look beyond it is seen. */
static void send_pieces(const struct call *call, const struct stream *s)
{
    for (size_t at = 0; at < s->len; at += piece) {
        size_t n = s->len - at < piece ? s->len - at : piece;
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, s->bytes + at, n);
        call->output(call->arg, copy, n);
        free(copy);
    }
}

void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies)
{
    (void)fleet;
    (void)a;
    for (size_t i = 0; i < n; i++) {
        const struct stream *s = &streams[calls[i].host];
        strs_add(&arena, &scripts, calls[i].script);
        /* A job ends when it ends, and Ctrl-C lets go of it. */
        assert_int_equal(calls[i].timeout_ms == 0, calls[i].output != NULL);
        assert_int_equal(stops_set, calls[i].output != NULL);
        ret_replies[i] = s->reply;
        if (calls[i].output)
            send_pieces(&calls[i], s);
        else
            ret_replies[i].out = s->bytes;
        if (calls[i].lost && s->reply.kind == REPLY_LOST)
            calls[i].lost(calls[i].arg, s->reply.why);
        ret_replies[i].err_out = s->reply.err_out ? s->reply.err_out : "";
    }
}

/* ---- what was told ---- */

static struct buf output;
static size_t n_begun;
static size_t n_done;
static size_t n_failed;
static size_t n_taken_up;
static const char *warnings;

static void note(void *self, const struct event *e)
{
    (void)self;
    if (e->kind == EVENT_WARNING) {
        warnings = arena_printf(&arena, "%s%s\n", warnings, e->detail);
        return;
    }
    assert_string_equal(e->stage, "build");
    assert_non_null(e->host);
    if (e->kind == EVENT_OUTPUT) {
        buf_add(&output, e->bytes, e->len);
        return;
    }
    assert_int_equal(e->kind, EVENT_JOB);
    assert_non_null(e->command);
    n_begun += e->state == EVENT_BEGUN;
    n_done += e->state == EVENT_DONE;
    n_failed += e->state == EVENT_FAILED;
    n_taken_up += e->state == EVENT_BEGUN && e->detail;
    assert_int_equal(e->state == EVENT_FAILED && !e->detail, 0);
}

static const struct watcher watcher = {.tell = note};

static void begin(size_t n_hosts)
{
    static const char *secrets[] = {"a longer s3cret", "s3cret"};

    recipe = (struct recipe){.hosts = hosts, .n_hosts = n_hosts, .secrets = {secrets, N(secrets)}};
    memset(sites, 0, sizeof sites);
    guard = (struct guard){0};
    run = (struct run){.arena = &arena,
                       .guard = &guard,
                       .recipe = &recipe,
                       .plan = &plan,
                       .watcher = &watcher,
                       .sites = sites,
                       .epoch = 1};
    err = (struct err){.arena = &arena};
    warnings = "";
    signal_that_came = 0;
    stops_set = 0;
    scripts = (struct strs){0};
    n_begun = n_done = n_failed = n_taken_up = 0;
    buf_free(&output);
    output = buf_make(STREAM_MAX);
}

static const size_t first_host[] = {0};

static struct job_call call_of(size_t job)
{
    return (struct job_call){
        .step = &step, .job = &job_list[job], .name = "build.0", .hosts = first_host, .n_hosts = 1};
}

static bool follow(const struct stream *s, size_t bytes, struct job_end *ret)
{
    struct job_call c = call_of(0);
    struct job_end *ends;

    streams = s;
    piece = bytes ? bytes : 1;
    bool ok = jobs_run(&run, &c, &ends, &err);
    assert_int_equal(stops_set, 0);
    *ret = ends[0];
    return ok;
}

/* ---- the protocol ---- */

/* What the script says; and when it was cut off before its last word. */
#define STREAM(text) CUT(text "ended 0\n")
#define CUT(text)    text, sizeof(text) - 1

static void test_protocol(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *shown;
        int status;
        bool attached;
        bool cut_off;
    } rows[] = {
        {STREAM("attempt 1\nout 6\nhello\nexit 0\n"), "hello\n", 0, false, false},
        {STREAM("attempt 1\nout 5\nhelloexit 3\n"), "hello", 3, false, false},
        {STREAM("attempt 1\nexit 0\n"), "", 0, false, false},
        {STREAM("attached 2\nout 2\na\nexit 7\n"), "a\n", 7, true, false},
        {STREAM("attempt 1\nout 3\noneout 4\ntwo\nout 1\n\nexit 0\n"), "onetwo\n\n", 0, false,
         false},
        {STREAM("attempt 1\nout 0\nout 2\na\nexit 0\n"), "a\n", 0, false, false},
        /* output that looks like the protocol */
        {STREAM("attempt 1\nout 7\nexit 0\nexit 5\n"), "exit 0\n", 5, false, false},
        {STREAM("attempt 1\nout 26\nattempt 2\nout 9\nattached 1exit 5\n"),
         "attempt 2\nout 9\nattached 1", 5, false, false},
        {STREAM("attempt 1\nout 7\n\nexit 0exit 5\n"), "\nexit 0", 5, false, false},
        /* secrets, also in two frames */
        {STREAM("attempt 1\nout 7\ns3cret\nexit 0\n"), "[secret]\n", 0, false, false},
        {STREAM("attempt 1\nout 4\nx s3out 9\ncret s3c\nexit 0\n"), "x [secret] s3c\n", 0, false,
         false},
        {STREAM("attempt 1\nout 16\na longer s3cret\nexit 0\n"), "[secret]\n", 0, false, false},
        {STREAM("attempt 1\nout 6\ns3cretexit 1\n"), "[secret]", 1, false, false},
        {STREAM("attempt 1\nout 8\ns3\0cret\nexit 1\n"), "[secret]\n", 1, false, false},
        /* bytes of any kind; NULs go */
        {STREAM("attempt 1\nout 4\na\0b\nexit 0\n"), "ab\n", 0, false, false},
        {STREAM("attempt 1\nout 9\n\r\x1b[2J\xff\x01\x80\nexit 0\n"), "\r\x1b[2J\xff\x01\x80\n", 0,
         false, false},
        {STREAM("attempt 1\nout 3\n\0\0\0exit 0\n"), "", 0, false, false},
        /* where some was left out: what may be half of a secret goes too */
        {STREAM("attempt 1\nout 19\na long line and s3ccut 19\nout 4\n\nab\nexit 0\n"),
         "a lon\nab\n", 0, false, false},
        {STREAM("attempt 1\nout 2\na\ncut 2\nout 2\nb\nexit 0\n"), "a\nb\n", 0, false, false},
        /* ends that are none of the command's */
        {STREAM("attempt 1\nexit lost\n"), "", JOB_LOST, false, false},
        {STREAM("attached 1\nout 2\na\nexit timeout\n"), "a\n", JOB_TIMEOUT, true, false},
        {STREAM("attempt 1\nout 2\na\n"), "a\n", JOB_UNKNOWN, false, false},
        {STREAM("attempt 1\nout 9\na\nexit 0\n"), "a\nexit 0\n", JOB_UNKNOWN, false, false},
        {CUT("attempt 1\nexit 0"), "", JOB_UNKNOWN, false, true},
        {CUT("attempt 1\nexit 0\n"), "", 0, false, true},
        {CUT("attempt 1\nexit 0\nended 0"), "", 0, false, true},
        {CUT("attempt 1\nexit"), "", JOB_UNKNOWN, false, true},
        {CUT("attempt 1\nout 8\nended 0\n"), "ended 0\n", JOB_UNKNOWN, false, true},
        {STREAM("exit 255\n"), "", 255, false, false},
        {CUT(""), "", JOB_UNKNOWN, false, true},
        {STREAM(""), "", JOB_UNKNOWN, false, false},
        {STREAM("\n\n\n"), "", JOB_UNKNOWN, false, false},
        {STREAM("attempt 1\nunknown words\nexit 4\n"), "", 4, false, false},
        {CUT("attempt 1\nout 99999999999999999999\na\nexit 0\n"), "a\nexit 0\n", JOB_UNKNOWN, false,
         true},
        {CUT("attempt 1\nout -1\na\nexit 0\n"), "a\nexit 0\n", JOB_UNKNOWN, false, true},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct stream s = {rows[i].bytes, rows[i].len, {.kind = REPLY_EXIT}};
        for (size_t n = 1; n <= rows[i].len + 1; n++) {
            struct job_end end;
            begin(1);
            if (follow(&s, n, &end) == rows[i].cut_off)
                fail_msg("row %zu in pieces of %zu: %s", i, n,
                         err.msg ? err.msg : "taken for whole");
            assert_int_equal(err.code, rows[i].cut_off ? ERR_UNCERTAIN : ERR_NONE);
            if (end.status != rows[i].status || end.attached != rows[i].attached)
                fail_msg("row %zu in pieces of %zu: status %d", i, n, end.status);
            if (strcmp(output.text, rows[i].shown) != 0)
                fail_msg("row %zu in pieces of %zu: '%s'", i, n, output.text);
            assert_int_equal(end.host, 0);
            assert_int_equal(n_taken_up, rows[i].attached);
            assert_true(n_begun <= 1);
            assert_int_equal(n_done, end.status == 0);
            assert_int_equal(n_failed, end.status != 0 && end.status != JOB_UNKNOWN);
        }
    }
}

/* The end's own copy of the output, for the closing block. */
static void test_output_kept(void **state)
{
    static const struct stream s = {
        STREAM("attempt 1\nout 16\none\nmy s3cret is\nout 4\ntwo\nexit 1\n"), {.kind = REPLY_EXIT}};

    (void)state;
    for (size_t n = 1; n <= s.len; n++) {
        struct job_end end;
        begin(1);
        assert_true(follow(&s, n, &end));
        assert_string_equal(end.output, "one\nmy [secret] istwo\n");
    }
}

/* "line 0", "line 1", ... in one frame of that many bytes. */
static struct stream lines_of(size_t bytes, int status)
{
    struct buf b = buf_make(STREAM_MAX);
    char *text = arena_alloc(&arena, bytes + 64);

    for (int i = 0; b.len < bytes; i++)
        buf_printf(&b, "line %d\n", i);
    int head = snprintf(text, 64, "attempt 1\nout %zu\n", bytes);
    memcpy(text + head, b.text, bytes);
    int tail = snprintf(text + head + bytes, 32, "exit %d\nended 0\n", status);
    buf_free(&b);
    return (struct stream){text, (size_t)head + bytes + (size_t)tail, {.kind = REPLY_EXIT}};
}

static void test_tail(void **state)
{
    static const size_t sizes[] = {TAIL_MAX - 1, TAIL_MAX, TAIL_MAX + 1, 3 * TAIL_MAX + 17};
    static const size_t pieces[] = {997, 4096, TAIL_MAX - 1, TAIL_MAX, TAIL_MAX + 1, STREAM_MAX};

    (void)state;
    for (size_t i = 0; i < N(sizes); i++) {
        struct stream s = lines_of(sizes[i], 1);
        const char *all = strstr(s.bytes, "line 0\n");
        size_t kept = sizes[i] < TAIL_MAX ? sizes[i] : TAIL_MAX;
        for (size_t k = 0; k < N(pieces); k++) {
            struct job_end end;
            begin(1);
            assert_true(follow(&s, pieces[k], &end));
            assert_int_equal(end.status, 1);
            assert_int_equal(output.len, sizes[i]);
            assert_memory_equal(output.text, all, sizes[i]);
            /* At least half of it, whole lines only, and the very end of what was printed. */
            size_t len = strlen(end.output);
            assert_true(len <= kept && len >= kept / 2 - 64);
            assert_true(len == sizes[i] || all[sizes[i] - len - 1] == '\n');
            assert_memory_equal(end.output, all + sizes[i] - len, len);
        }
    }
}

/* A secret across the place where a line without an end is cut. */
static void test_secret_at_the_cut(void **state)
{
    (void)state;
    for (size_t before = 32768 - 12; before < 32768 + 4; before++) {
        char *text = arena_alloc(&arena, before + 200);
        int head = snprintf(text, 64, "attempt 1\nout %zu\n", before + 14);
        memset(text + head, 'x', before);
        snprintf(text + (size_t)head + before, 64,
                 "s3cret after12"
                 "exit 0\nended 0\n");
        const struct stream s = {text, strlen(text), {.kind = REPLY_EXIT}};
        struct job_end end;
        begin(1);
        assert_true(follow(&s, 4096, &end));
        assert_null(strstr(output.text, "s3cret"));
        assert_non_null(strstr(output.text, "[secret] after12"));
    }
}

/* Lines without an end are told in parts and lose nothing. */
static void test_long_line(void **state)
{
    const size_t len = 20000;
    char *text = arena_alloc(&arena, len + 100);
    int head = snprintf(text, 64, "attempt 1\nout %zu\n", len);

    (void)state;
    for (size_t i = 0; i < len; i++)
        text[(size_t)head + i] = (char)('a' + i % 23);
    snprintf(text + (size_t)head + len, 32, "exit 0\nended 0\n");
    const struct stream s = {text, strlen(text), {.kind = REPLY_EXIT}};
    for (size_t n = 1; n < 10000; n = n * 3 + 1) {
        struct job_end end;
        begin(1);
        assert_true(follow(&s, n, &end));
        assert_int_equal(end.status, 0);
        assert_int_equal(output.len, len);
        assert_memory_equal(output.text, text + head, len);
    }
}

static void test_quiet(void **state)
{
    static const struct stream s = {STREAM("attempt 1\nout 6\nhello\nexit 0\n"),
                                    {.kind = REPLY_EXIT}};
    struct job_call c = call_of(0);
    struct job_end *ends;

    (void)state;
    begin(1);
    c.quiet = true;
    streams = &s;
    piece = 3;
    assert_true(jobs_run(&run, &c, &ends, &err));
    assert_string_equal(output.text, "");
    assert_string_equal(ends[0].output, "hello\n");
}

/* ---- when it cannot be run or followed ---- */

static void test_replies(void **state)
{
    static const struct {
        struct stream stream;
        int signal;
        enum err_code code; /* NONE: jobs_run is true */
        const char *msg;
        int status;
    } rows[] = {
        {{STREAM("attempt 1\nout 2\na\n"), {.kind = REPLY_LOST, .why = "the connection broke"}},
         0,
         ERR_UNCERTAIN,
         "the connection broke; its change may have been made",
         JOB_UNKNOWN},
        {{STREAM("attempt 1\nexit 0\n"), {.kind = REPLY_LOST, .why = "the connection broke"}},
         0,
         ERR_UNCERTAIN,
         "the connection broke; its change may have been made",
         0},
        {{STREAM("fenced bob@desk\n"), {.kind = REPLY_EXIT, .status = 72}},
         0,
         ERR_LOCKED,
         "this run no longer holds the lock: it was taken over by bob@desk",
         JOB_UNKNOWN},
        {{STREAM("attempt 1\nout 9\nerror no\n"
                 "error disk full\n"),
          {.kind = REPLY_EXIT, .status = 70}},
         0,
         ERR_FAILED,
         "disk full",
         JOB_UNKNOWN},
        {{STREAM(""), {.kind = REPLY_EXIT, .status = 127, .err_out = "sh: not found\n"}},
         0,
         ERR_FAILED,
         "the script ended with exit status 127: sh: not found",
         JOB_UNKNOWN},
        {{STREAM(""), {.kind = REPLY_SIGNAL, .signal = "KILL"}},
         0,
         ERR_FAILED,
         "the script was ended by signal KILL",
         JOB_UNKNOWN},
        {{STREAM(""), {.kind = REPLY_UNREACHED, .why = "no route"}},
         0,
         ERR_UNREACHABLE,
         "no route",
         JOB_UNKNOWN},
        {{STREAM("attempt 1\nout 2\na\n"), {.kind = REPLY_STOPPED}},
         SIGINT,
         ERR_INTERRUPTED,
         "stopped; 'make all' was left running on the host",
         JOB_UNKNOWN},
        {{STREAM("attempt 1\n"), {.kind = REPLY_STOPPED}},
         SIGTERM,
         ERR_TERMINATED,
         "stopped; 'make all' was left running on the host",
         JOB_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct job_end end;
        begin(1);
        signal_that_came = rows[i].signal;
        assert_false(follow(&rows[i].stream, 3, &end));
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.msg, rows[i].msg);
        assert_int_equal(end.status, rows[i].status);
        assert_int_equal(n_done + n_failed, 0);
        assert_string_equal(warnings, ""); /* nobody else is waited for */
    }
}

static void test_several_hosts(void **state)
{
    static const struct stream rows[] = {
        {STREAM("attempt 1\nout 4\none\nexit 0\n"), {.kind = REPLY_EXIT}},
        {CUT("attempt 1\n"), {.kind = REPLY_LOST, .why = "it broke"}},
        {STREAM("attempt 1\nout 6\nthree\nexit 9\n"), {.kind = REPLY_EXIT}},
    };
    const struct job_call c = {
        .step = &step, .job = &job_list[0], .name = "build.0", .hosts = step.hosts, .n_hosts = 3};
    struct job_end *ends;

    (void)state;
    begin(3);
    streams = rows;
    piece = 5;
    assert_false(jobs_run(&run, &c, &ends, &err));
    assert_int_equal(err.code, ERR_UNCERTAIN);
    assert_string_equal(err.msg, "app2: it broke; its change may have been made");
    assert_string_equal(
        warnings,
        "app2: it broke; 'make all' may still be running there; the other hosts continue\n");
    assert_int_equal(ends[0].status, 0);
    assert_int_equal(ends[1].status, JOB_UNKNOWN);
    assert_int_equal(ends[2].status, 9);
    assert_int_equal(ends[2].host, 2);
    assert_string_equal(ends[2].output, "three\n");
    assert_int_equal(n_begun, 3);
    assert_int_equal(n_done, 1);
    assert_int_equal(n_failed, 1);
}

/* ---- what is sent ---- */

static void test_script(void **state)
{
    static const struct stream s = {STREAM("attempt 1\nexit 0\n"), {.kind = REPLY_EXIT}};
    struct variable env[] = {{.name = "RAILS_ENV", .value = "production"},
                             {.name = "ODD", .value = "it's\n$(x)"}};
    static const char *const parts[] = {
        "step='build'\n",
        "verb='run'\n",
        "job='build.0'\n",
        "command='make all'\n",
        "timeout='91'\n", /* no second too few */
        "last='yes'\n",
        "alone='yes'\n",
        "again=''\n",
        "where='/srv/shop/releases/20261122153012'\n",
        ("environment='export RAILS_ENV='\\''production'\\''\n"
         "export ODD='\\''it'\\''\\'\\'''\\''s\n$(x)'\\''\nexport EXTRA='\\''1'\\''\n'\n"),
        "own_environment='export CRELEASE_APPLICATION='\\''it'\\''\\'\\'''\\''s a shop'\\''\n",
        "export CRELEASE_HOST='\\''app1'\\''\n'\n",
        "\nsupervise_text='# shellcheck",
        "\nwatch=''\n",
    };
    struct job_call c = call_of(0);
    struct job_end *ends;

    (void)state;
    begin(1);
    hosts[0].env = (struct variables){env, N(env)};
    c.last = (bool[]){true};
    c.alone = true;
    c.extra_env = "export EXTRA='1'\n";
    streams = &s;
    piece = 100;
    assert_true(jobs_run(&run, &c, &ends, &err));
    hosts[0].env = (struct variables){0};
    for (size_t i = 0; i < N(parts); i++)
        if (!strstr(scripts.v[0], parts[i]))
            fail_msg("no %sin:\n%s", parts[i], scripts.v[0]);
    c = call_of(1);
    c.where = "/srv/shop/current";
    assert_true(jobs_run(&run, &c, &ends, &err));
    assert_non_null(strstr(scripts.v[1], "timeout='0'\n"));
    assert_non_null(strstr(scripts.v[1], "last=''\n"));
    assert_non_null(strstr(scripts.v[1], "where='/srv/shop/current'\n"));
    assert_null(strstr(scripts.v[1], "EXTRA"));
}

/* ---- what an end means ---- */

static void test_fail(void **state)
{
    static const struct {
        int status;
        enum err_code code;
        const char *how;
    } rows[] = {
        {1, ERR_FAILED, "ended with exit status 1"},
        {125, ERR_FAILED, "ended with exit status 125"},
        {126, ERR_FAILED, "ended with exit status 126 (not executable)"},
        {127, ERR_FAILED, "ended with exit status 127 (command not found)"},
        {128, ERR_FAILED, "ended with exit status 128"},
        {130, ERR_FAILED, "was ended by signal INT (exit status 130)"},
        {133, ERR_FAILED, "ended with exit status 133"},
        {137, ERR_FAILED, "was ended by signal KILL (exit status 137)"},
        {143, ERR_FAILED, "was ended by signal TERM (exit status 143)"},
        {144, ERR_FAILED, "ended with exit status 144"},
        {255, ERR_FAILED, "ended with exit status 255"},
        {JOB_LOST, ERR_UNCERTAIN,
         "was started, but its exit status was not recorded (did the host restart?)"},
        {JOB_TIMEOUT, ERR_FAILED, "was stopped after its time limit of 1 min 31 s"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct job_call c = call_of(0);
        const struct job_end end = {.host = 1, .status = rows[i].status, .output = "last words\n"};
        begin(3);
        assert_false(jobs_fail(&run, &c, &end, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_string_equal(err.msg, arena_printf(&arena, "app2: 'make all' %s", rows[i].how));
        assert_string_equal(run.failure.host, "app2");
        assert_string_equal(run.failure.command, "make all");
        assert_string_equal(run.failure.how, rows[i].how);
        assert_int_equal(run.failure.lines.n, 1);
        assert_string_equal(run.failure.lines.v[0], "last words");
    }
}

static void test_last_lines(void **state)
{
    static const struct {
        const char *output;
        size_t n;
        const char *first;
        const char *last;
    } rows[] = {
        {"", 0, NULL, NULL},
        {"\n\n", 0, NULL, NULL},
        {"one", 1, "one", "one"},
        {"one\n\n\n", 1, "one", "one"},
        {"one\n\ntwo\n", 3, "one", "two"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n", 12, "1", "12"},
        {"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13", 12, "2", "13"},
        {"\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n", 12, "2", "13"},
        {"1\n\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n", 12, "", "13"},
    };

    (void)state;
    assert_int_equal(TAIL_LINES, 12);
    for (size_t i = 0; i < N(rows); i++) {
        struct job_call c = call_of(0);
        const struct job_end end = {.host = 0, .status = 1, .output = rows[i].output};
        begin(1);
        assert_false(jobs_fail(&run, &c, &end, &err));
        const struct strs *lines = &run.failure.lines;
        if (lines->n != rows[i].n)
            fail_msg("row %zu: %zu lines", i, lines->n);
        if (lines->n) {
            assert_string_equal(lines->v[0], rows[i].first);
            assert_string_equal(lines->v[lines->n - 1], rows[i].last);
        }
    }
}

/* The lines that the host picked are shown, without its secrets, each of which may have several
 * lines; and how all of the log is read. */
static void test_picked_lines(void **state)
{
    static const char *const secrets[] = {"s3cret", "-----BEGIN\nabcdefghijkl\n-----END",
                                          "abcdefghijkl"};
    struct job_call c = call_of(0);
    struct job_end end = {.host = 0,
                          .status = 1,
                          .output = "not these\n",
                          .attempt = 2,
                          .why = "2 2 40\n1:start\n2:Error: with s3cret\n3:abcdefghijkl\n40:end\n"};

    (void)state;
    begin(1);
    recipe.secrets = (struct strs){.v = (const char **)(uintptr_t)secrets, .n = N(secrets)};
    assert_false(jobs_fail(&run, &c, &end, &err));
    const struct strs *lines = &run.failure.lines;
    assert_int_equal(lines->n, 5);
    assert_string_equal(lines->v[0], "start");
    assert_string_equal(lines->v[1], "Error: with [secret]");
    assert_string_equal(lines->v[2], "[secret]");
    assert_string_equal(lines->v[3], "[36 lines left out]");
    assert_string_equal(lines->v[4], "end");
    assert_string_equal(run.failure.log, "crelease log build.0");
    /* Of several hosts, only the one that failed is asked. */
    begin(2);
    assert_false(jobs_fail(&run, &c, &end, &err));
    assert_string_equal(run.failure.log, "crelease log --hosts app1 build.0");
}

/* ---- all jobs of a step ---- */

static void test_act(void **state)
{
    struct step_result result = {0};
    static const struct stream good = {STREAM("attempt 1\nexit 0\n"), {.kind = REPLY_EXIT}};
    const struct stream rows[] = {good, good, good};

    (void)state;
    begin(3);
    site_set_mark(&arena, &sites[1], "build", "done");
    streams = rows;
    piece = 4;
    assert_true(jobs_act(&run, &step, &result, &err));
    assert_int_equal(scripts.n, 4); /* two jobs, on the two hosts that are left */
    assert_non_null(strstr(scripts.v[0], "job='build.0'\n"));
    assert_non_null(strstr(scripts.v[0], "last=''\n"));
    assert_non_null(strstr(scripts.v[2], "job='build.1'\n"));
    assert_non_null(strstr(scripts.v[2], "last='yes'\n"));
    for (size_t h = 0; h < 3; h++)
        assert_string_equal(site_mark(&sites[h], "build"), "done");
    assert_true(jobs_act(&run, &step, &result, &err));
    assert_int_equal(scripts.n, 4);
}

static void test_act_fails(void **state)
{
    struct step_result result = {0};
    static const struct stream rows[] = {
        {STREAM("attempt 1\nexit 0\n"), {.kind = REPLY_EXIT}},
        {STREAM("attempt 1\nout 4\noops\nexit 2\n"), {.kind = REPLY_EXIT}},
        {STREAM("attempt 1\nexit 3\n"), {.kind = REPLY_EXIT}},
    };

    (void)state;
    begin(3);
    streams = rows;
    piece = 1000;
    assert_false(jobs_act(&run, &step, &result, &err));
    assert_int_equal(scripts.n, 3); /* the second job is not begun */
    assert_int_equal(err.code, ERR_FAILED);
    assert_string_equal(err.msg, "app2: 'make all' ended with exit status 2");
    assert_string_equal(warnings, "db1: 'make all' ended with exit status 3\n");
    assert_string_equal(site_mark(&sites[0], "build"), "begun");
    assert_string_equal(site_mark(&sites[1], "build"), "failed");
    assert_string_equal(site_mark(&sites[2], "build"), "failed");
}

/* Those on which it went well go on behind the job that failed, those that are out never. */
static void test_act_without_some(void **state)
{
    struct step_result result = {0};
    static const struct stream rows[] = {
        {STREAM("attempt 1\nexit 0\n"), {.kind = REPLY_EXIT}},
        {STREAM("attempt 1\nout 4\noops\nexit 2\n"), {.kind = REPLY_EXIT}},
        {STREAM("attempt 1\n"), {.kind = REPLY_LOST, .why = "it broke"}},
    };
    struct mishap mishaps[3] = {{ERR_NONE, NULL}};
    bool out[3] = {false, true, true};

    (void)state;
    begin(3);
    run.left_out.mishaps = mishaps;
    streams = rows;
    piece = 1000;
    assert_false(jobs_act(&run, &step, &result, &err));
    assert_int_equal(err.code, ERR_UNCERTAIN);
    assert_string_equal(err.msg, "db1: it broke; its change may have been made");
    assert_string_equal(warnings, "app2: 'make all' ended with exit status 2\n");
    assert_int_equal(mishaps[0].code, ERR_NONE);
    assert_int_equal(mishaps[1].code, ERR_FAILED);
    assert_string_equal(mishaps[1].why, "'make all' ended with exit status 2");
    assert_int_equal(mishaps[2].code, ERR_UNCERTAIN);
    assert_string_equal(mishaps[2].why, "it broke; its change may have been made");
    assert_int_equal(result.jobs_done, 1);
    run.left_out.out = out;
    err_clear(&err);
    assert_true(jobs_act(&run, &step, &result, &err));
    assert_int_equal(scripts.n, 4);
    assert_non_null(strstr(scripts.v[3], "job='build.1'\n"));
    assert_string_equal(site_mark(&sites[0], "build"), "done");
    assert_string_equal(site_mark(&sites[1], "build"), "failed");
}

static void test_act_stopped(void **state)
{
    struct step_result result = {0};
    (void)state;
    begin(3);
    signal_that_came = SIGINT;
    assert_false(jobs_act(&run, &step, &result, &err));
    assert_int_equal(err.code, ERR_INTERRUPTED);
    assert_string_equal(err.msg, "stopped by Ctrl-C before 'make all'");
    assert_int_equal(scripts.n, 0);
}

/* Each job on all hosts at once where it was begun or failed; every one that fails is told. */
static void test_stop(void **state)
{
    static const struct stream rows[] = {
        {CUT("stopped 12\nended 0\n"), {.kind = REPLY_EXIT}},
        {CUT("error it does not end\nended 70\n"), {.kind = REPLY_EXIT, .status = 70}},
        {CUT("error nor here\nended 70\n"), {.kind = REPLY_EXIT, .status = 70}},
    };

    (void)state;
    begin(3);
    streams = rows;
    assert_true(jobs_stop(&run, &step, &err));
    assert_int_equal(scripts.n, 0);
    site_set_mark(&arena, &sites[0], "build", "begun");
    assert_true(jobs_stop(&run, &step, &err));
    assert_int_equal(scripts.n, 2);
    assert_non_null(strstr(scripts.v[0], "verb='stop'\n"));
    assert_non_null(strstr(scripts.v[1], "job='build.1'\n"));
    site_set_mark(&arena, &sites[1], "build", "failed");
    site_set_mark(&arena, &sites[2], "build", "begun");
    scripts = (struct strs){0};
    assert_false(jobs_stop(&run, &step, &err));
    assert_int_equal(scripts.n, 3);
    assert_string_equal(err.msg, "app2: it does not end");
    assert_string_equal(warnings, "db1: nor here\n");
}

static void test_look(void **state)
{
    static const struct {
        struct stream stream;
        bool runs;
    } rows[] = {
        {{CUT("is running\nended 0\n"), {.kind = REPLY_EXIT}}, true},
        {{CUT("is lost\nended 0\n"), {.kind = REPLY_EXIT}}, false},
        {{CUT("is void\nended 0\n"), {.kind = REPLY_EXIT}}, false},
        {{CUT("ended 0\n"), {.kind = REPLY_EXIT}}, false},
    };
    struct job_call c = call_of(0);
    bool runs;

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        begin(1);
        streams = &rows[i].stream;
        assert_true(jobs_look(&run, &c, &runs, &err));
        assert_int_equal(runs, rows[i].runs);
        assert_non_null(strstr(scripts.v[0], "verb='look'\n"));
    }
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&output);
    arena_free(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_protocol),
        TEST(test_output_kept),
        TEST(test_tail),
        TEST(test_long_line),
        TEST(test_secret_at_the_cut),
        TEST(test_quiet),
        TEST(test_replies),
        TEST(test_several_hosts),
        TEST(test_script),
        TEST(test_fail),
        TEST(test_last_lines),
        TEST(test_picked_lines),
        TEST(test_act),
        TEST(test_act_fails),
        TEST(test_act_stopped),
        TEST(test_act_without_some),
        TEST(test_stop),
        TEST(test_look),
    };

    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
