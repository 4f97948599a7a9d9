/* Run from the root of the project.  With GOLDEN=write in the environment
 * tests/golden/plan/NAME.plan is written anew from NAME.yml instead of compared.  The first line of
 * a recipe says what its plan is of: "# deploy", "# deploy --no-migrate" or "# rollback". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "edge/digest.h"
#include "stages/table.h"

#include <dirent.h>

#define N(rows)    (sizeof(rows) / sizeof *(rows))
#define GOLDEN_DIR "tests/golden/plan"
#define REVISION   "3f2a91c0123456789abcdef0123456789abcdef0"

enum { TEXT_MAX = 1 << 20 };

static struct arena arena;
static struct err err;

/* ---- golden files ---- */

static const char *file_text(const char *path)
{
    struct buf b = buf_make(TEXT_MAX);
    FILE *f = fopen(path, "r");
    char part[4096];
    size_t n;

    if (!f)
        return NULL;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(&b, part, n);
    fclose(f);
    const char *text = arena_strndup(&arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static void is_golden(const char *path, const char *text)
{
    const char *mode = getenv("GOLDEN");

    if (mode && strcmp(mode, "write") == 0) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        assert_int_equal(fclose(f), 0);
        return;
    }
    const char *golden = file_text(path);
    if (!golden)
        fail_msg("%s is missing; GOLDEN=write makes it", path);
    if (strcmp(golden, text) != 0)
        fail_msg("%s\n--- expected\n%s--- found\n%s", path, golden, text);
}

static const char *host_names(const struct recipe *r, const struct step *s, long job)
{
    const char *text = "";

    for (size_t i = 0; i < s->n_hosts; i++)
        if (job < 0 || step_job_is_for(s, r, (size_t)job, s->hosts[i]))
            text =
                arena_printf(&arena, "%s%s%s", text, *text ? " " : "", r->hosts[s->hosts[i]].name);
    return text;
}

static const char *listing(const struct recipe *r, const struct plan *p)
{
    struct buf b = buf_make(TEXT_MAX);

    buf_printf(&b, "%s\n", command_word(p->what.command));
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct step *s = &p->steps[i];
        buf_printf(&b, "%-14s on %-22s %s\n", s->name, host_names(r, s, -1), s->about);
        if (s->stage->rolls && plan_rolling(&arena, r))
            buf_printf(&b, "%-14s    (%s)\n", "", plan_rolling(&arena, r));
        for (size_t j = 0; s->jobs && j < s->jobs->n; j++)
            buf_printf(&b, "%-14s    %-22s %s\n", "", host_names(r, s, (long)j), s->jobs->v[j].run);
    }
    const char *text = arena_strndup(&arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static struct plan *plan_of(const char *path, struct recipe **ret)
{
    const char *const environ_of_test[] = {NULL};
    const struct recipe_where where = {
        .file = path, .environment = "production", .environ = environ_of_test};
    struct strs errors = {0};
    const char *text = file_text(path);
    struct what what = {.run = "k7f2ab", .release = "20261122153012", .revision = REVISION};

    assert_non_null(text);
    *ret = recipe_read(&arena, &where, &errors, &err);
    if (!*ret)
        fail_msg("%s: %s", path, errors.n ? errors.v[0] : err.msg);
    what.no_migrate = strncmp(text, "# deploy --no-migrate\n", 22) == 0;
    if (strncmp(text, "# rollback\n", 11) == 0)
        what.command = COMMAND_ROLLBACK;
    else
        assert_int_equal(strncmp(text, "# deploy", 8), 0);
    return plan_make(&arena, deploy_stages, *ret, &what);
}

static int is_recipe(const struct dirent *e)
{
    size_t len = strlen(e->d_name);

    return len > 4 && strcmp(e->d_name + len - 4, ".yml") == 0;
}

static void test_golden(void **state)
{
    struct dirent **names;
    int n = scandir(GOLDEN_DIR, &names, is_recipe, alphasort);

    (void)state;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(&arena, GOLDEN_DIR "/%s", names[i]->d_name);
        struct recipe *r;
        struct plan *p = plan_of(path, &r);
        is_golden(arena_printf(&arena, "%.*s.plan", (int)strlen(path) - 4, path), listing(r, p));
        free(names[i]);
    }
    free(names);
}

static void test_batch(void **state)
{
    static const struct {
        const char *batch;
        long long wait_ms;
        size_t hosts;
        size_t size;
        const char *told;
    } rows[] = {
        {NULL, 0, 1, 1, NULL},
        {NULL, 0, 5, 5, NULL},
        {NULL, 9000, 5, 5, NULL},
        {"1", 0, 1, 1, NULL},
        {"1", 0, 3, 1, "1 host at a time"},
        {"2", 30000, 3, 2, "2 hosts at a time, 30 s between"},
        {"3", 0, 3, 3, NULL},
        {"9", 0, 3, 3, NULL},
        {"1%", 0, 3, 1, "1 host at a time"},
        {"25%", 0, 3, 1, "1 host at a time"},
        {"25%", 0, 4, 1, "1 host at a time"},
        {"25%", 0, 5, 2, "2 hosts at a time"},
        {"34%", 0, 3, 2, "2 hosts at a time"},
        {"99%", 0, 100, 99, "99 hosts at a time"},
        {"99%", 0, 3, 3, NULL},
        {"100%", 0, 3, 3, NULL},
        {"50%", 90000, 12, 6, "6 hosts at a time, 1 min 30 s between"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const struct recipe r = {.n_hosts = rows[i].hosts,
                                 .rolling = {rows[i].batch, rows[i].wait_ms}};
        const char *told = plan_rolling(&arena, &r);
        assert_int_equal(recipe_batch(&r), rows[i].size);
        assert_int_equal(!told, !rows[i].told);
        if (told)
            assert_string_equal(told, rows[i].told);
    }
}

/* What every plan has, whatever the recipe. */
static void test_always(void **state)
{
    struct dirent **names;
    int n = scandir(GOLDEN_DIR, &names, is_recipe, alphasort);

    (void)state;
    for (int k = 0; k < n; k++) {
        struct recipe *r;
        struct plan *p = plan_of(arena_printf(&arena, GOLDEN_DIR "/%s", names[k]->d_name), &r);
        assert_string_equal(p->steps[0].name, "lock");
        assert_string_equal(p->steps[p->n_steps - 1].name, "unlock");
        for (size_t i = 0; i < p->n_steps; i++) {
            const struct step *s = &p->steps[i];
            assert_true(s->n_hosts > 0 && s->n_hosts <= r->n_hosts);
            assert_true(*s->about);
            assert_null(strpbrk(s->name, "/ ."));
            for (size_t h = 0; h < s->n_hosts; h++) {
                assert_true(s->hosts[h] < r->n_hosts);
                assert_true(h == 0 || s->hosts[h] > s->hosts[h - 1]);
            }
            for (size_t j = i + 1; j < p->n_steps; j++)
                assert_string_not_equal(s->name, p->steps[j].name);
        }
        free(names[k]);
    }
    free(names);
}

/* ---- the text on the hosts ---- */

static const char *const host_list[] = {"app1", "app2", "db1"};

static struct what whole_what(void)
{
    return (struct what){.command = COMMAND_DEPLOY,
                         .run = "k7f2ab",
                         .application = "shop",
                         .environment = "production",
                         .release = "20261122153012",
                         .revision = REVISION,
                         .revision_unix = 1795361000,
                         .ref = "feature/x",
                         .subject = "Add notes to events",
                         .by = "ann@laptop",
                         .user = "ann",
                         .since_unix = 1795361412,
                         .recipe_digest = "77",
                         .migrate_digest = "33",
                         .hosts = {(const char **)(uintptr_t)host_list, N(host_list)}};
}

static bool read_plan(const char *text, struct what *ret)
{
    err_clear(&err);
    return plan_read(&arena, text, ret, &err);
}

static const struct {
    const char *key;
    size_t at;
} texts[] = {
#define TEXT(member)                                                                               \
    {                                                                                              \
#member, offsetof(struct what, member)                                                     \
    }
    TEXT(run),      TEXT(application),   TEXT(environment),    TEXT(release),
    TEXT(revision), TEXT(ref),           TEXT(subject),        TEXT(by),
    TEXT(user),     TEXT(recipe_digest), TEXT(migrate_digest),
#undef TEXT
};

static const char *text_of(const struct what *w, size_t i)
{
    return *(const char *const *)(const void *)((const char *)w + texts[i].at);
}

static bool same_hosts(const struct what *a, const struct what *b)
{
    bool same = a->hosts.n == b->hosts.n;

    for (size_t i = 0; same && i < a->hosts.n; i++)
        same = strcmp(a->hosts.v[i], b->hosts.v[i]) == 0;
    return same;
}

/* How many members differ. */
static size_t differences(const struct what *a, const struct what *b)
{
    size_t n = 0;

    for (size_t i = 0; i < N(texts); i++)
        n += strcmp(text_of(a, i), text_of(b, i)) != 0;
    return n + (a->command != b->command) + (a->revision_unix != b->revision_unix) +
           (a->since_unix != b->since_unix) + (a->no_migrate != b->no_migrate) + !same_hosts(a, b);
}

static void test_round_trip(void **state)
{
    struct what rows[5];
    struct what is;

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        rows[i] = whole_what();
    rows[1].command = COMMAND_ROLLBACK;
    rows[1].revision = rows[1].ref = rows[1].subject = "";
    rows[2].no_migrate = true;
    rows[2].migrate_digest = "";
    rows[3].subject = "  'quotes' \"$(x)\" \\ caf\xc3\xa9 = end plan";
    rows[3].ref = "end";
    rows[3].by = "o'hara@a b";
    rows[4].hosts.n = 1;
    rows[4].since_unix = rows[4].revision_unix = 0;
    for (size_t i = 0; i < N(rows); i++) {
        const char *text = plan_text(&arena, &rows[i], &(struct strs){0});
        assert_int_equal(strncmp(text, "crelease-plan 1\n", 16), 0);
        assert_int_equal(strncmp(text + strlen(text) - 74, "\nend plan ", 10), 0);
        if (!read_plan(text, &is))
            fail_msg("row %zu: %s", i, err.msg);
        assert_int_equal(differences(&rows[i], &is), 0);
        assert_true(read_plan(arena_printf(&arena, "%s\n", text), &is)); /* as survey gives it */
        assert_int_equal(differences(&rows[i], &is), 0);
    }
}

/* A line of its own for each value, whatever is in it: no value can pass for another. */
static void test_control_characters(void **state)
{
    static const struct {
        const char *subject;
        const char *back;
    } rows[] = {
        {"one\ntwo", "one two"},
        {"x\nrelease ../../../../etc", "x release ../../../../etc"},
        {"x\r\nrun evil\nend plan\n", "x  run evil end plan "},
        {"\n", " "},
        {"a\tb\x1b[2Jc\x01", "a b [2Jc "},
        {"\xc3\xa9\xff", "\xc3\xa9\xff"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        for (size_t k = 0; k < 3; k++) {
            struct what what = whole_what();
            const char **member = k == 0 ? &what.subject : k == 1 ? &what.by : &what.ref;
            struct what is;
            *member = rows[i].subject;
            assert_true(read_plan(plan_text(&arena, &what, &(struct strs){0}), &is));
            *member = rows[i].back;
            assert_int_equal(differences(&what, &is), 0);
        }
    }
}

static bool is_safe(const struct what *w)
{
    return *w->run && strlen(w->release) == 14 && strspn(w->release, "0123456789") == 14 &&
           (!*w->revision ||
            (strlen(w->revision) == 40 && strspn(w->revision, "0123456789abcdef") == 40)) &&
           w->hosts.n > 0;
}

/* With the checksum that belongs to it: a host may lie. */
static const char *sealed(const char *text)
{
    const char *end = strstr(text, "end plan ");
    struct digest *d = digest_open();
    char hex[65];

    digest_add(d, text, end ? (size_t)(end - text) : strlen(text));
    digest_hex(d, hex);
    digest_close(d);
    return end ? arena_printf(&arena, "%.*send plan %s", (int)(end - text), text, hex) : text;
}

static void test_refused(void **state)
{
    static const struct {
        const char *from; /* of the whole text, replaced by `to` */
        const char *to;
    } rows[] = {
        {"crelease-plan 1\n", "crelease-plan 2\n"},
        {"crelease-plan 1\n", "crelease-plan 1"},
        {"crelease-plan 1\n", ""},
        {"crelease-plan 1\n", "\ncrelease-plan 1\n"},
        {"run k7f2ab\n", ""},
        {"run k7f2ab\n", "run \n"},
        {"release 20261122153012\n", ""},
        {"release 20261122153012\n", "release \n"},
        {"release 20261122153012\n", "release ../../../../..\n"},
        {"release 20261122153012\n", "release 2026112215301/\n"},
        {"release 20261122153012\n", "release 20261122153012/..\n"},
        {"release 20261122153012\n", "release  20261122153012\n"},
        {"release 20261122153012\n", "release 20261122153012 \n"},
        {"release 20261122153012\n", "release 202611221530123\n"},
        {"release 20261122153012\n", "release 2026112215301a\n"},
        {"revision 3", "revision g"},
        {"revision 3", "revision "},
        {"revision 3", "revision 33"},
        {"recipe 77\n", "recipe $(x)\n"},
        {"recipe 77\n", "recipe 77 \n"},
        {"recipe 77\n",
         "recipe 0000000000000000000000000000000000000000000000000000000000000000\"\n"},
        {"migrate_digest 33\n", "migrate_digest ;x\n"},
        {"host app1\nhost app2\nhost db1\n", ""},
        {"end plan", ""},
        {"end plan", "end pla"},
    };
    const struct what what = whole_what();
    const char *text = plan_text(&arena, &what, &(struct strs){0});
    struct what is = {.run = "untouched"};

    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        const char *at = strstr(text, rows[i].from);
        assert_non_null(at);
        const char *bad = arena_printf(&arena, "%.*s%s%s", (int)(at - text), text, rows[i].to,
                                       at + strlen(rows[i].from));
        if (read_plan(bad, &is) || read_plan(sealed(bad), &is))
            fail_msg("'%s' instead of '%s' was taken", rows[i].to, rows[i].from);
        assert_int_equal(err.code, ERR_FAILED);
        assert_string_equal(is.run, "untouched");
    }
    assert_false(read_plan("", &is));
    assert_false(read_plan(arena_printf(&arena, "%s\nmore", text), &is));
    assert_true(read_plan(sealed(text), &is));
}

static void test_differs(void **state)
{
    struct what one = whole_what();
    struct what two = whole_what();
    const char *x;
    const char *y;

    (void)state;
    const char *text = plan_text(&arena, &one, &(struct strs){0});
    assert_false(plan_differs(&arena, text, arena_strdup(&arena, text), &x, &y));
    assert_false(plan_differs(&arena, "", "", &x, &y));
    two.ref = "\x1b[31mevil";
    two.since_unix = 1;
    assert_true(
        plan_differs(&arena, text, sealed(plan_text(&arena, &two, &(struct strs){0})), &x, &y));
    assert_string_equal(x, arena_printf(&arena, "ref %s", one.ref));
    assert_string_equal(y, "ref  [31mevil");
    assert_true(plan_differs(&arena, "a\nb\n", "a\n", &x, &y));
    assert_string_equal(x, "b");
    assert_string_equal(y, "");
    assert_true(plan_differs(&arena, "", "\xff\x1b\n", &x, &y));
    assert_string_equal(y, "\\xff\\x1b");
    char *much = memset(arena_alloc(&arena, 100000), 'm', 99999);
    assert_true(plan_differs(&arena, "a", much, &x, &y));
    assert_int_equal(strlen(y), 103);
}

static void test_cut_off(void **state)
{
    const struct what what = whole_what();
    const char *text = plan_text(&arena, &what, &(struct strs){0});
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        struct what is;
        char *cut = malloc(i + 1); /* of exactly that size: a look beyond it is seen */
        assert_non_null(cut);
        memcpy(cut, text, i);
        cut[i] = '\0';
        if (read_plan(cut, &is))
            fail_msg("taken for whole after %zu of %zu bytes", i, len);
        assert_int_equal(err.code, ERR_FAILED);
        free(cut);
    }
}

static void test_flipped(void **state)
{
    static const char odd[] = {' ', '\n', '/', '.', '0', 'a', 'z', '\x01', '\xff'};
    const struct what what = whole_what();
    const char *text = plan_text(&arena, &what, &(struct strs){0});
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < N(odd) + 8; k++) {
            struct what is = {.run = "untouched"};
            char *copy = arena_strndup(&arena, text, len);
            copy[i] = (char)(k < N(odd) ? odd[k] : copy[i] ^ 1 << (k - N(odd)));
            if (copy[i] != text[i] && read_plan(copy, &is))
                fail_msg("byte %zu as %d was taken", i, copy[i]);
        }
    }
}

/* What is read from a host that seals what it made up itself is safe in paths. */
static void test_flipped_and_sealed(void **state)
{
    const struct what what = whole_what();
    const char *text = plan_text(&arena, &what, &(struct strs){0});
    size_t len = (size_t)(strstr(text, "end plan ") - text);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < 8; k++) {
            struct what is;
            char *copy = arena_strdup(&arena, text);
            copy[i] = (char)(copy[i] ^ 1 << k);
            if (copy[i] && read_plan(sealed(copy), &is))
                assert_true(is_safe(&is));
        }
    }
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
        TEST(test_golden),     TEST(test_always),
        TEST(test_round_trip), TEST(test_control_characters),
        TEST(test_refused),    TEST(test_cut_off),
        TEST(test_flipped),    TEST(test_flipped_and_sealed),
        TEST(test_batch),      TEST(test_differs),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
