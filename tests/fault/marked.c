/* marked.c -- preloaded into the shells of the host: where a fault test makes a step fail or crelease die.
 *
 * FAULT_DIR/point holds "STEP STATE KIND".  When a script has written that mark, which is one line that it
 * appends to .../marks, the file becomes FAULT_DIR/hit, and it happens, between the mark and whatever comes next:
 *
 *     fail     the disk is full, so that the mark is not written
 *     kill     crelease, whose number is in FAULT_DIR/pid, gets SIGKILL
 *     crash    crelease and the script
 *
 * The same for the file of a freeze, whose point is "reason WORD", with the first word of the reason, and for the
 * line of a run in .../history, whose point is "history OUTCOME".
 *
 * Around each mark, the live release of FAULT_SITE must be complete; FAULT_DIR/incomplete says when it is not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };

static const char *in(const char *folder, const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", getenv(folder), name);
    return path;
}

static void check_live(const char *mark)
{
    static const char *const files[] = {"current/z/last", "current/REVISION",
                                        "current/config/database.yml"};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *f = access(in("FAULT_SITE", files[i]), F_OK) == 0
                      ? NULL
                      : fopen(in("FAULT_DIR", "incomplete"), "a");
        if (f) {
            fprintf(f, "at '%s'\n", mark);
            fclose(f);
        }
    }
}

/* The kind of fault that has to happen at this mark, once. */
static const char *fault_at(const char *mark)
{
    static char step[64], state[64], kind[64], begins[130];
    char hit[PATH_MAX];
    FILE *f = fopen(in("FAULT_DIR", "point"), "r");

    if (!f)
        return "";
    int n = fscanf(f, "%63s %63s %63s", step, state, kind);
    fclose(f);
    snprintf(begins, sizeof begins, "%s %s ", step, state);
    if (n != 3 || strncmp(mark, begins, strlen(begins)) != 0)
        return "";
    snprintf(hit, sizeof hit, "%s", in("FAULT_DIR", "hit"));
    return rename(in("FAULT_DIR", "point"), hit) == 0 ? kind : "";
}

static void kill_crelease(void)
{
    FILE *f = fopen(in("FAULT_DIR", "pid"), "r");
    int pid;

    if (f && fscanf(f, "%d", &pid) == 1)
        kill(pid, SIGKILL);
    if (f)
        fclose(f);
}

/* The name of a file at which something can happen, else "". */
static const char *watched_name(int fd)
{
    static const char *const names[] = {"marks", "marks.new", "freeze.new", "history"};
    static char path[PATH_MAX];
    char link[64];

    if (!getenv("FAULT_DIR") || fd == 2)
        return "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return "";
    path[len] = '\0';
    const char *name = strrchr(path, '/');
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name + 1, names[i]) == 0)
            return name + 1;
    return "";
}

/* "RUN TIME OUTCOME ..." as "history OUTCOME ". */
static void outcome_of(char *line)
{
    char outcome[64] = "";

    sscanf(line, "%*s %*s %63s", outcome);
    snprintf(line, LINE_MAX_BYTES, "history %s ", outcome);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    ssize_t (*next)(int, const void *, size_t);
    char mark[LINE_MAX_BYTES];

    *(void **)&next = dlsym(RTLD_NEXT, "write");
    const char *name = len && len < sizeof mark / 2 ? watched_name(fd) : "";
    if (!*name)
        return next(fd, bytes, len);
    memcpy(mark, bytes, len);
    mark[len - 1] = '\0';
    char *last = strrchr(mark, '\n');
    last = last ? last + 1 : mark;
    if (strcmp(name, "history") == 0)
        outcome_of(last = memmove(mark, last, strlen(last) + 1));
    check_live(last);
    const char *kind = fault_at(last);
    if (strcmp(kind, "fail") == 0) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t n = next(fd, bytes, len);
    if (*kind)
        kill_crelease();
    if (strcmp(kind, "crash") == 0)
        kill(getpid(), SIGKILL);
    return n;
}
