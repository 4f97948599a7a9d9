/* export.c -- packs the files of a revision's tree into one tar, with their digests.  The checkout
 * stage calls repo_export, plan and check call repo_look.  The repository may be hostile, so every
 * path is checked before it is used. */
#include "git/internal.h"

#include "base/limits.h"
#include "base/text.h"
#include "git/attributes.h"
#include "edge/digest.h"
#include "git/pack.h"
#include "git/subst.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_LEN = 255, /* of one path component, the limit of common file systems */
    PATH_LEN = 4000,
    FILES_MAX = 2000000, /* a small repository can describe far more files than fit on a disk */
    ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024,
    SUBST_BYTES_MAX = 16 * 1024 * 1024, /* added by the placeholders of one file */
    POINTER_BYTES_MAX = 1023,           /* a Git LFS pointer is shorter than 1,024 bytes */
    NOTED_MAX = 3,                      /* examples kept for each count */
};

/* A folder that is being walked.  As with git archive, it is written once a member is found that is
 * not a folder, even if that member is ignored. */
struct folder {
    struct folder *up;
    size_t len; /* length of its path */
    bool written;
};

struct walk {
    struct repo *repo;
    struct arena *arena; /* for the result */
    struct arena scratch;
    const struct revision *rev;
    const git_commit *commit;
    git_odb *odb;
    struct attributes rules;
    struct subst_commit about; /* sha is NULL until a file needs export-subst */
    struct pack *pack;         /* NULL: only counts; nothing is packed */
    struct digest *digest;
    struct contents contents;
    struct entry *entry;
    size_t n;
    size_t room;
    unsigned long long bytes;
    char path[PATH_LEN + 1];
    size_t len;
};

static bool refuse_path(struct walk *w, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED,
                   "revision %s contains a path that cannot be deployed: '%s' (%s)",
                   w->rev->short_sha, text_shown(err->arena, w->path), why);
}

/* Appends a name to the path, if later steps can handle it. */
static bool enter(struct walk *w, const char *name, struct err *err)
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
    return !why || refuse_path(w, why, err);
}

static void leave(struct walk *w, size_t len)
{
    w->len = len;
    w->path[len] = '\0';
}

static void keep_path(struct walk *w, struct strs *list, size_t *count)
{
    if (list->n < NOTED_MAX)
        strs_add(w->arena, list, arena_strndup(w->arena, w->path, w->len));
    ++*count;
}

/* Recognises a Git LFS pointer by its first line, as the LFS specification says.  The attribute
 * filter=lfs is less reliable: it may be set for files that were committed without Git LFS, and may
 * be missing although a file is a pointer. */
static void note_pointer(struct walk *w, const void *bytes, size_t len)
{
    static const char *const begins[] = {"version https://git-lfs.github.com/spec/",
                                         "version https://hawser.github.com/spec/"};

    for (size_t i = 0; len <= POINTER_BYTES_MAX && i < sizeof begins / sizeof *begins; i++)
        if (len > strlen(begins[i]) && memcmp(bytes, begins[i], strlen(begins[i])) == 0)
            keep_path(w, &w->contents.pointers, &w->contents.n_pointers);
}

