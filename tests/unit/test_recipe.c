/* Run from the root of the project.  With GOLDEN=write in the environment the files of
 * tests/golden/recipe and config/recipe.schema.json are written anew instead of compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"
#include "recipe/recipe.h"
#include "recipe/keys.h"
#include "recipe/presets.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena arena;
static struct err err;
static struct strs errors;
static char file[64];
static char root[PATH_MAX];

static const char *const environ_of_tests[] = {"TOKEN=s3cret-token", "SHORT=abc", "LINES=one\ntwo",
                                               "PORT=2222",          "EMPTY=",    NULL};

static int setup(void **state)
{
    (void)state;
    arena = (struct arena){0};
    err = (struct err){.arena = &arena};
    errors = (struct strs){0};
    snprintf(file, sizeof file, "/tmp/test_recipe.XXXXXX");
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    arena_free(&arena);
    return 0;
}

static struct recipe *read_file(const char *path, const char *environment)
{
    const struct recipe_where where = {
        .file = path, .environment = environment, .environ = environ_of_tests};

    err_clear(&err);
    errors = (struct strs){0};
    return recipe_read(&arena, &where, &errors, &err);
}

static void write_text(const char *path, const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static struct recipe *try_text(const char *text, const char *environment)
{
    write_text(file, text, strlen(text));
    return read_file(file, environment);
}

/* For a recipe that must be right. */
static struct recipe *read_text(const char *text)
{
    struct recipe *r = try_text(text, "p");

    if (!r)
        fail_msg("%s: %s", err.msg, errors.n ? errors.v[0] : "");
    return r;
}

static void is_wrong(const char *text, const char *expected)
{
    assert_null(try_text(text, "p"));
    assert_int_equal(err.code, ERR_USAGE);
    for (size_t i = 0; i < errors.n; i++)
        if (strstr(errors.v[i], expected))
            return;
    fail_msg("expected '%s', found: %s", expected, errors.n ? errors.v[0] : err.msg);
}

static const char *value_of(const struct variables *vars, const char *name)
{
    for (size_t i = 0; i < vars->n; i++)
        if (strcmp(vars->v[i].name, name) == 0)
            return vars->v[i].value;
    return NULL;
}

/* "a b c" */
static const char *joined(const struct strs *list)
{
    const char *s = "";

    for (size_t i = 0; i < list->n; i++)
        s = arena_printf(&arena, "%s%s%s", s, i ? " " : "", list->v[i]);
    return s;
}

#define END "environments: {p: {hosts: [h]}}\n"

static void test_defaults(void **state)
{
    const struct recipe *r = read_text("application: shop\n" END);

    (void)state;
    assert_string_equal(r->application, "shop");
    assert_string_equal(r->environment, "p");
    assert_string_equal(r->repository, ".");
    assert_string_equal(r->ref, "main");
    assert_string_equal(r->deploy_to, "/var/www/shop");
    assert_int_equal(r->keep_releases, 5);
    assert_int_equal(r->transport, TRANSPORT_LIBSSH2);
    assert_int_equal(r->database.adapter, ADAPTER_NONE);
    assert_null(r->database.name);
    assert_string_equal(r->database.psql, "psql");
    assert_int_equal(r->backup.policy, POLICY_WAIT);
    assert_int_equal(r->backup.wait_limit_ms, 6 * 3600000);
    assert_int_equal(r->backup.after_limit, POLICY_ABORT);
    assert_null(r->migrate.run);
    assert_null(r->migrate.status);
    assert_int_equal(r->migrate.pending_when.tool, PENDING_AUTO);
    assert_int_equal(r->migrate.lock_timeout_ms, 1000);
    assert_int_equal(r->migrate.attempts, 20);
    assert_int_equal(r->migrate.timeout_ms, 2 * 3600000);
    assert_null(r->restart.touch);
    assert_null(r->restart.run);
    assert_string_equal(joined(&r->restart.roles), "app");
    assert_null(r->health.run);
    assert_int_equal(r->health.attempts, 10);
    assert_int_equal(r->health.interval_ms, 2000);
    assert_int_equal(r->health.on_failure, FAILURE_ROLLBACK);
    assert_null(r->rolling.batch);
    assert_int_equal(r->rolling.wait_ms, 0);
    assert_int_equal(r->on_host_failure, HOST_FAILURE_STOP);
    assert_int_equal(r->host_failures, 1);
    assert_int_equal(r->n_hosts, 1);
    assert_string_equal(r->hosts[0].name, "h");
    assert_string_equal(r->hosts[0].address, "h");
    assert_string_equal(r->hosts[0].deploy_to, "/var/www/shop");
    assert_null(r->hosts[0].user);
    assert_int_equal(r->hosts[0].port, 0);
    assert_int_equal(r->secrets.n, 0);
    assert_string_equal(r->file, file);
    assert_string_equal(r->dir, "/tmp");
}

