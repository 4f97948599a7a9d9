#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/site.h"

#include "base/buf.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;
static struct err err;

/* The last lines of an answer: survey.sh's own, then every script's. */
#define END "end survey\nended 0\n"

static const char whole_answer[] =
    "survey 1\n"
    "now 1795361412\n"
    "deploy_to there\n"
    "writable yes\n"
    "current /var/www/shop/releases/20261122153012\n"
    "current_is there\n"
    "leftover /var/www/shop/releases/current\n"
    "log yes\n"
    "release 20261101000000 - finished -\n"
    "release 20261120101010 1111111111111111111111111111111111111111 finished manifest\n"
    "release 20261122153012 2222222222222222222222222222222222222222 - manifest\n"
    "live 20261122153012 2222222222222222222222222222222222222222\n"
    "migrated digest 33\n"
    "migrated revision 2222222222222222222222222222222222222222\n"
    "lock crelease-lock 1\n"
    "lock run k7f2ab\n"
    "lock epoch 3\n"
    "lock by ann o'hara@laptop\n"
    "lock since 1795361400\n"
    "lock keeper 812 5512 3f6c\n"
    "lock end 99\n"
    "lock_sum 99\n"
    "alive yes\n"
    "plan crelease-plan 1\n"
    "plan run k7f2ab\n"
    "plan end plan\n"
    "mark crelease-marks 1\n"
    "mark lock done 1795361401\n"
    "mark build begun 1795361402\n"
    "mark build failed 1795361403\n"
    "mark migrate begun 1795361404\n"
    "last_error failed app1: 'make' ended with exit status 2\n"
    "last_run k7f2aa deploy done\n"
    "missing config/database.yml\n"
    "missing config/a b.yml\n"
    "no_tool sha256sum\n"
    "system Linux 6.1.0\n"
    "user deploy\n"
    "free_kb 123456\n" END;

static bool parse(const char *answer, struct site *s)
{
    err_clear(&err);
    return site_parse(&arena, answer, s, &err);
}

static void test_whole(void **state)
{
    struct site s;

    (void)state;
    assert_true(parse(whole_answer, &s));
    assert_true(s.there);
    assert_true(s.writable);
    assert_null(s.writable_at);
    assert_int_equal(s.current_kind, CURRENT_LINK);
    assert_string_equal(s.current, "/var/www/shop/releases/20261122153012");
    assert_string_equal(s.live, "20261122153012");
    assert_string_equal(s.live_revision, "2222222222222222222222222222222222222222");
    assert_string_equal(s.leftover, "/var/www/shop/releases/current");
    assert_true(s.has_log);
    assert_int_equal(s.n_releases, 3);
    assert_null(s.releases[0].revision);
    assert_true(s.releases[0].finished && !s.releases[0].manifest);
    assert_true(s.releases[1].finished && s.releases[1].manifest);
    assert_true(!s.releases[2].finished && s.releases[2].manifest);
    assert_string_equal(site_release(&s, "20261120101010")->revision,
                        "1111111111111111111111111111111111111111");
    assert_null(site_release(&s, "20261120101011"));
    assert_string_equal(site_database(&s, NULL)->digest, "33");
    assert_string_equal(site_database(&s, NULL)->revision,
                        "2222222222222222222222222222222222222222");
    assert_true(s.lock.held && s.lock.alive);
    assert_string_equal(s.lock.run, "k7f2ab");
    assert_int_equal(s.lock.epoch, 3);
    assert_string_equal(s.lock.by, "ann o'hara@laptop");
    assert_int_equal(s.lock.since_unix, 1795361400);
    assert_string_equal(s.plan, "crelease-plan 1\nrun k7f2ab\nend plan\n");
    assert_int_equal(s.n_marks, 4);
    assert_int_equal(s.marks[3].unix_s, 1795361404);
    assert_string_equal(s.last_error, "failed app1: 'make' ended with exit status 2");
    assert_int_equal(s.missing.n, 2);
    assert_string_equal(s.missing.v[1], "config/a b.yml");
    assert_int_equal(s.no_tools.n, 1);
    assert_string_equal(s.system, "Linux 6.1.0");
    assert_string_equal(s.user, "deploy");
    assert_int_equal(s.free_kb, 123456);
    assert_int_equal(s.now_unix, 1795361412);
}