static bool write_folders(struct walk *w, struct folder *f, struct err *err)
{
    if (!f->up || f->written || !w->pack)
        return true;
    if (!write_folders(w, f->up, err))
        return false;
    char next = w->path[f->len];
    w->path[f->len] = '\0';
    f->written = pack_dir(w->pack, w->path, err);
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
    int rc = git_odb_read(ret, w->odb, id);
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

static bool read_blob(struct walk *w, const git_oid *id, git_odb_object **ret, struct err *err)
{
    int rc = read_object(w, id, ret);

    if (rc == GIT_ENOTFOUND)
        return err_set(
            err, ERR_FAILED,
            "the content of '%s' (%.12s) is not in repository '%s': is this a partial clone?"
            " fetch the whole repository",
            text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown);
    return rc == 0 || err_set(err, ERR_FAILED,
                              "cannot read the content of '%s' (%.12s) in repository '%s': %s",
                              text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown,
                              text_shown(err->arena, repo_git_why()));
}

/* Whether the current path is among the entries so far, which are sorted. */
static bool is_entry(const struct walk *w)
{
    size_t low = 0;
    size_t high = w->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(w->entry[mid].path, w->path);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static struct entry *add_entry(struct walk *w, struct err *err)
{
    if (w->n && strcmp(w->entry[w->n - 1].path, w->path) >= 0) {
        refuse_path(w, "the tree is not sorted", err);
        return NULL;
    }
    if (w->n == FILES_MAX) {
        err_set(err, ERR_FAILED, "revision %s has more than %d files", w->rev->short_sha,
                FILES_MAX);
        return NULL;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 1024;
        w->entry = xrealloc(w->entry, w->room * sizeof *w->entry);
    }
    w->entry[w->n] = (struct entry){.path = arena_strndup(w->arena, w->path, w->len)};
    return &w->entry[w->n++];
}

static bool add_link(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    struct entry *e = add_entry(w, err);
    bool ok = false;

    if (!e || !read_blob(w, id, &blob, err))
        return false;
    const char *target = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    if (!len || len > PATH_LEN || memchr(target, '\0', len)) {
        refuse_path(w, "a symbolic link with an invalid target", err);
        goto out;
    }
    e->kind = ENTRY_LINK;
    e->target = arena_strndup(w->arena, target, len);
    e->size = len;
    ok = pack_link(w->pack, e->path, e->target, err);
out:
    git_odb_object_free(blob);
    return ok;
}

/* Packs the bytes of the blob, apart from export-subst.  The conversions of a checkout (line
 * endings, ident, filters such as LFS) are not applied: what goes live is the commit. */
static bool add_file(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    git_odb_object *blob = NULL;
    struct buf filled = {0};
    struct entry *e = add_entry(w, err);
    bool ok = false;

    if (!e || !read_blob(w, id, &blob, err))
        return false;
    const void *bytes = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    note_pointer(w, bytes, len);
    if (attributes_has(&w->rules, w->path, false, EXPORT_SUBST)) {
        filled = buf_make(len + SUBST_BYTES_MAX);
        if (!w->about.sha)
            w->about = commit_describe(w->repo, &w->scratch, w->commit);
        subst_fill(&filled, bytes, len, &w->about);
        bytes = filled.text;
        len = filled.len;
    }
    if (filled.full) {
        refuse_path(w, "its export-subst placeholders expand to too much text", err);
        goto out;
    }
    e->kind = program ? ENTRY_PROGRAM : ENTRY_FILE;
    e->size = len;
    digest_add(w->digest, bytes, len);
    digest_hex(w->digest, e->sha256);
    w->bytes += len;
    ok = pack_file(w->pack, e->path, program, bytes, len, err);
out:
    buf_free(&filled);
    git_odb_object_free(blob);
    return ok;
}

/* For repo_look: reads the content only of files small enough to be an LFS pointer. */
static bool look_at_file(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    git_object_t type;
    size_t len = 0;

    /* An unreadable file is reported later, when it is packed. */
    if (git_odb_read_header(&len, &type, w->odb, id) < 0 || len > POINTER_BYTES_MAX)
        return true;
    if (!read_blob(w, id, &blob, err))
        return false;
    note_pointer(w, git_odb_object_data(blob), git_odb_object_size(blob));
    git_odb_object_free(blob);
    return true;
}

static bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder, struct err *err);

static bool add_folder(struct walk *w, const git_oid *id, struct folder *up, struct err *err)
{
    struct folder folder = {.up = up, .len = w->len};
    git_tree *tree = NULL;

    if (git_tree_lookup(&tree, w->repo->git, id) < 0)
        return err_set(err, ERR_FAILED, "cannot read the folder '%s' in repository '%s': %s",
                       text_shown(err->arena, w->path), w->repo->shown,
                       text_shown(err->arena, repo_git_why()));
    bool ok = walk_tree(w, tree, &folder, err);
    git_tree_free(tree);
    return ok;
}

static bool add_member(struct walk *w, const git_tree_entry *e, struct folder *up, struct err *err)
{
    const git_oid *id = git_tree_entry_id(e);
    git_filemode_t mode = git_tree_entry_filemode(e);
    bool is_dir = mode == GIT_FILEMODE_TREE || mode == GIT_FILEMODE_COMMIT;

    if (mode != GIT_FILEMODE_TREE && !write_folders(w, up, err))
        return false;
    if (attributes_has(&w->rules, w->path, is_dir, EXPORT_IGNORE)) {
        w->contents.n_ignored++;
        return true;
    }
    if (is_dir && is_entry(w))
        return refuse_path(w, "both a file and a folder", err);
    w->contents.files += !is_dir;
    switch (mode) {
    case GIT_FILEMODE_TREE:
        return add_folder(w, id, up, err);
    case GIT_FILEMODE_COMMIT:
        keep_path(w, &w->contents.submodules, &w->contents.n_submodules);
        return !w->pack || pack_dir(w->pack, w->path, err);
    case GIT_FILEMODE_LINK:
        return !w->pack || add_link(w, id, err);
    case GIT_FILEMODE_BLOB:
    case GIT_FILEMODE_BLOB_EXECUTABLE:
        if (!w->pack)
            return look_at_file(w, id, err);
        return add_file(w, id, mode != GIT_FILEMODE_BLOB, err);
    case GIT_FILEMODE_UNREADABLE:
        break;
    }
    return refuse_path(w, "neither a file, a folder nor a link", err);
}

static bool read_rules(struct walk *w, const git_tree *tree, struct err *err)
{
    const git_tree_entry *e = git_tree_entry_byname(tree, ".gitattributes");
    git_odb_object *blob = NULL;

    if (!e || (git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB &&
               git_tree_entry_filemode(e) != GIT_FILEMODE_BLOB_EXECUTABLE))
        return true;
    if (!read_blob(w, git_tree_entry_id(e), &blob, err))
        return false;
    bool ok = git_odb_object_size(blob) <= ATTRIBUTES_BYTES_MAX ||
              err_set(err, ERR_FAILED, "revision %s: a .gitattributes has more than %d bytes",
                      w->rev->short_sha, ATTRIBUTES_BYTES_MAX);
    if (ok)
        attributes_read(&w->rules, git_odb_object_data(blob), git_odb_object_size(blob), w->path,
                        ATTRIBUTES_OF_FOLDER);
    git_odb_object_free(blob);
    return ok;
}

/* Git sorts a tree as if the names of folders ended with a slash, so the paths of all files arrive
 * in strcmp's order.  add_entry verifies that. */
static bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder, struct err *err)
{
    const size_t len = w->len;
    const size_t mark = attributes_mark(&w->rules);
    const char *before = "";
    bool ok = read_rules(w, tree, err);

    for (size_t i = 0; ok && i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *e = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(e);
        ok = enter(w, name, err);
        if (ok && strcmp(before, name) == 0)
            ok = refuse_path(w, "twice in the same folder", err);
        if (ok && repo_is_stopped(w->repo))
            ok = repo_stopped(err);
        ok = ok && add_member(w, e, folder, err);
        leave(w, len);
        before = name;
    }
    attributes_drop(&w->rules, mark);
    return ok;
}

