/* yaml_file.c -- reads the bytes of a recipe and collects the mistakes in it (see yaml.h).  Called
 * by the recipe reader. */
#include "edge/yaml.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- mistakes ---- */

void mistake_add(struct mistakes *m, const struct node *at, const char *fmt, ...)
{
    va_list ap;

    if (m->n == MISTAKES_KEPT) {
        m->more++;
        return;
    }
    if (!m->v)
        m->v = arena_array(m->arena, MISTAKES_KEPT, sizeof *m->v);
    va_start(ap, fmt);
    m->v[m->n++] = (struct mistake){.file = at->file,
                                    .line = at->line,
                                    .column = at->column,
                                    .text = arena_vprintf(m->arena, fmt, ap)};
    va_end(ap);
}

static int mistake_order(const void *a, const void *b)
{
    const struct mistake *x = a;
    const struct mistake *y = b;
    int by_file = strcmp(x->file, y->file);

    if (by_file)
        return by_file;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void mistakes_sort(struct mistakes *m)
{
    size_t kept = 0;

    if (!m->n)
        return;
    qsort(m->v, m->n, sizeof *m->v, mistake_order);
    for (size_t i = 1; i < m->n; i++)
        if (mistake_order(&m->v[kept], &m->v[i]) != 0)
            m->v[++kept] = m->v[i];
    m->n = kept + 1;
}

/* ---- the bytes ---- */

static const char *kind_of_file(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static bool read_all(struct arena *a, int fd, struct yaml_file *ret, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(err, ERR_USAGE, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_USAGE, "%s, expected a file", kind_of_file(st.st_mode));
    size_t len = 0;
    /* The size is only a first guess, because the file may grow while it is read. */
    size_t room = st.st_size < RECIPE_BYTES_MAX ? (size_t)st.st_size + 1 : RECIPE_BYTES_MAX + 1;
    char *bytes = arena_alloc(a, room);
    for (;;) {
        ssize_t got = read(fd, bytes + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_USAGE, "%s", strerror(errno));
        len += (size_t)got;
        if (got == 0)
            break;
        if (len > RECIPE_BYTES_MAX)
            return err_set(err, ERR_USAGE, "larger than %s, the limit for a recipe",
                           text_size(a, RECIPE_BYTES_MAX));
        if (len == room) {
            char *more = arena_alloc(a, RECIPE_BYTES_MAX + 1);
            memcpy(more, bytes, len);
            bytes = more;
            room = RECIPE_BYTES_MAX + 1;
        }
    }
    ret->bytes = bytes;
    ret->len = len;
    ret->st = st;
    return true;
}

bool yaml_read(struct arena *a, const char *path, struct yaml_file *ret, struct err *err)
{
    struct yaml_file file = {.name = arena_strdup(a, path)};
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        err_set(err, ERR_USAGE, "%s", strerror(errno));
        goto out;
    }
    ok = read_all(a, fd, &file, err);
out:
    if (fd >= 0)
        close(fd);
    if (!ok)
        return err_in(err, "recipe '%s'", text_shown(a, path));
    *ret = file;
    return true;
}
