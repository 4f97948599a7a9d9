#include "git/gitmodules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena a;

/* "name|path|url;..." of what a file contains, or its error. */
static const char *read_as(const char *text)
{
    struct err err = {.arena = &a};
    struct gitmodules m;
    const char *all = "";

    if (!gitmodules_read(&m, &a, text, strlen(text), &err))
        return err.msg;
    for (size_t i = 0; i < m.n; i++)
        all = arena_printf(&a, "%s%s|%s|%s%s;", all, m.v[i].name, m.v[i].path ? m.v[i].path : "-",
                           m.v[i].url ? m.v[i].url : "-", m.v[i].unwanted ? "|none" : "");
    return all;
}

static void test_read(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"# nothing\n; here\n\n", ""},
        {"[submodule \"a\"]\n\tpath = a\n\turl = ../a.git\n", "a|a|../a.git;"},
        {"[submodule \"a\"]\r\n\tpath = a\r\n\turl = u\r\n", "a|a|u;"},
        {"\xef\xbb\xbf[SubModule \"a\"] PATH=a\n url=u", "a|a|u;"},
        {"[submodule \"a \\\"b\\\\\"]\npath = x y \n", "a \"b\\|x y|-;"},
        {"[submodule \"a\"]\nurl = \"u # \" ; x\npath = p # y\n", "a|p|u # ;"},
        {"[submodule \"a\"]\nurl = u\\\nv\n", "a|-|uv;"},
        {"[submodule \"a\"]\nurl = first\nurl = second\n", "a|-|first;"},
        {"[submodule \"a\"]\nurl = u\n[core]\npath = x\n[submodule \"a\"]\npath = p\n", "a|p|u;"},
        {"[submodule \"a\"]\nupdate = none\nshallow\n", "a|-|-|none;"},
        {"[include]\npath = /etc/x\n[includeIf \"gitdir:/\"]\npath = ../x\n", ""},
        {"[submodule \"a\n\"]", "line 1 of .gitmodules cannot be used: the section is not closed"},
        {"\n[submodule \"a\"", "line 2 of .gitmodules cannot be used: the section is not closed"},
        {"[submodule \"a\"]\nurl = \"u\n",
         "line 2 of .gitmodules cannot be used: the value is not valid"},
        {"[submodule \"a\"]\nurl = \\x\n",
         "line 2 of .gitmodules cannot be used: the value is not valid"},
        {"=x", "line 1 of .gitmodules cannot be used: it is neither a section nor a key"},
        {"[submodule \"a\"]\npath = a/..b/...\nurl = a::b/c",
         "submodule 'a' of .gitmodules has the URL 'a::b/c', which is refused: remote helpers are not"
         " supported"},
        {"[submodule \"a\"]\npath = a/..\n",
         "submodule 'a' of .gitmodules has the path 'a/..', which is refused: it is not below the"
         " repository"},
        {"[submodule \"a\"]\npath = /a\n",
         "submodule 'a' of .gitmodules has the path '/a', which is refused: it is not below the"
         " repository"},
        {"[submodule \"a\"]\nurl = --upload-pack=x\n",
         "submodule 'a' of .gitmodules has the URL '--upload-pack=x', which is refused: programs would"
         " take it for an option"},
        {"[submodule \"a\"]\nurl = \"https://a\\nb/\"\n",
         "submodule 'a' of .gitmodules has the URL 'https://a\\x0ab/', which is refused: it contains a"
         " control character"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(read_as(cases[i][0]), cases[i][1]);
    arena_free(&a);
}

static void test_find(void **state)
{
    struct err err = {.arena = &a};
    struct gitmodules m;
    const char text[] = "[submodule \"x\"]\npath = a/b/\n[submodule \"y\"]\npath = a\n";

    (void)state;
    assert_true(gitmodules_read(&m, &a, text, sizeof text - 1, &err));
    assert_string_equal(gitmodules_find(&m, "a/b")->name, "x");
    assert_string_equal(gitmodules_find(&m, "a")->name, "y");
    assert_null(gitmodules_find(&m, "a/"));
    assert_null(gitmodules_find(&m, "b"));
    arena_free(&a);
}

/* What `git submodule init` of Git 2.39 makes of the same. */
static void test_url(void **state)
{
    static const char *const cases[][3] = {
        {"https://h/a/shop.git", "https://x/y.git", "https://x/y.git"},
        {"https://h/a/shop.git", "../lib.git", "https://h/a/lib.git"},
        {"https://h/a/shop.git/", "../../b/lib.git/", "https://h/b/lib.git"},
        {"https://u:p@h/a/shop.git", "./lib.git", "https://u:p@h/a/shop.git/lib.git"},
        {"git@h:a/shop.git", "../lib.git", "git@h:a/lib.git"},
        {"git@h:shop.git", "../lib.git", "git@h:lib.git"},
        {"ssh://h/shop.git", "../lib.git", "ssh://h/lib.git"},
        {"/srv/git/shop.git", "../lib.git", "/srv/git/lib.git"},
        {"/srv/git/shop.git", ".././lib.git", "/srv/git/lib.git"},
        {"../shop.git", "../lib.git", "../lib.git"},
        {"shop.git", "../lib.git", "lib.git"},
        {"shop.git", "./lib.git", "shop.git/lib.git"},
        {"file:///srv/shop.git", "../lib.git", "file:///srv/lib.git"},
        {"shop.git", "../../lib.git", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {.arena = &a};
        const char *url = gitmodules_url(&a, cases[i][0], cases[i][1], &err);
        if (cases[i][2])
            assert_string_equal(url, cases[i][2]);
        else
            assert_null(url);
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_url),
    };

    return cmocka_run_group_tests_name("gitmodules", tests, NULL, NULL);
}
