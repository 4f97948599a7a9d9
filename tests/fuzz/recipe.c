/* recipe.c -- targets: recipes, configurations of Capistrano, command lines, variables of CI systems. */
#include "recipe/recipe.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/capistrano/cap.h"
#include "cli/cmd.h"
#include "edge/yaml.h"
#include "fuzz_targets.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t visit(const struct node *n, unsigned depth)
{
    size_t visited = 1;

    HOLDS(depth <= RECIPE_DEPTH_MAX);
    if (n->kind == NODE_SCALAR)
        HOLDS(text_is_utf8(n->text, strlen(n->text)));
    for (size_t i = 0; n->kind == NODE_LIST && i < n->n; i++)
        visited += visit(n->item[i], depth + 1);
    for (size_t i = 0; n->kind == NODE_MAP && i < n->n; i++) {
        HOLDS(n->pair[i].key->kind == NODE_SCALAR);
        HOLDS(node_get(n, n->pair[i].key->text));
        visited += 1 + visit(n->pair[i].value, depth + 1);
    }
    return visited;
}

static void holds_mistakes(const struct mistakes *m)
{
    for (size_t i = 0; i < m->n; i++)
        HOLDS(is_shown(m->v[i].text) && m->v[i].line > 0 && m->v[i].column > 0);
}

void fuzz_yaml(const struct input *in)
{
    struct yaml_file file = {.name = "x.yml", .bytes = in->bytes, .len = in->len};
    struct mistakes m = {.arena = in->arena};
    const struct node *root = yaml_parse(in->arena, &file, &m);

    mistakes_sort(&m);
    holds_mistakes(&m);
    HOLDS(root || m.n);
    if (root)
        HOLDS(visit(root, 0) <= RECIPE_NODES_MAX);
}

/* A text that goes into the path of a file on a host. */
static void holds_path(const char *s)
{
    HOLDS(*s && is_shown(s));
    HOLDS(strcmp(s, "..") != 0 && strncmp(s, "../", 3) != 0 && !strstr(s, "/../"));
}

static void holds_recipe(const struct input *in, const struct recipe *r)
{
    struct strs lines = {0};

    for (size_t i = 0; i < r->n_hosts; i++) {
        const struct host *h = &r->hosts[i];
        holds_path(h->deploy_to);
        HOLDS(*h->deploy_to == '/' && is_shown(h->name) && h->port >= 0 && h->port <= 65535);
        HOLDS(*h->address && *h->address != '-' && (!h->user || *h->user != '-'));
        for (size_t k = 0; k < i; k++)
            HOLDS(strcmp(h->name, r->hosts[k].name) != 0);
    }
    for (size_t i = 0; i < r->linked_files.n; i++)
        holds_path(r->linked_files.v[i]);
    for (size_t i = 0; i < r->linked_dirs.n; i++)
        holds_path(r->linked_dirs.v[i]);
    HOLDS(r->keep_releases > 0);
    HOLDS(recipe_changes(in->arena, r->text, r, 10, &lines) == 0);
}

void fuzz_recipe(const struct input *in)
{
    static const char *const variables[] = {"TOKEN=s3cret", "EMPTY=", NULL};
    const struct recipe_where where = {file_of(in->bytes, in->len), "production", variables};
    struct err err = {.arena = in->arena};
    struct strs errors = {0};

    const struct recipe *r = recipe_read(in->arena, &where, &errors, &err);
    for (size_t i = 0; i < errors.n; i++)
        HOLDS(is_shown(errors.v[i]));
    if (r)
        holds_recipe(in, r);
    else
        holds_err(&err);
}

/* ---- Capistrano ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    HOLDS(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void leave_folder(void)
{
    static const char *const names[] = {"Capfile", "config/deploy/production.rb",
                                        "config/deploy.rb", "config/deploy", "config"};
    char dir[] = "/tmp/fuzz.cap.XXXXXX";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(names[i]);
    if (getcwd(dir, sizeof dir) && chdir("/") == 0)
        rmdir(dir);
}

/* The working directory of this process. */
static void enter_folder(void)
{
    static char dir[] = "/tmp/fuzz.cap.XXXXXX";
    static bool there;

    if (there)
        return;
    there = mkdtemp(dir) && chdir(dir) == 0 && mkdir("config", 0700) == 0 &&
            mkdir("config/deploy", 0700) == 0 && atexit(leave_folder) == 0;
    HOLDS(there);
}

