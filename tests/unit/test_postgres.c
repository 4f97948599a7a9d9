/* What is asked of each version of PostgreSQL: nothing that it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "db/server.h"

#define N(rows) (sizeof(rows) / sizeof *(rows))

static const long versions[] = {80400,  80422,  90000,  90124,  90200,  90300,
                                90426,  90500,  90624,  100000, 110000, 120000,
                                130000, 140000, 150000, 160000, 170000};

static struct arena all_of_it;
static struct arena *const arena = &all_of_it;

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* All that a server of that version is asked. */
static struct strs texts(long version)
{
    const struct server *s = &server_postgresql;
    struct db_session one = {4711, "3/271", "1795398294493660"};
    struct waits w = {.own = "crelease-abc", .version = version, .limit_ms = 500, .max_blocked = 2};
    struct strs v = {0};

    strs_add(arena, &v, s->look(arena, "crelease-abc", version));
    strs_add(arena, &v, s->end(arena, version, &one, "crelease-abc", WAY_END));
    strs_add(arena, &v, s->end(arena, version, &one, NULL, WAY_CANCEL));
    strs_add(arena, &v, s->there(arena, version, &one, 1));
    strs_add(arena, &v, s->named(arena, version));
    strs_add(arena, &v, s->size(arena, version));
    strs_add(arena, &v, s->leftovers(arena, version));
    if (s->waits(arena, &w))
        strs_add(arena, &v, s->waits(arena, &w));
    strs_add(arena, &v, s->end_own(arena, version, "crelease-abc"));
    strs_add(arena, &v, s->lock_holders(arena, version, "crelease-abc"));
    strs_add(arena, &v, s->lock(arena, version, "crelease-hold", 60));
    strs_add(arena, &v, s->environment(arena, "crelease-abc", version, 500, true));
    return v;
}

static size_t times(const char *text, const char *word)
{
    size_t n = 0;

    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static void test_nothing_that_it_lacks(void **state)
{
    static const struct {
        const char *word;
        long since;
        long until; /* 0: it is there still */
    } words[] = {
        {"procpid", 0, 90200},
        {"current_query", 0, 90200},
        {"s.application_name", 90000, 0},
        {"SET application_name", 90000, 0},
        {"string_agg", 90000, 0},
        {"left(", 90100, 0},
        {"format(", 90100, 0},
        {"deadlocks", 90200, 0},
        {"-c lock_timeout", 90300, 0},
        {"LATERAL", 90300, 0},
        {"FILTER", 90400, 0},
        {"pg_blocking_pids", 90600, 0},
        {"wait_event", 90600, 0},
        {"pg_signal_backend", 90600, 0},
        {"backend_type", 100000, 0},
        {"pg_stat_progress_create_index", 120000, 0},
        {"pg_stat_progress_copy", 140000, 0},
        {"waitstart", 140000, 0},
        {"inhdetachpending", 140000, 0},
        {"client_connection_check_interval", 140000, 0},
    };
    bool used[N(words)] = {false};

    (void)state;
    for (size_t i = 0; i < N(versions); i++) {
        struct strs v = texts(versions[i]);
        for (size_t k = 0; k < v.n; k++)
            for (size_t w = 0; w < N(words); w++) {
                if (!strstr(v.v[k], words[w].word))
                    continue;
                used[w] = true;
                if (versions[i] < words[w].since ||
                    (words[w].until && versions[i] >= words[w].until))
                    fail_msg("%ld is asked with '%s': %s", versions[i], words[w].word, v.v[k]);
            }
    }
    /* Else the word is another by now, and nothing is tested. */
    for (size_t w = 0; w < N(words); w++)
        if (!used[w] && !strchr("slfF", *words[w].word))
            fail_msg("'%s' is asked of none", words[w].word);
}

/* Before 9.2 the view has other columns, which are given today's names at one place. */
static void test_view_of_old_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(versions) && versions[i] < 90200; i++) {
        struct strs v = texts(versions[i]);
        for (size_t k = 0; k < v.n; k++)
            assert_int_equal(times(v.v[k], "pg_stat_activity"),
                             times(v.v[k], "pg_stat_activity s)"));
    }
}

