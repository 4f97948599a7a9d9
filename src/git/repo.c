/* repo.c -- opens a repository, and libgit2 with it: a local one here, a mirror of a URL through
 * mirror.c (see repo.h).  Called by the commands and the checkout stage. */
#include "git/internal.h"

#include "base/quote.h"
#include "base/text.h"
#include "ssh/home.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

const char *repo_git_why(void)
{
    const git_error *e = git_error_last();

    return e && e->message && *e->message ? e->message : "unknown error";
}

bool repo_is_stopped(const struct repo *r)
{
    return r->stop && r->stop(r->arg);
}

bool repo_stopped(struct err *err)
{
    return err_set(err, ERR_INTERRUPTED, "interrupted");
}

static int is_star(const git_config_entry *entry, void *arg)
{
    bool *all = arg;

    *all = strcmp(entry->value, "*") == 0 || (*all && *entry->value);
    return 0;
}

/* safe.directory = *, which libgit2 supports from version 1.7 on.  An empty value resets it. */
static bool all_are_safe(void)
{
    git_config *config = NULL;
    bool all = false;

    if (git_config_open_default(&config) == 0)
        git_config_get_multivar_foreach(config, "safe.directory", NULL, is_star, &all);
    git_config_free(config);
    return all;
}

static int open_of_anybody(git_repository **ret, const char *path, unsigned flags)
{
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    int rc = git_repository_open_ext(ret, path, flags, NULL);
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 1);
    return rc;
}

int repo_open_as(git_repository **ret, const char *path, unsigned flags)
{
    int rc = git_repository_open_ext(ret, path, flags, NULL);

    /* Version 1.5 may report a failure to read safe.directory instead of the owner. */
    if (rc < 0 && rc != GIT_EOWNER && strstr(repo_git_why(), "safe.directory"))
        rc = GIT_EOWNER;
    return rc == GIT_EOWNER && all_are_safe() ? open_of_anybody(ret, path, flags) : rc;
}

/* safe.directory protects from what the owner of a repository writes into its configuration.  The owner of a recipe
 * that the user has named needs none of that: the recipe has commands that run here. */
static bool is_of_recipe(git_repository *git, const struct repo_options *options)
{
    const char *const dirs[] = {git_repository_path(git), git_repository_commondir(git),
                                git_repository_workdir(git)};
    struct stat recipe;
    struct stat st;

    if (!options->recipe_is_named || !options->recipe || stat(options->recipe, &recipe) != 0)
        return false;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (dirs[i] &&
            (stat(dirs[i], &st) != 0 || (st.st_uid != recipe.st_uid && st.st_uid != geteuid())))
            return false;
    return true;
}

/* Returns the value for safe.directory, quoted for a shell: the folder that has the .git, which may
 * be above the path, or a bare repository itself. */
static const char *safe_directory(struct arena *a, const char *path)
{
    struct buf b = buf_make(strlen(path) * 8 + 3);
    char *dir = arena_strdup(a, path);

    while (access(arena_printf(a, "%s/.git", dir), F_OK) != 0 && *dir)
        *(strrchr(dir, '/') ? strrchr(dir, '/') : dir) = '\0';
    quote_typed(&b, text_shown(a, *dir ? dir : path));
    const char *word = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return word;
}

const char *repo_format(struct arena *a, const char *why)
{
    const char *extension = strstr(why, "extension name extensions.");

    if (strstr(why, "objectformat") || strstr(why, "object format"))
        return "has SHA-256 object names, which libgit2 cannot read: only repositories with SHA-1"
               " names can be deployed";
    if (!extension)
        return NULL;
    extension = strchr(extension, '.') + 1;
    if (strcmp(extension, "refstorage") == 0)
        return "stores its refs in the reftable format, which libgit2 cannot read: convert it with"
               " 'git refs migrate --ref-format=files', or use a clone made with"
               " 'git clone --ref-format=files'";
    return arena_printf(a,
                        "uses the Git extension '%s', which libgit2 cannot read: use a clone"
                        " without it",
                        text_shown(a, extension));
}

