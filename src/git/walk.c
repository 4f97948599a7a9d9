/* walk.c -- goes through the tree of a revision (see walk.h).  The repository may be hostile, so every
 * path is checked before it is used. */
#include "git/walk.h"

#include "base/text.h"

#include <errno.h>
#include <unistd.h>

enum {
    ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024,
    NOTED_MAX = 3, /* examples kept for each count */
    READ_BYTES = 128 * 1024,
};

const char *walk_in_layer(const struct walk *w)
{
    return w->len < w->in->at ? "" : w->path + w->in->at;
}

const char *walk_in_release(const struct walk *w)
{
    return w->len < w->strip ? "" : w->path + w->strip;
}

bool walk_refuse(struct walk *w, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "%s contains a path that cannot be deployed: '%s' (%s)",
                   w->shown, text_shown(err->arena, w->path), why);
}

bool walk_enter(struct walk *w, const char *name, struct err *err)
{
    size_t len = strlen(name);
    size_t slash = w->len > 0;
    const char *why = NULL;

    if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        why = "not a file name";
    else if (strcasecmp(name, ".git") == 0)
        why = "reserved for Git";
    else if (len > NAME_LEN || w->len + slash + len > PATH_LEN)
        why = "too long";
    /* The path is also shown in the message, so it gets as much of the name as fits. */
    size_t room = PATH_LEN - w->len;
    if (slash && room) {
        w->path[w->len++] = '/';
        room--;
    }
    len = len < room ? len : room;
    memcpy(w->path + w->len, name, len);
    w->len += len;
    w->path[w->len] = '\0';
    return !why || walk_refuse(w, why, err);
}

void walk_leave(struct walk *w, size_t len)
{
    w->len = len;
    w->path[len] = '\0';
}

void walk_keep_path(struct walk *w, struct strs *list, size_t *count)
{
    if (list->n < NOTED_MAX)
        strs_add(w->arena, list, arena_strndup(w->arena, w->path, w->len));
    ++*count;
}

bool walk_add_folder(struct walk *w, const char *path, struct err *err)
{
    off_t at = pack_at(w->pack);

    if (!pack_dir(w->pack, path, err))
        return false;
    if (w->n_folders == w->folder_room) {
        w->folder_room = w->folder_room ? w->folder_room * 2 : 256;
        w->folder = xrealloc(w->folder, w->folder_room * sizeof *w->folder);
    }
    w->folder[w->n_folders++] = (struct folder_entry){.path = arena_strdup(w->arena, path),
                                                      .part = {at, pack_at(w->pack) - at}};
    return true;
}

static bool write_folders(struct walk *w, struct folder *f, struct err *err)
{
    if (!f->up || f->written || !w->pack)
        return true;
    if (!write_folders(w, f->up, err))
        return false;
    char next = w->path[f->len];
    w->path[f->len] = '\0';
    f->written = walk_add_folder(w, w->path + w->strip, err);
    w->path[f->len] = next;
    return f->written;
}

/* Reads a blob and verifies its SHA-1 with libcrypto.  libgit2's own verification also looks for
 * forged collisions, which costs half as much time again as everything else.  Blobs were verified
 * that way when they were fetched, so here only damage on the disk matters.  Trees and commits keep
 * libgit2's verification. */
static int read_object(const struct walk *w, const git_oid *id, git_odb_object **ret)
{
    git_oid is;

    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    int rc = git_odb_read(ret, w->in->odb, id);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    if (rc == 0) {
        digest_git_blob(git_odb_object_data(*ret), git_odb_object_size(*ret), is.id);
        if (git_odb_object_type(*ret) != GIT_OBJECT_BLOB || !git_oid_equal(&is, id)) {
            git_odb_object_free(*ret);
            git_error_set_str(GIT_ERROR_ODB, "the object is damaged or not a file");
            rc = GIT_EMISMATCH;
        }
    }
    return rc;
}

