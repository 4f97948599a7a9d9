/* paths.c -- the digest of paths of a revision, which says whether migrations have changed, the files
 * that differ between two revisions, and the text of one (see repo.h). */
#include "git/internal.h"

#include "base/text.h"
#include "edge/digest.h"
#include "git/attributes.h"

enum { TEXT_MAX = 64 * 1024 };

struct walk {
    struct digest *d;
    const char *glob;
    bool found;
};

/* Normalises a path of the recipe: no leading "./", no trailing slash. */
static char *tree_path(struct arena *a, const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2 + strspn(path + 2, "/");
    size_t len = strlen(path);
    while (len && path[len - 1] == '/')
        len--;
    return arena_strndup(a, strcmp(path, ".") == 0 ? "" : path, strcmp(path, ".") == 0 ? 0 : len);
}

static void add(struct digest *d, const char *path, unsigned mode, const git_oid *id)
{
    char line[GIT_OID_HEXSZ + 16] = "none";

    if (id)
        snprintf(line, sizeof line, "%o %s", mode, git_oid_tostr_s(id));
    digest_add(d, path, strlen(path) + 1);
    digest_add(d, line, strlen(line) + 1);
}

/* An entry that the glob matches counts with everything below it. */
static int visit(const char *root, const git_tree_entry *entry, void *arg)
{
    struct walk *w = arg;
    struct arena scratch = {0};
    const char *path = arena_printf(&scratch, "%s%s", root, git_tree_entry_name(entry));
    bool matches = attributes_glob(w->glob, path);

    if (matches)
        add(w->d, path, (unsigned)git_tree_entry_filemode(entry), git_tree_entry_id(entry));
    w->found = w->found || matches;
    arena_free(&scratch);
    return matches; /* 1: not into the folder */
}

/* Adds what the path names.  Returns git's status. */
static int add_path(struct walk *w, git_tree *tree, const char *path)
{
    git_tree_entry *entry = NULL;

    if (strpbrk(path, "*?[")) {
        w->glob = path;
        digest_add(w->d, path, strlen(path) + 1);
        return git_tree_walk(tree, GIT_TREEWALK_PRE, visit, w);
    }
    int rc = *path ? git_tree_entry_bypath(&entry, tree, path) : 0;
    if (rc < 0 && rc != GIT_ENOTFOUND)
        return rc;
    w->found = w->found || rc == 0;
    if (rc == 0)
        add(w->d, path,
            entry ? (unsigned)git_tree_entry_filemode(entry) : (unsigned)GIT_FILEMODE_TREE,
            entry ? git_tree_entry_id(entry) : git_tree_id(tree));
    else
        add(w->d, path, 0, NULL);
    git_tree_entry_free(entry);
    return 0;
}

bool repo_digest(struct repo *r, struct arena *a, const struct revision *rev,
                 const struct strs *paths, const char **ret, struct err *err)
{
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    struct walk w = {.d = digest_open()};
    bool ok = false;
    char sum[65];

    if (!repo_tree(r, rev->sha, &commit, &tree, err))
        goto out;
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = tree_path(a, paths->v[i]);
        if (add_path(&w, tree, path) < 0) {
            err_set(err, ERR_FAILED, "cannot read '%s' in revision '%s': %s",
                    text_shown(err->arena, path), rev->short_sha,
                    text_shown(err->arena, repo_git_why()));
            goto out;
        }
    }
    digest_hex(w.d, sum);
    *ret = w.found ? arena_strdup(a, sum) : "";
    ok = true;
out:
    digest_close(w.d);
    git_tree_free(tree);
    git_commit_free(commit);
    return ok;
}

/* A link would be followed only where the release is. */
static bool is_text_file(const git_tree_entry *entry)
{
    git_filemode_t mode = git_tree_entry_filemode(entry);

    return mode == GIT_FILEMODE_BLOB || mode == GIT_FILEMODE_BLOB_EXECUTABLE;
}

