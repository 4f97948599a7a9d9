/* faults.c -- preloaded into crelease: a call of the C library that fails, or the user database
 * empty.
 *
 *     FAULT=read:3:24 LD_PRELOAD=faults.so crelease ...     the third read() fails with errno 24
 *     FAULT_HIT=FILE          is created when the call has failed: without it the program ended
 * before NO_PASSWD=1             no user id has an entry in the user database SLOW_NAMES=SECONDS
 * looking up a host name takes so long */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int fails(const char *name)
{
    static int calls; /* of the one name that is asked for */
    const char *fault = getenv("FAULT");
    size_t len = strlen(name);

    if (!fault || strncmp(fault, name, len) != 0 || fault[len] != ':')
        return 0;
    char *end;
    long nth = strtol(fault + len + 1, &end, 10);
    if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != nth)
        return 0;
    if (getenv("FAULT_HIT"))
        close(creat(getenv("FAULT_HIT"), 0666));
    errno = *end == ':' ? atoi(end + 1) : EMFILE;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(type, name, params, args)                                                             \
    type name params                                                                               \
    {                                                                                              \
        return fails(#name) ? (type)-1 : REAL(name) args;                                          \
    }

CALL(int, pipe, (int fds[2]), (fds))
CALL(int, pipe2, (int fds[2], int flags), (fds, flags))
CALL(int, eventfd, (unsigned n, int flags), (n, flags))
CALL(int, epoll_create1, (int flags), (flags))
CALL(int, epoll_ctl, (int e, int op, int fd, struct epoll_event *ev), (e, op, fd, ev))
CALL(int, socket, (int a, int b, int c), (a, b, c))
CALL(int, socketpair, (int a, int b, int c, int fds[2]), (a, b, c, fds))
CALL(pid_t, fork, (void), ())
CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
CALL(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
CALL(int, sigaction, (int n, const struct sigaction *a, struct sigaction *o), (n, a, o))

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = va_arg(ap, mode_t);
    va_end(ap);
    return fails("open") ? -1 : REAL(open)(path, flags, mode);
}

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
    return fails("pthread_create") ? EAGAIN : REAL(pthread_create)(t, attr, f, arg);
}

void *malloc(size_t n)
{
    static __typeof__(&malloc) real;

    if (!real)
        real = REAL(malloc);
    return fails("malloc") ? NULL : real(n);
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
