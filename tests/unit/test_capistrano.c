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
        assert_true(left[i].last >= left[i].line);
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

static const char rails[] = "require 'capistrano/rails'\n";

/* A role, a list of roles, and what cannot be read. */
static void test_roles(void **state)
{
    static const char *const lists[] = {"[:web, :app]", "%w[web app]", "%i(web app none)",
                                        "[:web] + ['app']"};

    (void)state;
    file("Capfile", rails);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        assert_has(
            converted(arena_printf(&arena, "set :assets_roles, %s\n", lists[i]), server, "rails"),
            "assets:precompile\", roles: [web, app], timeout: 30m}\n");
    assert_has(converted("set :assets_roles, :app\n", server, "rails"), "roles: [app], timeout");
    const char *text = converted("set :assets_roles, { a: 1 }\n", server, "rails");
    assert_has(text, "roles: [web], timeout");
    assert_has(text,
               "> config/deploy.rb:1 set :assets_roles, { a: 1 }  # expected a role or a list "
               "of them; the recipe compiles the assets on the hosts with the role web\n");
    assert_has(converted("set :assets_roles, :cdn\n", server, "rails"),
               "  - {name: bundle install, run: bundle install --quiet, timeout: 30m}\n"
               "  # no host has the role cdn, so assets are not compiled\n");
    assert_has(converted("set :migration_role, [:app]\n", server, "rails"),
               "roles: [app, web, db]}");
    assert_has(converted("set :migration_role, [:app, :web]\n", server, "rails"),
               "# migrations run on one host");
    assert_has(converted("set :bundle_roles, :app\n", server, "rails"),
               "# this job runs on every host");
    assert_has_not(converted("set :bundle_roles, :all\n", server, "rails"), "\n> ");
}

/* What an operator could give on the command line of cap is not lost. */
static void test_variables(void **state)
{
    static const char *const branch[] = {
        "ENV.fetch(\"BRANCH\", \"main\")", "ENV[\"BRANCH\"] || \"main\"",
        "ENV.fetch('BRANCH') { 'main' }",  "-> { ENV['BRANCH'] || 'main' }",
        "\"#{ENV['BRANCH'] || :main}\"",   "(ENV['BRANCH'] || 'ma') + 'in'"};

    (void)state;
    for (size_t i = 0; i < sizeof branch / sizeof *branch; i++) {
        const char *text =
            converted(arena_printf(&arena, "set :branch, %s\n", branch[i]), server, NULL);
        assert_has(text, "\nref: main   # Capistrano took it from BRANCH; here: crelease deploy "
                         "production --ref BRANCH\n");
        assert_has(text,
                   arena_printf(&arena,
                                "> config/deploy.rb:1 set :branch, %s  # Capistrano took it "
                                "from BRANCH; here: crelease deploy production --ref BRANCH\n",
                                branch[i]));
    }
    const char *text = converted("set :deploy_to, \"/srv/#{ENV['SITE'] || 'blog'}\"\n"
                                 "set :keep_releases, ENV.fetch('KEEP', 3)\n"
                                 "set :default_env, {tz: ENV.fetch('TZ', 'UTC')}\n"
                                 "set :linked_dirs, ['log', ENV['TMP'] || 'tmp']\n",
                                 "server ENV.fetch('HOST', 'a1'), roles: :app\n", NULL);
    assert_has(text, "deploy_to: /srv/blog   # Capistrano took it from SITE\n");
    assert_has(text, "keep_releases: 3   # Capistrano took it from KEEP\n");
    assert_has(text, "  TZ: UTC   # Capistrano took it from TZ\n");
    assert_has(text, "linked_dirs: [log, tmp]   # Capistrano took it from TMP\n");
    assert_has(text, "# Capistrano took it from SITE if that was set; the recipe has the default");
    assert_has(text, "> config/deploy/production.rb:1 server ENV.fetch('HOST', 'a1'), roles: :app"
                     "  # Capistrano took it from HOST\n");
}

/* The preset installs gems into vendor/bundle, which has to stay linked. */
static void test_gems(void **state)
{
    (void)state;
    assert_has(converted("append :linked_dirs, 'log'\n", server, "rails"),
               "linked_dirs: [log, vendor/bundle]\n");
    assert_has(converted("append :linked_dirs, 'vendor/bundle'\n", server, "rails"),
               "linked_dirs: [vendor/bundle]\n");
    assert_has(converted("append :linked_dirs, 'log'\n", server, NULL), "linked_dirs: [log]\n");
    const char *text =
        converted("set :bundle_path, nil\nset :bundle_without, nil\n", server, "rails");
    assert_has(text, "linked_dirs: []\n");
    assert_has(text, "  BUNDLE_PATH: null\n  BUNDLE_DEPLOYMENT: null\n  BUNDLE_WITHOUT: null\n");
    assert_has_not(text, "\n> ");
}