bool repo_open_failed(const char *path, int rc, struct err *err)
{
    const char *shown = text_shown(err->arena, path);
    const char *why = repo_git_why();

    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_USAGE, "no Git repository at '%s'", shown);
    if (rc == GIT_EOWNER)
        return err_set(err, ERR_USAGE,
                       "repository '%s' belongs to another user; run: git config --global --add"
                       " safe.directory %s",
                       shown, safe_directory(err->arena, path));
    const char *format = repo_format(err->arena, why);
    if (format)
        return err_set(err, ERR_USAGE, "repository '%s' %s", shown, format);
    return err_set(err, ERR_USAGE, "cannot open the repository '%s': %s", shown,
                   text_shown(err->arena, why));
}

/* Whether a relative path names the base folder or one above it.  Only then is the repository
 * searched further up.  Any other path must be a repository itself, or a mistyped name would deploy
 * the repository around it. */
static bool is_inside(const char *base, const char *path)
{
    char *b = realpath(base, NULL);
    char *p = realpath(path, NULL);
    size_t len = b ? strlen(b) : 0;
    bool inside = b && p && strncmp(b, p, len) == 0 &&
                  (!p[len] || p[len] == '/' || (len && b[len - 1] == '/'));

    free(b);
    free(p);
    return inside;
}

/* Returns the name of the remote that Git takes relative URLs of submodules from. */
static const char *default_remote(struct repo *r, git_config *config)
{
    git_reference *head = NULL;
    git_strarray remotes = {0};
    const char *name = NULL;
    const char *target = git_reference_lookup(&head, r->git, "HEAD") == 0
                             ? git_reference_symbolic_target(head)
                             : NULL;

    if (!target || strncmp(target, "refs/heads/", 11) != 0 ||
        git_config_get_string(&name, config,
                              arena_printf(&r->arena, "branch.%s.remote", target + 11)) < 0)
        name = git_remote_list(&remotes, r->git) == 0 && remotes.count == 1 ? remotes.strings[0]
                                                                            : "origin";
    name = arena_strdup(&r->arena, name);
    git_strarray_dispose(&remotes);
    git_reference_free(head);
    return name;
}

/* Sets what relative URLs of submodules are relative to.  As in Git, a repository without a remote
 * is its own. */
static void set_base(struct repo *r)
{
    const char *dir = git_repository_workdir(r->git);
    git_config *config = NULL;
    const char *url = NULL;

    if (!dir)
        dir = git_repository_path(r->git);
    size_t len = strlen(dir);
    r->dir = arena_strndup(&r->arena, dir, len > 1 && dir[len - 1] == '/' ? len - 1 : len);
    r->base = r->dir;
    r->remote = "origin";
    if (git_repository_config_snapshot(&config, r->git) == 0)
        r->remote = default_remote(r, config);
    if (config &&
        git_config_get_string(&url, config, arena_printf(&r->arena, "remote.%s.url", r->remote)) ==
            0 &&
        *url)
        r->base = arena_strdup(&r->arena, url);
    git_config_free(config);
}

static bool open_path(struct repo *r, const char *text, const struct repo_options *options,
                      struct err *err)
{
    const char *path = home_expand(&r->arena, text);
    unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH;

    const char *base = options->base_dir && *options->base_dir ? options->base_dir : ".";
    if (*path != '/') {
        path = arena_printf(&r->arena, "%s/%s", base, path);
        if (is_inside(base, path))
            flags = 0;
    }
    char *full = realpath(path, NULL);
    if (full)
        path = arena_strdup(&r->arena, full);
    free(full);
    int rc = repo_open_as(&r->git, path, flags);
    if (rc == GIT_EOWNER && open_of_anybody(&r->git, path, flags) == 0) {
        if (is_of_recipe(r->git, options))
            return true;
        git_repository_free(r->git);
        r->git = NULL;
    }
    return rc == 0 || repo_open_failed(path, rc, err);
}

