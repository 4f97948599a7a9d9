/* faults.c -- preloaded into crelease: a call of the C library that fails, or the user database
 * empty.  The programs that it starts are spared, but its own child processes are not.
 *
 *     FAULT=read:3:5 LD_PRELOAD=faults.so crelease ...     the third read() from a file fails with errno 5
 *                             recv and send: also read() and write() of sockets
 *     FAULT_HIT=FILE          is created when the call has failed: without it the program ended before
 *     FAULT_COUNT=FILE        at the end, gets a line "NAME CALLS" for each name
 *     NO_PASSWD=1             no user id has an entry in the user database
 *     SLOW_NAMES=SECONDS      looking up a host name takes so long */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NAMES_MAX = 40, NAME_LEN = 20 };

static struct {
    const char *name;
    long calls;
} counts[NAMES_MAX];
static char fault_name[NAME_LEN];
static long fault_n;
static int fault_errno;
static const char *hit_file;
static const char *count_file;
static pid_t own_pid;

static long *count_of(const char *name)
{
    size_t i = 0;

    while (i < NAMES_MAX - 1 && counts[i].name && counts[i].name != name)
        i++;
    counts[i].name = name;
    return &counts[i].calls;
}

/* The name has to be the same pointer for each call. */
static int fails(const char *name)
{
    if (!*fault_name && !count_file)
        return 0;
    long n = __atomic_add_fetch(count_of(name), 1, __ATOMIC_SEQ_CST);
    if (n != fault_n || strcmp(name, fault_name) != 0)
        return 0;
    if (hit_file)
        close(creat(hit_file, 0666));
    errno = fault_errno;
    return 1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("FAULT");
    const size_t len = fault ? strcspn(fault, ":") : 0;

    own_pid = getpid();
    hit_file = getenv("FAULT_HIT");
    count_file = getenv("FAULT_COUNT");
    unsetenv("FAULT_COUNT");
    if (!len || len >= NAME_LEN)
        return;
    char *end;
    fault_n = strtol(fault + len + 1, &end, 10);
    fault_errno = *end == ':' ? atoi(end + 1) : EMFILE;
    memcpy(fault_name, fault, len);
    unsetenv("FAULT");
}

__attribute__((destructor)) static void end(void)
{
    FILE *f = count_file && getpid() == own_pid ? fopen(count_file, "w") : NULL;

    for (size_t i = 0; f && i < NAMES_MAX && counts[i].name; i++)
        fprintf(f, "%s %ld\n", counts[i].name, counts[i].calls);
    if (f)
        fclose(f);
    count_file = NULL;
}

void _exit(int status)
{
    end();
    ((__typeof__(&_exit))dlsym(RTLD_NEXT, "_exit"))(status);
    __builtin_unreachable();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL_OR(failed, type, name, params, args)                                                  \
    type name params                                                                               \
    {                                                                                              \
        static const char own_name[] = #name;                                                      \
        static __typeof__(&name) real;                                                             \
        if (!real)                                                                                 \
            real = REAL(name);                                                                     \
        return fails(own_name) ? failed : real args;                                               \
    }
#define CALL(type, name, params, args) CALL_OR((type)-1, type, name, params, args)

CALL(int, pipe, (int fds[2]), (fds))
CALL(int, pipe2, (int fds[2], int flags), (fds, flags))
CALL(int, eventfd, (unsigned n, int flags), (n, flags))
CALL(int, epoll_create1, (int flags), (flags))
CALL(int, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev))
CALL(int, socket, (int a, int b, int c), (a, b, c))
CALL(int, socketpair, (int a, int b, int c, int fds[2]), (a, b, c, fds))
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
CALL(pid_t, fork, (void), ())
CALL(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
CALL(int, fsync, (int fd), (fd))
CALL(int, rename, (const char *from, const char *to), (from, to))
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(int, sigaction, (int n, const struct sigaction *a, struct sigaction *o), (n, a, o))
CALL_OR(NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
CALL_OR(NULL, DIR *, opendir, (const char *path), (path))
CALL_OR(NULL, void *, malloc, (size_t n), (n))
CALL_OR(NULL, void *, realloc, (void *p, size_t n), (p, n))

/* By what the descriptor is: a file, or the connection to a process or a host.  Those of pipes never fail: with
 * them, libuv wakes itself up. */
static int fails_at(int fd, const char *of_file, const char *of_socket)
{
    struct stat st;

    if ((!*fault_name && !count_file) || fstat(fd, &st) != 0)
        return 0;
    return S_ISREG(st.st_mode) ? fails(of_file) : S_ISSOCK(st.st_mode) ? fails(of_socket) : 0;
}

static const char read_name[] = "read";
static const char recv_name[] = "recv";
static const char write_name[] = "write";
static const char send_name[] = "send";

#define CALL_AT(type, name, of_file, of_socket, params, args)                                      \
    type name params                                                                               \
    {                                                                                              \
        static __typeof__(&name) real;                                                             \
        if (!real)                                                                                 \
            real = REAL(name);                                                                     \
        return fails_at(fd, of_file, of_socket) ? (type)-1 : real args;                            \
    }
CALL_AT(ssize_t, read, read_name, recv_name, (int fd, void *p, size_t n), (fd, p, n))
CALL_AT(ssize_t, recv, read_name, recv_name, (int fd, void *p, size_t n, int f), (fd, p, n, f))
CALL_AT(ssize_t, write, write_name, send_name, (int fd, const void *p, size_t n), (fd, p, n))
CALL_AT(ssize_t, writev, write_name, send_name, (int fd, const struct iovec *v, int n), (fd, v, n))
CALL_AT(ssize_t, send, write_name, send_name, (int fd, const void *p, size_t n, int f),
        (fd, p, n, f))

/* dlsym needs it itself. */
void *calloc(size_t n, size_t size)
{
    static const char own_name[] = "calloc";
    static __typeof__(&calloc) real;
    static char early[4096];
    static size_t used;
    static int asks;

    if (!real && asks) {
        void *p = early + used;
        used += (n * size + 15) / 16 * 16;
        return used <= sizeof early ? p : NULL;
    }
    asks = 1;
    if (!real)
        real = REAL(calloc);
    return fails(own_name) ? NULL : real(n, size);
}

static const char open_name[] = "open";

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails(open_name) ? -1 : REAL(open)(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails(open_name) ? -1 : REAL(openat)(at, path, flags, mode);
}

/* What becomes of open without a mode. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return fails(open_name) ? -1 : REAL(__open_2)(path, flags);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
    static const char own_name[] = "pthread_create";

    return fails(own_name) ? EAGAIN : REAL(pthread_create)(t, attr, f, arg);
}

struct passwd *getpwuid(uid_t uid)
{
    if (!getenv("NO_PASSWD"))
        return REAL(getpwuid)(uid);
    errno = 0;
    return NULL;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    if (getenv("SLOW_NAMES"))
        sleep((unsigned)atoi(getenv("SLOW_NAMES")));
    return REAL(getaddrinfo)(node, service, hints, ret);
}
