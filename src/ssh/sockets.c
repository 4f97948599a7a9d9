/* sockets.c -- makes the folder of the sockets of master connections, and removes those that killed processes
 * left behind (see sockets.h).
 *
 * A process holds a lock on the file `lock` in its folder for as long as it lives.  A folder whose lock is free
 * belongs to nobody. */
#include "ssh/sockets.h"

#include "base/buf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SOCKET_PATH_MAX = 80, /* sun_path has 108 bytes, and ssh appends 17 while it makes the socket */
    TRIES = 5,
};

#define NAME_PREFIX "crelease-"

static struct {
    char *path;
    int lock;
    size_t users;
    unsigned next;
} folder;

/* Removes the sockets from the folder.  ssh names them "0", and "0.XXXXXXXXXXXXXXXX" while it makes one.
 * Anything else is not ours and stays, and so does the folder then. */
static void empty(int dir)
{
    int copy = dup(dir);
    DIR *entries = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *e;
    struct stat st;

    while (entries && (e = readdir(entries)))
        if (isdigit((unsigned char)e->d_name[0]) &&
            fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
            unlinkat(dir, e->d_name, 0);
    if (entries)
        closedir(entries);
    else if (copy >= 0)
        close(copy);
}

/* Removes a folder if its process has ended.  One without a lock is being made, or not ours. */
static void remove_if_stale(int parent, const char *name)
{
    struct stat st;
    int lock = -1;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0)
        return;
    if (fstat(dir, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        lock = openat(dir, "lock", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        empty(dir);
        unlinkat(dir, "lock", 0);
        unlinkat(parent, name, AT_REMOVEDIR);
    }
    if (lock >= 0)
        close(lock);
    close(dir);
}

static void remove_stale(const char *in)
{
    DIR *parent = opendir(in);
    struct dirent *e;

    while (parent && (e = readdir(parent)))
        if (strncmp(e->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0)
            remove_if_stale(dirfd(parent), e->d_name);
    if (parent)
        closedir(parent);
}

/* Locks the folder.  False if another process has removed it meanwhile, because it had no lock yet. */
static bool folder_lock(const char *path, int *ret)
{
    struct arena a = {0};
    struct stat st;
    int fd = open(arena_printf(&a, "%s/lock", path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int failed = errno;
    bool ok = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink;

    arena_free(&a);
    if (!ok && fd >= 0)
        close(fd);
    errno = fd < 0 ? failed : EAGAIN;
    *ret = fd;
    return ok;
}

static bool folder_make(const char *in)
{
    for (int try = 0; try < TRIES; try++) {
        struct buf b = buf_make(SOCKET_PATH_MAX);
        buf_printf(&b, "%s/" NAME_PREFIX "XXXXXX", in);
        if (b.full)
            errno = ENAMETOOLONG;
        bool made = !b.full && mkdtemp(b.text); /* with mode 0700 */
        if (made && folder_lock(b.text, &folder.lock)) {
            folder.path = b.text;
            return true;
        }
        int failed = errno;
        if (made)
            rmdir(b.text);
        buf_free(&b);
        errno = failed;
        if (failed != EAGAIN && failed != ENOENT)
            break;
    }
    return false;
}

const char *sockets_path(struct arena *a)
{
    const char *own = getenv("XDG_RUNTIME_DIR");

    /* ssh would expand the other two in the path. */
    bool usable = own && own[0] == '/' && !strpbrk(own, "%$");
    if (!folder.path) {
        if (usable)
            remove_stale(own);
        remove_stale("/tmp");
        if (!(usable && folder_make(own)) && !folder_make("/tmp"))
            return NULL;
    }
    folder.users++;
    return arena_printf(a, "%s/%u", folder.path, folder.next++);
}

void sockets_leave(const char *path)
{
    struct arena a = {0};

    unlink(path);
    if (--folder.users)
        return;
    unlink(arena_printf(&a, "%s/lock", folder.path));
    rmdir(folder.path);
    close(folder.lock);
    free(folder.path);
    folder.path = NULL;
    arena_free(&a);
}
