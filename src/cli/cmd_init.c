/* cmd_init.c -- 'crelease init': a starter recipe that fits the folder it is written in. */
#include "cli/cmd.h"

#include "base/text.h"
#include "cli/capistrano/cap.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECIPE_TEXT_MAX = 64 * 1024, PROBE_BYTES_MAX = 64 * 1024 };

/* What the recipe gets for a kind of application: a preset, and lines for what that lacks. */
struct framework {
    const char *name;    /* for people */
    const char *extends; /* a built-in recipe; NULL: there is none */
    const char *lines;
};

/* ---- the folder ---- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Whether the file has the text in its first bytes.  Does not block if it is a pipe. */
static bool file_has(const char *path, const char *text)
{
    char *bytes = xcalloc(1, PROBE_BYTES_MAX + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    bool found = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                 read(fd, bytes, PROBE_BYTES_MAX) > 0 && strstr(bytes, text);

    if (fd >= 0)
        close(fd);
    free(bytes);
    return found;
}

static bool is_rails(void)
{
    return is_there("config/application.rb") || file_has("Gemfile", "gem \"rails\"") ||
           file_has("Gemfile", "gem 'rails'");
}

static bool is_laravel(void)
{
    return is_there("artisan");
}

static bool is_symfony(void)
{
    return is_there("bin/console") && is_there("composer.json");
}

static bool is_django(void)
{
    return is_there("manage.py");
}

static bool is_node(void)
{
    return is_there("package.json");
}

static bool is_alembic(void)
{
    return is_there("alembic.ini");
}

static bool is_flyway(void)
{
    return is_there("flyway.conf");
}

static bool is_sqitch(void)
{
    return is_there("sqitch.conf");
}

static bool is_static(void)
{
    return is_there("index.html");
}

/* In this order, since a Rails or Laravel application has a package.json, too. */
static const struct framework *framework_find(void)
{
    static const struct {
        bool (*is_it)(void);
        struct framework framework;
    } all[] = {
        {is_rails, {"Ruby on Rails", "rails", ""}},
        {is_laravel, {"Laravel", "laravel", ""}},
        {is_symfony,
         {"Symfony", NULL,
          "linked_files: [.env.local]\n"
          "linked_dirs: [var/log, public/uploads]\n"
          "build:\n"
          "  - {name: composer install, run: composer install --no-dev --no-interaction"
          " --optimize-autoloader, timeout: 30m}\n"
          "  - {name: warm up the cache, run: php bin/console cache:clear --env=prod, timeout:"
          " 10m}\n"
          "# migrate: {run: php bin/console doctrine:migrations:migrate --no-interaction}\n"}},
        {is_django, {"Django", "django", ""}},
        {is_node, {"Node.js", "node", "# restart: {run: sudo -n systemctl restart NAME}\n"}},
        {is_alembic, {"Alembic", "alembic", ""}},
        {is_flyway, {"Flyway", "flyway", ""}},
        {is_sqitch, {"Sqitch", "sqitch", ""}},
        {is_static, {"a static site", "static", ""}},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].is_it())
            return &all[i].framework;
    return NULL;
}

/* Files that the application seems to need and that are usually kept out of the repository.  The list
 * replaces that of the preset, so it repeats what that has. */
static const char *linked_files(const struct framework *f)
{
    const char *extends = f && f->extends ? f->extends : "";
    bool env = is_there(".env") || is_there(".env.example");

    if (strcmp(extends, "rails") == 0 && is_there("config/credentials.yml.enc"))
        return "linked_files: [config/database.yml, config/master.key]\n";
    if ((strcmp(extends, "django") == 0 || strcmp(extends, "node") == 0) && env)
        return "linked_files: [.env]\n";
    return f ? "" : "# linked_files: [config/settings.yml]\n# linked_dirs: [log]\n";
}

/* The name of the folder, with what an application's name cannot have replaced. */
static const char *application_name(struct arena *a)
{
    char dir[PATH_MAX];
    const char *slash = getcwd(dir, sizeof dir) ? strrchr(dir, '/') : NULL;
    const char *folder = slash && slash[1] ? slash + 1 : "my_project";
    char *name = arena_alloc(a, strlen(folder) + 1);
    size_t len = 0;

    for (; *folder; folder++) {
        bool fits =
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._", *folder);
        if (fits || (len && name[len - 1] != '-'))
            name[len++] = fits ? *folder : '-';
    }
    while (len && strchr("-.", name[len - 1]))
        len--;
    name[len] = '\0';
    const char *checked = name + strspn(name, ".");
    return !*checked || check_name(a, &checked) ? "my_project" : checked;
}

/* ---- the recipe ---- */

static void write_line(struct buf *b, const char *key, const char *value, const char *comment)
{
    int len = (int)(strlen(key) + 2 + strlen(value));

    buf_printf(b, "%s: %s%*s # %s\n", key, value, len < 33 ? 33 - len : 1, "", comment);
}

