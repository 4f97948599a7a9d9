/* eaccess.c -- preloaded into PostgreSQL when root runs the tests and the server was unpacked beside.
 *
 * It then runs as nobody, with the capability to reach its files wherever the clone lies.  access(2)
 * is the one call that looks at the real user and not at capabilities. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

int access(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}
