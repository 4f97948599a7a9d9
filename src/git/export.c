/* export.c -- packs the files of a revision's tree into one tar, with their digests.  The checkout
 * stage calls repo_export, plan and check call repo_look; walk.c goes through the tree. */
#include "git/walk.h"

#include "base/text.h"

#include <unistd.h>

enum { SUBST_BYTES_MAX = 16 * 1024 * 1024 /* added by the placeholders of one file */ };

/* Whether the content of a Git LFS pointer is exported in its place.  Otherwise notes the pointer. */
static bool is_lfs(struct walk *w, const void *bytes, size_t len, struct lfs_pointer *ret)
{
    enum lfs_kind kind = lfs_kind(bytes, len, ret);

    if (kind == LFS_POINTER && w->repo->options.lfs) {
        w->contents.n_lfs++;
        return true;
    }
    if (kind != LFS_NONE)
        walk_keep_path(w, &w->contents.pointers, &w->contents.n_pointers);
    return false;
}

bool export_link(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    struct entry *e = walk_add_entry(w, err);
    bool ok = false;

    if (!e || !walk_read_blob(w, id, &blob, err))
        return false;
    const char *target = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    if (!len || len > PATH_LEN || memchr(target, '\0', len)) {
        walk_refuse(w, "a symbolic link with an invalid target", err);
        goto out;
    }
    e->kind = ENTRY_LINK;
    e->target = arena_strndup(w->arena, target, len);
    e->size = len;
    e->part.at = pack_at(w->pack);
    ok = pack_link(w->pack, e->path, e->target, err);
    e->part.size = pack_at(w->pack) - e->part.at;
out:
    git_odb_object_free(blob);
    return ok;
}

/* The content of a file as it is sent: the bytes of the blob, apart from export-subst.  The conversions of a
 * checkout (line endings, ident, filters such as LFS) are not applied: what goes live is the commit. */
struct content {
    git_odb_object *blob;
    struct buf filled;
    const void *bytes;
    size_t len;
};

static void content_free(struct content *c)
{
    buf_free(&c->filled);
    git_odb_object_free(c->blob);
}

static bool is_filled(const struct walk *w)
{
    return attributes_has(&w->in->rules, walk_in_layer(w), false, EXPORT_SUBST);
}

/* Also fills the entry; the caller frees the content. */
static bool fill_content(struct walk *w, struct entry *e, struct content *ret, struct err *err)
{
    ret->bytes = git_odb_object_data(ret->blob);
    ret->len = git_odb_object_size(ret->blob);
    if (e->filled) {
        struct layer *in = w->in;
        ret->filled = buf_make(ret->len + SUBST_BYTES_MAX);
        if (!in->about.sha)
            in->about = commit_describe(in->repo, &w->scratch, in->commit);
        subst_fill(&ret->filled, ret->bytes, ret->len, &in->about);
        ret->bytes = ret->filled.text;
        ret->len = ret->filled.len;
    }
    if (ret->filled.full)
        return walk_refuse(w, "its export-subst placeholders expand to too much text", err);
    e->size = ret->len;
    digest_add(w->digest, ret->bytes, ret->len);
    digest_hex(w->digest, e->sha256);
    return true;
}

/* The entry becomes that of the content of a pointer.  Placeholders of export-subst stay in it, so that the
 * pointer tells its digest. */
static void point_entry(struct entry *e, const struct lfs_pointer *p)
{
    memcpy(e->sha256, p->oid, sizeof e->sha256);
    e->size = p->size;
    e->filled = false;
}

static bool pack_object(struct walk *w, struct entry *e, const struct lfs_pointer *p,
                        struct err *err)
{
    int fd = -1;

    point_entry(e, p);
    if (!lfs_open(&w->in->lfs, p, w->path, &fd, err))
        return false;
    bool ok = walk_pack_file(w, e, fd, err);
    close(fd);
    if (ok && strcmp(e->sha256, p->oid) != 0)
        ok = err_set(
            err, ERR_FAILED,
            "the Git LFS object of '%s' is damaged: remove '%s', so that it is fetched again",
            text_shown(err->arena, w->path),
            text_shown(err->arena, lfs_file(err->arena, w->in->repo, p)));
    return ok;
}