/* A host that nothing was deployed to. */
static void test_bare(void **state)
{
    struct site s;

    (void)state;
    assert_true(parse("survey 1\nnow 5\ndeploy_to missing\nwritable no\nwritable_at /var\n"
                      "current_is none\nlog no\n" END,
                      &s));
    assert_false(s.there || s.writable || s.has_log || s.lock.held || s.lock.alive);
    assert_string_equal(s.writable_at, "/var");
    assert_int_equal(s.current_kind, CURRENT_NONE);
    assert_null(s.current);
    assert_null(s.live);
    assert_null(s.plan);
    assert_null(s.last_run);
    assert_null(site_mark(&s, "lock"));
    assert_false(site_has_ended(&s, "k7f2ab"));
    assert_int_equal(s.free_kb, -1);
    assert_int_equal(s.n_releases + s.n_marks + s.missing.n + s.no_tools.n, 0);
    /* A plan without a lock is of no run. */
    assert_true(parse("plan crelease-plan 1\nrecipe x\n" END, &s));
    assert_null(s.plan);
    assert_null(s.recipe);
}

/* Cut off anywhere it is an error; what was there before is left alone. */
static void test_cut_off(void **state)
{
    size_t len = (size_t)(strstr(whole_answer, END) - whole_answer) + strlen("end survey\n");

    (void)state;
    for (size_t i = 0; i < len; i++) {
        struct arena kept = arena;
        struct site s = {.free_kb = -7};
        char *cut = malloc(i + 1); /* of exactly that size: a look beyond it is seen */
        assert_non_null(cut);
        memcpy(cut, whole_answer, i);
        cut[i] = '\0';
        arena = (struct arena){0};
        err.arena = &arena;
        if (parse(cut, &s))
            fail_msg("taken for whole after %zu of %zu bytes", i, len);
        assert_int_equal(err.code, ERR_FAILED);
        assert_int_equal(s.free_kb, -7);
        free(cut);
        arena_free(&arena);
        arena = kept;
        err.arena = &arena;
    }
}

/* Any byte of it another one: a site or an error, and no name that leads elsewhere. */
static void test_flipped(void **state)
{
    static const char odd[] = {' ', '\n', '/', '-', '.', '0', '9', 'z', '\x01', '\xff'};
    char answer[sizeof whole_answer];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof answer; i++) {
        for (size_t k = 0; k < sizeof odd; k++) {
            struct arena kept = arena;
            struct site s;
            memcpy(answer, whole_answer, sizeof answer);
            answer[i] = odd[k];
            arena = (struct arena){0};
            err.arena = &arena;
            if (parse(answer, &s)) {
                assert_true(!s.lock.held || (s.lock.run && !strpbrk(s.lock.run, "/. ")));
                assert_true(!s.live || strspn(s.live, "0123456789") == 14);
                for (size_t n = 0; n < s.n_releases; n++)
                    assert_int_equal(strspn(s.releases[n].name, "0123456789"), 14);
            }
            arena_free(&arena);
            arena = kept;
            err.arena = &arena;
        }
    }
}

static void test_release_names(void **state)
{
    static const struct {
        const char *line;
        size_t n;
    } rows[] = {
        {"release 20261122153012 - - -", 1},
        {"release 20261122153012", 1},
        {"release 20261122153012 x finished manifest more", 1},
        {"release", 0},
        {"release ", 0},
        {"release  20261122153012", 0},
        {"release ../../../../..", 0},
        {"release 2026112215301/", 0},
        {"release 20261122/53012", 0},
        {"release 20261122153012/.. - - -", 0},
        {"release 2026112215301", 0},
        {"release 202611221530123", 0},
        {"release -2026112215301", 0},
        {"release 2026112215301a", 0},
        {"release current", 0},
        {"Release 20261122153012", 0},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s;
        assert_true(parse(arena_printf(&arena, "%s\n" END, rows[i].line), &s));
        if (s.n_releases != rows[i].n)
            fail_msg("'%s': %zu releases", rows[i].line, s.n_releases);
        if (s.n_releases)
            assert_string_equal(s.releases[0].name, "20261122153012");
    }
}

