#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "edge/yaml.h"

#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct mistakes mistakes;

static int setup(void **state)
{
    (void)state;
    arena = (struct arena){0};
    mistakes = (struct mistakes){.arena = &arena};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static struct node *parse_bytes(const char *bytes, size_t len)
{
    struct yaml_file file = {.name = "x.yml", .bytes = bytes, .len = len};

    return yaml_parse(&arena, &file, &mistakes);
}

static struct node *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* The tree as one line, with places when asked. */
static void print(struct buf *b, const struct node *n, bool places)
{
    if (places)
        buf_printf(b, "%u:%u", n->line, n->column);
    if (n->kind == NODE_SCALAR)
        buf_printf(b, n->plain ? "%s" : "'%s'", n->text);
    buf_puts(b, n->kind == NODE_LIST ? "[" : n->kind == NODE_MAP ? "{" : "");
    for (size_t i = 0; i < n->n; i++) {
        buf_puts(b, i ? "," : "");
        if (n->kind == NODE_MAP) {
            print(b, n->pair[i].key, places);
            buf_puts(b, ":");
        }
        print(b, n->kind == NODE_MAP ? n->pair[i].value : n->item[i], places);
    }
    buf_puts(b, n->kind == NODE_LIST ? "]" : n->kind == NODE_MAP ? "}" : "");
}

static void is_tree(const char *text, const char *expected, bool places)
{
    struct buf b = buf_make(LINE_BYTES_MAX);
    const struct node *n = parse(text);

    if (mistakes.n)
        fail_msg("%s: %s", text, mistakes.v[0].text);
    assert_non_null(n);
    print(&b, n, places);
    assert_string_equal(b.text, expected);
    buf_free(&b);
}

static void test_trees(void **state)
{
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"a: b", "{a:b}"},
        {"a: 'b'", "{a:'b'}"},
        {"a: \"b\\n\"", "{a:'b\n'}"},
        {"a: |\n  b\n  c\n", "{a:'b\nc\n'}"},
        {"- a\n- [b, {c: d}]\n- {}\n- []\n", "[a,[b,{c:d}],{},[]]"},
        {"x", "x"},
        {"a:\nb: ~", "{a:,b:~}"},
        {"a: &x [1]\nb: *x", "{a:[1],b:[1]}"},
        {"a: &x 1\nb: &x 2\nc: *x", "{a:1,b:2,c:2}"},
        {"&k a: 1\nb: *k", "{a:1,b:a}"},
        {"a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", "{a:{p:1,q:2},b:{q:3,p:1}}"},
        {"a: &x {p: 1}\nb: {q: 3, <<: *x}", "{a:{p:1},b:{q:3,p:1}}"},
        {"a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}",
         "{a:{p:1},b:{p:2,q:2},c:{p:1,q:2}}"},
        {"a: &x {p: 1}\nb: &y {<<: *x, q: 1}\nc: {<<: *y}", "{a:{p:1},b:{q:1,p:1},c:{q:1,p:1}}"},
        {"a: {'<<': 1}", "{a:{'<<':1}}"},
        {"a: {<<: []}", "{a:{}}"},
        {"\xef\xbb\xbf"
         "a: b",
         "{a:b}"},
        {"%YAML 1.1\n---\na: b\n...\n", "{a:b}"},
        {"a: !!str 5", "{a:'5'}"},
        {"a: b\r\nc: d\r\n", "{a:b,c:d}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is_tree(cases[i].text, cases[i].expected, false);
}

static void test_places(void **state)
{
    (void)state;
    is_tree("a: b\nc:\n  - d\n  - {e: f}\n", "1:1{1:1a:1:4b,2:1c:3:3[3:5d,4:5{4:6e:4:9f}]}", true);
    is_tree("\xef\xbb\xbf"
            "\xc3\xa4: b",
            "1:1{1:1\xc3\xa4:1:4"
            "b}",
            true);
}

static void is_mistake(const char *bytes, size_t len, unsigned line, unsigned column,
                       const char *text)
{
    mistakes.n = 0;
    parse_bytes(bytes, len);
    if (!mistakes.n)
        fail_msg("no mistake in: %s", bytes);
    assert_non_null(strstr(mistakes.v[0].text, text));
    assert_int_equal(mistakes.v[0].line, line);
    assert_int_equal(mistakes.v[0].column, column);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *bytes;
        unsigned line;
        unsigned column;
        const char *text;
    } cases[] = {
        {"", 1, 1, "the file is empty"},
        {"# x\n", 1, 1, "the file is empty"},
        {"--- \n...\n", 1, 1, "the file is empty"},
        {"a: b\n---\nc: d\n", 2, 1, "second document"},
        {"a: [b\n", 1, 4, "invalid YAML"},
        {"a:\n\tb: c\n", 2, 1, "tab"},
        {"a: \x01\n", 1, 4, "control character"},
        {"a: b\xff\n", 1, 5, "UTF-8"},
        {"a: \xc3\xa4\n\xc3\xa4\xc3: 1\n", 2, 2, "UTF-8"},
        {"a: \xed\xa0\x80\n", 1, 4, "UTF-8"},
        {"a: b\na: c\n", 2, 1, "already on line 1"},
        {"a: {<<: {}, <<: {}}", 1, 13, "duplicate key"},
        {"a: *b", 1, 4, "no anchor '&b'"},
        {"a: &b [*b]", 1, 8, "inside the value it refers to"},
        {"a: &b\n  c: *b", 2, 6, "inside the value it refers to"},
        {"a: &b\n  c: {<<: *b}", 2, 11, "inside the value it refers to"},
        {"a: !x b", 1, 4, "tag '!x'"},
        {"a: !!map {}", 1, 4, "tag"},
        {"a: !!python/object:os.system x", 1, 4, "tag"},
        {"? [a]\n: b", 1, 3, "a list as a key"},
        {"{a: b}: c", 1, 1, "a map as a key"},
        {"a: {<<: x}", 1, 9, "neither"},
        {"a: {<<: [x]}", 1, 10, "not a map"},
        {"a: \"\\0\"", 1, 4, "NUL"},
        {"\"\\0\": a", 1, 1, "NUL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is_mistake(cases[i].bytes, strlen(cases[i].bytes), cases[i].line, cases[i].column,
                   cases[i].text);
    is_mistake("a: b\n\0", 6, 2, 1, "NUL byte");
    is_mistake("\xff\xfe"
               "a\0",
               4, 1, 4, "NUL byte");
}

/* A text made of n times `part` between two others. */
static struct node *parse_repeated(const char *before, const char *part, size_t n,
                                   const char *after)
{
    struct buf b = buf_make(16 * RECIPE_BYTES_MAX);

    buf_puts(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, part);
    buf_puts(&b, after);
    mistakes.n = 0;
    struct node *node = parse_bytes(b.text, b.len);
    buf_free(&b);
    return node;
}

static void test_limits(void **state)
{
    (void)state;
    assert_non_null(parse_repeated("[x", ", x", RECIPE_NODES_MAX - 2, "]"));
    assert_null(parse_repeated("[x", ", x", RECIPE_NODES_MAX - 1, "]"));
    assert_non_null(strstr(mistakes.v[0].text, "more than 20000 values"));
    assert_null(parse_repeated("", "[", 10000, ""));
    assert_non_null(strstr(mistakes.v[0].text, "nested deeper than 32"));
    assert_null(parse_repeated("", "{a: ", 10000, ""));
    assert_null(parse_repeated("", "- ", 10000, "x"));
    assert_null(parse_repeated("", "? ", 10000, "x"));
    assert_null(parse_repeated("a: &a [x, x, x, x]\nb: [*a", ", *a", 5000, "]"));
    assert_non_null(strstr(mistakes.v[0].text, "aliases"));
    char *large = arena_alloc(&arena, 500001);
    memset(large, 'x', 500000);
    assert_null(parse_repeated(arena_printf(&arena, "a: &a %s\nb: [*a", large), ", *a", 100, "]"));
    assert_non_null(strstr(mistakes.v[0].text, "more text"));
    /* Aliases can nest deeper than the text does. */
    assert_null(parse_repeated(
        "a: &a [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]", "", 0,
        ""));
    assert_non_null(strstr(mistakes.v[0].text, "nested deeper"));
}

static void test_bombs(void **state)
{
    struct buf b = buf_make(RECIPE_BYTES_MAX);

    (void)state;
    buf_puts(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            buf_printf(&b, "*a%d, ", i - 1);
        buf_puts(&b, "]\n");
    }
    assert_null(parse(b.text));
    assert_non_null(strstr(mistakes.v[0].text, "aliases"));
    buf_clear(&b);
    mistakes.n = 0;
    buf_puts(&b, "m0: &m0 {k0: 1}\n");
    for (int i = 1; i < 4000; i++)
        buf_printf(&b, "m%d: &m%d {<<: *m%d, k%d: 1}\n", i, i, i - 1, i);
    assert_null(parse(b.text));
    assert_non_null(strstr(mistakes.v[0].text, "aliases"));
    buf_free(&b);
}

static void is_refused(const char *path, const char *text)
{
    struct err err = {.arena = &arena};
    struct yaml_file file;

    assert_false(yaml_read(&arena, path, &file, &err));
    assert_int_equal(err.code, ERR_USAGE);
    assert_non_null(strstr(err.msg, text));
}

static void test_files(void **state)
{
    char dir[] = "/tmp/test_yaml.XXXXXX";
    struct err err = {.arena = &arena};
    struct yaml_file file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    const char *fifo = arena_printf(&arena, "%s/fifo", dir);
    const char *large = arena_printf(&arena, "%s/large", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    FILE *f = fopen(large, "w");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), RECIPE_BYTES_MAX), 0);
    assert_true(yaml_read(&arena, large, &file, &err));
    assert_int_equal(file.len, RECIPE_BYTES_MAX);
    assert_int_equal(ftruncate(fileno(f), RECIPE_BYTES_MAX + 1), 0);
    is_refused(large, "larger than 1.0 MB");
    assert_int_equal(ftruncate(fileno(f), 1LL << 34), 0);
    is_refused(large, "larger than 1.0 MB");
    fclose(f);
    is_refused(dir, "a folder");
    is_refused(fifo, "a pipe");
    is_refused("/dev/zero", "a device");
    is_refused(arena_printf(&arena, "%s/none", dir), "No such file");
    unlink(fifo);
    unlink(large);
    rmdir(dir);
}

