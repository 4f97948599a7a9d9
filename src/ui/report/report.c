/* report.c -- keeps the events of a command and writes the files of --report (report.h).  Called by
 * session.c and main.c; the formats are html.c, junit.c, markdown.c and report_json.c. */
#include "ui/report/report.h"

#include "base/text.h"
#include "edge/loop.h"
#include "ui/report/writers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVERY_MS = 5000 }; /* at most this often before the end */

static const struct {
    const char *word;
    void (*write)(const struct record *r, FILE *out);
} formats[] = {
    [REPORT_HTML] = {"html", html_write},
    [REPORT_JUNIT] = {"junit", junit_write},
    [REPORT_MARKDOWN] = {"markdown", markdown_write},
    [REPORT_JSON] = {"json", report_json_write},
};

struct reports {
    struct arena a;
    struct report_target *targets;
    size_t n;
    struct record *record;
    struct watcher first;
    long long written_ms; /* of the loop; 0: never */
};

bool report_parse(const char *value, const char *name, struct report_target *ret, struct err *err)
{
    struct arena *a = err->arena;
    size_t len = strcspn(value, ":");
    const char *words[REPORT_FORMATS + 1] = {0};

    for (size_t i = 0; i < REPORT_FORMATS; i++) {
        words[i] = formats[i].word;
        if (strlen(words[i]) == len && strncmp(words[i], value, len) == 0 && value[len] &&
            value[len + 1]) {
            *ret = (struct report_target){(enum report_format)i, value + len + 1};
            return true;
        }
    }
    const char *near = text_nearest(arena_strndup(a, value, len), words);
    return err_set(err, ERR_USAGE,
                   "%s is '%s', expected html:FILE, junit:FILE, markdown:FILE or json:FILE"
                   "%s%s%s",
                   name, text_shown(a, value), near ? "; did you mean '" : "", near ? near : "",
                   near ? ":...'?" : "");
}

/* Whether the file is one to be replaced, and no device, pipe or link: /dev/stdout is one, and a rename
 * would put a file in its place. */
static bool is_replaceable(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* A new file beside `path`; -1 with errno. */
static int open_beside(struct arena *a, const char *path, char **ret_name)
{
    mode_t mask = umask(0);

    umask(mask);
    *ret_name = arena_printf(a, "%s.XXXXXX", path);
    int fd = mkstemp(*ret_name);
    if (fd >= 0 && fchmod(fd, 0666 & ~mask) != 0 && errno != EPERM) {
        close(fd);
        unlink(*ret_name);
        return -1;
    }
    return fd;
}

static bool can_write(struct arena *a, const char *path, struct err *err)
{
    char *name = NULL;
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_USAGE, "cannot write report '%s': it is a folder",
                       text_shown(a, path));
    if (!is_replaceable(path))
        return access(path, W_OK) == 0 || err_set(err, ERR_USAGE, "cannot write report '%s': %s",
                                                  text_shown(a, path), strerror(errno));
    int fd = open_beside(a, path, &name);
    if (fd < 0)
        return err_set(err, ERR_USAGE, "cannot write report '%s': %s", text_shown(a, path),
                       strerror(errno));
    close(fd);
    unlink(name);
    return true;
}

bool reports_open(struct reports **ret, const struct report_target *targets, size_t n,
                  const char *command, const char *environment, struct err *err)
{
    struct reports *all = xcalloc(1, sizeof *all);

    *ret = all;
    all->record = record_open(command, environment);
    all->targets = arena_array(&all->a, n, sizeof *all->targets);
    for (size_t i = 0; i < n; i++) {
        struct report_target t = targets[i];
        if (!can_write(err->arena, t.path, err))
            return false;
        t.path = arena_strdup(&all->a, t.path);
        all->targets[all->n++] = t;
    }
    return true;
}

/* Returns whether everything reached the file. */
static bool close_well(FILE *out)
{
    bool ok = !ferror(out);

    return fclose(out) == 0 && ok;
}

static bool replace(const struct report_target *t, const struct record *record, struct arena *a)
{
    char *name = NULL;
    int fd = open_beside(a, t->path, &name);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (!out) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    formats[t->format].write(record, out);
    if (close_well(out) && rename(name, t->path) == 0)
        return true;
    int is = errno;
    unlink(name);
    errno = is;
    return false;
}

static bool write_one(const struct report_target *t, const struct record *record, struct arena *a)
{
    if (is_replaceable(t->path))
        return replace(t, record, a);
    if (!record->ended)
        return true;
    FILE *out = fopen(t->path, "we");
    if (!out)
        return false;
    formats[t->format].write(record, out);
    return close_well(out);
}

/* A report that cannot be written does not make a run fail that went well. */
static void write_all(struct reports *all)
{
    struct arena a = {0};

    for (size_t i = 0; i < all->n; i++)
        if (!write_one(&all->targets[i], all->record, &a) && all->record->ended)
            fprintf(stderr, "crelease: cannot write report '%s': %s\n",
                    text_shown(&a, all->targets[i].path), strerror(errno));
    all->written_ms = loop_now();
    arena_free(&a);
}

/* Also before the end, so that something is left when crelease is killed. */
static bool is_time(const struct reports *all, const struct event *e)
{
    bool stage = e->kind == EVENT_STAGE && !e->progress;

    if (!all->n)
        return false;
    return e->kind == EVENT_END || e->kind == EVENT_RUN ||
           ((stage || e->kind == EVENT_BACKUP) && loop_now() - all->written_ms >= EVERY_MS);
}

void reports_tell(struct reports *all, const struct event *e)
{
    bool ended = all->record->ended;

    record_tell(all->record, e);
    if (!ended && is_time(all, e))
        write_all(all);
}

static void tell(void *self, const struct event *e)
{
    struct reports *all = self;

    reports_tell(all, e);
    all->first.tell(all->first.self, e);
}

struct watcher reports_watcher(struct reports *all, const struct watcher *first)
{
    all->first = *first;
    return (struct watcher){.tell = tell, .self = all};
}

bool reports_have_ended(const struct reports *all)
{
    return all->record->ended;
}

void reports_markdown(const struct reports *all, FILE *out)
{
    markdown_write(all->record, out);
}

void reports_close(struct reports *all)
{
    if (!all)
        return;
    record_close(all->record);
    arena_free(&all->a);
    free(all);
}