static void test_live(void **state)
{
    static const struct {
        const char *line;
        const char *live;
        const char *revision;
    } rows[] = {
        {"live 20261122153012 2222", "20261122153012", "2222"},
        {"live 20261122153012 -", "20261122153012", NULL},
        {"live 20261122153012", "20261122153012", NULL},
        {"live ../../etc 2222", NULL, NULL},
        {"live 20261122153012/.. 2222", NULL, NULL},
        {"live ", NULL, NULL},
        {"live", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s;
        assert_true(parse(arena_printf(&arena, "%s\n" END, rows[i].line), &s));
        if (!s.live != !rows[i].live || !s.live_revision != !rows[i].revision)
            fail_msg("'%s'", rows[i].line);
        if (s.live)
            assert_string_equal(s.live, rows[i].live);
        if (s.live_revision)
            assert_string_equal(s.live_revision, rows[i].revision);
    }
}

#define V1      "20261101000000"
#define V2      "20261102000000"
#define V3      "20261103000000"
#define ALL     "release " V1 " - - -\nrelease " V2 " - - -\nrelease " V3 " - - -\n"
#define BACK(v) "went back " v "\n"
#define NEW(v)  "went deployed " v "\n"

/* Which releases were rolled back from, by what revisions.log says. */
static void test_left(void **state)
{
    static const struct {
        const char *went;
        const char *left; /* by release: x, or - */
    } rows[] = {
        {"", "---"},
        {NEW(V1) NEW(V2) NEW(V3), "---"},
        {NEW(V1) NEW(V2) BACK(V1), "-x-"},
        {NEW(V1) NEW(V2) BACK(V1) NEW(V3), "-x-"},
        {NEW(V1) NEW(V2) BACK(V1) NEW(V3) BACK(V1), "-xx"},
        {NEW(V1) NEW(V2) NEW(V3) BACK(V2) BACK(V1), "-xx"},
        {NEW(V1) NEW(V2) NEW(V3) BACK(V1), "--x"},
        {NEW(V1) NEW(V2) BACK(V1) BACK(V2), "---"}, /* somebody went to it again */
        {NEW(V1) NEW(V2) BACK(V1) BACK(V2) BACK(V1), "-x-"},
        {NEW(V1) NEW(V2) BACK(V1) NEW(V2), "---"},
        {NEW(V2) BACK(V2), "---"}, /* not from itself */
        {BACK(V1), "---"},         /* from what is not known */
        {BACK(V1) NEW(V2) BACK(V1), "-x-"},
        {NEW(V1) NEW("20261102120000") BACK(V1), "---"}, /* it is gone */
        {NEW(V1) NEW(V2) "went back ../../x\nwent back\nwent\nwent sideways " V1 "\n", "---"},
        {NEW(V3) "went back 99999999999999\n" BACK(V1), "--x"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s;
        assert_true(parse(arena_printf(&arena, "%s%s%s\n", rows[i].went, ALL, END), &s));
        for (size_t k = 0; k < 3; k++)
            if (s.releases[k].left != (rows[i].left[k] == 'x'))
                fail_msg("row %zu: %s", i, s.releases[k].name);
    }
}

static void test_current(void **state)
{
    static const struct {
        const char *word;
        enum current_kind kind;
    } rows[] = {{"there", CURRENT_LINK},
                {"dangling", CURRENT_DANGLING},
                {"folder", CURRENT_FOLDER},
                {"none", CURRENT_NONE},
                {"", CURRENT_NONE}};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s;
        assert_true(parse(arena_printf(&arena, "current_is %s\n" END, rows[i].word), &s));
        assert_int_equal(s.current_kind, rows[i].kind);
        /* A link has a target, also where the host names none. */
        bool link = rows[i].kind == CURRENT_LINK || rows[i].kind == CURRENT_DANGLING;
        assert_string_equal(s.current ? s.current : "none", link ? "?" : "none");
    }
}

static void test_lock(void **state)
{
    static const struct {
        const char *lines;
        const char *run; /* NULL: the file is damaged */
    } rows[] = {
        {"lock run k7f2ab", "k7f2ab"},
        {"lock run 0123456789abcdef", "0123456789abcdef"},
        {"lock run ../k7f2\nlock run k7f2ab", "k7f2ab"},
        {"lock ", NULL},
        {"lock", NULL},
        {"lock crelease-lock 1\nlock epoch 1", NULL},
        {"lock run", NULL},
        {"lock run ", NULL},
        {"lock run ../../etc", NULL},
        {"lock run k7f2/ab", NULL},
        {"lock run .", NULL},
        {"lock run ..", NULL},
        {"lock run k7f2 ab", NULL},
        {"lock run K7F2AB", NULL},
        {"lock run k7f2\x01", NULL},
        {"lock run 0123456789abcdef0", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s;
        bool ok = parse(arena_printf(&arena,
                                     "lock crelease-lock 1\nlock epoch 1\nlock keeper 1 2 3\nlock "
                                     "end 77\nlock_sum 77\n%s\n" END,
                                     rows[i].lines),
                        &s);
        if (ok != (rows[i].run != NULL))
            fail_msg("'%s'", rows[i].lines);
        if (ok) {
            assert_true(s.lock.held);
            assert_string_equal(s.lock.run, rows[i].run);
        } else {
            assert_non_null(strstr(err.msg, ".crelease/lock' is damaged"));
        }
    }
}

static void test_marks(void **state)
{
    struct site s;

    (void)state;
    assert_true(parse("mark crelease-marks 1\nmark build begun 6\n"
                      "mark build failed 7\nmark build-1 done 8\nmark lock done 9\n" END,
                      &s));
    assert_string_equal(site_mark(&s, "build"), "failed");
    assert_string_equal(site_mark(&s, "build-1"), "done");
    assert_string_equal(site_mark(&s, "lock"), "done");
    assert_null(site_mark(&s, "buil"));
    assert_null(site_mark(&s, "migrate"));
    assert_true(site_is_marked(&s, "build", "failed"));
    assert_false(site_is_marked(&s, "build", "begun"));
    assert_false(site_is_marked(&s, "build", "fail"));
    assert_false(site_is_marked(&s, "migrate", "done"));
    site_set_mark(&arena, &s, "build", "done");
    site_set_mark(&arena, &s, "migrate", "begun");
    assert_true(site_is_marked(&s, "build", "done"));
    assert_true(site_is_marked(&s, "migrate", "begun"));
}

/* Every line of it is wanted, and nothing but this version is understood. */
/* A line that no crelease of this version writes makes all of them doubtful. */
static void test_damaged_marks(void **state)
{
    static const char *const damaged[] = {
        "mark build begun 6\n",
        "mark crelease-marks 2\nmark build begun 6\n",
        "mark crelease-marks 1\nmark \n",
        "mark crelease-marks 1\nmark build\n",
        "mark crelease-marks 1\nmark build begun\n",
        "mark crelease-marks 1\nmark build begun 6 7\n",
        "mark crelease-marks 1\nmark build begun x\n",
        "mark crelease-marks 1\nmark build begum 6\n",
        "mark crelease-marks 1\nmark build begun -6\n",
        "mark crelease-marks 1\nmark build begun 253402300800\n",
        "mark crelease-marks 1\nmark build begun 9223372036854775808\n",
        "mark crelease-marks 1\nmark bu\x01ld begun 6\n",
        "mark crelease-marks 1\nmark ../build begun 6\n",
        "mark crelease-marks 1\nmark build begun 6\nmark crelease-marks 1\n",
    };

    (void)state;
    for (size_t i = 0; i < N(damaged); i++) {
        struct site s;
        if (parse(arena_printf(&arena, "%s" END, damaged[i]), &s))
            fail_msg("'%s'", damaged[i]);
        assert_non_null(strstr(err.msg, "marks' is damaged"));
    }
}

static void test_lock_is_whole(void **state)
{
    static const char *const damaged[] = {
        "lock_is there\n",
        "lock run k7f2ab\nlock epoch 1\nlock keeper 1 2 3\nlock end 7\nlock_sum 7\n",
        "lock crelease-lock 2\nlock run k7f2ab\nlock epoch 1\nlock keeper 1 2 3\nlock end "
        "7\nlock_sum 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock keeper 1 2 3\nlock end 7\nlock_sum 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch x\nlock keeper 1 2 3\nlock end "
        "7\nlock_sum 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch 9223372036854775807\nlock keeper 1 2 "
        "3\nlock end 7\nlock_sum 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch 1\nlock end 7\nlock_sum 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch 1\nlock keeper 1 2 3\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch 1\nlock keeper 1 2 3\nlock end 7\n",
        "lock crelease-lock 1\nlock run k7f2ab\nlock epoch 1\nlock keeper 1 2 3\nlock end "
        "7\nlock_sum 8\n",
    };

    (void)state;
    for (size_t i = 0; i < N(damaged); i++) {
        struct site s;
        if (parse(arena_printf(&arena, "%s" END, damaged[i]), &s))
            fail_msg("'%s'", damaged[i]);
        assert_non_null(strstr(err.msg, ".crelease/lock' is damaged"));
    }
}

/* As many of everything as a host may care to send: bounded, and the rest is still read. */
static void test_many(void **state)
{
    struct buf b = buf_make(16 << 20);
    struct site s;

    (void)state;
    buf_puts(&b, "mark crelease-marks 1\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "release 2026%02d%02d%06d 1 - -\nmark step%d done %d\nmissing f%d\n",
                   i / 2000 + 1, i % 28 + 1, i % 235959, i, i, i);
    buf_puts(&b, "live 20261122153012 -\n" END);
    assert_false(b.full);
    assert_true(parse(b.text, &s));
    assert_true(s.n_releases > 1000 && s.n_releases < 20000);
    assert_true(s.n_marks > 1000 && s.n_marks <= 20000);
    assert_int_equal(s.missing.n, 20000);
    assert_string_equal(s.live, "20261122153012");
    for (size_t i = 0; i < s.n_releases; i++)
        assert_int_equal(strlen(s.releases[i].name), 14);
    for (size_t i = 0; i < s.n_marks; i++)
        assert_int_equal(s.marks[i].unix_s, i);
    for (int i = 0; i < 120000; i++)
        site_set_mark(&arena, &s, "more", "done");
    assert_true(s.n_marks <= 100000);
    buf_free(&b);
}

/* Text of `n` lines like this one, in front of what it takes to be whole. */
static bool parse_lines(const char *first, const char *line, int n)
{
    struct buf b = buf_make(16 << 20);
    struct site s;

    buf_puts(&b, first);
    for (int i = 0; i < n; i++)
        buf_puts(&b, line);
    buf_puts(&b, END);
    assert_false(b.full);
    bool ok = parse(b.text, &s);
    buf_free(&b);
    return ok;
}

/* Of more than there is room for the last ones count: without them nothing is known. */
static void test_too_many(void **state)
{
    (void)state;
    assert_true(parse_lines("", "release 20261122153012 1 - -\n", 100000));
    assert_false(parse_lines("", "release 20261122153012 1 - -\n", 100001));
    assert_non_null(strstr(err.msg, "too many releases;"));
    assert_false(parse_lines("mark crelease-marks 1\n", "mark build done 6\n", 100001));
    assert_non_null(strstr(err.msg, "too many marks;"));
    assert_false(parse_lines("", "plan host 0123456789012345678901234567890123456789\n", 6000));
    assert_non_null(strstr(err.msg, "too many bytes in the plan of its run;"));
}

static void test_numbers(void **state)
{
    struct site s;

    (void)state;
    assert_true(parse("now 9223372036854775808\nfree_kb -5\n" END, &s));
    assert_int_equal(s.now_unix, 0);
    assert_int_equal(s.free_kb, -1);
    assert_true(parse("now 253402300799\nfree_kb 99999999999999999999\n" END, &s));
    assert_int_equal(s.now_unix, 253402300799);
    assert_int_equal(s.free_kb, -1);
}

static void test_long_values(void **state)
{
    struct buf b = buf_make(4 << 20);
    struct site s;

    (void)state;
    buf_puts(&b, "current ");
    for (int i = 0; i < 1 << 20; i++)
        buf_puts(&b, "x");
    buf_puts(&b, "\n" END);
    assert_true(parse(b.text, &s));
    assert_int_equal(strlen(s.current), 1 << 20);
    buf_free(&b);
    assert_true(parse("\n\n \n  \nunknown\nunknown key\n" END, &s));
    assert_false(parse("end survey", &s));
    assert_false(parse("ending survey\n", &s));
    assert_false(parse(" end survey\n", &s));
    assert_false(parse("", &s));
}

static void test_has_ended(void **state)
{
    static const struct {
        const char *last_run; /* NULL: no line */
        bool ended;
    } rows[] = {
        {"k7f2ab deploy done", true},
        {"k7f2ab ", true},
        {"k7f2ab", false}, /* a line that was cut off */
        {"k7f2abc deploy done", false},
        {"k7f2a deploy done", false},
        {"deploy k7f2ab done", false},
        {"", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct site s = {.last_run = rows[i].last_run};
        if (site_has_ended(&s, "k7f2ab") != rows[i].ended)
            fail_msg("'%s'", rows[i].last_run ? rows[i].last_run : "(none)");
    }
}

static void test_record(void **state)
{
    static const struct {
        const char *last_run;
        const char *record;
    } rows[] = {
        {"k7f2ab 1763825412 done deploy 20261122153012 3f2a main 1763825400 ann@desk",
         "deploy 20261122153012 3f2a"},
        {"k7f2ab 1763825412 done rollback 20261122153012 - - 1763825400 ann",
         "rollback 20261122153012 -"},
        {"k7f2ab 1763825412 done", "  "},
        {"k7f2aa 1763825412 done deploy 20261122153012 - main 1 ann", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s = {.last_run = rows[i].last_run};
        const char *is = site_record(&arena, &s, "k7f2ab");
        if (!is != !rows[i].record || (is && strcmp(is, rows[i].record) != 0))
            fail_msg("row %zu: '%s'", i, is ? is : "(none)");
    }
}

static void test_outcome(void **state)
{
    static const struct {
        const char *last_run;
        const char *outcome; /* NULL: the run has not ended there */
    } rows[] = {
        {"k7f2ab 1763825412 done deploy 20261122153012 - main 1763825400 ann@desk", "done"},
        {"k7f2ab 1763825412 aborted deploy 20261122153012 - done 1763825400 ann@desk", "aborted"},
        {"k7f2ab 1763825412 done", "done"},
        {"k7f2ab 1763825412", ""},
        {"k7f2ab ", ""},
        {"k7f2aa 1763825412 done deploy", NULL},
        {NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct site s = {.last_run = rows[i].last_run};
        const char *is = site_outcome(&arena, &s, "k7f2ab");
        if (!is != !rows[i].outcome || (is && strcmp(is, rows[i].outcome) != 0))
            fail_msg("row %zu: '%s'", i, is ? is : "(none)");
        s.lock.held = true;
        s.lock.run = "k7f2ab";
        assert_null(site_outcome(&arena, &s, "k7f2ab"));
    }
}

static void test_answer_value(void **state)
{
    static const char answer[] = "exit 3\nexit 4\nempty \nbare\n two words here\nlast 1";
    static const struct {
        const char *key;
        const char *value;
    } rows[] = {{"exit", "3"},   {"empty", ""},          {"bare", ""},   {"exi", NULL},
                {"exit ", NULL}, {"", "two words here"}, {"last", NULL}, {"3", NULL}};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const char *value = answer_value(&arena, answer, rows[i].key);
        if (!value != !rows[i].value || (value && strcmp(value, rows[i].value) != 0))
            fail_msg("'%s' is '%s'", rows[i].key, value ? value : "(none)");
    }
    assert_null(answer_value(&arena, "", "exit"));
    assert_null(answer_value(&arena, "exit 0", "exit")); /* not whole: it may go on */
}

static int setup(void **state)
{
    (void)state;
    err = (struct err){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole),        TEST(test_bare),          TEST(test_cut_off),
        TEST(test_flipped),      TEST(test_release_names), TEST(test_live),
        TEST(test_current),      TEST(test_lock),          TEST(test_lock_is_whole),
        TEST(test_marks),        TEST(test_damaged_marks), TEST(test_many),
        TEST(test_too_many),     TEST(test_numbers),       TEST(test_long_values),
        TEST(test_has_ended),    TEST(test_record),        TEST(test_outcome),
        TEST(test_answer_value), TEST(test_left),
    };

    return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