static const char *recipe_text(struct arena *a, const char *application, const struct framework *f,
                               const struct repo_about *repo)
{
    struct buf b = buf_make(RECIPE_TEXT_MAX);
    const char *branch = repo->branch ? repo->branch : "main";
    const char *ref = check_ref(a, &branch) ? "main" : branch;

    buf_puts(&b, "# A recipe for crelease.  'crelease help recipe' lists every key, and\n"
                 "# 'crelease help KEY' shows more about a key.\n");
    write_line(&b, "application", yaml_scalar(a, application), "the name of what is deployed");
    if (f && f->extends)
        write_line(&b, "extends", f->extends, arena_printf(a, "the defaults for %s", f->name));
    else if (!f)
        buf_puts(&b, "# extends: rails                  # or django, laravel, node, static\n");
    write_line(&b, "repository", repo->origin ? yaml_scalar(a, repo->origin) : ".",
               repo->origin ? "a URL or a path; '.' is this clone, as in a CI job"
                            : "this folder; a path or a URL");
    write_line(&b, "ref", yaml_scalar(a, ref), "the branch, tag or commit that is deployed");
    write_line(&b, "deploy_to", yaml_scalar(a, arena_printf(a, "/var/www/%s", application)),
               "the site's folder on the hosts");
    buf_printf(&b, "keep_releases: 5\n%s%s", linked_files(f), f ? f->lines : "# build: [make]\n");
    buf_printf(
        &b,
        "\n"
        "# Migrations wait for backups of the database that the application uses.  If 'crelease\n"
        "# check' does not find it, say where it is.\n"
        "# database: {adapter: %s, name: %s_production}\n"
        "# backup: {policy: wait, wait_limit: 6h}\n"
        "\n"
        "environments:\n"
        "  production:\n"
        "    hosts:\n"
        "      - deploy@app1.example.com   # replace this with your own host\n",
        file_has("config/database.yml", "mysql") || file_has("Gemfile", "mysql2") ? "mysql"
                                                                                  : "postgresql",
        application);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

/* What Capistrano's plugins say, if the folder says nothing. */
static const struct framework *framework_of(const struct cap *cap)
{
    static const struct framework rails = {"Ruby on Rails", "rails", ""};
    static const struct framework laravel = {"Laravel", "laravel", ""};

    if (cap_has_plugin(cap, "capistrano/rails") || cap_has_plugin(cap, "capistrano/rails/assets") ||
        cap_has_plugin(cap, "capistrano/rails/migrations"))
        return &rails;
    return cap_has_plugin(cap, "capistrano/laravel") ? &laravel : NULL;
}

/* The recipe for a configuration of Capistrano. */
static const char *converted(struct arena *a, struct cap *cap, const struct framework *f,
                             const struct repo_about *repo)
{
    const char *branch = repo->branch ? repo->branch : "main";
    const char *main = repo->main;
    struct cap_context context = {.application = application_name(a),
                                  .repository = repo->origin ? repo->origin : ".",
                                  .ref = check_ref(a, &branch) ? "main" : branch,
                                  .main = main && !check_ref(a, &main) ? main : NULL,
                                  .preset = f ? f->extends : NULL};

    return cap_recipe(a, cap, &context);
}

/* The line by which an editor finds the schema of recipes, if it is installed beside this program. */
static const char *schema_line(struct arena *a)
{
    char program[PATH_MAX] = "";
    char at[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = len > 0 ? strrchr(program, '/') : NULL;

    if (!slash)
        return "";
    *slash = '\0';
    const char *path = arena_printf(a, "%s/../share/crelease/config/recipe.schema.json", program);
    if (!realpath(path, at) || strpbrk(at, " \n#"))
        return "";
    return arena_printf(a, "# yaml-language-server: $schema=%s\n", at);
}

/* ---- the file ---- */

static bool cannot_write(const char *path, struct err *err)
{
    return err_set(err, ERR_FAILED, "cannot write '%s': %s", text_shown(err->arena, path),
                   strerror(errno));
}

static bool write_new(const char *path, const char *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t len = strlen(text);

    if (fd < 0)
        return cannot_write(path, err);
    errno = ENOSPC; /* a short write sets no errno, and means that the disk is full */
    bool ok = write(fd, text, len) == (ssize_t)len;
    ok = close(fd) == 0 && ok;
    if (!ok) {
        cannot_write(path, err);
        unlink(path);
    }
    return ok;
}

/* Writes a new file first, so that the old recipe survives a full disk. */
static bool overwrite(struct arena *a, const char *path, const char *text, struct err *err)
{
    struct stat st;
    const char *fresh = arena_printf(a, "%s.%ld.new", path, (long)getpid());

    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return err_set(err, ERR_USAGE,
                       "'%s' is not a regular file, so --force does not overwrite it",
                       text_shown(a, path));
    if (!write_new(fresh, text, err))
        return false;
    if (rename(fresh, path) == 0)
        return true;
    cannot_write(path, err);
    unlink(fresh);
    return false;
}

/* An existing recipe: at that path, or one that a crelease.yml would hide; NULL: none. */
static const char *recipe_in_place(const char *path, bool is_given)
{
    struct stat st;

    if (lstat(path, &st) == 0)
        return path;
    return !is_given && lstat("config/crelease.yml", &st) == 0 ? "config/crelease.yml" : NULL;
}

static void put_left(struct json *list, const struct cap_left *left)
{
    struct json *o = json_put_object(list, NULL);

    json_put_text(o, "file", left->file);
    json_put_int(o, "line", (long long)left->line);
    json_put_int(o, "last", (long long)left->last);
    json_put_text(o, "text", left->text);
    json_put_text(o, "why", left->why);
}

/* What was read of Capistrano's configuration. */
static void tell_capistrano(struct session *s, const struct cap *cap, struct json *o)
{
    struct cap_count count = cap_count(cap);
    size_t read = count.converted + count.spare + count.unused;
    struct cap_left *left;
    size_t n = cap_left(s->arena, cap, &left);

    if (o) {
        json_put_int(o, "read", (long long)read);
        json_put_int(o, "settings", (long long)count.settings);
        json_put_int(o, "converted", (long long)count.converted);
        json_put_int(o, "not_needed", (long long)count.spare);
        json_put_int(o, "without_counterpart", (long long)count.unused);
        struct json *list = json_put_array(o, "left");
        for (size_t i = 0; i < n; i++)
            put_left(list, &left[i]);
        return;
    }
    struct strs ignored = cap_ignored(s->arena, cap);
    printf("converted %s", text_count(s->arena, count.converted, "setting"));
    if (ignored.n)
        printf("; ignored, because crelease does not need %s: %s", ignored.n == 1 ? "it" : "them",
               text_shown(s->arena, strs_joined(s->arena, &ignored, ", ")));
    if (n)
        printf("; look at %s, also listed at the end of the recipe:",
               n == 1 ? "this one" : arena_printf(s->arena, "these %zu", n));
    putchar('\n');
    for (size_t i = 0; i < n; i++)
        printf("  %s:%zu  %s%s%s\n", text_shown(s->arena, left[i].file), left[i].line,
               text_shown(s->arena, left[i].text), left[i].why ? "  # " : "",
               left[i].why ? text_shown(s->arena, left[i].why) : "");
}

/* cap is NULL without --from-capistrano. */
static void tell(struct session *s, const char *path, bool overwritten, const struct framework *f,
                 const struct cap *cap)
{
    const char *shown = text_shown(s->arena, path);
    struct called called = s->options.called;

    called.environment = cap ? cap->sites[0].name : "production";
    if (s->options.json) {
        struct json *o = json_open_object();
        json_put_text(o, "recipe", path);
        json_put_bool(o, "overwritten", overwritten);
        json_put_text(o, "framework", f ? f->name : NULL);
        if (cap)
            tell_capistrano(s, cap, o);
        json_write(o, stdout, true);
        json_close(o);
        s->answered = true;
    } else if (!s->options.quiet) {
        if (cap)
            tell_capistrano(s, cap, NULL);
        printf("%s '%s'%s%s; edit it, then run '%s'\n", overwritten ? "overwrote" : "wrote", shown,
               f ? " for " : "", f ? f->name : "", hint(s->arena, &called, "check", NULL));
    }
}

bool cmd_init(struct session *s, struct err *err)
{
    const char *path = s->options.recipe ? s->options.recipe : "crelease.yml";
    const char *there = recipe_in_place(path, s->options.recipe != NULL);
    const struct framework *f = framework_find();
    struct repo_about repo;
    struct cap cap;

    if (there && !s->options.force)
        return err_set(err, ERR_USAGE, "'%s' already exists; '%s' %s", text_shown(s->arena, there),
                       hint(s->arena, &s->options.called, "init", "--force"),
                       there == path ? "overwrites it"
                                     : "writes a 'crelease.yml' that is used instead");
    repo_about(s->arena, ".", &repo);
    if (s->options.from_capistrano && !cap_read(s->arena, &cap, err))
        return false;
    if (s->options.from_capistrano && !f)
        f = framework_of(&cap);
    const char *text = s->options.from_capistrano
                           ? converted(s->arena, &cap, f, &repo)
                           : recipe_text(s->arena, application_name(s->arena), f, &repo);
    if (!text)
        return err_set(err, ERR_USAGE, "the configuration of Capistrano is too large for a recipe");
    text = arena_printf(s->arena, "%s%s", schema_line(s->arena), text);
    bool over = there == path;
    if (over ? !overwrite(s->arena, path, text, err) : !write_new(path, text, err))
        return false;
    tell(s, path, over, f, s->options.from_capistrano ? &cap : NULL);
    return true;
}