/* With ret NULL, only fills w->contents. */
static bool walk_revision(struct walk *w, struct export *ret, struct err *err)
{
    const struct revision *rev = w->rev;
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    struct folder root = {0};
    bool ok = false;

    if (!repo_tree(w->repo, rev->sha, &commit, &tree, err))
        goto out;
    w->commit = commit;
    if (git_repository_odb(&w->odb, w->repo->git) < 0) {
        err_set(err, ERR_FAILED, "cannot read repository '%s': %s", w->repo->shown,
                text_shown(err->arena, repo_git_why()));
        goto out;
    }
    if (!export_rules(w->repo, &w->scratch, &w->rules, err) ||
        (ret && !pack_open(&w->pack, rev->time > 0 ? rev->time : 0, err)) ||
        !walk_tree(w, tree, &root, err) ||
        (ret && !pack_finish(w->pack, &ret->tar, &ret->tar_size, err)))
        goto out;
    ok = true;
out:
    git_tree_free(tree);
    git_commit_free(commit);
    return ok;
}

static struct walk *walk_open(struct repo *r, struct arena *a, const struct revision *rev)
{
    struct walk *w = xcalloc(1, sizeof *w);

    w->repo = r;
    w->arena = a;
    w->rev = rev;
    w->digest = digest_open();
    return w;
}

static void walk_close(struct walk *w)
{
    pack_close(w->pack);
    digest_close(w->digest);
    attributes_close(&w->rules);
    git_odb_free(w->odb);
    arena_free(&w->scratch);
    free(w->entry);
    free(w);
}

bool repo_export(struct repo *r, struct arena *a, const struct revision *rev, struct export *ret,
                 struct err *err)
{
    struct walk *w = walk_open(r, a, rev);
    struct export x = {.tar = -1};
    bool ok = walk_revision(w, &x, err);

    if (ok) {
        x.n = w->n;
        x.bytes = w->bytes;
        x.contents = w->contents;
        if (w->n)
            x.entry =
                memcpy(arena_array(a, w->n, sizeof *x.entry), w->entry, w->n * sizeof *x.entry);
        *ret = x;
    }
    walk_close(w);
    return ok;
}

bool repo_look(struct repo *r, struct arena *a, const struct revision *rev, struct contents *ret,
               struct err *err)
{
    struct walk *w = walk_open(r, a, rev);
    bool ok = walk_revision(w, NULL, err);

    if (ok)
        *ret = w->contents;
    walk_close(w);
    return ok;
}

void export_close(struct export *x)
{
    if (x->tar >= 0)
        close(x->tar);
    x->tar = -1;
}
