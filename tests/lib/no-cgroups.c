/* no-cgroups.c -- preloaded into a systemd --user that the tests start anywhere.
 *
 * It would not run where its control group may not have children, where it may it would leave some
 * behind and move others' processes, and it wants the machine to have been booted with systemd.  So
 * the control groups that it sees are folders of NO_CGROUPS, with nothing in them; and what says
 * whether systemd has booted the machine is there.  All the rest of it is as it is.
 *
 * Since version 255 it starts services through a program that it opens where it would be installed;
 * SYSTEMD_EXECUTOR says where that is.
 *
 *     NO_CGROUPS/of-processes              for /proc/PID/cgroup: "0::/rig"
 *     NO_CGROUPS/rig/cgroup.controllers    empty */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NEXT(name) (*(void **)&next = dlsym(RTLD_NEXT, #name))

static const char *moved(const char *path)
{
    static char to[PATH_MAX];
    const char *dir = getenv("NO_CGROUPS");
    const char *rest;
    size_t len = strlen(path);
    const char *executor = getenv("SYSTEMD_EXECUTOR");

    if (executor && strcmp(path, "/usr/lib/systemd/systemd-executor") == 0)
        return executor;
    if (strncmp(path, "/sys/fs/cgroup", 14) == 0)
        rest = path + 14;
    else if (strncmp(path, "/proc/", 6) == 0 && len > 7 && strcmp(path + len - 7, "/cgroup") == 0)
        rest = "/of-processes";
    else if (strncmp(path, "/run/systemd/system/", 20) == 0)
        rest = "";
    else
        return path;
    if (!dir || snprintf(to, sizeof to, "%s%s", dir, rest) >= (int)sizeof to)
        abort(); /* rather than touch the machine's own */
    return to;
}

int statfs64(const char *path, struct statfs64 *ret)
{
    int (*next)(const char *, struct statfs64 *);
    const char *to = moved(path);

    NEXT(statfs64);
    int status = next(to, ret);
    if (to != path)
        ret->f_type = CGROUP2_SUPER_MAGIC;
    return status;
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    int (*next)(int, const char *, mode_t);

    NEXT(mkdirat);
    return next(dir, moved(path), mode);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int rmdir(const char *path)
{
    int (*next)(const char *);

    NEXT(rmdir);
    return next(moved(path));
}

static int open_moved(int dir, const char *path, int flags, mode_t mode)
{
    int (*next)(int, const char *, int, ...);
    const char *to = moved(path);

    NEXT(openat64);
    /* Processes are put into groups, and limits set, by writing. */
    return next(dir, to != path && (flags & O_ACCMODE) != O_RDONLY ? "/dev/null" : to, flags, mode);
}

static mode_t mode_in(int flags, va_list ap)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

int openat64(int dir, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_in(flags, ap);
    va_end(ap);
    return open_moved(dir, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_in(flags, ap);
    va_end(ap);
    return open_moved(AT_FDCWD, path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    FILE *(*next)(const char *, const char *);

    NEXT(fopen64);
    return next(moved(path), mode);
}

int fstatat64(int dir, const char *path, struct stat64 *ret, int flags)
{
    int (*next)(int, const char *, struct stat64 *, int);

    NEXT(fstatat64);
    return next(dir, moved(path), ret, flags);
}

int stat64(const char *path, struct stat64 *ret)
{
    return fstatat64(AT_FDCWD, path, ret, 0);
}

int lstat64(const char *path, struct stat64 *ret)
{
    return fstatat64(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
    int (*next)(int, const char *, int, int);

    NEXT(faccessat);
    return next(dir, moved(path), mode, flags);
}

int access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, 0);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    int (*next)(int, const char *, uint32_t);

    NEXT(inotify_add_watch);
    return next(fd, moved(path), mask);
}

/* Of glibc 2.39: newer ones begin a process in its group; as where that cannot be, they move it there. */
int pidfd_spawn(void);
int pidfd_spawn(void)
{
    return ENOSYS;
}