bool walk_read_blob(struct walk *w, const git_oid *id, git_odb_object **ret, struct err *err)
{
    int rc = read_object(w, id, ret);

    if (rc == GIT_ENOTFOUND)
        return err_set(
            err, ERR_FAILED,
            "the content of '%s' (%.12s) is not in repository '%s': is this a partial clone?"
            " fetch the whole repository",
            text_shown(err->arena, w->path), git_oid_tostr_s(id), w->in->repo->shown);
    return rc == 0 || err_set(err, ERR_FAILED,
                              "cannot read the content of '%s' (%.12s) in repository '%s': %s",
                              text_shown(err->arena, w->path), git_oid_tostr_s(id),
                              w->in->repo->shown, text_shown(err->arena, repo_git_why()));
}

/* Whether the current path is among the entries so far, which are sorted. */
static bool is_entry(const struct walk *w)
{
    const struct export so_far = {.entry = w->entry, .n = w->n};

    return export_find(&so_far, walk_in_release(w)) != NULL;
}

struct entry *walk_add_entry(struct walk *w, struct err *err)
{
    const char *path = walk_in_release(w);

    if (w->n && strcmp(w->entry[w->n - 1].path, path) >= 0) {
        walk_refuse(w, "the tree is not sorted", err);
        return NULL;
    }
    if (w->n == FILES_MAX) {
        err_set(err, ERR_FAILED, "%s has more than %d files", w->shown, FILES_MAX);
        return NULL;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 1024;
        w->entry = xrealloc(w->entry, w->room * sizeof *w->entry);
    }
    w->entry[w->n] = (struct entry){.path = arena_strdup(w->arena, path)};
    return &w->entry[w->n++];
}

bool walk_pack_file(struct walk *w, struct entry *e, int fd, struct err *err)
{
    char bytes[READ_BYTES];
    unsigned long long left = e->size;
    ssize_t n;

    e->part.at = pack_at(w->pack);
    if (!pack_begin(w->pack, e->path, e->kind == ENTRY_PROGRAM, e->size, err))
        return false;
    while ((n = read(fd, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, w->path),
                           strerror(errno));
        if ((unsigned long long)n > left)
            break;
        if (repo_is_stopped(w->repo))
            return repo_stopped(err);
        left -= (unsigned long long)n;
        digest_add(w->digest, bytes, (size_t)n);
        if (!pack_add(w->pack, bytes, (size_t)n, err))
            return false;
    }
    if (n || left)
        return err_set(err, ERR_FAILED, "'%s' changed while it was read",
                       text_shown(err->arena, w->path));
    digest_hex(w->digest, e->sha256);
    w->bytes += e->size;
    if (!pack_end(w->pack, err))
        return false;
    e->part.size = pack_at(w->pack) - e->part.at;
    return true;
}

static bool add_folder(struct walk *w, const git_oid *id, struct folder *up, struct err *err)
{
    struct folder folder = {.up = up, .len = w->len};
    git_tree *tree = NULL;

    if (git_tree_lookup(&tree, w->in->repo->git, id) < 0)
        return err_set(err, ERR_FAILED, "cannot read the folder '%s' in repository '%s': %s",
                       text_shown(err->arena, w->path), w->in->repo->shown,
                       text_shown(err->arena, repo_git_why()));
    bool ok = walk_tree(w, tree, &folder, err);
    git_tree_free(tree);
    return ok;
}

static bool add_submodule(struct walk *w, const git_oid *id, struct folder *up, struct err *err)
{
    if (w->pack && !walk_add_folder(w, walk_in_release(w), err))
        return false;
    if (w->repo->options.submodules)
        return submodule_walk(w, id, up, err);
    walk_keep_path(w, &w->contents.submodules, &w->contents.n_submodules);
    return true;
}

