/* changes.c -- lists the lines that differ between two recipes, for people.  Called when a run is
 * resumed with another recipe than it was started with.
 *
 * One of the two comes from a host.  It is compared as text and never parsed, so that nothing in it
 * can influence the run. */
#include "recipe/recipe.h"

#include "base/redact.h"
#include "base/text.h"
#include "base/passwords.h"

enum {
    ALIGNED_MAX = 400, /* lines of either text between their common beginning and end */
    LINE_MAX_SHOWN = 120
};

struct line {
    const char *text;
    size_t len;
};

struct lines {
    struct line *v;
    size_t n;
};

struct changes {
    struct arena *a;
    const struct strs *secrets;
    struct strs *found;
    size_t max;
    size_t n;
};

static struct lines lines_of(struct arena *a, const char *text)
{
    struct lines l = {0};
    size_t n = 1;

    for (const char *c = text; *c; c++)
        n += *c == '\n';
    l.v = arena_array(a, n, sizeof *l.v);
    while (*text) {
        size_t len = strcspn(text, "\n");
        l.v[l.n++] = (struct line){text, len};
        text += len + (text[len] == '\n');
    }
    return l;
}

static bool is_same(const struct line *x, const struct line *y)
{
    return x->len == y->len && memcmp(x->text, y->text, x->len) == 0;
}

/* Secrets are replaced before the line is cut, or a part of one could be left at its end. */
static void add(struct changes *c, char sign, const struct line *l)
{
    if (c->n++ >= c->max)
        return;
    const char *text = redact(c->a, c->secrets, arena_strndup(c->a, l->text, l->len));
    text = passwords_hidden(c->a, text);
    if (strlen(text) > LINE_MAX_SHOWN)
        text = arena_printf(c->a, "%.*s...", LINE_MAX_SHOWN, text);
    strs_add(c->a, c->found, arena_printf(c->a, "%c%s", sign, text_shown(c->a, text)));
}

static void add_all(struct changes *c, char sign, const struct lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        add(c, sign, &l->v[i]);
}

/* Aligns the lines by their longest common subsequence; common[] has its length for each pair of
 * suffixes. */
static void align(struct changes *c, const struct lines *x, const struct lines *y)
{
    size_t width = y->n + 1;
    unsigned short *common = arena_array(c->a, (x->n + 1) * width, sizeof *common);
    size_t i = 0;
    size_t k = 0;

    for (size_t m = x->n; m-- > 0;)
        for (size_t n = y->n; n-- > 0;) {
            unsigned short skip_x = common[(m + 1) * width + n];
            unsigned short skip_y = common[m * width + n + 1];
            unsigned short *to = &common[m * width + n];
            *to = skip_x > skip_y ? skip_x : skip_y;
            if (is_same(&x->v[m], &y->v[n]))
                *to = (unsigned short)(common[(m + 1) * width + n + 1] + 1);
        }
    while (i < x->n || k < y->n) {
        if (i < x->n && k < y->n && is_same(&x->v[i], &y->v[k])) {
            i++;
            k++;
        } else if (k == y->n ||
                   (i < x->n && common[(i + 1) * width + k] >= common[i * width + k + 1])) {
            add(c, '-', &x->v[i++]);
        } else {
            add(c, '+', &y->v[k++]);
        }
    }
}

size_t recipe_changes(struct arena *a, const char *text, const struct recipe *r, size_t max,
                      struct strs *ret)
{
    struct changes c = {.a = a, .secrets = &r->secrets, .found = ret, .max = max};
    struct lines x = lines_of(a, text);
    struct lines y = lines_of(a, r->text);

    for (; x.n && y.n && is_same(&x.v[0], &y.v[0]); x.n--, y.n--) {
        x.v++;
        y.v++;
    }
    while (x.n && y.n && is_same(&x.v[x.n - 1], &y.v[y.n - 1])) {
        x.n--;
        y.n--;
    }
    if (x.n <= ALIGNED_MAX && y.n <= ALIGNED_MAX) {
        align(&c, &x, &y);
    } else {
        add_all(&c, '-', &x);
        add_all(&c, '+', &y);
    }
    return c.n;
}
