/* at -- runs a program and stops it exactly at a point.
 *
 *     at [-w|-s] N [--do COMMAND] [--count FILE] -- PROGRAM ARGS...
 *
 * A point is, with -w, the entry of a system call that writes to standard output (of a program
 * that prints one event a line, every step boundary), with -s of any system call.  At the Nth one
 * the program is killed, so that this call is not made; with --do it is held still while
 * COMMAND is run by /bin/sh, and then goes on.  With N = 0 points are only counted.  FILE gets
 * three numbers: the points of kind -w, those of kind -s, and which of these was the first of kind
 * -w.
 *
 * Only the program is traced, not its children.  It dies with this one.  The exit status is the
 * program's, 128 and the signal when one ended it, 125 when it could not be traced. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 125 };

struct points {
    long writes;
    long calls;
    long first_write;
};

struct wanted {
    bool writes;
    long n;
    const char *command;
    const char *count_file;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "at: %s: %s\n", what, strerror(errno));
    exit(CANNOT);
}

static _Noreturn void usage(void)
{
    fputs("usage: at [-w|-s] N [--do COMMAND] [--count FILE] -- PROGRAM ARGS...\n", stderr);
    exit(CANNOT);
}

static bool is_write_to_stdout(const struct __ptrace_syscall_info *info)
{
    switch (info->entry.nr) {
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_sendto:
    case SYS_sendmsg:
        return info->entry.args[0] == STDOUT_FILENO;
    default:
        return false;
    }
}

static _Noreturn void begin(char **argv)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        die("cannot be traced");
    raise(SIGSTOP); /* until the options are set */
    execvp(argv[0], argv);
    die(argv[0]);
}

static void count_write(const struct wanted *want, const struct points *seen)
{
    FILE *f = want->count_file ? fopen(want->count_file, "w") : NULL;

    if (want->count_file &&
        (!f || fprintf(f, "%ld %ld %ld\n", seen->writes, seen->calls, seen->first_write) < 0 ||
         fclose(f) != 0))
        die(want->count_file);
}

static void run_beside(const char *command)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* At a stop of a system call. */
static void at_call(pid_t pid, const struct wanted *want, struct points *seen)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) < 0) {
        if (errno == ESRCH)
            return; /* killed from outside */
        die("PTRACE_GET_SYSCALL_INFO");
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    bool is_write = is_write_to_stdout(&info);
    seen->calls++;
    if (is_write && seen->writes++ == 0)
        seen->first_write = seen->calls;
    if (want->writes ? !is_write || seen->writes != want->n : seen->calls != want->n)
        return;
    if (want->command)
        run_beside(want->command);
    else
        kill(pid, SIGKILL);
}

static int trace(pid_t pid, const struct wanted *want, struct points *seen)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    bool begun = false;
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) != 0)
        die("cannot trace");
    for (long pass_on = 0;;) {
        if (ptrace(begun ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (void *)pass_on) != 0 &&
            errno != ESRCH)
            die("cannot go on");
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR)
                die("waitpid");
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        pass_on = 0;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
            begun = true;
        else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            at_call(pid, want, seen);
        else if (status >> 16 == 0)
            pass_on = WSTOPSIG(status);
    }
}

static long number(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (!*text || *end || n < 0)
        usage();
    return n;
}

int main(int argc, char **argv)
{
    struct wanted want = {0};
    struct points seen = {0};
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        if (i + 1 >= argc)
            usage();
        if (strcmp(argv[i], "-w") == 0 || strcmp(argv[i], "-s") == 0) {
            want.writes = argv[i][1] == 'w';
            want.n = number(argv[i + 1]);
        } else if (strcmp(argv[i], "--do") == 0) {
            want.command = argv[i + 1];
        } else if (strcmp(argv[i], "--count") == 0) {
            want.count_file = argv[i + 1];
        } else {
            usage();
        }
    }
    if (i + 1 >= argc)
        usage();
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        begin(argv + i + 1);
    int status = trace(pid, &want, &seen);
    count_write(&want, &seen);
    return status;
}
