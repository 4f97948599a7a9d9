/* watch -- looks at the links `current` of several sites as fast as it can.
 *
 *     watch LAST FOLDER...
 *
 * At every look a link must be there and name a complete release of its folder: an absolute path in
 * releases/ that holds REVISION, the linked file config/database.yml, and LAST, the last file of
 * the tree.  What is not so is printed, with the time, and counted.  A folder without a link is an
 * error at the start.
 *
 * "going" is printed when it begins.  SIGUSR1 makes it pause at the end of a round ("paused" is
 * printed), SIGUSR2 go on ("going"), SIGTERM end: it prints the number of looks, looks a second,
 * and violations; the status is 1 if there were any. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FOLDERS_MAX = 16 };

struct folder {
    const char *name;
    int fd;
    char releases[PATH_MAX]; /* NAME/releases/ */
    size_t len;
    bool is_wrong;
};

static volatile sig_atomic_t pause_wanted, go_wanted, end_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        pause_wanted = 1;
    else if (number == SIGUSR2)
        go_wanted = 1;
    else
        end_wanted = 1;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Where the link points, NULL when it cannot be read. */
static const char *link_read(const struct folder *f, char *target)
{
    ssize_t n = readlinkat(f->fd, "current", target, PATH_MAX - 1);

    if (n < 0)
        return NULL;
    target[n] = '\0';
    return target;
}

static bool holds(const char *target, const char *name)
{
    char path[2 * PATH_MAX];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", target, name);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What is wrong with the release, or NULL. */
static const char *look(const struct folder *f, const char *target, const char *last)
{
    const char *name = target + f->len;

    if (strncmp(target, f->releases, f->len) != 0 || strlen(name) != 14 ||
        strspn(name, "0123456789") != 14)
        return "points elsewhere";
    if (!holds(target, "REVISION"))
        return "names a release without REVISION";
    if (!holds(target, "config/database.yml"))
        return "names a release without its linked file";
    if (!holds(target, last))
        return "names a release without its last file";
    return NULL;
}

/* A release may go between the two looks at it, once the link has left it: only what is wrong while
 * the link stays is wrong. */
static const char *what_is_wrong(const struct folder *f, const char *last, char *target)
{
    char again[PATH_MAX];

    for (;;) {
        *target = '\0';
        if (!link_read(f, target))
            return "is not there";
        const char *wrong = look(f, target, last);
        if (!wrong || (link_read(f, again) && strcmp(again, target) == 0))
            return wrong;
    }
}

static void tell(const struct folder *f, const char *what, const char *target)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    printf("violation %lld.%06ld: %s/current %s %s\n", (long long)t.tv_sec, t.tv_nsec / 1000,
           f->name, what, target);
    fflush(stdout);
}

/* One that lasts is told and counted once. */
static bool is_new_violation(struct folder *f, const char *last)
{
    char target[PATH_MAX];
    const char *wrong = what_is_wrong(f, last, target);
    bool was_well = !f->is_wrong;

    f->is_wrong = wrong != NULL;
    if (wrong && was_well)
        tell(f, wrong, target);
    return wrong && was_well;
}

/* With the signals blocked, but for the waiting itself. */
static void pause_here(const sigset_t *open)
{
    puts("paused");
    fflush(stdout);
    while (!go_wanted && !end_wanted)
        sigsuspend(open);
    pause_wanted = go_wanted = 0;
    puts("going");
    fflush(stdout);
}

static void folder_open(struct folder *f, const char *name)
{
    char target[PATH_MAX];

    f->name = name;
    f->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->len = (size_t)snprintf(f->releases, sizeof f->releases, "%s/releases/", name);
    if (f->fd >= 0 && f->len < sizeof f->releases && link_read(f, target))
        return;
    fprintf(stderr, "watch: %s/current cannot be read\n", name);
    exit(2);
}

static void heed(const int *numbers, size_t n, sigset_t *ret_open)
{
    struct sigaction act = {.sa_handler = on_signal};
    sigset_t ours;

    sigemptyset(&ours);
    for (size_t i = 0; i < n; i++) {
        sigaddset(&ours, numbers[i]);
        sigaction(numbers[i], &act, NULL);
    }
    sigprocmask(SIG_BLOCK, &ours, ret_open);
}

int main(int argc, char **argv)
{
    static struct folder folders[FOLDERS_MAX];
    const int signals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
    const size_t n = argc > 2 ? (size_t)argc - 2 : 0;
    sigset_t open;
    long long looks = 0;
    long long violations = 0;
    double busy = 0;

    if (!n || n > FOLDERS_MAX) {
        fputs("usage: watch LAST FOLDER...\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < n; i++)
        folder_open(&folders[i], argv[i + 2]);
    heed(signals, sizeof signals / sizeof *signals, &open);
    puts("going"); /* from here on signals are heeded */
    fflush(stdout);
    while (!end_wanted) {
        double began = now();
        sigprocmask(SIG_SETMASK, &open, NULL);
        while (!pause_wanted && !end_wanted) {
            for (size_t i = 0; i < n; i++)
                violations += is_new_violation(&folders[i], argv[1]);
            looks += (long long)n;
        }
        heed(signals, sizeof signals / sizeof *signals, NULL);
        busy += now() - began;
        if (!end_wanted)
            pause_here(&open);
    }
    printf("looks %lld per_second %.0f violations %lld\n", looks,
           busy > 0 ? (double)looks / busy : 0.0, violations);
    return violations > 0;
}