static bool pack_content(struct walk *w, struct entry *e, struct content *c, struct err *err)
{
    if (!fill_content(w, e, c, err))
        return false;
    w->bytes += c->len;
    e->part.at = pack_at(w->pack);
    bool ok = pack_file(w->pack, e->path, e->kind == ENTRY_PROGRAM, c->bytes, c->len, err);
    e->part.size = pack_at(w->pack) - e->part.at;
    return ok;
}

static struct entry *add_file(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    struct entry *e = walk_add_entry(w, err);

    if (!e)
        return NULL;
    e->kind = program ? ENTRY_PROGRAM : ENTRY_FILE;
    memcpy(e->blob, id->id, sizeof e->blob);
    e->filled = is_filled(w);
    return e;
}

bool export_file(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    struct content c = {0};
    struct entry *e = add_file(w, id, program, err);
    struct lfs_pointer p;
    bool ok = e && walk_read_blob(w, id, &c.blob, err);

    if (ok)
        ok = is_lfs(w, git_odb_object_data(c.blob), git_odb_object_size(c.blob), &p)
                 ? pack_object(w, e, &p, err)
                 : pack_content(w, e, &c, err);
    content_free(&c);
    return ok;
}

bool export_list(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    struct content c = {0};
    struct entry *e = add_file(w, id, program, err);
    const struct entry *same = e ? export_find(w->like, e->path) : NULL;
    struct lfs_pointer p;

    if (!e)
        return false;
    if (same && !same->filled && !e->filled && same->kind != ENTRY_LINK &&
        memcmp(same->blob, e->blob, sizeof e->blob) == 0) {
        memcpy(e->sha256, same->sha256, sizeof e->sha256);
        return true;
    }
    bool ok = walk_read_blob(w, id, &c.blob, err);
    if (ok && is_lfs(w, git_odb_object_data(c.blob), git_odb_object_size(c.blob), &p))
        point_entry(e, &p);
    else
        ok = ok && fill_content(w, e, &c, err);
    content_free(&c);
    return ok;
}

/* For repo_look: reads the content only of files small enough to be an LFS pointer. */
bool export_look(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    git_object_t type;
    struct lfs_pointer p;
    size_t len = 0;

    /* An unreadable file is reported later, when it is packed. */
    if (git_odb_read_header(&len, &type, w->in->odb, id) < 0 || len > LFS_POINTER_BYTES_MAX)
        return true;
    if (!walk_read_blob(w, id, &blob, err))
        return false;
    is_lfs(w, git_odb_object_data(blob), git_odb_object_size(blob), &p);
    git_odb_object_free(blob);
    return true;
}

bool repo_export(struct repo *r, struct arena *a, const struct revision *rev, struct export *ret,
                 struct err *err)
{
    struct walk *w = walk_open(r, a, rev);
    struct export x = {.tar = -1};
    bool ok = walk_revision(w, &x, err);

    if (ok) {
        walk_result(w, &x);
        x.repo = r;
        *ret = x;
    }
    walk_close(w);
    return ok;
}

bool repo_list(struct repo *r, struct arena *a, const char *sha, const struct export *like,
               struct files *ret, struct err *err)
{
    const struct revision rev = {.sha = sha, .short_sha = arena_printf(a, "%.7s", sha)};
    struct walk *w = walk_open(r, a, &rev);

    w->like = like;
    struct export found = {.tar = -1};
    bool ok = walk_revision(w, NULL, err);
    if (ok) {
        walk_result(w, &found);
        *ret = (struct files){found.entry, found.n};
    }
    walk_close(w);
    return ok;
}

const struct entry *files_find(const struct files *files, const char *path)
{
    size_t low = 0;
    size_t high = files->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(files->v[mid].path, path);
        if (order == 0)
            return &files->v[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct entry *export_find(const struct export *x, const char *path)
{
    return files_find(&(struct files){x->entry, x->n}, path);
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
