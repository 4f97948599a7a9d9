/* submodule.c -- opens the repositories of submodules for the walk (see walk.h).  What .gitmodules says
 * is not trusted: it decides which server is asked for a commit, and nothing else. */
#include "git/walk.h"

#include "base/text.h"
#include "git/gitmodules.h"

enum {
    MODULES_BYTES_MAX = 1024 * 1024,
    SUBMODULES_MAX = 1000, /* of one revision */
    DEPTH_MAX = 20,        /* of submodules in submodules */
};

/* A repository that was opened for a submodule. */
struct opened {
    struct opened *next;
    const char *url;
    struct repo *repo;
};

void submodules_close(struct walk *w)
{
    for (struct opened *o = w->opened; o; o = o->next)
        repo_close(o->repo);
    w->opened = NULL;
}

/* Reads .gitmodules of the current layer, once. */
static bool read_modules(struct walk *w, struct err *err)
{
    struct layer *in = w->in;
    const git_tree_entry *e = git_tree_entry_byname(in->tree, ".gitmodules");
    git_odb_object *blob = NULL;

    if (in->modules)
        return true;
    in->modules = arena_alloc(&w->scratch, sizeof *in->modules);
    if (!e)
        return true;
    git_filemode_t mode = git_tree_entry_filemode(e);
    if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
        return err_set(err, ERR_FAILED, ".gitmodules is not a regular file");
    if (!walk_read_blob(w, git_tree_entry_id(e), &blob, err))
        return false;
    size_t len = git_odb_object_size(blob);
    bool ok =
        len <= MODULES_BYTES_MAX
            ? gitmodules_read(in->modules, &w->scratch, git_odb_object_data(blob), len, err)
            : err_set(err, ERR_FAILED, ".gitmodules has more than %d bytes", MODULES_BYTES_MAX);
    git_odb_object_free(blob);
    return ok;
}

static bool is_of_this_machine(enum url_kind kind)
{
    return kind == URL_PATH || kind == URL_FILE;
}

/* A repository from another machine must not name one of this machine: that would put files that
 * only this user can read on the hosts. */
static bool may_be_opened(struct arena *a, const char *base, const char *url, struct err *err)
{
    struct err ignored = {.arena = a};
    struct url from;
    struct url to;

    if (!url_parse(&to, a, url, err))
        return false;
    return !is_of_this_machine(to.kind) ||
           (url_parse(&from, a, base, &ignored) && is_of_this_machine(from.kind)) ||
           err_set(err, ERR_FAILED,
                   "'%s' is a path of this machine, which is refused because the repository is from"
                   " another one",
                   to.shown);
}

static bool has_commit(struct repo *r, const char *sha)
{
    git_commit *commit = NULL;
    bool has = repo_commit(r, sha, &commit) == 0;

    git_commit_free(commit);
    return has;
}

/* Returns the repository at the URL, which has the commit. */
static bool open_module(struct walk *w, const char *url, const char *sha, struct repo **ret,
                        struct err *err)
{
    struct repo_options options = w->repo->options;

    for (struct opened *o = w->opened; o; o = o->next)
        if (strcmp(o->url, url) == 0 && has_commit(o->repo, sha)) {
            *ret = o->repo;
            return true;
        }
    if (!may_be_opened(&w->scratch, w->in->repo->base, url, err))
        return false;
    options.url = url;
    options.base_dir = w->repo->dir;
    options.recipe = NULL;
    options.subtree = NULL;
    options.wanted = sha;
    struct opened *o = arena_alloc(&w->scratch, sizeof *o);
    if (!repo_open(&o->repo, &options, err))
        return false;
    *o = (struct opened){w->opened, url, o->repo};
    w->opened = o;
    *ret = o->repo;
    /* Relative URLs in its own .gitmodules are relative to this one. */
    o->repo->base = arena_strdup(&o->repo->arena, url);
    return has_commit(o->repo, sha) ||
           err_set(err, ERR_FAILED, "commit %s is not in '%s'; push it there first", sha,
                   o->repo->shown);
}

static bool find_module(struct walk *w, const char *sha, struct layer *ret, bool *ret_unwanted,
                        struct err *err)
{
    size_t depth = 0;

    for (const struct layer *l = w->in; l; l = l->up)
        depth++;
    if (depth > DEPTH_MAX)
        return err_set(err, ERR_FAILED, "submodules are nested more than %d deep", DEPTH_MAX);
    if (++w->n_submodules > SUBMODULES_MAX)
        return err_set(err, ERR_FAILED, "the revision has more than %d submodules", SUBMODULES_MAX);
    if (!read_modules(w, err))
        return false;
    const struct submodule *m = gitmodules_find(w->in->modules, walk_in_layer(w));
    *ret_unwanted = m && m->unwanted;
    if (*ret_unwanted)
        return true;
    if (!m || !m->url || !*m->url)
        return err_set(err, ERR_FAILED, "commit %.12s cannot be fetched: .gitmodules has no URL",
                       sha);
    const char *url = gitmodules_url(&w->scratch, w->in->repo->base, m->url, err);
    return url && open_module(w, url, sha, &ret->repo, err);
}

bool submodule_walk(struct walk *w, const git_oid *id, struct folder *up, struct err *err)
{
    struct layer l = {.up = w->in, .at = w->len + 1};
    struct folder folder = {.up = up, .len = w->len, .written = true};
    char sha[GIT_OID_HEXSZ + 1];
    bool unwanted = false;
    bool ok = false;

    git_oid_tostr(sha, sizeof sha, id);
    if (!find_module(w, sha, &l, &unwanted, err)) {
        /* An address that cannot be used is a mistake of the recipe only if it stands there. */
        if (err->code == ERR_USAGE)
            err->code = ERR_FAILED;
        return err_in(err, "submodule '%s'", text_shown(err->arena, w->path));
    }
    if (unwanted) {
        walk_keep_path(w, &w->contents.submodules, &w->contents.n_submodules);
        return true;
    }
    w->in = &l;
    ok = layer_open(w, &l, sha, err) && walk_tree(w, l.tree, &folder, err);
    w->in = l.up;
    layer_close(&l);
    return ok;
}