static bool add_member(struct walk *w, const git_tree_entry *e, struct folder *up, struct err *err)
{
    const git_oid *id = git_tree_entry_id(e);
    git_filemode_t mode = git_tree_entry_filemode(e);
    bool is_dir = mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT;

    if (mode != GIT_FILEMODE_TREE && !write_folders(w, up, err))
        return false;
    if (attributes_has(&w->in->rules, walk_in_layer(w), is_dir, EXPORT_IGNORE)) {
        w->contents.n_ignored++;
        return true;
    }
    if (is_dir && is_entry(w))
        return walk_refuse(w, "both a file and a folder", err);
    w->contents.files += !is_dir;
    switch (mode) {
    case GIT_FILEMODE_TREE:
        return add_folder(w, id, up, err);
    case GIT_FILEMODE_COMMIT:
        return add_submodule(w, id, up, err);
    case GIT_FILEMODE_LINK:
        return !w->pack || export_link(w, id, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        if (w->like)
            return export_list(w, id, mode != GIT_FILEMODE_BLOB, err);
        if (!w->pack)
            return export_look(w, id, err);
        return export_file(w, id, mode != GIT_FILEMODE_BLOB, err);
    case GIT_FILEMODE_UNREADABLE:
        break;
    }
    return walk_refuse(w, "neither a file, a folder nor a link", err);
}

static bool read_rules(struct walk *w, const git_tree *tree, struct err *err)
{
    const git_tree_entry *e = git_tree_entry_byname(tree, ".gitattributes");
    git_odb_object *blob = NULL;

    if (!e || (git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB &&
               git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB_EXECUTABLE))
        return true;
    if (!walk_read_blob(w, git_tree_entry_id(e), &blob, err))
        return false;
    bool ok = git_odb_object_size(blob) <= ATTRIBUTES_BYTES_MAX ||
              err_set(err, ERR_FAILED, "revision %s: a .gitattributes has more than %d bytes",
                      w->rev->short_sha, ATTRIBUTES_BYTES_MAX);
    if (ok)
        attributes_read(&w->in->rules, git_odb_object_data(blob), git_odb_object_size(blob),
                        walk_in_layer(w), ATTRIBUTES_OF_FOLDER);
    git_odb_object_free(blob);
    return ok;
}

/* Compares as if the names of folders and of submodules ended with a slash. */
static int by_path(const void *a, const void *b)
{
    const git_tree_entry *const *one = a;
    const git_tree_entry *const *two = b;
    const char *x = git_tree_entry_name(*one);
    const char *y = git_tree_entry_name(*two);
    const git_filemode_t modes[] = {git_tree_entry_filemode(*one), git_tree_entry_filemode(*two)};
    int ends[2];

    while (*x && *x == *y) {
        x++;
        y++;
    }
    for (size_t i = 0; i < 2; i++)
        ends[i] = modes[i] == GIT_FILEMODE_TREE || modes[i] == GIT_FILEMODE_COMMIT ? '/' : 0;
    return (*x ? (unsigned char)*x : ends[0]) - (*y ? (unsigned char)*y : ends[1]);
}

/* Git sorts a tree as if the names of folders ended with a slash, so the paths of all files arrive
 * in strcmp's order.  A submodule is sorted like a file, and its content would come too early.
 * walk_add_entry verifies the order. */
static const git_tree_entry **members_of(const struct walk *w, const git_tree *tree)
{
    size_t n = git_tree_entrycount(tree);
    const git_tree_entry **list = xcalloc(n + 1, sizeof(const git_tree_entry *));
    bool sorted = true;

    for (size_t i = 0; i < n; i++) {
        list[i] = git_tree_entry_byindex(tree, i);
        sorted = sorted && (git_tree_entry_filemode(list[i]) != GIT_FILEMODE_COMMIT ||
                            !w->repo->options.submodules);
    }
    if (!sorted)
        qsort(list, n, sizeof *list, by_path);
    return list;
}

bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder, struct err *err)
{
    const size_t len = w->len;
    const size_t mark = attributes_mark(&w->in->rules);
    const git_tree_entry **list = members_of(w, tree);
    const char *before = "";
    bool ok = read_rules(w, tree, err);

    for (const git_tree_entry **e = list; ok && *e; e++) {
        const char *name = git_tree_entry_name(*e);
        ok = walk_enter(w, name, err);
        if (ok && strcmp(before, name) == 0)
            ok = walk_refuse(w, "twice in the same folder", err);
        if (ok && repo_is_stopped(w->repo))
            ok = repo_stopped(err);
        ok = ok && add_member(w, *e, folder, err);
        walk_leave(w, len);
        before = name;
    }
    free(list);
    attributes_drop(&w->in->rules, mark);
    return ok;
}

