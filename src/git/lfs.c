/* lfs.c -- Git LFS pointers and their objects (see lfs.h).  export.c calls it.  The program git-lfs
 * runs in a child process, as every other fetch (fetch_child.h). */
#include "git/lfs.h"

#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "git/fetch_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_BYTES_MAX = 4096, COMMAND_BYTES_MAX = 16 * 1024, NOT_FOUND = 127 };

/* ---- pointers ---- */

/* Sets *ret to the value of the next line if that has the key, and goes behind the line. */
static bool take_line(const char **at, const char *end, const char *key, const char **ret,
                      size_t *ret_len)
{
    size_t len = strlen(key);
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));

    if (!stop || (size_t)(stop - *at) <= len || memcmp(*at, key, len) != 0)
        return false;
    *ret = *at + len;
    *ret_len = (size_t)(stop - *ret);
    *at = stop + 1;
    return true;
}

/* By the first line, as the specification says.  The attribute filter=lfs is less reliable: it may be
 * set for files that were committed without Git LFS, and may be missing although a file is a
 * pointer. */
static bool begins_as_pointer(const char *bytes, size_t len)
{
    static const char *const begins[] = {"version https://git-lfs.github.com/spec/",
                                         "version https://hawser.github.com/spec/"};

    for (size_t i = 0; len <= LFS_POINTER_BYTES_MAX && i < sizeof begins / sizeof *begins; i++)
        if (len > strlen(begins[i]) && memcmp(bytes, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Pointers with an extension have another line in front of `oid`: their objects are not the content. */
enum lfs_kind lfs_kind(const void *bytes, size_t len, struct lfs_pointer *ret)
{
    const char *at = bytes;
    const char *end = at + len;
    const char *value;
    size_t n;
    long long size;

    if (!begins_as_pointer(bytes, len))
        return LFS_NONE;
    if (!take_line(&at, end, "version ", &value, &n) ||
        !take_line(&at, end, "oid sha256:", &value, &n) || n != 64)
        return LFS_BROKEN;
    for (size_t i = 0; i < n; i++)
        if (!value[i] || !strchr("0123456789abcdef", value[i])) /* strchr finds the end, too */
            return LFS_BROKEN;
    memcpy(ret->oid, value, n);
    ret->oid[n] = '\0';
    if (!take_line(&at, end, "size ", &value, &n) || at != end ||
        !number_part(value, n, NUMBER_BYTES_MAX, &size))
        return LFS_BROKEN;
    ret->size = (unsigned long long)size;
    return LFS_POINTER;
}

/* ---- objects ---- */

/* Where git-lfs keeps its files: lfs.storage, else "lfs" in the repository. */
static const char *storage(struct arena *a, struct repo *r)
{
    const char *dir = git_repository_commondir(r->git);
    git_config *config = NULL;
    const char *set = NULL;
    const char *path = NULL;

    if (git_repository_config_snapshot(&config, r->git) == 0 &&
        git_config_get_string(&set, config, "lfs.storage") == 0 && *set)
        path = *set == '/' ? arena_strdup(a, set) : arena_printf(a, "%s%s", dir, set);
    git_config_free(config);
    return path ? path : arena_printf(a, "%slfs", dir);
}

const char *lfs_file(struct arena *a, struct repo *r, const struct lfs_pointer *p)
{
    return arena_printf(a, "%s/objects/%.2s/%.2s/%s", storage(a, r), p->oid, p->oid + 2, p->oid);
}

/* An object of another size is an incomplete one, which is fetched again. */
static int open_object(struct arena *a, struct repo *r, const struct lfs_pointer *p)
{
    int fd = open(lfs_file(a, r, p), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (unsigned long long)st.st_size == p->size)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- the program ---- */

struct fetching {
    struct repo *repo;
    const char *sha;
};

/* A mirror has no remote in its configuration, where a password could be read.  The environment of a
 * process can be read by its user alone. */
static void set_address(struct repo *r)
{
    const char *before = getenv("GIT_CONFIG_COUNT");
    long long n = number_or(before ? before : "0", 1000, 0);
    char name[48];

    snprintf(name, sizeof name, "GIT_CONFIG_KEY_%lld", n);
    setenv(name, "remote.origin.url", 1);
    snprintf(name, sizeof name, "GIT_CONFIG_VALUE_%lld", n);
    setenv(name, r->base, 1);
    snprintf(name, sizeof name, "%lld", n + 1);
    setenv("GIT_CONFIG_COUNT", name, 1);
}

static void set_ssh(const struct strs *arguments)
{
    struct buf b = buf_make(COMMAND_BYTES_MAX);

    buf_puts(&b, "ssh");
    for (size_t i = 0; i < arguments->n; i++) {
        buf_puts(&b, " ");
        quote_word(&b, arguments->v[i]);
    }
    if (!b.full)
        setenv("GIT_SSH_COMMAND", b.text, 1);
    buf_free(&b);
}

static _Noreturn void run(const struct fetching *f, const struct repo_options *options, int out,
                          pid_t parent)
{
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    static const char *const foreign[] = {"GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR",
                                          "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"};
    struct repo *r = f->repo;
    const char *dir = git_repository_workdir(r->git);
    /* Without the patterns, those of the configuration would leave files out. */
    const char *const argv[] = {
        "git-lfs", "fetch", "--include=", "--exclude=", r->is_mirror ? "origin" : r->remote,
        f->sha,    NULL};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        signal(ours[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        unsetenv(foreign[i]);
    setenv("GIT_DIR", git_repository_path(r->git), 1);
    setenv("GIT_LFS_FORCE_PROGRESS", "1", 1);
    if (!options->ask || !isatty(STDIN_FILENO))
        setenv("GIT_TERMINAL_PROMPT", "0", 1);
    if (r->is_mirror)
        set_address(r);
    if (options->ssh)
        set_ssh(options->ssh);
    if (getppid() == parent && chdir(dir ? dir : git_repository_path(r->git)) == 0 &&
        dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
        execvp(argv[0], (char **)(uintptr_t)argv);
    _exit(NOT_FOUND);
}

/* What the program printed: the end of it. */
struct said {
    char text[SAID_BYTES_MAX + 1];
    size_t len;
};

static void hear(struct said *s, const char *bytes, size_t n)
{
    size_t drop = s->len + n > SAID_BYTES_MAX ? s->len + n - SAID_BYTES_MAX : 0;

    memmove(s->text, s->text + drop, s->len - drop);
    s->len -= drop;
    memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = '\0';
}

/* "Downloading LFS objects:  50% (1/2), 12 MB | 3 MB/s" */
static void report(const struct said *s, const struct repo_options *options)
{
    const char *at = strrchr(s->text, '(');
    const char *slash = at ? strchr(at, '/') : NULL;
    long long done = 0;
    long long total = 0;

    if (!slash || !number_part(at + 1, (size_t)(slash - at - 1), UINT_MAX, &done) ||
        !number_part(slash + 1, strcspn(slash + 1, ")"), UINT_MAX, &total))
        done = total = 0;
    if (options->progress)
        options->progress(options->arg, "", (unsigned)(done <= total ? done : total),
                          (unsigned)total, 0);
}

/* Its lines without those that show progress, joined. */
static const char *message(struct arena *a, const struct said *s)
{
    const char *all = "";

    for (const char *line = s->text; *line;) {
        size_t n = strcspn(line, "\r\n");
        if (n && strncmp(line, "Downloading LFS", 15) != 0 && strncmp(line, "fetch: ", 7) != 0 &&
            strncmp(line, "Scanning", 8) != 0)
            all = arena_printf(a, "%s%s%.*s", all, *all ? " " : "", (int)n, line);
        line += n + strspn(line + n, "\r\n");
    }
    return text_shown(a, all);
}

static bool read_all(int from, struct said *s, const struct repo_options *options)
{
    char bytes[SAID_BYTES_MAX];
    ssize_t n;

    while ((n = read(from, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            hear(s, bytes, (size_t)n);
            report(s, options);
        }
    }
    return true;
}

/* Runs in the child of fetch_child.h. */
static bool fetch(void *arg, const struct repo_options *options, struct err *err)
{
    const struct fetching *f = arg;
    const char *shown = f->repo->shown;
    struct said *said = xcalloc(1, sizeof *said);
    struct url url = {0};
    pid_t self = getpid();
    int ends[2];
    int status = -1;

    if (pipe(ends) < 0)
        return err_set(err, ERR_FAILED, "cannot start 'git-lfs': %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0)
        run(f, options, ends[1], self);
    close(ends[1]);
    if (pid < 0)
        return err_set(err, ERR_FAILED, "cannot start 'git-lfs': %s", strerror(errno));
    bool ok = read_all(ends[0], said, options);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (ok && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND && !said->len)
        return err_set(err, ERR_FAILED,
                       "the program 'git-lfs', which 'lfs: fetch' needs for objects that are not in"
                       " '%s', is not installed on this machine",
                       shown);
    struct err ignored = {.arena = err->arena};
    const char *text = message(err->arena, said);
    if (url_parse(&url, err->arena, f->repo->base, &ignored))
        text = url_clean(&url, err->arena, text);
    return err_set(err, ERR_FAILED, "cannot fetch the Git LFS objects of '%s': %s", shown,
                   *text ? text : "git-lfs ended without a message");
}

static bool fetch_objects(const struct lfs_source *from, struct err *err)
{
    struct fetching f = {from->repo, from->sha};
    struct repo_options options = from->repo->options;

    options.url = from->repo->shown; /* for the progress */
    return repo_in_child(fetch, &f, &options, err);
}

bool lfs_open(struct lfs_source *from, const struct lfs_pointer *p, const char *path, int *ret_fd,
              struct err *err)
{
    struct arena a = {0};
    bool ok = false;

    *ret_fd = open_object(&a, from->repo, p);
    if (*ret_fd < 0 && !from->fetched) {
        from->fetched = true;
        if (!fetch_objects(from, err)) {
            err_in(err, "'%s'", text_shown(err->arena, path));
            goto out;
        }
        *ret_fd = open_object(&a, from->repo, p);
    }
    ok = *ret_fd >= 0 ||
         err_set(
             err, ERR_FAILED,
             "the content of '%s' (Git LFS object %.12s, %llu bytes) is neither in '%s' nor on its"
             " LFS server; push it with 'git lfs push --all'",
             text_shown(err->arena, path), p->oid, p->size, from->repo->shown);
out:
    arena_free(&a);
    return ok;
}
