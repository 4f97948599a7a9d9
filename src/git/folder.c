/* folder.c -- packs a folder of this machine like the tree of a revision, for `source`.  Called by the
 * commands through repo_export_folder; walk.c keeps the entries.
 *
 * The folder may change meanwhile, since a build may still be writing it.  Files and folders are
 * examined before and after they are read, and a change is an error, so that a release is never a
 * mixture of two builds. */
#include "git/walk.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct member {
    const char *name;
    mode_t mode;
};

struct source {
    struct walk *walk;
    struct attributes rules; /* recipes are not exported, wherever they come from */
    struct stat recipe;
    bool has_recipe;
};

static bool cannot_read(const struct walk *w, struct err *err)
{
    return err_set(err, ERR_FAILED, "cannot read '%s': %s",
                   *w->path ? text_shown(err->arena, w->path) : ".", strerror(errno));
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Fails if what is open is no longer as it was. */
static bool is_unchanged(const struct walk *w, int fd, const struct stat *before, struct err *err)
{
    struct stat now;

    if (fstat(fd, &now) < 0)
        return cannot_read(w, err);
    return is_same(before, &now) || err_set(err, ERR_FAILED, "'%s' changed while it was read",
                                            *w->path ? text_shown(err->arena, w->path) : ".");
}

/* A pointer in a folder is most likely a file that Git LFS has not filled yet. */
static void note_pointer(struct walk *w, int fd, off_t size)
{
    char bytes[LFS_POINTER_BYTES_MAX];
    struct lfs_pointer p;

    if (size > LFS_POINTER_BYTES_MAX)
        return;
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n > 0 && lfs_kind(bytes, (size_t)n, &p) != LFS_NONE)
        walk_keep_path(w, &w->contents.pointers, &w->contents.n_pointers);
}

static bool add_file(struct source *s, int at, const char *name, struct err *err)
{
    struct walk *w = s->walk;
    int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    bool ok = false;

    if (fd < 0 || fstat(fd, &st) < 0) {
        cannot_read(w, err);
    } else if (!S_ISREG(st.st_mode)) {
        walk_refuse(w, "neither a file, a folder nor a link", err);
    } else if (s->has_recipe && st.st_ino == s->recipe.st_ino && st.st_dev == s->recipe.st_dev) {
        w->contents.n_ignored++;
        ok = true;
    } else {
        struct entry *e = walk_add_entry(w, err);
        if (e) {
            e->kind = st.st_mode & S_IXUSR ? ENTRY_PROGRAM : ENTRY_FILE;
            e->size = (unsigned long long)st.st_size;
            w->contents.files++;
            note_pointer(w, fd, st.st_size);
            ok = walk_pack_file(w, e, fd, err) && is_unchanged(w, fd, &st, err);
        }
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Whether a link that is `depth` folders deep names something outside of the release, or a place of this
 * machine. */
static bool is_outside(const char *target, size_t depth)
{
    if (*target == '/')
        return true;
    for (const char *at = target; *at;) {
        size_t len = strcspn(at, "/");
        if (len == 2 && memcmp(at, "..", 2) == 0) {
            if (!depth--)
                return true;
        } else if (len && !(len == 1 && *at == '.')) {
            depth++;
        }
        at += len + (at[len] == '/');
    }
    return false;
}

static bool add_link(struct source *s, int at, const char *name, struct err *err)
{
    struct walk *w = s->walk;
    char target[PATH_LEN + 1];
    ssize_t len = readlinkat(at, name, target, sizeof target);
    size_t depth = 0;

    if (len < 0)
        return cannot_read(w, err);
    if (!len || len > PATH_LEN)
        return walk_refuse(w, "a symbolic link with an invalid target", err);
    target[len] = '\0';
    for (const char *c = w->path; *c; c++)
        depth += *c == '/';
    if (is_outside(target, depth))
        return walk_refuse(w, "a symbolic link to a place outside of the folder", err);
    struct entry *e = walk_add_entry(w, err);
    if (!e)
        return false;
    e->kind = ENTRY_LINK;
    e->target = arena_strdup(w->arena, target);
    e->size = (unsigned long long)len;
    e->part.at = pack_at(w->pack);
    w->contents.files++;
    bool ok = pack_link(w->pack, e->path, e->target, err);
    e->part.size = pack_at(w->pack) - e->part.at;
    return ok;
}

/* As if the names of folders ended with a slash, so that the paths arrive in strcmp's order. */
static int by_name(const void *a, const void *b)
{
    const struct member *one = a;
    const struct member *two = b;
    const char *x = one->name;
    const char *y = two->name;

    while (*x && *x == *y) {
        x++;
        y++;
    }
    return (*x                   ? (unsigned char)*x
            : S_ISDIR(one->mode) ? '/'
                                 : 0) -
           (*y                   ? (unsigned char)*y
            : S_ISDIR(two->mode) ? '/'
                                 : 0);
}

/* Returns the members of an open folder; the caller frees the list. */
static bool list_members(struct walk *w, int fd, struct member **ret, size_t *ret_n,
                         struct err *err)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct member *list = NULL;
    size_t n = 0;
    size_t room = 0;
    struct stat st;

    if (!dir) {
        cannot_read(w, err);
        if (copy >= 0)
            close(copy);
        return false;
    }
    for (struct dirent *e; (errno = 0, e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, ".git") == 0)
            continue;
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            break;
        if (n == room) {
            room = room ? room * 2 : 64;
            list = xrealloc(list, room * sizeof *list);
        }
        list[n++] = (struct member){arena_strdup(&w->scratch, e->d_name), st.st_mode};
    }
    bool ok = !errno || cannot_read(w, err);
    closedir(dir);
    if (n)
        qsort(list, n, sizeof *list, by_name);
    *ret = list;
    *ret_n = n;
    return ok;
}

