/* manifest.c -- writes the manifest of a release, whole or as the difference to an earlier one.  Called
 * by delivery.c; checkout.sh describes the format and reads it. */
#include "stages/checkout/manifest.h"

#include "edge/digest.h"

#include <errno.h>

/* Escaped as printf %b reads it. Blanks are escaped only in a field that does not end its line. */
static void put_escaped(FILE *f, const char *s, bool blanks)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f || c == '\\' || (blanks && c == ' '))
            fprintf(f, "\\0%03o", c);
        else
            putc(c, f);
    }
}

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '\\')
            return false;
    return true;
}

static void put_entry(FILE *f, const struct entry *e)
{
    bool plain = is_plain(e->path);

    if (e->kind == ENTRY_LINK) {
        fputs("l ", f);
        put_escaped(f, e->path, true);
        putc(' ', f);
        put_escaped(f, e->target, false);
    } else {
        bool program = e->kind == ENTRY_PROGRAM;
        fprintf(f, "%c %s ", plain ? (program ? 'x' : 'f') : (program ? 'X' : 'F'), e->sha256);
        put_escaped(f, e->path, false);
    }
    putc('\n', f);
}

static void put_head(FILE *f, const char *revision)
{
    fprintf(f, "crelease-manifest 1\nrevision %s\n", revision);
}

static void put_all(FILE *f, const struct export *x, const char *revision)
{
    put_head(f, revision);
    for (size_t i = 0; i < x->n; i++)
        put_entry(f, &x->entry[i]);
}

static FILE *open_file(struct err *err)
{
    FILE *f = tmpfile();

    if (!f)
        err_set(err, ERR_FAILED, "cannot create a temporary file: %s", strerror(errno));
    errno = 0; /* keeps the error of the first failed write, since later calls may not set it */
    return f;
}

/* Pads the file, and hands it over if everything was written. */
static bool finish(FILE *f, struct manifest *ret, struct err *err)
{
    off_t size = ftello(f);

    for (; size % MANIFEST_BLOCK; size++)
        putc('\n', f);
    if (fflush(f) != 0 || ferror(f)) {
        err_set(err, ERR_FAILED, "cannot write a temporary file: %s",
                strerror(errno ? errno : EIO));
        fclose(f);
        return false;
    }
    ret->file = f;
    ret->size = size;
    return true;
}

bool manifest_write(const struct export *x, const char *revision, struct manifest *ret,
                    struct err *err)
{
    FILE *f = open_file(err);

    if (!f)
        return false;
    put_all(f, x, revision);
    return finish(f, ret, err);
}

static bool is_same(const struct entry *a, const struct entry *b)
{
    return a->kind == b->kind && strcmp(a->sha256, b->sha256) == 0;
}

bool manifest_write_difference(const struct export *x, const char *revision,
                               const struct files *base, const bool *send, struct manifest *ret,
                               struct err *err)
{
    FILE *f = open_file(err);
    size_t at = 0;

    if (!f)
        return false;
    put_head(f, revision);
    ret->kept = xcalloc(x->n + 1, sizeof *ret->kept);
    for (size_t i = 0; i <= x->n; i++) {
        const struct entry *e = i < x->n ? &x->entry[i] : NULL;
        int order = -1;
        for (; at < base->n && (!e || (order = strcmp(base->v[at].path, e->path)) <= 0); at++)
            if (!is_plain(base->v[at].path))
                continue; /* not in the base's lines with f and x */
            else if (e && order == 0 && !send[i] && is_same(&base->v[at], e))
                ret->kept[i] = true;
            else {
                fputs("- ", f);
                put_entry(f, &base->v[at]);
            }
        if (e && ret->kept[i]) {
            ret->n_kept++;
        } else if (e) {
            fprintf(f, "+%zu ", ret->n_kept);
            put_entry(f, e);
        }
    }
    return finish(f, ret, err);
}

bool manifest_digest(const struct export *x, const char *revision, char ret[static 65],
                     struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    if (f)
        put_all(f, x, revision);
    if (!f || fclose(f) != 0) {
        free(text);
        return err_set(err, ERR_FAILED, "no memory for the list of files");
    }
    struct digest *d = digest_open();
    digest_add(d, text, len);
    digest_hex(d, ret);
    digest_close(d);
    free(text);
    return true;
}

void manifest_close(struct manifest *m)
{
    if (m->file)
        fclose(m->file);
    free(m->kept);
    *m = (struct manifest){0};
}
