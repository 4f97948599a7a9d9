/* fork.c -- starts a helper process (fork.h).  git/fetch_child.c and edge/webhook.c use it. */
#include "edge/fork.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The inherited handlers belong to the parent's loop. */
static void settle(pid_t parent)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP};
    static const int usual[] = {SIGQUIT, SIGTSTP, SIGALRM};
    sigset_t none;

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        signal(usual[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

pid_t fork_helper(void)
{
    pid_t self = getpid();
    sigset_t all;
    sigset_t before;

    /* A signal must not find the parent's handlers in the child. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid == 0)
        settle(self);
    else
        sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}