/* They mean another thing before 9.1, but between dollars. */
static void test_backslashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(versions); i++) {
        struct strs v = texts(versions[i]);
        for (size_t k = 0; k < v.n; k++) {
            bool quoted = false;
            for (const char *at = v.v[k]; *at; at++) {
                if (strncmp(at, "$x$", 3) == 0)
                    quoted = !quoted;
                assert_false(!quoted && *at == '\\');
            }
        }
    }
}

static void test_newer_ones(void **state)
{
    struct strs last = texts(170000);
    struct strs next = texts(180000);
    struct strs far = texts(990000);

    (void)state;
    assert_int_equal(last.n, next.n);
    for (size_t i = 0; i < last.n; i++) {
        assert_string_equal(last.v[i], next.v[i]);
        assert_string_equal(last.v[i], far.v[i]);
    }
}

static void test_too_old(void **state)
{
    struct waits w = {.own = "crelease-abc", .version = 80422, .limit_ms = 500, .max_blocked = -1};

    (void)state;
    assert_null(server_postgresql.look(arena, "crelease-abc", 80323));
    assert_non_null(server_postgresql.look(arena, "crelease-abc", 80400));
    assert_null(server_postgresql.waits(arena, &w)); /* it names no sessions */
    w.version = 0;                                   /* not known */
    assert_null(server_postgresql.waits(arena, &w));
}

/* The modes of a lock exclude each other both ways; there are 38 pairs. */
static void test_conflicts(void **state)
{
    struct waits w = {.own = "crelease-abc", .version = 90124, .limit_ms = 500, .max_blocked = -1};
    const char *text = strstr(server_postgresql.waits(arena, &w), "AS (VALUES ");
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    const char *all = arena_strndup(arena, text, strcspn(text, ")") + 4000);
    for (const char *at = all; (at = strstr(at, "('")); at++) {
        char held[40];
        char wanted[40];
        if (sscanf(at, "('%39[A-Za-z]', '%39[A-Za-z]')", held, wanted) != 2)
            break;
        n++;
        assert_non_null(strstr(all, arena_printf(arena, "('%s', '%s')", wanted, held)));
    }
    assert_int_equal(n, 38);
    assert_non_null(strstr(all, "('AccessShareLock', 'AccessExclusiveLock')"));
    assert_null(strstr(all, "('AccessShareLock', 'ExclusiveLock')"));
    assert_non_null(strstr(all, "('ShareUpdateExclusiveLock', 'ShareUpdateExclusiveLock')"));
    assert_null(strstr(all, "('ShareLock', 'ShareLock')"));
    assert_null(strstr(all, "('RowExclusiveLock', 'RowExclusiveLock')"));
}

static void test_rights(void **state)
{
    static const struct {
        long version;
        const char *says;
    } rows[] = {
        {80422, "WHEN false THEN 'yes'"},
        {90124, "WHEN false THEN 'yes'"},
        {90200, "WHEN o.oid = me.oid THEN 'yes'"},
        {90426, "WHEN o.oid = me.oid THEN 'yes'"},
        {90500, "WHEN pg_has_role(o.oid, 'USAGE') THEN 'yes'"},
        {90600, "g.rolname = 'pg_signal_backend'"},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_non_null(
            strstr(server_postgresql.look(arena, "crelease-abc", rows[i].version), rows[i].says));
}

static void test_product(void **state)
{
    (void)state;
    assert_string_equal(server_postgresql.product(arena, 80422), "PostgreSQL 8.4");
    assert_string_equal(server_postgresql.product(arena, 90624), "PostgreSQL 9.6");
    assert_string_equal(server_postgresql.product(arena, 100023), "PostgreSQL 10");
    assert_string_equal(server_postgresql.product(arena, 170011), "PostgreSQL 17");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_that_it_lacks),
        cmocka_unit_test(test_view_of_old_ones),
        cmocka_unit_test(test_backslashes),
        cmocka_unit_test(test_newer_ones),
        cmocka_unit_test(test_too_old),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_product),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
