/* die.c -- ends the process with a message and status 1.  Called by whoever runs out of memory or
 * of descriptors with nobody to report to, and by the handler of SIGABRT, so everything here has to
 * be safe in a signal handler; die and die_errno alone flush standard output. */
#include "base/die.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { STATUS = 1 };

static void (*restore_terminal)(void);

static void put(const char *s)
{
    ssize_t n = write(STDERR_FILENO, s, strlen(s));

    (void)n; /* there is nobody else to tell */
}

static _Noreturn void end(const char *message, const char *why)
{
    if (restore_terminal)
        restore_terminal();
    put("crelease: ");
    put(message);
    if (why) {
        put(": ");
        put(why);
    }
    put("\n");
    _exit(STATUS);
}

_Noreturn void die(const char *message)
{
    fflush(stdout);
    end(message, NULL);
}

_Noreturn void die_errno(const char *message, int error)
{
    fflush(stdout);
    end(message, strerror(error));
}

/* errno is what the call set that the library could not do without.  An assertion has printed its
 * own line before, and left errno alone. */
static void on_abort(int number)
{
    (void)number;
    end("cannot go on: a library gave up after a failed system call",
        errno ? strerror(errno) : "unknown");
}

void die_on_abort(void)
{
    struct sigaction action = {.sa_handler = on_abort};

    sigemptyset(&action.sa_mask);
    sigaction(SIGABRT, &action, NULL);
}

void die_first(void (*restore)(void))
{
    restore_terminal = restore;
}