/* The parts: deploy.rb, deploy/production.rb, Capfile.  What is made of them is YAML. */
void fuzz_capistrano(const struct input *in)
{
    static const char *const names[] = {"config/deploy.rb", "config/deploy/production.rb",
                                        "Capfile"};
    static const struct cap_context context = {
        .application = "shop", .repository = "git@example.com:shop.git", .main = "main"};
    struct err err = {.arena = in->arena};
    struct cap cap;
    struct cap_left *left;
    const char *at = in->text;

    enter_folder();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *part = next_part(in, &at);
        write_file(names[i], part ? part : "");
    }
    if (!cap_read(in->arena, &cap, &err)) {
        holds_err(&err);
        return;
    }
    const char *text = cap_recipe(in->arena, &cap, &context);
    struct yaml_file file = {.name = "x.yml", .bytes = text, .len = strlen(text)};
    struct mistakes m = {.arena = in->arena};
    HOLDS(yaml_parse(in->arena, &file, &m) && m.n == 0);
    size_t n = cap_left(in->arena, &cap, &left);
    for (size_t i = 0; i < n; i++)
        HOLDS(left[i].line > 0 && left[i].last >= left[i].line);
    struct cap_count c = cap_count(&cap);
    HOLDS(c.converted + c.spare + c.unused <= c.settings);
}

/* ---- command lines and CI ---- */

/* Each line is an argument. */
void fuzz_options(const struct input *in)
{
    enum { ARGS_MAX = 60 };
    char *argv[ARGS_MAX + 2] = {arena_strdup(in->arena, "crelease")};
    int argc = 1;
    struct options o;
    struct err err = {.arena = in->arena};

    for (const char *at = in->text; *at && argc < ARGS_MAX;
         at += strcspn(at, "\n"), at += *at == '\n')
        argv[argc++] = arena_strndup(in->arena, at, strcspn(at, "\n"));
    if (!options_read(in->arena, argc, argv, &o, &err)) {
        holds_err(&err);
        return;
    }
    HOLDS(o.wait_limit_ms >= WAIT_LIMIT_AUTO && o.count >= 0);
    const struct command *c = o.words.n ? command_find(o.words.v[0]) : NULL;
    if (c && !options_check(&o, c->name, c->takes, &err))
        holds_err(&err);
}

/* Lines "NAME=VALUE", for the variables that CI systems set. */
void fuzz_ci(const struct input *in)
{
    static const char *const names[] = {"GITHUB_ACTOR",    "GITHUB_SERVER_URL", "GITHUB_REPOSITORY",
                                        "GITHUB_RUN_ID",   "GITLAB_USER_NAME",  "CI_JOB_URL",
                                        "CI_JOB_TIMEOUT",  "CI_JOB_STARTED_AT", "GITLAB_USER_LOGIN",
                                        "CIRCLE_USERNAME", "CIRCLE_BUILD_URL",  "BUILD_URL"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    for (const char *at = in->text; *at; at += strcspn(at, "\n"), at += *at == '\n')
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            size_t len = strlen(names[i]);
            if (strncmp(at, names[i], len) == 0 && at[len] == '=')
                setenv(names[i],
                       arena_strndup(in->arena, at + len + 1, strcspn(at, "\n") - len - 1), 1);
        }
    const char *user = ci_user(in->arena);
    const char *url = ci_url(in->arena);
    HOLDS(!user || (is_shown(user) && !strpbrk(user, " \t")));
    HOLDS(!url || (is_shown(url) && !strpbrk(url, " \t")));
    ci_deadline_ms();
    const char *by = session_by(in->arena);
    HOLDS(is_shown(by) && !strchr(by, '\n'));
}
