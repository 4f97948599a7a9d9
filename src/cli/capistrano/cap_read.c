/* cap_read.c -- finds and reads the files of Capistrano, and lists what was left (see cap.h). */
#include "cli/capistrano/cap.h"

#include "base/text.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 256 * 1024, SITES_MAX = 50, LEFT_TEXT_MAX = 100, FUEL = 50 * 1000 * 1000 };
enum { RAKE_FILES_MAX = 100 };

/* False with errno 0 if it is not a text of moderate size.  Does not block if it is a pipe. */
static bool load(struct arena *a, const char *name, struct cap_file *ret)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    char *bytes = NULL;
    ssize_t n = 0;
    size_t len = 0;

    if (fd < 0)
        return false;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_BYTES_MAX;
    if (ok) {
        bytes = arena_alloc(a, FILE_BYTES_MAX + 1);
        while (len < FILE_BYTES_MAX && (n = read(fd, bytes + len, FILE_BYTES_MAX - len)) > 0)
            len += (size_t)n;
    }
    ok = ok && n >= 0 && !memchr(bytes, '\0', len);
    errno = ok ? errno : 0;
    close(fd);
    if (!ok)
        return false;
    *ret = (struct cap_file){.name = name, .text = bytes, .len = len, .n_lines = 1};
    for (size_t i = 0; i < len; i++)
        ret->n_lines += bytes[i] == '\n';
    ret->marks = arena_array(a, ret->n_lines + 1, sizeof *ret->marks);
    return true;
}

/* The names of config/deploy/NAME.rb, with production in front, then by name. */
static int compare_sites(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    bool first = strcmp(x, "production") == 0 || strcmp(x, "prod") == 0;
    bool second = strcmp(y, "production") == 0 || strcmp(y, "prod") == 0;

    return first != second ? second - first : strcmp(x, y);
}

static struct strs site_names(struct arena *a)
{
    struct strs names = {0};
    DIR *dir = opendir("config/deploy");

    for (struct dirent *e; dir && names.n < SITES_MAX && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len > 3 && strcmp(e->d_name + len - 3, ".rb") == 0)
            strs_add(a, &names, arena_strndup(a, e->d_name, len - 3));
    }
    if (dir)
        closedir(dir);
    if (names.n)
        qsort(names.v, names.n, sizeof *names.v, compare_sites);
    return names;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* lib/capistrano/tasks/NAME.rake, which a Capfile imports: they are not read, but each is listed. */
static void name_rake_files(struct arena *a, struct cap *cap)
{
    static const char folder[] = "lib/capistrano/tasks";
    DIR *dir = opendir(folder);
    struct strs names = {0};

    for (struct dirent *e; dir && names.n < RAKE_FILES_MAX && (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot && (strcmp(dot, ".rake") == 0 || strcmp(dot, ".cap") == 0))
            strs_add(a, &names, arena_printf(a, "%s/%s", folder, e->d_name));
    }
    if (dir)
        closedir(dir);
    if (names.n)
        qsort(names.v, names.n, sizeof *names.v, compare_names);
    for (size_t i = 0; i < names.n; i++) {
        struct cap_file *file = &cap->files[cap->n_files++];
        *file = (struct cap_file){.name = names.v[i], .text = "", .n_lines = 1};
        file->marks = arena_array(a, 1, sizeof *file->marks);
        file->marks[0] = (struct cap_mark){
            .state = CAP_LEFT, .text = "the whole file", .why = "not read: look at its tasks"};
    }
}

