/* test_capistrano.c -- what a recipe and its list get of Capistrano's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/capistrano/cap.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static char dir[64];

static int setup(void **state)
{
    (void)state;
    arena = (struct arena){0};
    snprintf(dir, sizeof dir, "/tmp/test_capistrano.XXXXXX");
    return !mkdtemp(dir) || chdir(dir) != 0 || mkdir("config", 0700) != 0 ||
           mkdir("config/deploy", 0700) != 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return chdir("/") != 0 || nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

static void file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* The recipe of these files, with the list of what was left after it, a line each. */
static const char *converted(const char *deploy, const char *production, const char *preset)
{
    struct err err = {.arena = &arena};
    struct cap_context context = {.application = "blog",
                                  .repository = "git@example.com:blog.git",
                                  .ref = "main",
                                  .preset = preset};
    static struct cap cap;
    struct cap_left *left;

    file("config/deploy.rb", deploy);
    file("config/deploy/production.rb", production);
    assert_true(cap_read(&arena, &cap, &err));
    const char *text = cap_recipe(&arena, &cap, &context);
    assert_non_null(text);
    size_t n = cap_left(&arena, &cap, &left);
    for (size_t i = 0; i < n; i++)
        text =
            arena_printf(&arena, "%s> %s:%zu %s%s%s\n", text, left[i].file, left[i].line,
                         left[i].text, left[i].why ? "  # " : "", left[i].why ? left[i].why : "");
    struct cap_count c = cap_count(&cap);
    return arena_printf(&arena, "%s= %zu of %zu\n", text, c.converted, c.settings);
}

static void assert_has(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("'%s' is not in:\n%s", line, text);
}

static void assert_has_not(const char *text, const char *line)
{
    if (strstr(text, line))
        fail_msg("'%s' is in:\n%s", line, text);
}

static const char server[] = "server \"a1\", user: \"deploy\", roles: %w{app web db}\n";

/* A statement ends with its line, whatever its value ends in. */
static void test_statement_ends(void **state)
{
    static const char *const first[] = {
        "ask :branch, `git rev-parse --abbrev-ref HEAD`.chomp\n",
        "set :x, File.read(\".ruby-version\").strip\n",
        "set :x, Etc.getlogin\n",
        "set :x, SecureRandom.hex # of this run\n",
        "set :bundle_jobs, Etc.nprocessors\n",
        "set :x, y.empty?\n",
        "set :x, y.uniq!\n",
        "set :x, a&.b\n",
        "set :x, y if z.nil?\n",
        "set :x, :end\n",
        "set :x, @y.class\n",
        "set :x, %w[a b].last\n",
        "set :x, y ? 1 :\n  2\n",
        "set :x, y and\n  z\n",
        "set :x, y: 1, z:\n  2\n",
        "set :x, y\n  .strip\n  # of the file\n  &.chomp\n",
        "set :x, <<~END.strip\n  text 1\nEND\n",
        "set :x, { y =>\n  1 }\n",
        "set :x, 'y\n", /* never closed */
    };

    (void)state;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        const char *deploy = arena_printf(
            &arena, "%s\n# a comment\n\nset :deploy_to, \"/home/deploy/blog\"\n", first[i]);
        const char *site = arena_printf(&arena, "%s\n%s", first[i], server);
        const char *text = converted(deploy, site, NULL);
        assert_has(text, "deploy_to: /home/deploy/blog\n");
        assert_has(text, "{host: a1, user: deploy, roles: [app, web, db]}");
        assert_has(text, " of 4\n");
    }
}

/* What is not known is not passed off as read. */
static void test_default_is_told(void **state)
{
    (void)state;
    assert_has(converted("set :keep_releases, 3\n", server, NULL),
               "deploy_to: /var/www/blog   # 'deploy_to' was not found in Capistrano's files: "
               "this is Capistrano's default\n");
    assert_has(converted("set :deploy_to, `pwd`\nset :repo_url, x\n", server, NULL),
               "deploy_to: /var/www/blog   # 'deploy_to' could not be read: "
               "this is Capistrano's default\n");
    assert_has(converted("set :deploy_to_x, `pwd`\n", server, NULL),
               "repository: git@example.com:blog.git   # 'repo_url' was not found");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statement_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_is_told, setup, teardown),
    };

    (void)assert_has_not;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