static void test_many_mistakes(void **state)
{
    (void)state;
    struct node at = {.file = "x"};
    for (int i = 0; i < MISTAKES_KEPT + 10; i++) {
        at.line = (unsigned)(1000 - i / 2);
        mistake_add(&mistakes, &at, "x");
    }
    assert_int_equal(mistakes.n, MISTAKES_KEPT);
    assert_int_equal(mistakes.more, 10);
    mistakes_sort(&mistakes);
    assert_int_equal(mistakes.n, MISTAKES_KEPT / 2);
    assert_true(mistakes.v[0].line < mistakes.v[1].line);
}

/* The place of a mistake is where a person has to look, in the first line as in any other. */
static void test_places_of_mistakes(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        unsigned column;
        const char *says;
    } rows[] = {
        {"a: \"x\nb: y\nc: z\n", 1, 4, "this quote is not closed (noticed on line 4)"},
        {"a: 'x\nb: y\n", 1, 4, "this quote is not closed"},
        {"\xef\xbb\xbf"
         "a: \"x\nb: y\n",
         1, 4, "this quote is not closed"},
        {"a: \"x\r\nb: y\r\n", 1, 4, "this quote is not closed (noticed on line 3)"},
        {"a: \"x\rb: y\r", 1, 4, "this quote is not closed (noticed on line 3)"},
        {"a: x\nb:\n  - 'y\n  - z\n", 3, 5, "this quote is not closed"},
        {"a: [x\nb: y\n", 1, 4, "this '[' is not closed (noticed on line 2)"},
        {"a: {x: 1\nb: y\n", 1, 4, "this '{' is not closed (noticed on line 2)"},
        {"a: [x", 1, 4, "this '[' is not closed"},
        {"a: {x: [1, 2}\nb: y\n", 1, 13,
         "did not find expected ',' or ']', while parsing a flow "
         "sequence that begins on line 1"},
        {"a: [x,\n  b: c d: e]\n", 2, 9, "a flow sequence that begins on line 1"},
        {"a x\nb: y\n", 1, 1, "a key without ':'"},
        {"a\nb: y\n", 1, 1, "a key without ':'"},
        {"a: x\n\nb y\n# c\nc: z\n", 3, 1, "a key without ':'"},
        {"a: x\nb:\n  - 1\n  c\n  d: 2\n", 4, 3, ""},
        {"a: x\nb\nc: y\n", 2, 1, "a key without ':'"},
        {"a: x: y\n", 1, 5, "mapping values are not allowed"},
        {"a: x\n  b: y\n", 2, 4, "mapping values are not allowed"},
        {" a: x\nb: y\n", 1, 2, "deeper than line 2"},
        {"a: x\n- y\n", 2, 1, "a block mapping that begins on line 1"},
        {"- y\na: x\n", 2, 1, "a block collection that begins on line 1"},
        {"\ta: x\n", 1, 1, "indented with a tab"},
        {"a:\r\tb: x\r", 2, 1, "indented with a tab"},
        {"a: @x\n", 1, 4, "found character that cannot start any token"},
        {"a: \"\\q\"\n", 1, 5, "a quoted scalar that begins on line 1"},
        {"a: *b\n", 1, 4, "there is no anchor"},
        {"a: x\ra: y\r", 2, 1, "duplicate key 'a'; it is already on line 1"},
        {"a: x\r\001", 2, 1, "a control character"},
        {"\xc3\xa4: \xc3\xa4 b: c\n", 1, 7, "mapping values are not allowed"},
        {"", 1, 1, "the file is empty"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mistakes = (struct mistakes){.arena = &arena};
        (void)parse(rows[i].text);
        if (mistakes.n != 1)
            fail_msg("%s: %zu mistakes", rows[i].text, mistakes.n);
        const struct mistake *m = &mistakes.v[0];
        if (m->line != rows[i].line || m->column != rows[i].column ||
            !strstr(m->text, rows[i].says))
            fail_msg("%s: %u:%u: %s", rows[i].text, m->line, m->column, m->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_places_of_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bombs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_mistakes, setup, teardown),
    };

    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