bool cap_read(struct arena *a, struct cap *ret, struct err *err)
{
    struct strs names = site_names(a);

    *ret = (struct cap){.arena = a, .fuel = FUEL};
    ret->files = arena_array(a, names.n + 2 + RAKE_FILES_MAX, sizeof *ret->files);
    ret->sites = arena_array(a, names.n + 1, sizeof *ret->sites);
    if (load(a, "Capfile", &ret->files[0])) {
        ret->n_files++;
        cap_read_plugins(ret, &ret->files[0], true);
    }
    struct cap_file *deploy = &ret->files[ret->n_files];
    if (!load(a, "config/deploy.rb", deploy))
        return err_set(err, ERR_USAGE, "cannot read 'config/deploy.rb' here: %s",
                       errno ? strerror(errno) : "it is not a text file of at most 256 KiB");
    ret->n_files++;
    cap_read_plugins(ret, deploy, false);
    for (size_t i = 0; i < names.n; i++) {
        struct cap_file *file = &ret->files[ret->n_files];
        const char *name = arena_printf(a, "config/deploy/%s.rb", names.v[i]);
        if (!load(a, name, file))
            return err_set(err, ERR_USAGE, "cannot read '%s': %s", text_shown(a, name),
                           errno ? strerror(errno) : "it is not a text file of at most 256 KiB");
        ret->n_files++;
        const char *checked = names.v[i];
        if (!yaml_fits(checked) || check_name(a, &checked)) {
            file->marks[0] =
                (struct cap_mark){.state = CAP_LEFT, .why = "not the name of an environment"};
            continue;
        }
        struct cap_site *site = &ret->sites[ret->n_sites++];
        *site = (struct cap_site){.cap = ret, .name = names.v[i], .file = file};
        cap_evaluate(site, deploy);
        cap_evaluate(site, file);
    }
    if (!ret->n_sites) {
        ret->sites[ret->n_sites++] = (struct cap_site){.cap = ret, .name = "production"};
        cap_evaluate(&ret->sites[0], deploy);
    }
    name_rake_files(a, ret);
    return true;
}

/* ---- the account ---- */

struct cap_count cap_count(const struct cap *cap)
{
    struct cap_count count = {0};

    for (size_t f = 0; f < cap->n_files; f++)
        for (size_t i = 0; i < cap->files[f].n_lines; i++) {
            const struct cap_mark *m = &cap->files[f].marks[i];
            count.settings += m->is_setting + m->inside;
            count.converted += m->is_setting && m->state == CAP_DONE;
            count.spare += m->is_setting && m->state == CAP_SPARE;
            count.unused += m->is_setting && m->state == CAP_UNUSED;
        }
    return count;
}

struct strs cap_ignored(struct arena *a, const struct cap *cap)
{
    struct strs names = {0};

    for (size_t f = 0; f < cap->n_files; f++)
        for (size_t i = 0; i < cap->files[f].n_lines; i++) {
            const struct cap_mark *m = &cap->files[f].marks[i];
            if (m->state == CAP_SPARE && m->name && !strs_has(&names, m->name))
                strs_add(a, &names, m->name);
        }
    return names;
}

static bool is_listed(const struct cap_mark *m)
{
    return m->state == CAP_LEFT || m->state == CAP_UNUSED || m->note;
}

static const char *why_of(const struct cap_mark *m)
{
    if (m->state == CAP_UNUSED)
        return "crelease has no such setting";
    return m->state == CAP_LEFT && m->why ? m->why : m->note;
}

static const char *line_text(struct arena *a, const struct cap_file *file, size_t line)
{
    const char *s = file->text, *end = s + file->len;

    while (line-- && s < end)
        s = (const char *)memchr(s, '\n', (size_t)(end - s)) + 1;
    s += strspn(s, " \t");
    size_t len = strcspn(s, "\r\n");
    return len > LEFT_TEXT_MAX ? arena_printf(a, "%s ...", arena_strndup(a, s, LEFT_TEXT_MAX))
                               : arena_strndup(a, s, len);
}

size_t cap_left(struct arena *a, const struct cap *cap, struct cap_left **ret)
{
    size_t n = 0, room = 0;

    for (size_t f = 0; f < cap->n_files; f++)
        for (size_t i = 0; i < cap->files[f].n_lines; i++) {
            const struct cap_mark *m = &cap->files[f].marks[i];
            room += is_listed(m);
        }
    *ret = arena_array(a, room + 1, sizeof **ret);
    for (size_t f = 0; f < cap->n_files; f++)
        for (size_t i = 0; i < cap->files[f].n_lines; i++) {
            const struct cap_file *file = &cap->files[f];
            const struct cap_mark *m = &file->marks[i];
            if (!is_listed(m))
                continue;
            (*ret)[n++] = (struct cap_left){.file = file->name,
                                            .line = i + 1,
                                            .last = (m->last > i ? m->last : i) + 1,
                                            .text = m->text ? m->text : line_text(a, file, i),
                                            .why = why_of(m)};
        }
    return n;
}
