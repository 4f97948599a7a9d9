/* repo_export.c -- a revision as it travels: the files of its tree as one tar, with their digests.
 */
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
    NAME_LEN = 255, /* of one path component, as on every file system in use */
    PATH_LEN = 4000,
    FILES_MAX = 2000000, /* a tree of a few bytes can describe more files than any disk holds */
    ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024,
    SUBST_BYTES_MAX = 16 * 1024 * 1024, /* what the placeholders of one file may add */
    POINTER_BYTES_MAX = 1023,           /* a pointer of Git LFS has less than 1,024 */
    NOTED_MAX = 3,                      /* names kept of what is counted */
};

/* ---- what export-subst needs to know ---- */

static struct subst_person person(struct arena *a, const git_signature *s)
{
    return (struct subst_person){arena_strdup(a, s->name), arena_strdup(a, s->email), s->when.time,
                                 s->when.offset};
}

static bool ref_points_at(struct repo *r, const char *name, const git_oid *id)
{
    git_reference *ref = NULL;
    git_object *object = NULL;
    bool found = git_reference_lookup(&ref, r->git, name) == 0 &&
                 git_reference_peel(&object, ref, GIT_OBJECT_COMMIT) == 0 &&
                 git_oid_equal(git_object_id(object), id);

    git_object_free(object);
    git_reference_free(ref);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "HEAD -> main, tag: v1, origin/main": in git's order, the last name first. */
static const char *decoration(struct repo *r, struct arena *a, const git_oid *id)
{
    static const char *const prefixes[][2] = {
        {"refs/heads/", ""}, {"refs/tags/", "tag: "}, {"refs/remotes/", ""}};
    git_reference *head = NULL;
    git_strarray all = {0};
    const char *current = "";
    const char *text = "";

    if (ref_points_at(r, "HEAD", id)) {
        text = "HEAD";
        if (git_repository_head_detached(r->git) == 0 && git_repository_head(&head, r->git) == 0) {
            current = arena_strdup(a, git_reference_name(head));
            text = arena_printf(a, "HEAD -> %s", git_reference_shorthand(head));
        }
    }
    if (git_reference_list(&all, r->git) < 0)
        all.count = 0;
    qsort(all.strings, all.count, sizeof *all.strings, compare_names);
    for (size_t i = all.count; i-- > 0;) {
        const char *name = all.strings[i];
        const char *kind = "";
        if (strcmp(name, current) == 0 || !ref_points_at(r, name, id))
            continue;
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (strncmp(name, prefixes[k][0], strlen(prefixes[k][0])) == 0) {
                name += strlen(prefixes[k][0]);
                kind = prefixes[k][1];
                break;
            }
        text = arena_printf(a, "%s%s%s%s", text, *text ? ", " : "", kind, name);
    }
    git_strarray_dispose(&all);
    git_reference_free(head);
    return text;
}

static struct subst_commit describe(struct repo *r, struct arena *a, const git_commit *commit)
{
    const char *message = git_commit_message(commit);
    struct subst_commit c = {
        .sha = arena_strdup(a, git_oid_tostr_s(git_commit_id(commit))),
        .tree = arena_strdup(a, git_oid_tostr_s(git_commit_tree_id(commit))),
        .author = person(a, git_commit_author(commit)),
        .committer = person(a, git_commit_committer(commit)),
        .message = arena_strdup(a, message ? message : ""),
        .refs = decoration(r, a, git_commit_id(commit)),
    };

    for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
        strs_add(a, &c.parents, arena_strdup(a, git_oid_tostr_s(git_commit_parent_id(commit, i))));
    return c;
}

/* ---- the tree as it travels ---- */

/* A folder under way.  It is written when there is a file in it, or in one below that is not
 * ignored as a whole; as with git archive that file may itself be ignored. */
struct folder {
    struct folder *up;
    size_t len; /* of its path */
    bool written;
};

struct walk {
    struct repo *repo;
    struct arena *arena; /* of the result */
    struct arena scratch;
    const struct revision *rev;
    const git_commit *commit;
    git_odb *odb;
    struct attributes rules;
    struct subst_commit about; /* sha is NULL until a file needs it */
    struct pack *pack; /* NULL: nothing is written, and of the files only the sizes are read */
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
    return err_set(err, ERR_FAILED, "revision %s holds a path that cannot be deployed: '%s' (%s)",
                   w->rev->short_sha, text_shown(err->arena, w->path), why);
}

/* Adds the name to the path; only what every later step can rely on. */
static bool enter(struct walk *w, const char *name, struct err *err)
{
    size_t len = strlen(name);
    size_t slash = w->len > 0;
    const char *why = NULL;

    if (!len || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/'))
        why = "not the name of a file";
    else if (strcasecmp(name, ".git") == 0)
        why = "reserved for Git";
    else if (len > NAME_LEN || w->len + slash + len > PATH_LEN)
        why = "too long";
    /* What does not fit is only shown, as far as it fits. */
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

/* By its first line, as the specification of Git LFS says.
 * The attribute filter=lfs says less: it stays when a file is committed without Git LFS, and goes
 * when somebody loses the .gitattributes. */
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

/* libgit2's own check of what it reads looks for forged collisions as well and takes half as long
 * again as all the rest; for a blob that was checked so when it was fetched, libcrypto's SHA-1
 * finds what a disk has done to it.  Trees and commits keep libgit2's. */
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
            git_error_set_str(GIT_ERROR_ODB, "the object is damaged, or no file");
            rc = GIT_EMISMATCH;
        }
    }
    return rc;
}