static void test_database(void **state)
{
    static const struct {
        const char *text;
        enum adapter adapter;
    } rows[] = {
        {"", ADAPTER_NONE},
        {"migrate: {run: up}\n", ADAPTER_AUTO},
        {"migrate: {run: up}\ndatabase: null\n", ADAPTER_AUTO},
        {"migrate: {run: up}\ndatabase: auto\n", ADAPTER_AUTO},
        {"migrate: {run: up}\ndatabase: none\n", ADAPTER_NONE},
        {"database: auto\n", ADAPTER_AUTO},
        {"migrate: {run: up}\ndatabase: {}\n", ADAPTER_NONE},
        {"migrate: {run: up}\ndatabase: {psql: /opt/pg/psql}\n", ADAPTER_AUTO},
        {"migrate: {run: up}\ndatabase: {name: shop}\n", ADAPTER_POSTGRESQL},
        {"migrate: {run: up}\ndatabase: {adapter: mysql, name: shop}\n", ADAPTER_MYSQL},
        {"migrate: {run: up}\ndatabase: {adapter: none}\n", ADAPTER_NONE},
        {"extends: rails\n", ADAPTER_AUTO},
        {"extends: static\n", ADAPTER_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct recipe *r =
            read_text(arena_printf(&arena, "application: shop\n%s" END, rows[i].text));
        if (r->database.adapter != rows[i].adapter)
            fail_msg("%s: %d", rows[i].text, (int)r->database.adapter);
    }
    is_wrong("application: shop\ndatabase: atuo\n" END,
             "'database' is 'atuo', expected one of: auto, none; or a map; did you mean 'auto'?");
}

static void test_example(void **state)
{
    const struct recipe *r = read_file("config/crelease.example.yml", "production");

    (void)state;
    if (!r)
        fail_msg("%s", errors.n ? errors.v[0] : err.msg);
    assert_string_equal(r->file, arena_printf(&arena, "%s/config/crelease.example.yml", root));
    assert_int_equal(r->n_hosts, 3);
    assert_string_equal(joined(&r->environments), "staging production");
    assert_string_equal(joined(&r->linked_dirs), "log tmp/pids public/uploads");
    assert_int_equal(r->build.n, 2);
    assert_string_equal(r->build.v[0].name, "bundle install --quiet");
    assert_string_equal(r->build.v[1].name, "assets");
    assert_string_equal(joined(&r->build.v[1].roles), "web");
    assert_int_equal(r->build.v[1].timeout_ms, 20 * 60000);
    assert_int_equal(r->database.adapter, ADAPTER_POSTGRESQL);
    assert_int_equal(r->n_hooks, 1);
    assert_string_equal(r->hooks[0].stage, "switch");
    assert_true(r->hooks[0].after);
    assert_true(r->hooks[0].jobs.v[0].once);
    assert_string_equal(r->tasks[0].name, "console-check");
    const struct host *db = &r->hosts[2];
    assert_string_equal(db->name, "db1");
    assert_string_equal(db->address, "db1.example.com");
    assert_string_equal(db->user, "deploy");
    assert_int_equal(db->port, 2222);
    assert_string_equal(db->deploy_to, "/srv/my_project");
    assert_string_equal(value_of(&db->env, "RAILS_ENV"), "production");
    assert_string_equal(value_of(&db->env, "RAILS_MAX_THREADS"), "2");
    assert_null(value_of(&r->hosts[0].env, "RAILS_MAX_THREADS"));
    assert_int_equal(recipe_primary(r, "db"), 2);
    assert_int_equal(recipe_primary(r, "web"), 0);
    assert_int_equal(recipe_primary(r, "nobody"), -1);
    r = read_file("config/crelease.example.yml", "staging");
    assert_non_null(r);
    assert_string_equal(r->ref, "develop");
    assert_string_equal(value_of(&r->hosts[0].env, "RAILS_ENV"), "staging");
    assert_string_equal(r->hosts[0].user, "deploy");
}

static void test_layers(void **state)
{
    const struct recipe *r = read_text("application: a\n"
                                       "extends: rails\n"
                                       "linked_dirs: [log]\n"
                                       "deploy_to: //srv/./a//\n"
                                       "env: {A: top, B: top, C: top}\n"
                                       "backup: {policy: ask, wait_limit: 1h}\n"
                                       "migrate: {status: null}\n"
                                       "hooks: {after link: one, before switch: [two, three]}\n"
                                       "tasks: {x: one, y: two}\n"
                                       "environments:\n"
                                       "  p:\n"
                                       "    keep_releases: 7\n"
                                       "    env: {B: env, D: env, BUNDLE_PATH: null}\n"
                                       "    backup: {policy: kill}\n"
                                       "    restart: {touch: null}\n"
                                       "    hooks: {before switch: four, after link: null}\n"
                                       "    tasks: {y: three}\n"
                                       "    hosts:\n"
                                       "      - {host: h, env: {C: host, A: null}}\n"
                                       "      - {host: i, deploy_to: /srv/i/}\n");

    (void)state;
    assert_string_equal(r->deploy_to, "/srv/a");
    assert_string_equal(joined(&r->linked_dirs), "log");
    assert_string_equal(joined(&r->linked_files), "config/database.yml");
    assert_int_equal(r->keep_releases, 7);
    assert_int_equal(r->backup.policy, POLICY_KILL);
    assert_int_equal(r->backup.wait_limit_ms, 3600000);
    assert_null(r->restart.touch);
    assert_string_equal(r->migrate.run, "bundle exec rake db:migrate");
    assert_null(r->migrate.status);
    assert_int_equal(r->n_hooks, 1);
    assert_string_equal(r->hooks[0].jobs.v[0].run, "four");
    assert_int_equal(r->n_tasks, 2);
    assert_string_equal(r->tasks[1].job.run, "three");
    const struct variables *env = &r->hosts[0].env;
    assert_null(value_of(env, "A"));
    assert_string_equal(value_of(env, "B"), "env");
    assert_string_equal(value_of(env, "C"), "host");
    assert_string_equal(value_of(env, "D"), "env");
    assert_string_equal(value_of(env, "RAILS_ENV"), "production");
    assert_null(value_of(env, "BUNDLE_PATH"));
    assert_string_equal(value_of(&r->hosts[1].env, "A"), "top");
    assert_string_equal(r->hosts[0].deploy_to, "/srv/a");
    assert_string_equal(r->hosts[1].deploy_to, "/srv/i");
}

static void test_anchors(void **state)
{
    const struct recipe *r = read_text("application: a\n"
                                       "env: &env {A: x, B: y}\n"
                                       "environments:\n"
                                       "  q: &q\n"
                                       "    ref: develop\n"
                                       "    hosts: &hosts [{host: h, env: {<<: *env, B: z}}]\n"
                                       "  p:\n"
                                       "    <<: *q\n"
                                       "    keep_releases: 2\n");

    (void)state;
    assert_string_equal(r->ref, "develop");
    assert_int_equal(r->keep_releases, 2);
    assert_string_equal(value_of(&r->hosts[0].env, "A"), "x");
    assert_string_equal(value_of(&r->hosts[0].env, "B"), "z");
}

static void test_hosts(void **state)
{
    static const struct {
        const char *text;
        const char *user;
        const char *address;
        int port;
    } cases[] = {
        {"app1.example.com", NULL, "app1.example.com", 0},
        {"deploy@app1:2222", "deploy", "app1", 2222},
        {"'[fe80::1]:22'", NULL, "fe80::1", 22},
        {"'deploy@[::1]'", "deploy", "::1", 0},
        {"'ann@corp@app1'", "ann@corp", "app1", 0},
        {"127.0.0.1:22", NULL, "127.0.0.1", 22},
        {"'app1:${PORT}'", NULL, "app1", 2222},
        {"{host: '::1', port: 22}", NULL, "::1", 22},
        {"{host: '[::1]', user: u}", "u", "::1", 0},
        {"{host: h, port: '${PORT}'}", NULL, "h", 2222},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct recipe *r = read_text(arena_printf(
            &arena, "application: a\nenvironments: {p: {hosts: [%s]}}\n", cases[i].text));
        const struct host *h = &r->hosts[0];
        assert_string_equal(h->address, cases[i].address);
        assert_int_equal(h->port, cases[i].port);
        assert_true(!h->user == !cases[i].user);
        if (h->user)
            assert_string_equal(h->user, cases[i].user);
    }
    const struct recipe *r =
        read_text("application: a\nenvironments:\n  p:\n    hosts:\n"
                  "      host: h\n      host_key: ssh-ed25519 "
                  "AAAAC3NzaC1lZDI1NTE5AAAAIAabcdefghijklmnopqrstuvwxyz0123456789ABCDEF me@x\n");
    assert_int_equal(r->n_hosts, 1);
    read_text("application: a\nenvironments: {p: {hosts: {host: h, host_key: "
              "'SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/AbCdE'}}}\n");
    is_wrong("application: a\nenvironments: {p: {hosts: [h, h]}}\n", "duplicate host 'h'");
    is_wrong("application: a\nenvironments: {p: {hosts: [h, {host: h, name: i, port: 22}]}}\n",
             "same site");
    read_text("application: a\nenvironments: {p: {hosts: [h, {host: h, name: i, port: 23}]}}\n");
    read_text(
        "application: a\nenvironments: {p: {hosts: [h, {host: h, name: i, deploy_to: /b}]}}\n");
}

static void test_too_many_hosts(void **state)
{
    struct buf b = buf_make(RECIPE_BYTES_MAX);

    (void)state;
    buf_puts(&b, "application: a\nenvironments:\n  p:\n    hosts:\n");
    for (int i = 0; i < HOSTS_MAX; i++)
        buf_printf(&b, "    - h%d\n", i);
    assert_int_equal(read_text(b.text)->n_hosts, HOSTS_MAX);
    buf_puts(&b, "    - more\n");
    is_wrong(b.text, "1001 members, expected at most 1000");
    buf_free(&b);
}

static void test_roles(void **state)
{
    const struct recipe *r =
        read_text("application: a\nrestart: {roles: []}\nenvironments:\n  p:\n    hosts:\n"
                  "    - {host: one, roles: web}\n    - {host: two, roles: [db, app]}\n"
                  "    - {host: three}\n");

    (void)state;
    assert_int_equal(r->restart.roles.n, 0);
    assert_string_equal(joined(&r->health.roles), "app");
    assert_true(host_has_role(&r->hosts[0], "web"));
    assert_false(host_has_role(&r->hosts[0], "app"));
    assert_true(host_has_role(&r->hosts[2], "anything"));
    assert_int_equal(recipe_primary(r, "app"), 1);
    assert_int_equal(recipe_primary(r, "cron"), 2);
    assert_true(host_has_any(&r->hosts[0], &r->restart.roles));
    assert_false(host_has_any(&r->hosts[0], &r->health.roles));
    r = read_text("application: a\nenvironments: {p: {hosts: [{host: h, roles: [web]}]}}\n");
    assert_int_equal(r->restart.roles.n, 0);
}

static void test_references(void **state)
{
    const struct recipe *r =
        read_text("application: a\n"
                  "ref: release-${PORT}\n"
                  "env:\n"
                  "  A: ${TOKEN}\n"
                  "  B: x-${SHORT}-$${TOKEN}\n"
                  "  C: '$$TOKEN $(id) ${1} ${x:-y} $$ $'\n"
                  "  D: ${LINES}\n"
                  "  E: ${EMPTY}\n"
                  "  F: ${SHORT}\n"
                  "build: 'echo $HOME ${PORT} $$${PORT}'\n"
                  "environments: {q: {ref: '${NOT_SET}', hosts: [h]}, p: {hosts: [h]}}\n");
    const struct variables *env = &r->hosts[0].env;

    (void)state;
    assert_string_equal(r->ref, "release-2222");
    assert_string_equal(value_of(env, "A"), "s3cret-token");
    assert_string_equal(value_of(env, "B"), "x-abc-${TOKEN}");
    assert_string_equal(value_of(env, "C"), "$TOKEN $(id) ${1} ${x:-y} $$ $");
    assert_string_equal(value_of(env, "D"), "one\ntwo");
    assert_string_equal(value_of(env, "E"), "");
    assert_string_equal(r->build.v[0].run, "echo $HOME 2222 $${PORT}");
    /* Longest first; what is too short to be one is none. */
    assert_string_equal(joined(&r->secrets), "x-abc-${TOKEN} s3cret-token one\ntwo");
    is_wrong("application: a\nref: '${NOT_SET}'\n" END,
             ":2:6: ${NOT_SET} is not set in the environment");
    assert_non_null(try_text("application: ${NOT_SET}\n" END, NULL));
    /* A value is only ever a value. */
    r = read_text("application: a\nenv: {A: '${LINES}'}\nenvironments: {p: {hosts: [h]}}");
    assert_int_equal(r->hosts[0].env.n, 1);
}

static const char *shell_of(const struct variables *env, const char *name)
{
    for (size_t i = 0; i < env->n; i++)
        if (strcmp(env->v[i].name, name) == 0)
            return env->v[i].shell;
    return NULL;
}

/* What stands for the host's is not quoted; all the rest is, wherever it comes from. */
static void test_of_host(void **state)
{
    const struct recipe *r =
        read_text("application: a\n"
                  "env:\n"
                  "  PATH: /o'x:$PATH:${TOKEN}\n"
                  "  A: $A:$HOME/x:$PATH\n"
                  "  D: 'it''s $HOME, pa$word, pa$$word'\n"
                  "  B: $$PATH\n"
                  "  C: ${TOKEN}\n"
                  "environments: {p: {hosts: [{host: h, env: {PATH: '${PATH}/'}},"
                  " {host: g, env: {A: b}}]}}\n");

    (void)state;
    assert_string_equal(shell_of(&r->hosts[1].env, "PATH"),
                        "'/o'\\''x:'\"${PATH-}\"':''s3cret-token'");
    assert_string_equal(value_of(&r->hosts[1].env, "PATH"), "/o'x:$PATH:s3cret-token");
    assert_string_equal(shell_of(&r->hosts[0].env, "PATH"), "\"${PATH-}\"'/'");
    assert_string_equal(shell_of(&r->hosts[0].env, "A"),
                        "\"${A-}\"':'\"${HOME-}\"'/x:'\"${PATH-}\"");
    assert_null(shell_of(&r->hosts[0].env, "D"));
    assert_string_equal(value_of(&r->hosts[0].env, "D"), "it's $HOME, pa$word, pa$$word");
    assert_null(shell_of(&r->hosts[1].env, "A"));
    assert_null(shell_of(&r->hosts[0].env, "B"));
    assert_string_equal(value_of(&r->hosts[0].env, "B"), "$PATH");
    assert_null(shell_of(&r->hosts[0].env, "C"));
}

static void is_wrong_with(const struct recipe_where *where, const char *text)
{
    write_text(file, text, strlen(text));
    err_clear(&err);
    errors = (struct strs){0};
    assert_null(recipe_read(&arena, where, &errors, &err));
    assert_non_null(strstr(errors.v[0], "the limit for a recipe"));
}

static void test_reference_bomb(void **state)
{
    struct buf b = buf_make(RECIPE_BYTES_MAX);
    char *large = arena_alloc(&arena, 128 * 1024);

    (void)state;
    memcpy(large, "LARGE=", 6);
    memset(large + 6, 'x', 128 * 1024 - 7);
    const char *const environ_large[] = {large, NULL};
    const struct recipe_where where = {.file = file, .environment = "p", .environ = environ_large};
    buf_puts(&b, "application: a\n" END "build:\n");
    for (int i = 0; i < 900; i++)
        buf_puts(&b, "- ${LARGE}\n");
    is_wrong_with(&where, b.text);
    /* The same many times in one value, and in what an alias stands for. */
    buf_clear(&b);
    buf_puts(&b, "application: a\n" END "env:\n  A: ");
    for (int i = 0; i < 100000; i++)
        buf_puts(&b, "${LARGE}");
    is_wrong_with(&where, b.text);
    buf_clear(&b);
    buf_puts(&b, "application: a\n" END "tasks:\n  a: &a ${LARGE}\n");
    for (int i = 0; i < 900; i++)
        buf_printf(&b, "  a%d: *a\n", i);
    is_wrong_with(&where, b.text);
    buf_free(&b);
}

static void test_secrets(void **state)
{
    const struct recipe *r =
        read_text("application: a\nsecrets: [KEY, '${TOKEN}', plain-value]\nenv: {KEY: abcdef}\n"
                  "environments: {p: {secrets: OTHER, hosts: [{host: h, env: {KEY: of-host, OTHER: "
                  "othr}}]}}\n");

    (void)state;
    assert_string_equal(joined(&r->secrets), "s3cret-token plain-value of-host abcdef othr");
    is_wrong("application: a\nsecrets: [KEY]\nenv: {KEY: abc}\n" END, "fewer than 4 characters");
    is_wrong("application: a\nsecrets: ['${SHORT}']\n" END, "fewer than 4 characters");
    is_wrong("application: a\nsecrets: [NO_KEY]\n" END, "not a variable of 'env'");
    /* What came from the environment is not shown, also when it is wrong. */
    assert_null(try_text("application: a\nkeep_releases: ${TOKEN}\n" END, "p"));
    assert_non_null(strstr(errors.v[0], "'${TOKEN}'"));
    assert_null(strstr(errors.v[0], "s3cret"));
}

static void test_built_in(void **state)
{
    (void)state;
    for (size_t i = 0; built_in_names[i]; i++) {
        const struct recipe *r =
            read_text(arena_printf(&arena, "application: a\nextends: %s\n" END, built_in_names[i]));
        struct built_in b;
        assert_true(built_in_find(built_in_names[i], &b));
        assert_int_equal(strlen(b.bytes), b.len);
        assert_int_equal(access(b.file, R_OK), 0);
        assert_int_equal(r->n_hosts, 1);
    }
    const struct recipe *r = read_text("application: a\nextends: rails\n" END);
    assert_string_equal(r->restart.touch, "tmp/restart.txt");
    assert_string_equal(joined(&r->migrate.paths), "db/*migrate");
}

static void test_digest(void **state)
{
    const char *plain = read_text("application: a\n" END)->digest;
    const char *same = read_text("application: a\n" END)->digest;
    const char *other = read_text("application: a \n" END)->digest;
    const char *extended = read_text("application: a\nextends: node\n" END)->digest;

    (void)state;
    assert_int_equal(strlen(plain), 64);
    assert_string_equal(plain, same);
    assert_string_not_equal(plain, other);
    assert_string_not_equal(plain, extended);
}

/* A digest of nothing but the text is the one of the recipe that was read from it. */
static void test_digest_of_text(void **state)
{
    static const char *const texts[] = {"application: a\n" END,
                                        "extends: node\napplication: a\n" END,
                                        "extends: rails\n# \xc3\xa9\napplication: a\n" END};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(recipe_digest(&arena, texts[i], strlen(texts[i])),
                            read_text(texts[i])->digest);
    static const char *const odd[] = {
        "", "\n", "extends: [\n", "extends: {a: b}\n", "extends: nobody\n", "- a\n", "\xff\xfe"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_int_equal(strlen(recipe_digest(&arena, odd[i], strlen(odd[i]))), 64);
}

static void test_changes(void **state)
{
    static const struct {
        const char *other;
        const char *text;
        const char *changes;
        size_t n;
    } rows[] = {
        {"", "", "", 0},
        {"a\nb\n", "a\nb\n", "", 0},
        {"a\nb\nc\n", "a\nx\nc\n", "-b|+x|", 2},
        {"a\nb\nc\nd\n", "b\nc\nd\ne\n", "-a|+e|", 2},
        {"", "a\n", "+a|", 1},
        {"a\n\n", "a\n", "-|", 1},
        {"a\nb\nb\nc\n", "a\nb\nc\nb\n", "-b|+b|", 2},
        {"1\n2\n3\n4\n5\n6\n", "", "-1|-2|-3|-4|", 6},
        {"\x1b]0;x\a\xc2\x9b\n", "", "-\\x1b]0;x\\x07\\xc2\\x9b|", 1},
        {"a correct-horse\nurl: https://u:p4ss@h/x\n", "",
         "-a [secret]|-url: https://u:[secret]@h/x|", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *secret = "correct-horse";
        struct recipe r = {.text = rows[i].text, .secrets = {&secret, 1}};
        struct strs found = {0};
        size_t n = recipe_changes(&arena, rows[i].other, &r, 4, &found);
        const char *is = "";
        for (size_t k = 0; k < found.n; k++)
            is = arena_printf(&arena, "%s%s|", is, found.v[k]);
        if (n != rows[i].n || strcmp(is, rows[i].changes) != 0)
            fail_msg("row %zu: %zu: '%s'", i, n, is);
    }
}

/* A secret that is cut is no longer one, and a text of very many lines is not aligned. */
static void test_changes_of_much(void **state)
{
    const char *secret = "correct-horse";
    struct recipe r = {.text = "x\ny\n", .secrets = {&secret, 1}};
    struct strs found = {0};
    struct buf b = buf_make(1024 * 1024);

    (void)state;
    for (size_t i = 0; i < 115; i++)
        buf_puts(&b, ".");
    buf_printf(&b, "%s%s\n", secret, secret);
    for (size_t i = 0; i < 100000; i++)
        buf_printf(&b, "%zu\n", i);
    assert_int_equal(recipe_changes(&arena, b.text, &r, 2, &found), 100003);
    assert_int_equal(found.n, 2);
    assert_int_equal(strlen(found.v[0]), 1 + 120 + 3);
    assert_null(strstr(found.v[0], "corr"));
    buf_free(&b);
}

/* The recipe that is found from the folder, "" for none. */
static const char *found_from(const char *dir)
{
    assert_int_equal(chdir(dir), 0);
    const struct recipe *r = read_file(NULL, "p");
    return r ? r->application : "";
}

static void make_recipe(const char *path)
{
    const char *text = arena_printf(&arena, "application: %s\n" END, strrchr(path, '/') + 1);

    write_text(path, text, strlen(text));
}

static void test_search(void **state)
{
    static const char *const folders[] = {"/a", "/a/config", "/a/b", "/a/b/.git", "/a/b/c"};
    char top[] = "/tmp/test_recipe_dir.XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(top));
    assert_int_equal(chdir(top), 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(mkdir(arena_printf(&arena, "%s%s", top, folders[i]), 0700), 0);
    make_recipe("a/config/crelease.yml");
    const char *c = arena_printf(&arena, "%s/a/b/c", top);
    /* Not beyond the root of the work tree. */
    assert_string_equal(found_from(c), "");
    assert_non_null(strstr(err.msg, "there is no recipe: looked for"));
    assert_int_equal(chdir(top), 0);
    assert_int_equal(rmdir("a/b/.git"), 0);
    assert_string_equal(found_from(c), "crelease.yml");
    const struct recipe *r = read_file(NULL, "p");
    assert_string_equal(r->file, arena_printf(&arena, "%s/a/config/crelease.yml", top));
    assert_string_equal(r->dir, arena_printf(&arena, "%s/a/config", top));
    assert_string_equal(r->project, arena_printf(&arena, "%s/a", top));
    /* Messages name it from here. */
    assert_int_equal(chdir(top), 0);
    write_text("a/crelease.yml", "x: 1\n", 5);
    assert_string_equal(found_from(c), "");
    assert_non_null(strstr(errors.v[0], "../../crelease.yml:1:1: "));
    assert_int_equal(chdir(top), 0);
    unlink("a/crelease.yml");
    unlink("a/config/crelease.yml");
    for (size_t i = 5; i-- > 0;)
        rmdir(arena_printf(&arena, "%s%s", top, folders[i]));
    rmdir(top);
    assert_int_equal(chdir(root), 0);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        size_t len = strlen(key->about);
        assert_true(len > 10 && key->about[len - 1] != '.');
        assert_true(*recipe_key_expected(&arena, key));
        const char *help = recipe_help(&arena, key->path);
        assert_non_null(help);
        assert_non_null(strstr(help, key->about));
        assert_non_null(strstr(recipe_help(&arena, NULL), key->path));
        assert_true((key->kind == KEY_WORD) <= (key->words != NULL));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(key->path, recipe_keys[k].path);
        const char *dot = strrchr(key->path, '.');
        const char *scope =
            dot ? arena_strndup(&arena, key->path, (size_t)(dot + 1 - key->path)) : "";
        if (key->kind != KEY_JOB)
            assert_ptr_equal(recipe_key_find(scope, dot ? dot + 1 : key->path), key);
    }
    assert_null(recipe_key_find("", "backup.policy"));
    assert_null(recipe_key_find("", "job"));
    assert_null(recipe_key_find("", ""));
    assert_null(recipe_help(&arena, "nonsense"));
    assert_non_null(recipe_help(&arena, "wait_limit"));
    assert_null(recipe_help(&arena, "run"));
    assert_string_equal(recipe_nearest_key(&arena, "backup.polcy"), "backup.policy");
    assert_string_equal(recipe_nearest_key(&arena, "wait_limt"), "backup.wait_limit");
    assert_string_equal(recipe_nearest_key(&arena, "linked_file"), "linked_files");
    assert_null(recipe_nearest_key(&arena, "zzzzzzzz"));
}

static const struct pending_when *read_pending(const char *value)
{
    return &read_text(arena_printf(&arena,
                                   "application: a\nmigrate: {status: s, pending_when: %s}\n" END,
                                   value))
                ->migrate.pending_when;
}

static void test_pending_when(void **state)
{
    const struct pending_when *w = read_pending("alembic");

    (void)state;
    assert_int_equal(w->tool, PENDING_ALEMBIC);
    w = read_pending("{exit: 3}");
    assert_int_equal(w->tool, PENDING_OWN);
    assert_true(w->exit.has[3] && w->exit.n == 1 && !w->output);
    w = read_pending("{exit: [1, '2', 255, 1], output: '^down (.*)'}");
    assert_true(w->exit.has[1] && w->exit.has[2] && w->exit.has[255] && w->exit.n == 3);
    assert_string_equal(w->output, "^down (.*)");
    w = read_pending("{exit: null, output: x}");
    assert_true(w->tool == PENDING_OWN && !w->exit.n);
    /* A map takes the place of a word, and of another map, as a whole. */
    const struct recipe *r =
        read_text("application: a\nextends: rails\nmigrate: {pending_when: {exit: 1}}\n"
                  "environments: {p: {hosts: [h], migrate: {pending_when: {output: x}}}}\n");
    assert_int_equal(r->migrate.pending_when.tool, PENDING_OWN);
    assert_true(!r->migrate.pending_when.exit.n && r->migrate.pending_when.output);
    r = read_text("application: a\nextends: django\nmigrate: {run: x, status: null}\n" END);
    assert_null(r->migrate.status);
    assert_int_equal(r->migrate.pending_when.tool, PENDING_DJANGO);
    is_wrong("application: a\nmigrate: {run: x, pending_when: sqitch}\n" END,
             "expected 'migrate.status' too");
}

/* Each of several databases has what it says, what the top level says, or the default. */
static void test_databases(void **state)
{
    const struct recipe *r = read_text(
        "application: a\nextends: rails\nbackup: {policy: abort, wait_limit: 1h}\n"
        "migrate: {lock_timeout: 2s}\n"
        "databases:\n  primary: {}\n"
        "  b: {role: other, database: {name: x}, backup: {policy: kill}, migrate: {run: m, paths: [p]}}\n"
        "environments: {p: {hosts: [h], databases: {b: {migrate: {attempts: 3}}, c: {}}}}\n");

    (void)state;
    assert_int_equal(recipe_databases_n(r), 3);
    const struct recipe *one = recipe_for_database(&arena, r, 0);
    assert_string_equal(one->db, "primary");
    assert_string_equal(one->migrate.run, "bundle exec rake db:migrate:primary");
    assert_string_equal(one->migrate.status, "bundle exec rake db:migrate:status:primary");
    assert_int_equal(one->migrate.pending_when.tool, PENDING_RAILS);
    assert_int_equal(one->migrate.lock_timeout_ms, 2000);
    assert_int_equal(one->migrate.paths.n, 0);
    assert_int_equal(one->database.adapter, ADAPTER_AUTO);
    assert_int_equal(one->backup.policy, POLICY_ABORT);
    assert_string_equal(one->db_role, "db");
    one = recipe_for_database(&arena, r, 1);
    assert_string_equal(one->db_role, "other");
    assert_string_equal(one->migrate.run, "m");
    assert_string_equal(one->migrate.status, "bundle exec rake db:migrate:status:b");
    assert_int_equal(one->migrate.attempts, 3);
    assert_int_equal(one->backup.policy, POLICY_KILL);
    assert_int_equal(one->backup.wait_limit_ms, 3600000);
    assert_int_equal(one->database.adapter, ADAPTER_POSTGRESQL);
    assert_true(one->whole == r && one->db_at == 1);
    assert_string_equal(recipe_for_database(&arena, r, 2)->db, "c");
    /* Without any, there is one without a name. */
    r = read_text("application: a\n" END);
    assert_int_equal(recipe_databases_n(r), 1);
    assert_true(recipe_for_database(&arena, r, 0) == r && !r->db);
    r = read_text("application: a\nextends: django\ndatabases: {b: ~}\n" END);
    assert_string_equal(recipe_for_database(&arena, r, 0)->migrate.run,
                        ".venv/bin/python manage.py migrate --noinput --database b");
}

/* Databases that were found, and not named, are like those of `databases`; what Rails has a task for is no name. */
static void test_several(void **state)
{
    static const char *names[] = {"primary", "animals", "reset", "x y", "primary"};
    static const char *const own[] = {"migrate: {run: bin/up}\n", "database: none\n",
                                      "migrate: {status: bin/todo}\n", "databases: {x: {}}\n"};
    struct recipe *r = read_text("application: a\nextends: rails\nbackup: {policy: abort}\n" END);

    (void)state;
    assert_true(recipe_may_have_several(r));
    recipe_take_several(&arena, r, &(struct strs){.v = names, .n = 2});
    assert_true(r->several && r->n_databases == 2);
    const struct recipe *one = recipe_for_database(&arena, r, 1);
    assert_string_equal(one->db, "animals");
    assert_string_equal(one->migrate.run, "bundle exec rake db:migrate:animals");
    assert_string_equal(one->migrate.status, "bundle exec rake db:migrate:status:animals");
    assert_int_equal(one->migrate.paths.n, 1);
    assert_int_equal(one->database.adapter, ADAPTER_AUTO);
    assert_int_equal(one->backup.policy, POLICY_ABORT);
    for (size_t n = 3; n <= 5; n++) {
        recipe_take_several(&arena, r, &(struct strs){.v = names + n - 2, .n = 2});
        assert_true(!r->several && recipe_databases_n(r) == 1);
        assert_string_equal(r->migrate.run, "bundle exec rake db:migrate");
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_false(recipe_may_have_several(
            read_text(arena_printf(&arena, "application: a\nextends: rails\n%s" END, own[i]))));
}

/* Every key of the table can be said, and null takes it back to its default. */
static void test_null(void **state)
{
    (void)state;
    for (size_t i = 0; i < recipe_keys_n; i++) {
        const struct recipe_key *key = &recipe_keys[i];
        const char *dot = strchr(key->path, '.');
        if (key->required || key->kind == KEY_JOB || (dot && strchr(dot + 1, '.')) ||
            strncmp(key->path, "hosts.", 6) == 0 || strncmp(key->path, "job.", 4) == 0 ||
            strncmp(key->path, "windows.", 8) == 0 || strncmp(key->path, "notify.", 7) == 0 ||
            strncmp(key->path, "linked_files.", 13) == 0 ||
            strncmp(key->path, "databases.", 10) == 0)
            continue;
        read_text(dot ? arena_printf(&arena, "application: a\n%.*s: {%s: null}\n" END,
                                     (int)(dot - key->path), key->path, dot + 1)
                      : arena_printf(&arena, "application: a\n%s: ~\n" END, key->path));
    }
}

/* ---- golden files ---- */

static bool golden_is_written(void)
{
    const char *golden = getenv("GOLDEN");

    return golden && strcmp(golden, "write") == 0;
}

static const char *file_text(const char *path)
{
    struct buf b = buf_make(16 * 1024 * 1024);
    FILE *f = fopen(path, "r");
    char part[4096];
    size_t n;

    while (f && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(&b, part, n);
    if (f)
        fclose(f);
    const char *text = arena_strndup(&arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static void is_golden(const char *path, const char *text)
{
    if (golden_is_written())
        write_text(path, text, strlen(text));
    else
        assert_string_equal(text, file_text(path));
}

static void golden_case(const char *name)
{
    struct buf b = buf_make(RECIPE_BYTES_MAX);
    const char *base = arena_strndup(&arena, name, strlen(name) - 4);

    assert_null(read_file(name, "production"));
    assert_int_equal(err.code, ERR_USAGE);
    for (size_t i = 0; i < errors.n; i++)
        buf_printf(&b, "%s\n", errors.v[i]);
    buf_printf(&b, "%s\n", err.msg);
    assert_string_equal(text_shown(&arena, errors.n ? errors.v[0] : ""),
                        errors.n ? errors.v[0] : "");
    is_golden(arena_printf(&arena, "%s.err", base), b.text);
    buf_free(&b);
}

static void test_golden(void **state)
{
    size_t n = 0;

    (void)state;
    assert_int_equal(chdir("tests/golden/recipe"), 0);
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len < 5 || strcmp(e->d_name + len - 4, ".yml") != 0)
            continue;
        golden_case(e->d_name);
        n++;
    }
    closedir(dir);
    assert_int_equal(chdir(root), 0);
    assert_true(n >= 30);
}

static void test_schema(void **state)
{
    (void)state;
    is_golden("config/recipe.schema.json", recipe_schema(&arena));
}

/* Each recipe in a page, also a part of one, is one that can be copied.  Returns how many there are. */
static size_t examples_of(const char *page)
{
    static const char begin[] = "\n```yaml\n";
    size_t n = 0;

    for (const char *s = file_text(page); (s = strstr(s, begin)); n++) {
        s += sizeof begin - 1;
        const char *end = strstr(s, "\n```\n");
        assert_non_null(end);
        const char *text = arena_strndup(&arena, s, (size_t)(end - s) + 1);
        if (!strstr(text, "application:"))
            text = arena_printf(&arena, "application: a\n%s", text);
        if (!strstr(text, "environments:"))
            text = arena_printf(&arena, "%s%s", text, END);
        const char *environment = strstr(text, "production:") ? "production" : "p";
        if (!try_text(text, environment))
            fail_msg("%s: %s: %s", page, err.msg, errors.n ? errors.v[0] : "");
    }
    return n;
}

static void test_pages(void **state)
{
    size_t n = examples_of("README.md") + examples_of("recipes/README.md");

    (void)state;
    for (size_t i = 0; built_in_names[i]; i++)
        n += examples_of(arena_printf(&arena, "recipes/%s/README.md", built_in_names[i]));
    assert_true(n >= 12);
}

/* ---- anything at all ---- */

/* A recipe cut off at any byte, or with one byte changed, is a recipe or a clear mistake. */
static void test_broken(void **state)
{
    const char *whole = file_text("config/crelease.example.yml");
    size_t len = strlen(whole);
    static const char odd[] = "\0\t\n :-[]{}&*!|>'\"%@`?#,~\x7f\xc3";

    (void)state;
    assert_true(len > 1000);
    for (size_t i = 0; i < len; i += 7) {
        struct arena kept = arena;
        arena = (struct arena){0};
        err.arena = &arena;
        char *copy = arena_strndup(&arena, whole, len);
        copy[i] = odd[i % (sizeof odd - 1)];
        write_text(file, copy, i % 2 ? len : i);
        if (!read_file(file, "production")) {
            assert_int_equal(err.code, ERR_USAGE);
            assert_true(errors.n > 0 || strstr(err.msg, "no environment"));
        }
        arena_free(&arena);
        arena = kept;
        err.arena = &arena;
    }
}

/* What an option that overrides a key means. */
static void test_word(void **state)
{
    (void)state;
    assert_int_equal(recipe_word("backup.policy", "kill", POLICY_WAIT), POLICY_KILL);
    assert_int_equal(recipe_word("unfinished", "abort", UNFINISHED_AUTO), UNFINISHED_ABORT);
    assert_int_equal(recipe_word("older", "skip", OLDER_WARN), OLDER_SKIP);
    assert_int_equal(recipe_word("older", NULL, OLDER_WARN), OLDER_WARN);
    assert_int_equal(recipe_word("older", "kill", OLDER_WARN), OLDER_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_example, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anchors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reference_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_built_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_digest_of_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_of_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search, setup, teardown),
        cmocka_unit_test_setup_teardown(test_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending_when, setup, teardown),
        cmocka_unit_test_setup_teardown(test_databases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_null, setup, teardown),
        cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
        cmocka_unit_test(test_word),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
    };

    if (!getcwd(root, sizeof root))
        return 1;
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