static bool add_folder(struct source *s, int fd, struct err *err);

static bool add_member(struct source *s, int at, const struct member *m, struct err *err)
{
    struct walk *w = s->walk;
    bool is_dir = S_ISDIR(m->mode);

    if (attributes_has(&s->rules, w->path, is_dir, EXPORT_IGNORE)) {
        w->contents.n_ignored++;
        return true;
    }
    if (S_ISREG(m->mode))
        return add_file(s, at, m->name, err);
    if (S_ISLNK(m->mode))
        return add_link(s, at, m->name, err);
    if (!is_dir)
        return walk_refuse(w, "neither a file, a folder nor a link", err);
    int fd = openat(at, m->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return cannot_read(w, err);
    bool ok = walk_add_folder(w, w->path, err) && add_folder(s, fd, err);
    close(fd);
    return ok;
}

/* Adds what is in an open folder, the current path. */
static bool add_folder(struct source *s, int fd, struct err *err)
{
    struct walk *w = s->walk;
    const size_t len = w->len;
    struct member *list = NULL;
    struct stat before;
    size_t n = 0;

    if (fstat(fd, &before) < 0)
        return cannot_read(w, err);
    bool ok = list_members(w, fd, &list, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        ok = walk_enter(w, list[i].name, err);
        if (ok && repo_is_stopped(w->repo))
            ok = repo_stopped(err);
        ok = ok && add_member(s, fd, &list[i], err);
        walk_leave(w, len);
    }
    free(list);
    return ok && is_unchanged(w, fd, &before, err);
}

static bool pack_folder(struct source *s, const char *dir, struct export *ret, struct err *err)
{
    struct walk *w = s->walk;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, ERR_FAILED, "cannot read the folder: %s", strerror(errno));
    bool ok = pack_open(&w->pack, w->rev->time > 0 ? w->rev->time : 0, err) &&
              add_folder(s, fd, err) &&
              (w->contents.files || err_set(err, ERR_FAILED, "the folder has no files")) &&
              pack_finish(w->pack, &ret->tar, &ret->tar_size, err);
    close(fd);
    return ok;
}

bool repo_export_folder(struct repo *r, struct arena *a, const struct revision *rev,
                        const char *dir, struct export *ret, struct err *err)
{
    struct source s = {.walk = walk_open(r, a, rev)};
    struct export x = {.tar = -1};
    const char *shown = text_shown(err->arena, dir);

    s.walk->shown = "the folder";
    s.walk->contents.of_folder = true;
    s.has_recipe = r->recipe && stat(r->recipe, &s.recipe) == 0;
    export_usual_rules(&s.rules, "");
    bool ok = pack_folder(&s, dir, &x, err);
    if (ok) {
        walk_result(s.walk, &x);
        x.repo = NULL;
        *ret = x;
    } else if (err->code != ERR_INTERRUPTED) {
        err_in(err, "source '%s'", shown);
    }
    attributes_close(&s.rules);
    walk_close(s.walk);
    return ok;
}
