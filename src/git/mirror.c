/* mirror.c -- local mirrors of URLs, in the cache folder.  repo.c calls repo_open_mirror; a file
 * lock lets one process at a time fetch into a mirror. */
#include "git/internal.h"

#include "base/text.h"
#include "edge/digest.h"
#include "ssh/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_dirs(struct arena *a, const char *path, struct err *err)
{
    char *p = arena_strdup(a, path);

    for (char *slash = p;;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(p, 0700) < 0 && errno != EEXIST)
            return err_set(err, ERR_FAILED, "cannot create the folder '%s': %s",
                           text_shown(err->arena, p), strerror(errno));
        if (!slash)
            return true;
        *slash = '/';
    }
}

/* Removes a file or a folder with its content.  Never follows symbolic links. */
static void remove_tree(int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_tree(fd, e->d_name);
    closedir(dir);
    unlinkat(at, name, AT_REMOVEDIR);
}

/* Removes what a killed fetch has left.  libgit2 renames a pack only when it is complete. */
static void remove_leftovers(struct arena *a, const char *mirror)
{
    DIR *dir = opendir(arena_printf(a, "%s/objects/pack", mirror));

    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));)
        if (strncmp(e->d_name, "pack_git2_", 10) == 0)
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

/* Locks the mirror for one fetch, because two could remove each other's files.  Returns the
 * descriptor that holds the lock, or -1. */
static int lock_mirror(const struct repo *r, const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        const struct timespec pause = {.tv_nsec = 50000000};
        if (errno != EWOULDBLOCK && errno != EINTR) {
            close(fd);
            fd = -1;
            break;
        }
        if (repo_is_stopped(r)) {
            close(fd);
            repo_stopped(err);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    if (fd < 0)
        err_set(err, ERR_FAILED, "cannot lock '%s': %s", text_shown(err->arena, path),
                strerror(errno));
    return fd;
}

/* Fetches under another name and renames at the end, so that a mirror is always complete. */
static bool clone_mirror(struct repo *r, const char *path, const struct url *url,
                         const struct repo_options *options, struct err *err)
{
    const char *fresh = arena_printf(&r->arena, "%s.new", path);
    git_repository_init_options o;
    git_repository *git = NULL;
    bool ok = false;

    remove_tree(AT_FDCWD, fresh);
    git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
    o.mode = 0700;
    if (git_repository_init_ext(&git, fresh, &o) < 0) {
        err_set(err, ERR_FAILED, "cannot create '%s': %s", text_shown(err->arena, fresh),
                text_shown(err->arena, repo_git_why()));
        goto out;
    }
    ok = repo_fetch(r, git, url, options, err);
out:
    git_repository_free(git);
    if (ok && rename(fresh, path) < 0)
        ok = err_set(err, ERR_FAILED, "cannot create '%s': %s", text_shown(err->arena, path),
                     strerror(errno));
    if (!ok)
        remove_tree(AT_FDCWD, fresh);
    return ok;
}

/* Used if there is no writable home directory, as for a user id without an entry in a container.
 * Everyone can write to the parent folder, so this one must belong to us alone. */
static const char *temporary_cache(struct arena *a, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    const char *dir =
        arena_printf(a, "%s/crelease-%lld", tmp && *tmp == '/' ? tmp : "/tmp", (long long)getuid());
    struct stat st;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        err_set(err, ERR_FAILED, "cannot create the folder '%s': %s", text_shown(a, dir),
                strerror(errno));
    else if (lstat(dir, &st) < 0)
        err_set(err, ERR_FAILED, "cannot use the folder '%s': %s", text_shown(a, dir),
                strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077) != 0)
        err_set(err, ERR_FAILED,
                "cannot use the folder '%s': it is not a folder that only you can write to;"
                " set XDG_CACHE_HOME to another folder",
                text_shown(a, dir));
    else
        return dir;
    return NULL;
}

static const char *cache_dir(struct arena *a, const char *asked, struct err *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    struct err ignored = {.arena = a};
    const char *dir = asked                ? asked
                      : xdg && *xdg == '/' ? arena_printf(a, "%s/crelease", xdg)
                                           : home_expand(a, "~/.cache/crelease");

    if (asked || (xdg && *xdg == '/'))
        return make_dirs(a, dir, err) ? dir : NULL;
    return make_dirs(a, dir, &ignored) && access(dir, W_OK | X_OK) == 0 ? dir
                                                                        : temporary_cache(a, err);
}

/* Two URLs never share a mirror, but a URL with another password does not get a second one. */
static const char *mirror_name(struct arena *a, const struct url *url)
{
    struct digest *d = digest_open();
    char sum[65];

    digest_add(d, url->shown, strlen(url->shown));
    digest_hex(d, sum);
    digest_close(d);
    return arena_printf(a, "%s-%.16s.git", url->name, sum);
}

/* A commit is the same wherever it comes from, so there is no need to ask the server for it again. */
static bool has_wanted(struct repo *r, const char *sha)
{
    git_commit *commit = NULL;
    bool has = sha && repo_commit(r, sha, &commit) == 0;

    git_commit_free(commit);
    return has;
}

bool repo_open_mirror(struct repo *r, const struct url *url, const struct repo_options *options,
                      struct err *err)
{
    const char *dir = cache_dir(&r->arena, options->cache_dir, err);
    const unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE;
    bool ok = false;

    if (!dir)
        return false;
    const char *path = arena_printf(&r->arena, "%s/%s", dir, mirror_name(&r->arena, url));
    int lock = lock_mirror(r, arena_printf(&r->arena, "%s.lock", path), err);
    if (lock < 0)
        return false;
    int rc = repo_open_as(&r->git, path, flags);
    if (rc == 0 && has_wanted(r, options->wanted)) {
        ok = true;
        goto out;
    }
    if (rc == 0) {
        remove_leftovers(&r->arena, path);
        ok = repo_fetch(r, r->git, url, options, err);
        /* Another process has changed the files, so libgit2 has to read them again. */
        git_repository_free(r->git);
        r->git = NULL;
        if (!ok)
            goto out;
        rc = repo_open_as(&r->git, path, flags);
        ok = rc == 0 || repo_open_failed(path, rc, err);
        goto out;
    }
    if (rc == GIT_EOWNER) {
        repo_open_failed(path, rc, err);
        goto out;
    }
    remove_tree(AT_FDCWD, path); /* a mirror that cannot be opened is fetched again */
    if (!clone_mirror(r, path, url, options, err))
        goto out;
    rc = repo_open_as(&r->git, path, flags);
    ok = rc == 0 || repo_open_failed(path, rc, err);
out:
    close(lock);
    return ok;
}
