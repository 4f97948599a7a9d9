/* die.c -- ends the process with a message and status 1.  Called when memory or descriptors run out
 * and there is no caller to report to, and from the SIGABRT handler.  Everything here is therefore
 * async-signal-safe, except that die() and die_errno() also flush standard output. */
#include "base/die.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { STATUS = 1 };

static void (*restore_terminal)(void);

static void put(const char *s)
{
    ssize_t n = write(STDERR_FILENO, s, strlen(s));

    (void)n; /* standard error is the last resort; there is nowhere else to report a failure */
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

/* errno still holds the error of the system call that made the library abort.  A failed assertion
 * has already printed its own line and leaves errno unchanged. */
static void on_abort(int number)
{
    (void)number;
    end("a library aborted after a failed system call", errno ? strerror(errno) : "unknown");
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