const char *repo_text(struct repo *r, struct arena *a, const struct revision *rev, const char *path)
{
    struct err ignored = {.arena = a};
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    git_blob *blob = NULL;
    const char *text = NULL;

    if (r->options.subtree)
        path = arena_printf(a, "%s/%s", r->options.subtree, path);
    if (repo_tree(r, rev->sha, &commit, &tree, &ignored) &&
        git_tree_entry_bypath(&entry, tree, path) == 0 && is_text_file(entry) &&
        git_blob_lookup(&blob, r->git, git_tree_entry_id(entry)) == 0 &&
        git_blob_rawsize(blob) <= TEXT_MAX && !git_blob_is_binary(blob))
        text = arena_strndup(a, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    git_blob_free(blob);
    git_tree_entry_free(entry);
    git_tree_free(tree);
    git_commit_free(commit);
    return text;
}

bool repo_blob(struct repo *r, const unsigned char id[static 20], size_t max, struct buf *ret)
{
    git_oid oid;
    git_blob *blob = NULL;

    memcpy(oid.id, id, sizeof oid.id);
    bool ok = git_blob_lookup(&blob, r->git, &oid) == 0 &&
              (unsigned long long)git_blob_rawsize(blob) <= max;
    if (ok)
        buf_add(ret, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    git_blob_free(blob);
    return ok;
}

/* What the presets look at besides migrations, since a new version of a package may bring some: the settings of Django,
 * lists of requirements, lock files. */
static bool is_of_packages(const char *file)
{
    static const char *const names[] = {"settings", "requirements", "pyproject.toml"};
    const char *dot = strrchr(file, '.');

    for (const char *part = file; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(part, names[i], strlen(names[i])) == 0)
                return true;
    return dot && strcmp(dot, ".lock") == 0;
}

static bool is_under(struct arena *a, const struct strs *paths, const char *file)
{
    for (size_t i = 0; i < paths->n; i++) {
        const char *path = tree_path(a, paths->v[i]);
        size_t len = strlen(path);
        if (!len || (strncmp(file, path, len) == 0 && (!file[len] || file[len] == '/')))
            return true;
        if (!strpbrk(path, "*?["))
            continue;
        /* A folder that the pattern matches counts with everything below it. */
        for (size_t end = strcspn(file, "/");; end += 1 + strcspn(file + end + 1, "/")) {
            if (attributes_glob(path, arena_strndup(a, file, end)))
                return true;
            if (!file[end])
                break;
        }
    }
    return false;
}

static void take_delta(struct arena *a, const git_diff_delta *delta, const struct strs *paths,
                       struct changes *ret)
{
    struct arena scratch = {0};
    const char *file = delta->new_file.path;

    ret->files++;
    if (delta->status != GIT_DELTA_DELETED && !is_of_packages(file) &&
        is_under(&scratch, paths, file)) {
        if (ret->migrations.n < CHANGES_MAX)
            strs_add(a, &ret->migrations, arena_strdup(a, file));
        else
            ret->more_migrations++;
    }
    arena_free(&scratch);
}

void repo_files(struct repo *r, struct arena *a, const char *to, const struct strs *paths,
                struct changes *ret)
{
    git_commit *commits[2] = {0};
    git_tree *trees[2] = {0};
    git_diff *diff = NULL;
    git_diff_options o;
    const char *subtree = r->options.subtree;

    git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
    o.flags =
        GIT_DIFF_SKIP_BINARY_CHECK | GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_DISABLE_PATHSPEC_MATCH;
    if (subtree)
        o.pathspec = (git_strarray){(char **)(uintptr_t)&subtree, 1}; /* not modified */
    ret->files = -1;
    if (repo_commit(r, ret->from, &commits[0]) == 0 && repo_commit(r, to, &commits[1]) == 0 &&
        git_commit_tree(&trees[0], commits[0]) == 0 &&
        git_commit_tree(&trees[1], commits[1]) == 0 &&
        git_diff_tree_to_tree(&diff, r->git, trees[0], trees[1], &o) == 0) {
        ret->files = 0;
        for (size_t i = 0; i < git_diff_num_deltas(diff); i++)
            take_delta(a, git_diff_get_delta(diff, i), paths, ret);
    }
    git_diff_free(diff);
    for (size_t i = 0; i < 2; i++) {
        git_tree_free(trees[i]);
        git_commit_free(commits[i]);
    }
}
