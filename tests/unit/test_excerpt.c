#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/job/excerpt.h"

#include <stdio.h>
#include <string.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static const char *shown(const char *sent)
{
    struct strs lines = excerpt(&arena, sent);
    const char *text = "";

    assert_true(lines.n <= 30);
    for (size_t i = 0; i < lines.n; i++)
        text = arena_printf(&arena, "%s%s\n", text, lines.v[i]);
    return text;
}

static void test_excerpt(void **state)
{
    static const struct {
        const char *sent;
        const char *shown;
    } rows[] = {
        {"", ""},
        {"0 0 0\n", ""},
        {"0 0 2\n1:one\n2:two\n", "one\ntwo\n"},
        /* The error, and the end. */
        {"2 2 90\n1:== migrating\n2:rails aborted!\n3:StandardError: no\n4:\n5:a.rb:1:in 'x'\n"
         "6:a.rb:2:in 'x'\n7:a.rb:3:in 'x'\n8:a.rb:4:in 'x'\n9:a.rb:5:in 'x'\n89:a.rb:9:in 'x'\n"
         "90:Tasks: TOP => db:migrate\n",
         "== migrating\nrails aborted!\nStandardError: no\n\na.rb:1:in 'x'\na.rb:2:in 'x'\n"
         "a.rb:3:in 'x'\n[81 lines left out]\na.rb:9:in 'x'\nTasks: TOP => db:migrate\n"},
        /* Python says at the end of its traceback what it was. */
        {"1 9 60\n1:Traceback (most recent call last):\n2:  File \"a.py\", line 1\n3:    a()\n"
         "4:  File \"b.py\", line 1\n5:    b()\n6:  File \"c.py\", line 1\n7:    c()\n"
         "8:ValueError: no\n9:more\n60:the end\n",
         "Traceback (most recent call last):\n[2 lines left out]\n  File \"b.py\", line 1\n    b()\n"
         "  File \"c.py\", line 1\n    c()\nValueError: no\nmore\n[50 lines left out]\nthe end\n"},
        /* The last error, too. */
        {"1 50 100\n1:a.c:1:1: error: x\n2:b\n3:c\n4:d\n5:e\n6:f\n7:g\n8:h\n9:i\n10:j\n11:k\n12:l\n13:m\n"
         "49:x\n50:make: *** [all] Error 1\n51:y\n100:end\n",
         "a.c:1:1: error: x\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n[37 lines left out]\n"
         "make: *** [all] Error 1\ny\n[48 lines left out]\nend\n"},
        /* What overlaps comes twice. */
        {"1 1 3\n1:error: x\n2:y\n3:z\n1:error: x\n2:y\n3:z\n", "error: x\ny\nz\n"},
        /* Nobody believes a host. */
        {"99999999999999 x\n-4:a\n0:b\n1\n2:\n:c\n7:d\n5:e\n8:f", "d\nf\n"},
        {"5 9 7\n", ""},
        {"x", ""},
    };

    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(shown(rows[i].sent), rows[i].shown);
}

/* However much there is. */
static void test_excerpt_is_short(void **state)
{
    const size_t max = 300000;
    static const char *const heads[] = {"1 9000 20000", "1 9000 5", "0 0 5", "none"};

    (void)state;
    for (size_t k = 0; k < N(heads); k++) {
        char *sent = arena_alloc(&arena, max);
        size_t n = (size_t)snprintf(sent, max, "%s\n", heads[k]);
        for (int i = 1; n + 40 < max && i <= 20000; i++)
            n += (size_t)snprintf(sent + n, max - n, "%d:Error: %d\n", i, i);
        assert_in_range(excerpt(&arena, sent).n, 8, 30);
    }
}

#define TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_excerpt),
        TEST(test_excerpt_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