/* The order of the hosts is that of the files, unless there is a reason. */
static void test_hosts(void **state)
{
    (void)state;
    assert_has(
        converted("", "server 'a1', roles: :app\nserver 'd1', roles: :db, primary: true\n", NULL),
        "- {host: d1, roles: [db]}   # first, because it is the primary database server\n"
        "      - {host: a1, roles: [app]}\n");
    assert_has_not(
        converted("", "server 'd1', roles: :db, primary: true\nserver 'a1', roles: :app\n", NULL),
        "# first");
}

/* What a Capfile loads has a part in the recipe, or a line in the list. */
static void test_plugins(void **state)
{
    (void)state;
    file("Capfile", "require \"capistrano/setup\"\nrequire 'capistrano/rails'\n"
                    "install_plugin Capistrano::SCM::Git\nrequire 'dotenv'\n"
                    "require 'capistrano/npm'\nrequire 'capistrano/puma'\n"
                    "install_plugin Capistrano::Puma\nrequire \"whenever/capistrano\"\n"
                    "install_plugin Capistrano::Other # mine\nimport 'x.rake'\nset :format, :x\n"
                    "Dir.glob('lib/capistrano/tasks/*.rake').each { |r| import r }\n");
    const char *text = converted("", server, "rails");
    assert_has_not(text, "> Capfile:1 ");
    assert_has_not(text, "> Capfile:2 ");
    assert_has_not(text, "> Capfile:3 ");
    assert_has_not(text, "> Capfile:4 ");
    assert_has(text, "> Capfile:5 require 'capistrano/npm'  # the preset does not run this");
    assert_has(text, "> Capfile:6 require 'capistrano/puma'  # how Puma is restarted is not known; "
                     "the preset touches tmp/restart.txt, which Puma sees only with its "
                     "tmp_restart plugin: see restart\n");
    assert_has(text, "> Capfile:8 require \"whenever/capistrano\"  # the crontab");
    assert_has(text, "> Capfile:9 install_plugin Capistrano::Other # mine  # what this plugin");
    assert_has(text, "> Capfile:10 import 'x.rake'  # this file is not read\n");
    assert_has(text, "> Capfile:11 set :format, :x  # settings of the Capfile are not read\n");
    assert_has_not(text, "> Capfile:12 ");
    file("Capfile", "require 'capistrano/puma'\ninstall_plugin Capistrano::Puma::Systemd\n");
    text = converted("", server, "rails");
    assert_has(text, "restart: {touch: null, run: \"systemctl --user restart "
                     "blog_puma_production\"}\n");
    assert_has(text, "> Capfile:2 install_plugin Capistrano::Puma::Systemd  # became restart: ");
    assert_has_not(text, "> Capfile:1 ");
    assert_has(converted("set :puma_systemctl_user, :system\nset :puma_phased_restart, true\n",
                         server, NULL),
               "restart: {run: \"sudo -n systemctl reload blog_puma_production\"}\n");
}

/* Each task, hook and file of tasks has a line. */
static void test_tasks(void **state)
{
    static const char deploy[] = "namespace :deploy do\n"
                                 "  before :starting, :check_pushed\n"
                                 "  task :check_pushed do\n    x\n  end\n"
                                 "  namespace :assets do\n    task(:warm) { x }\n  end\n"
                                 "  task restart: :x do\n"
                                 "    on roles(:app), in: :sequence, wait: 2 do\n"
                                 "      execute :touch, release_path.join('tmp/restart.txt')\n"
                                 "    end\n  end\n"
                                 "  after :publishing, :restart\n"
                                 "  after :finished, 'slack:notify'\n"
                                 "end\nset :deploy_to, '/srv/x'\n";

    (void)state;
    assert_int_equal(mkdir("lib", 0700) | mkdir("lib/capistrano", 0700), 0);
    assert_int_equal(mkdir("lib/capistrano/tasks", 0700), 0);
    file("lib/capistrano/tasks/b.rake", "");
    file("lib/capistrano/tasks/a.rake", "");
    file("lib/capistrano/tasks/README", "");
    const char *text = converted(deploy, "server 'a1'\nserver 'a2'\n", NULL);
    assert_has(text, "restart: {touch: tmp/restart.txt}\nrolling: {batch: 1, wait: 2s}\n");
    assert_has(text,
               "> config/deploy.rb:3 task deploy:check_pushed, before deploy:starting\n"
               "> config/deploy.rb:7 task deploy:assets:warm\n"
               "> config/deploy.rb:9 task deploy:restart, after deploy:publishing"
               "  # became restart: touch tmp/restart.txt, and rolling: {batch: 1, wait: 2s}\n"
               "> config/deploy.rb:15 after :finished, 'slack:notify'\n"
               "> lib/capistrano/tasks/a.rake:1 the whole file  # not read: look at its tasks\n"
               "> lib/capistrano/tasks/b.rake:1 the whole file  # not read: look at its tasks\n"
               "= 3 of 3\n");
    assert_has_not(converted(deploy, "server 'a1'\n", NULL), "rolling");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statement_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gems, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plugins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tasks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