static bool read_blob(struct walk *w, const git_oid *id, git_odb_object **ret, struct err *err)
{
    int rc = read_object(w, id, ret);

    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_FAILED,
                       "the content of '%s' (%.12s) is not in repository '%s': a partial clone?"
                       " fetch it whole",
                       text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown);
    return rc == 0 || err_set(err, ERR_FAILED,
                              "cannot read the content of '%s' (%.12s) in repository '%s': %s",
                              text_shown(err->arena, w->path), git_oid_tostr_s(id), w->repo->shown,
                              text_shown(err->arena, repo_git_why()));
}

/* Where the path is, or would be, among the entries so far; they are sorted. */
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
        refuse_path(w, "the tree is not in order", err);
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
        refuse_path(w, "a link that leads nowhere", err);
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

/* The bytes are those of the blob, but for export-subst.  Conversions that git would make on
 * checkout (line ends, ident, filters such as LFS) are not made: what goes live is the commit. */
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
            w->about = describe(w->repo, &w->scratch, w->commit);
        subst_fill(&filled, bytes, len, &w->about);
        bytes = filled.text;
        len = filled.len;
    }
    if (filled.full) {
        refuse_path(w, "its export-subst placeholders become too long", err);
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

/* Without the content, which only a small file needs to be looked into. */
static bool look_at_file(struct walk *w, const git_oid *id, struct err *err)
{
    git_odb_object *blob = NULL;
    git_object_t type;
    size_t len = 0;

    /* What cannot be read is an error when the file is. */
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
        return refuse_path(w, "a file and a folder", err);
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
    return refuse_path(w, "neither a file nor a folder nor a link", err);
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

/* Trees are sorted as if the names of folders ended with a slash, which makes the paths of all
 * files come in strcmp's order.  add_entry relies on nothing and checks that. */
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
            ok = refuse_path(w, "twice in one folder", err);
        if (ok && repo_is_stopped(w->repo))
            ok = repo_stopped(err);
        ok = ok && add_member(w, e, folder, err);
        leave(w, len);
        before = name;
    }
    attributes_drop(&w->rules, mark);
    return ok;
}

/* $GIT_DIR/info/attributes, which wins over every .gitattributes.  What a person or a machine has
 * configured for itself (core.attributesFile, /etc/gitattributes) is left out on purpose: two
 * machines would make different releases of the same commit.  Neither the work tree nor the index
 * is looked at: a .gitattributes counts as it is in the commit. */
static bool read_info(struct walk *w, struct err *err)
{
    const char *path =
        arena_printf(&w->scratch, "%s/info/attributes", git_repository_commondir(w->repo->git));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    bool ok = true;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ||
               err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                       strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ATTRIBUTES_BYTES_MAX) {
        ok = err_set(err, ERR_FAILED, "'%s' is no file of at most %d bytes",
                     text_shown(err->arena, path), ATTRIBUTES_BYTES_MAX);
    } else {
        char *text = arena_alloc(&w->scratch, (size_t)st.st_size + 1);
        ssize_t len = read(fd, text, (size_t)st.st_size);
        if (len < 0)
            ok = err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                         strerror(errno));
        else
            attributes_read(&w->rules, text, (size_t)len, "", ATTRIBUTES_OVER_ALL);
    }
    close(fd);
    return ok;
}

/* From the root of the work tree that it is in; NULL when that is not the repository's. */
static const char *recipe_in_tree(struct walk *w)
{
    struct arena *a = &w->scratch;
    char *real = w->repo->recipe ? realpath(w->repo->recipe, NULL) : NULL;
    const char *full = real ? arena_strdup(a, real) : NULL;
    const char *tree = w->repo->is_mirror ? NULL : git_repository_workdir(w->repo->git);

    free(real);
    if (!full)
        return NULL;
    if (tree)
        return strncmp(full, tree, strlen(tree)) == 0 ? full + strlen(tree) : NULL;
    /* A bare one, or a mirror of a URL: the recipe is in somebody's clone of it. */
    for (size_t len = strlen(full); len > 0; len--)
        if (full[len - 1] == '/' && access(arena_printf(a, "%.*s.git", (int)len, full), F_OK) == 0)
            return full + len;
    return NULL;
}

/* Hosts, logins and paths of keys, which nobody wants in the folder of a web server.  The lowest of
 * all rules: what the repository's own say goes over them. */
static void leave_recipe_out(struct walk *w)
{
    static const char usual[] = "/crelease.y*ml export-ignore\n"
                                "/.crelease.y*ml export-ignore\n"
                                "/crelease[.-]*.y*ml export-ignore\n"
                                "/config/crelease.y*ml export-ignore\n"
                                "/config/.crelease.y*ml export-ignore\n"
                                "/config/crelease[.-]*.y*ml export-ignore\n";
    const char *path = recipe_in_tree(w);
    struct buf b = buf_make(sizeof usual + 10 * PATH_LEN);

    buf_puts(&b, usual);
    if (path) {
        /* A pattern, in the quotes of C. */
        buf_puts(&b, "\"/");
        for (; *path; path++) {
            if (strchr("*?[\\", *path))
                buf_puts(&b, "\\\\");
            if (strchr("\"\\", *path))
                buf_puts(&b, "\\");
            buf_add(&b, path, 1);
        }
        buf_puts(&b, "\" export-ignore\n");
    }
    attributes_read(&w->rules, b.text, b.len, "", ATTRIBUTES_OF_FOLDER);
    buf_free(&b);
}

/* ret NULL: only w->contents is wanted. */
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
    leave_recipe_out(w);
    if (!read_info(w, err) || (ret && !pack_open(&w->pack, rev->time > 0 ? rev->time : 0, err)) ||
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