static void allow_extensions(void)
{
    /* None of these changes what is read here: settings per work tree, relative links between work
     * tree and repository (libgit2 follows them), objects that 'git gc' must keep, a second set of
     * names for the same objects, and where a partial clone fetches missing objects from (a missing
     * object is an error when it is needed). */
    static const char *extensions[] = {"worktreeconfig", "relativeworktrees", "preciousobjects",
                                       "compatobjectformat", "partialclone"};

    git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions, sizeof extensions / sizeof *extensions);
}

bool repo_open(struct repo **ret, const struct repo_options *options, struct err *err)
{
    struct repo *r = xcalloc(1, sizeof *r);
    struct url url = {0};

    repo_library_init();
    allow_extensions();
    r->options = *options;
    r->stop = options->stop;
    r->arg = options->arg;
    r->recipe = options->recipe ? arena_strdup(&r->arena, options->recipe) : NULL;
    bool ok = url_parse(&url, &r->arena, options->url, err);
    r->shown = url.shown;
    r->is_mirror = ok && url.kind != URL_PATH;
    if (ok)
        ok = url.kind == URL_PATH ? open_path(r, url.text, options, err)
                                  : repo_open_mirror(r, &url, options, err);
    if (!ok) {
        repo_close(r);
        return false;
    }
    r->base = url.text;
    if (url.kind == URL_PATH)
        set_base(r);
    *ret = r;
    return true;
}

/* Returns the URL as configured, not rewritten by url.*.insteadOf: that is specific to this machine
 * and may contain a token. */
static const char *origin_of(struct arena *a, git_repository *git)
{
    struct err ignored = {.arena = a};
    git_strarray remotes = {0};
    git_config *config = NULL;
    const char *name = "origin";
    const char *text = NULL;
    const char *found = NULL;
    struct url url = {0};

    if (git_remote_list(&remotes, git) == 0 && remotes.count == 1)
        name = remotes.strings[0];
    if (git_repository_config_snapshot(&config, git) == 0 &&
        git_config_get_string(&text, config, arena_printf(a, "remote.%s.url", name)) == 0 &&
        url_parse(&url, a, arena_strdup(a, text), &ignored) &&
        (url.kind != URL_PATH || *url.text == '/'))
        found = url_bare(&url, a);
    git_config_free(config);
    git_strarray_dispose(&remotes);
    return found;
}

void repo_about(struct arena *a, const char *dir, struct repo_about *ret)
{
    git_repository *git = NULL;
    git_reference *head = NULL;
    git_reference *origin = NULL;

    *ret = (struct repo_about){0};
    repo_library_init();
    allow_extensions();
    if (repo_open_as(&git, dir, 0) == 0) {
        ret->origin = origin_of(a, git);
        /* Works without commits, too. */
        const char *target = git_reference_lookup(&head, git, "HEAD") == 0
                                 ? git_reference_symbolic_target(head)
                                 : NULL;
        if (target && strncmp(target, "refs/heads/", 11) == 0)
            ret->branch = arena_strdup(a, target + 11);
        target = git_reference_lookup(&origin, git, "refs/remotes/origin/HEAD") == 0
                     ? git_reference_symbolic_target(origin)
                     : NULL;
        if (target && strncmp(target, "refs/remotes/origin/", 20) == 0)
            ret->main = arena_strdup(a, target + 20);
    }
    git_reference_free(origin);
    git_reference_free(head);
    git_repository_free(git);
    git_libgit2_shutdown();
}

void repo_close(struct repo *r)
{
    if (!r)
        return;
    git_repository_free(r->git);
    git_libgit2_shutdown();
    arena_free(&r->arena);
    free(r);
}
