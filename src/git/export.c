/* export.c -- packs the files of a revision's tree into one tar, with their digests.  The checkout
 * stage calls repo_export, plan and check call repo_look; walk.c goes through the tree. */
#include "git/walk.h"

#include "base/text.h"

#include <unistd.h>

enum { SUBST_BYTES_MAX = 16 * 1024 * 1024 /* added by the placeholders of one file */ };

/* Recognises a Git LFS pointer by its first line, as the LFS specification says.  The attribute
 * filter=lfs is less reliable: it may be set for files that were committed without Git LFS, and may
 * be missing although a file is a pointer. */
static void note_pointer(struct walk *w, const void *bytes, size_t len)
{
    static const char *const begins[] = {"version https://git-lfs.github.com/spec/",
                                         "version https://hawser.github.com/spec/"};

    for (size_t i = 0; len <= POINTER_BYTES_MAX && i < sizeof begins / sizeof *begins; i++)
        if (len > strlen(begins[i]) && memcmp(bytes, begins[i], strlen(begins[i])) == 0)
            walk_keep_path(w, &w->contents.pointers, &w->contents.n_pointers);
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
    ok = pack_link(w->pack, e->path, e->target, err);
out:
    git_odb_object_free(blob);
    return ok;
}

/* Packs the bytes of the blob, apart from export-subst.  The conversions of a checkout (line
 * endings, ident, filters such as LFS) are not applied: what goes live is the commit. */
bool export_file(struct walk *w, const git_oid *id, bool program, struct err *err)
{
    git_odb_object *blob = NULL;
    struct buf filled = {0};
    struct entry *e = walk_add_entry(w, err);
    bool ok = false;

    if (!e || !walk_read_blob(w, id, &blob, err))
        return false;
    const void *bytes = git_odb_object_data(blob);
    size_t len = git_odb_object_size(blob);
    note_pointer(w, bytes, len);
    if (attributes_has(&w->in->rules, walk_in_layer(w), false, EXPORT_SUBST)) {
        filled = buf_make(len + SUBST_BYTES_MAX);
        struct layer *in = w->in;
        if (!in->about.sha)
            in->about = commit_describe(in->repo, &w->scratch, in->commit);
        subst_fill(&filled, bytes, len, &in->about);
        bytes = filled.text;
        len = filled.len;
    }
    if (filled.full) {
        walk_refuse(w, "its export-subst placeholders expand to too much text", err);
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
bool export_look(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    git_object_t type;
    size_t len = 0;

    /* An unreadable file is reported later, when it is packed. */
    if (git_odb_read_header(&len, &type, w->in->odb, id) < 0 || len > POINTER_BYTES_MAX)
        return true;
    if (!walk_read_blob(w, id, &blob, err))
        return false;
    note_pointer(w, git_odb_object_data(blob), git_odb_object_size(blob));
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
