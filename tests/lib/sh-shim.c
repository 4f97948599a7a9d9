/* sh-shim.c -- preloaded by with-sh.sh where no mount namespace can be had: whoever executes /bin/sh
 * gets the program named by WITH_SH_PROGRAM instead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *instead_of(const char *path)
{
    const char *program = getenv("WITH_SH_PROGRAM");

    return program && (strcmp(path, "/bin/sh") == 0 || strcmp(path, "sh") == 0) ? program : path;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    int (*next)(const char *, char *const[], char *const[]);

    *(void **)&next = dlsym(RTLD_NEXT, "execve");
    return next(instead_of(path), argv, envp);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

int execvp(const char *path, char *const argv[])
{
    int (*next)(const char *, char *const[]);

    *(void **)&next = dlsym(RTLD_NEXT, "execvp");
    return next(instead_of(path), argv);
}
