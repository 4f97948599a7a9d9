#include "git/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct want {
    const char *text;
    enum url_kind kind;
    const char *user;
    const char *host;
    int port;
    const char *shown; /* NULL: as the text */
    const char *name;
};

static const struct want wants[] = {
    {".", URL_PATH, NULL, NULL, 22, NULL, "-"},
    {"/srv/git/my app.git/", URL_PATH, NULL, NULL, 22, NULL, "my-app"},
    {"./a:b", URL_PATH, NULL, NULL, 22, NULL, "b"},
    {"file:///srv/x.git", URL_FILE, NULL, NULL, 22, NULL, "x"},
    {"https://example.com/a/b.git", URL_HTTP, NULL, "example.com", 22, NULL, "b"},
    {"https://ann:pw@example.com:8443/b", URL_HTTP, "ann", "example.com", 8443,
     "https://***@example.com:8443/b", "b"},
    {"https://t0ken@example.com/b", URL_HTTP, "t0ken", "example.com", 22,
     "https://***@example.com/b", "b"},
    {"http://a:b@c@h/x", URL_HTTP, "a", "h", 22, "http://***@h/x", "x"},
    {"git://h/x/y", URL_GIT, NULL, "h", 22, NULL, "y"},
    {"ssh://git@h:2222/x/y.git", URL_SSH, "git", "h", 2222, NULL, "y"},
    {"ssh://git:pw@h/x", URL_SSH, "git", "h", 22, "ssh://git:***@h/x", "x"},
    {"ssh://git@[::1]:2222/x", URL_SSH, "git", "::1", 2222, NULL, "x"},
    {"git@github.com:me/my_app.git", URL_SSH, "git", "github.com", 22, NULL, "my_app"},
    {"host:x", URL_SSH, NULL, "host", 22, NULL, "x"},
    {"host:a@b/c", URL_SSH, NULL, "host", 22, NULL, "c"},
    {"git@host:a@b", URL_SSH, "git", "host", 22, NULL, "a-b"},
    {"https://ann:pa/ss@h/x", URL_HTTP, "ann", "h", 22, "https://***@h/x", "x"},
    {"ssh://git:p@ss@h/x", URL_SSH, "git", "h", 22, "ssh://git:***@h/x", "x"},
    {"ssh+git://git:pw@h/x", URL_SSH, "git", "h", 22, "ssh+git://git:***@h/x", "x"},
    {"https://h:8443/x@y", URL_HTTP, NULL, "h", 8443, NULL, "x-y"},
    {"git@[::1]:x/y", URL_SSH, "git", "::1", 22, NULL, "y"},
    {"https://h", URL_HTTP, NULL, "h", 22, NULL, "repository"},
    {"https://h/..", URL_HTTP, NULL, "h", 22, NULL, "-."},
};

static void test_parse(void **state)
{
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        const struct want *w = &wants[i];
        struct err err = {.arena = &a};
        struct url u = {0};
        if (!url_parse(&u, &a, w->text, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(u.kind, w->kind);
        assert_string_equal(u.user ? u.user : "-", w->user ? w->user : "-");
        assert_string_equal(u.host ? u.host : "-", w->host ? w->host : "-");
        assert_int_equal(u.port, w->port);
        assert_string_equal(u.shown, w->shown ? w->shown : w->text);
        assert_string_equal(u.name, w->name);
    }
    arena_free(&a);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "ftp://a:pw@h/x",
                                      "ext::sh -c 'pw'",
                                      "-o:x",
                                      "a\nb",
                                      "u:pw@[::1]:x",
                                      "u:pw@h:x",
                                      "u:p:w@h:x/y",
                                      "u:p@w@h:x",
                                      "ssh:///x",
                                      "https://-h/x",
                                      "ssh://u@/x",
                                      "u:p/w@[::1]:x",
                                      ":x",
                                      "h:-x",
                                      "-u@h:x",
                                      "ssh://-u@h/x",
                                      "x://"};
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {.arena = &a};
        struct url u = {0};
        if (url_parse(&u, &a, bad[i], &err))
            fail_msg("'%s' was taken for an address", bad[i]);
        assert_int_equal(err.code, ERR_USAGE);
        assert_null(u.text);
        for (size_t k = 0; strstr(bad[i], ":p") && k < 4; k++)
            assert_null(strstr(err.msg, (const char *[]){":pw", ":p:w", ":p@w", "p/w"}[k]));
    }
    arena_free(&a);
}

static void test_clean(void **state)
{
    struct arena a = {0};
    struct err err = {.arena = &a};
    struct url u = {0};

    (void)state;
    assert_true(url_parse(&u, &a, "https://ann:s3cret@h/x", &err));
    assert_string_equal(url_clean(&u, &a, "GET https://ann:s3cret@h/x: s3cret \033 ann\r\n"),
                        "GET https://***@h/x: *** \\x1b ann");
    assert_true(url_parse(&u, &a, "https://git@h/x", &err));
    assert_string_equal(url_clean(&u, &a, "git said: git@h"), "git said: ***@h");
    /* Where a server sends us, with a password of its own. */
    assert_string_equal(url_clean(&u, &a, "to 'http://bob:0ther@x:80/y', ssh://bob:0ther@x"),
                        "to 'http://***@x:80/y', ssh://bob:***@x");
    assert_string_equal(url_clean(&u, &a, "ssh://bob@x and http://x/y@z"),
                        "ssh://bob@x and http://x/y@z");
    arena_free(&a);
}

static void test_bare(void **state)
{
    static const char *const rows[][2] = {
        {"https://ann:s3cret@h/x.git", "https://h/x.git"},
        {"https://t0ken@h:8443/x.git?private_token=t0ken#a", "https://h:8443/x.git"},
        {"https://h/x@y", "https://h/x@y"},
        {"http://h/s3cret@h/x", "http://h/s3cret@h/x"},
        {"ssh://git:s3cret@h:22/x", "ssh://git@h:22/x"},
        {"ssh://git@h/x:y@z", "ssh://git@h/x:y@z"},
        {"git@h:x.git", "git@h:x.git"},
        {"git://h/x", "git://h/x"},
        {"file:///srv/x?y", "file:///srv/x?y"},
        {"/srv/x@y", "/srv/x@y"},
    };
    struct arena a = {0};
    struct err err = {.arena = &a};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url u = {0};
        assert_true(url_parse(&u, &a, rows[i][0], &err));
        assert_string_equal(url_bare(&u, &a), rows[i][1]);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