bool layer_open(struct walk *w, struct layer *l, const char *sha, struct err *err)
{
    if (!repo_tree(l->repo, sha, &l->commit, &l->tree, err))
        return false;
    if (git_repository_odb(&l->odb, l->repo->git) < 0)
        return err_set(err, ERR_FAILED, "cannot read repository '%s': %s", l->repo->shown,
                       text_shown(err->arena, repo_git_why()));
    l->lfs = (struct lfs_source){.repo = l->repo, .sha = arena_strdup(&w->scratch, sha)};
    return export_rules(l->repo, &w->scratch, &l->rules, err);
}

void layer_close(struct layer *l)
{
    attributes_close(&l->rules);
    git_odb_free(l->odb);
    git_tree_free(l->tree);
    git_commit_free(l->commit);
}

/* Enters the recipe's subtree.  The attributes of the folders around it apply, but none can exclude
 * the subtree itself, because the recipe names it. */
static bool enter_subtree(struct walk *w, git_tree **ret, struct err *err)
{
    const char *path = w->repo->options.subtree;
    git_tree *tree = NULL;

    if (!path)
        return true;
    if (!repo_subtree(w->repo, w->in->tree, w->rev->short_sha, ret, err) ||
        !read_rules(w, w->in->tree, err))
        return false;
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, "/");
        bool last = !at[len];
        if (!walk_enter(w, arena_strndup(&w->scratch, at, len), err))
            return false;
        at += len + !last;
        if (last)
            break;
        git_tree_entry *e = NULL;
        bool ok = git_tree_entry_bypath(&e, w->in->tree, w->path) == 0 &&
                  git_tree_lookup(&tree, w->repo->git, git_tree_entry_id(e)) == 0 &&
                  read_rules(w, tree, err);
        git_tree_entry_free(e);
        git_tree_free(tree);
        tree = NULL;
        if (!ok && err->code == ERR_NONE)
            err_set(err, ERR_FAILED, "cannot read '%s' in revision %s: %s",
                    text_shown(err->arena, w->path), w->rev->short_sha,
                    text_shown(err->arena, repo_git_why()));
        if (!ok)
            return false;
    }
    w->strip = w->len + 1;
    return true;
}

bool walk_revision(struct walk *w, struct export *ret, struct err *err)
{
    const struct revision *rev = w->rev;
    struct layer top = {.repo = w->repo};
    git_tree *subtree = NULL;
    bool ok = false;

    w->in = &top;
    if (!layer_open(w, &top, rev->sha, err) || !enter_subtree(w, &subtree, err))
        goto out;
    struct folder root = {.len = w->len};
    ok = (!ret || pack_open(&w->pack, rev->time > 0 ? rev->time : 0, err)) &&
         walk_tree(w, subtree ? subtree : top.tree, &root, err) &&
         (!ret || pack_finish(w->pack, &ret->tar, &ret->tar_size, err));
out:
    git_tree_free(subtree);
    layer_close(&top);
    w->in = NULL;
    return ok;
}

struct walk *walk_open(struct repo *r, struct arena *a, const struct revision *rev)
{
    struct walk *w = xcalloc(1, sizeof *w);

    w->repo = r;
    w->arena = a;
    w->rev = rev;
    w->shown = arena_printf(&w->scratch, "revision %s", rev->short_sha);
    w->contents.has_modules = r->options.submodules;
    w->contents.has_lfs = r->options.lfs;
    w->digest = digest_open();
    return w;
}

/* The entries, or folders, of the walk in the arena of the result. */
static void *kept(struct arena *a, const void *list, size_t n, size_t size)
{
    return n ? memcpy(arena_array(a, n, size), list, n * size) : NULL;
}

void walk_result(const struct walk *w, struct export *ret)
{
    ret->n = w->n;
    ret->bytes = w->bytes;
    ret->contents = w->contents;
    ret->entry = kept(w->arena, w->entry, w->n, sizeof *w->entry);
    ret->folder = kept(w->arena, w->folder, w->n_folders, sizeof *w->folder);
    ret->n_folders = w->n_folders;
}

void walk_close(struct walk *w)
{
    pack_close(w->pack);
    digest_close(w->digest);
    submodules_close(w);
    arena_free(&w->scratch);
    free(w->entry);
    free(w->folder);
    free(w);
}
