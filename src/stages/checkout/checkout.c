/* checkout.c -- the stage 'checkout': makes the manifest of a revision and sends it with the tree.
 * Called through stages/table.c; checkout_verify by the command that checks a release.  Relies on
 * checkout.sh, which unpacks and verifies, and on the export from git. */

#include "stages/checkout/checkout.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"

#include <errno.h>
#include <unistd.h>

EMBED(script_checkout, "stages/checkout/checkout.sh");

enum { BLOCK = 512 };

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

/* The format is described in checkout.sh.  Padded with newlines to whole blocks. */
static FILE *manifest_write(const struct export *x, const char *revision, off_t *ret_size,
                            struct err *err)
{
    FILE *f = tmpfile();

    if (!f) {
        err_set(err, ERR_FAILED, "cannot create a temporary file: %s", strerror(errno));
        return NULL;
    }
    errno = 0; /* keeps the error of the first failed write, since later calls may not set it */
    fprintf(f, "crelease-manifest 1\nrevision %s\n", revision);
    for (size_t i = 0; i < x->n; i++)
        put_entry(f, &x->entry[i]);
    off_t size = ftello(f);
    for (; size % BLOCK; size++)
        putc('\n', f);
    if (fflush(f) != 0 || ferror(f)) {
        err_set(err, ERR_FAILED, "cannot write a temporary file: %s",
                strerror(errno ? errno : EIO));
        fclose(f);
        return NULL;
    }
    *ret_size = size;
    return f;
}

static const char *assignments(struct run *r, const struct export *x, off_t manifest_size)
{
    const struct what *w = &r->plan->what;
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "revision", w->revision);
    quote_assign(&b, "revision_time", arena_printf(r->arena, "%lld", w->revision_unix));
    quote_assign(&b, "entries", arena_printf(r->arena, "%zu", x->n));
    quote_assign(&b, "manifest_blocks",
                 arena_printf(r->arena, "%lld", (long long)(manifest_size / BLOCK)));
    const char *text = arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

const char *checkout_describe(struct arena *a, const struct recipe *r, const struct what *what)
{
    (void)r;
    return arena_printf(a, "%.7s into %s", what->revision, what->release);
}

bool checkout_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    const struct export *x = r->export;
    off_t size = 0;
    size_t *hosts;
    size_t n = run_hosts_left(r, s, &hosts);

    if (!x)
        return err_set(err, ERR_FAILED, "the revision's files were not exported");
    FILE *manifest = manifest_write(x, r->plan->what.revision, &size, err);
    if (!manifest)
        return false;
    struct trip t = {.script = s->stage->script,
                     .step = s->name,
                     .verb = "run",
                     .assignments = assignments(r, x, size),
                     .about = s,
                     .hosts = hosts,
                     .n_hosts = n,
                     .head = fileno(manifest),
                     .head_size = size,
                     .payload = x->tar,
                     .payload_size = x->tar_size,
                     .timeout_ms = 6LL * 3600 * 1000};
    struct reply *replies = NULL;
    bool ok = run_scripts(r, &t, &replies, err);
    for (size_t i = 0; replies && i < n; i++)
        run_set_mark(r, hosts[i], s->name,
                     replies[i].kind == REPLY_EXIT && replies[i].status == 0 ? "done" : "begun");
    fclose(manifest);
    ret->detail = arena_printf(r->arena, "%s, %s", text_count(r->arena, x->n, "file"),
                               text_size(r->arena, x->bytes));
    return ok;
}

bool checkout_verify(struct run *r, size_t host, const char *release, bool *ret_known,
                     struct strs *ret_differs, struct err *err)
{
    struct plan plan = *r->plan;
    struct plan *kept = r->plan;
    struct reply *replies = NULL;
    struct trip t = {.script = script_checkout,
                     .step = "checkout",
                     .verb = "verify",
                     .hosts = &host,
                     .n_hosts = 1,
                     .payload = -1};

    plan.what.release = release;
    r->plan = &plan;
    bool ok = run_scripts(r, &t, &replies, err);
    r->plan = kept;
    if (!ok)
        return false;
    const char *manifest = answer_value(r->arena, replies[0].out, "manifest");
    *ret_known = manifest && strcmp(manifest, "there") == 0;
    for (const char *at = replies[0].out; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, "differs ", 8) == 0 && ret_differs->n < 100)
            strs_add(r->arena, ret_differs, arena_strndup(r->arena, at + 8, strcspn(at + 8, "\n")));
    return true;
}
