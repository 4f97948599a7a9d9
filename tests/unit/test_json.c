#include "edge/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char *written(const struct json *v, bool indented)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    assert_non_null(f);
    assert_true(json_write(v, f, indented));
    fclose(f);
    return text;
}

static void one_of_each_kind(void **state)
{
    (void)state;
    struct json *o = json_open_object();

    json_put_text(o, "text", "it's \"so\"\\");
    json_put_int(o, "int", -9007199254740993LL);
    json_put_real(o, "real", 0.5);
    json_put_real(o, "no real", NAN);
    json_put_bool(o, "yes", true);
    json_put_bool(o, "no", false);
    json_put_null(o, "null");
    json_put_text(o, "no text", NULL);
    struct json *list = json_put_array(o, "list");
    json_put_int(list, NULL, 1);
    json_put_text(json_put_object(list, NULL), "a", "b");
    json_put_array(list, NULL);
    char *text = written(o, false);
    assert_string_equal(text,
                        "{\"text\":\"it's \\\"so\\\"\\\\\",\"int\":-9007199254740993,\"real\":0.5,"
                        "\"no real\":null,\"yes\":true,\"no\":false,\"null\":null,"
                        "\"no text\":null,\"list\":[1,{\"a\":\"b\"},[]]}\n");
    free(text);
    json_close(o);
}

static void indented(void **state)
{
    (void)state;
    struct json *o = json_open_array();

    json_put_int(o, NULL, 1);
    json_put_int(json_put_object(o, NULL), "a", 2);
    char *text = written(o, true);
    assert_string_equal(text, "[\n  1,\n  {\n    \"a\": 2\n  }\n]\n");
    free(text);
    json_close(o);
}

static void a_key_again_replaces(void **state)
{
    (void)state;
    struct json *o = json_open_object();

    json_put_int(o, "a", 1);
    json_put_int(o, "b", 2);
    json_put_array(o, "a");
    char *text = written(o, false);
    assert_string_equal(text, "{\"a\":[],\"b\":2}\n");
    free(text);
    json_close(o);
    json_close(NULL);
}

static void bytes_become_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } cases[] = {
        {"Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x9a\x80", 13,
         "Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x9a\x80"},
        {"a\x1b[31mb\n\t\r", 10, "a\\u001B[31mb\\n\\t\\r"},
        {"a\0b", 3,
         "a\xef\xbf\xbd"
         "b"},
        {"\x7f\xc2\x9b"
         "31m",
         6, "\\u007F\\u009B31m"},
        {"\xe2\x80\xae"
         "x\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c\xef\xbb\xbf",
         15, "\\u202Ex\\u2066\\u2028\\u061C\\uFEFF"},
        {"\xff\xfe", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc3", 1, "\xef\xbf\xbd"},
        {"\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"", 0, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct json *o = json_open_object();
        json_put_bytes(o, "s", cases[i].bytes, cases[i].len);
        char *text = written(o, false);
        assert_string_equal(text, arena_printf(&a, "{\"s\":\"%s\"}\n", cases[i].expected));
        free(text);
        json_close(o);
        arena_free(&a);
    }
}

static void keys_too(void **state)
{
    (void)state;
    struct json *o = json_open_object();

    json_put_int(o, "a\xff\x1b", 1);
    char *text = written(o, false);
    assert_string_equal(text, "{\"a\xef\xbf\xbd\\u001B\":1}\n");
    free(text);
    json_close(o);
}

/* Any bytes: what is written can be read, and what was valid comes back. */
static void any_bytes_come_back(void **state)
{
    (void)state;
    uint32_t seed = 1;

    for (int round = 0; round < 2000; round++) {
        struct arena a = {0};
        struct err err = {.arena = &a};
        char bytes[40];
        size_t len = (size_t)round % sizeof bytes;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(round % 2 ? seed >> 24 : 0x20 + (seed >> 24) % 0x5f);
        }
        struct json *o = json_open_array();
        json_put_bytes(o, NULL, bytes, len);
        char *text = written(o, false);
        for (const char *p = text; p[1]; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
        struct json *back = json_read(text, strlen(text), &err);
        assert_non_null(back);
        if (round % 2 == 0) {
            const char *s = json_get_text(json_at(back, 0));
            assert_int_equal(strlen(s), len);
            assert_memory_equal(s, bytes, len);
        }
        json_close(back);
        json_close(o);
        free(text);
        arena_free(&a);
    }
}

static void reads(void **state)
{
    (void)state;
    struct arena a = {0};
    struct err err = {.arena = &a};
    static const char text[] = "{\"a\": [1, 2.5, \"x\", true, null], \"b\": {}}";
    struct json *o = json_read(text, strlen(text), &err);

    assert_non_null(o);
    assert_int_equal(json_is(o), JSON_IS_OBJECT);
    assert_int_equal(json_count(o), 2);
    assert_string_equal(json_key(o, 0), "a");
    assert_string_equal(json_key(o, 1), "b");
    assert_null(json_key(o, 2));
    const struct json *list = json_get(o, "a");
    assert_int_equal(json_is(list), JSON_IS_ARRAY);
    assert_int_equal(json_count(list), 5);
    assert_int_equal(json_get_int(json_at(list, 0)), 1);
    assert_int_equal(json_is(json_at(list, 1)), JSON_IS_REAL);
    assert_true(json_get_real(json_at(list, 1)) > 2.4);
    assert_string_equal(json_get_text(json_at(list, 2)), "x");
    assert_true(json_get_bool(json_at(list, 3)));
    assert_int_equal(json_is(json_at(list, 4)), JSON_IS_NULL);
    /* What is not there. */
    assert_null(json_get(o, "c"));
    assert_null(json_get(list, "c"));
    assert_null(json_at(o, 0));
    assert_null(json_get_text(list));
    assert_null(json_get_text(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_int_equal(json_get_int(NULL), 0);
    assert_false(json_get_bool(NULL));
    assert_null(json_key(list, 0));
    json_close(o);
    arena_free(&a);
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const cases[] = {"",         "{",  "{\"a\":1,\"a\":2}", "[1,]", "{}{}",
                                        "\"\xff\"", "nul"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct err err = {.arena = &a};
        assert_null(json_read(cases[i], strlen(cases[i]), &err));
        assert_int_equal(err.code, ERR_FAILED);
        assert_non_null(strstr(err.msg, "not valid JSON: line 1"));
        arena_free(&a);
    }
}

static void says_when_the_file_is_full(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    struct json *o = json_open_object();

    if (!full)
        skip();
    setvbuf(full, NULL, _IONBF, 0);
    assert_false(json_write(o, full, false));
    fclose(full);
    json_close(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_each_kind),
        cmocka_unit_test(indented),
        cmocka_unit_test(a_key_again_replaces),
        cmocka_unit_test(bytes_become_harmless),
        cmocka_unit_test(keys_too),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(says_when_the_file_is_full),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
