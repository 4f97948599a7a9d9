/* arena.c -- arenas, checked malloc, and lists of strings (see arena.h).  Used by every file.  When
 * memory runs out, die() ends the process, so no caller checks for NULL. */
#include "base/arena.h"
#include "base/die.h"

#include <stdalign.h>

struct arena_block {
    struct arena_block *below;
    size_t used;
    size_t size;
    alignas(max_align_t) char room[];
};

enum { BLOCK_SIZE = 8192 };

static _Noreturn void out_of_memory(void)
{
    die("out of memory");
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        out_of_memory();
    return p;
}

void *xrealloc(void *p, size_t size)
{
    p = realloc(p, size);
    if (!p)
        out_of_memory();
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t step = alignof(max_align_t);

    if (size > SIZE_MAX / 2)
        out_of_memory();
    size = (size + step - 1) / step * step;
    if (!a->top || a->top->size - a->top->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct arena_block *b = xcalloc(1, sizeof *b + room);
        b->size = room;
        b->below = a->top;
        a->top = b;
    }
    void *p = a->top->room + a->top->used;
    a->top->used += size;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / 2 / size)
        out_of_memory();
    return arena_alloc(a, n * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    /* A length this large can only come from a subtraction that wrapped around. */
    if (len >= SIZE_MAX / 2)
        out_of_memory();
    char *p = arena_alloc(a, len + 1);
    if (len)
        memcpy(p, s, len);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    va_list again;

    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0)
        out_of_memory();
    char *p = arena_alloc(a, (size_t)len + 1);
    vsnprintf(p, (size_t)len + 1, fmt, ap);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

void arena_free(struct arena *a)
{
    while (a->top) {
        struct arena_block *below = a->top->below;
        free(a->top);
        a->top = below;
    }
}

void arena_adopt(struct arena *a, struct arena *other)
{
    struct arena_block *lowest = other->top;

    if (!lowest)
        return;
    while (lowest->below)
        lowest = lowest->below;
    lowest->below = a->top;
    a->top = other->top;
    other->top = NULL;
}

void strs_add(struct arena *a, struct strs *list, const char *s)
{
    /* The capacity doubles at each power of two, so the count alone tells when to grow. */
    if ((list->n & (list->n - 1)) == 0) {
        const char **v = arena_array(a, list->n ? list->n * 2 : 1, sizeof *v);
        if (list->n)
            memcpy(v, list->v, list->n * sizeof *v);
        list->v = v;
    }
    list->v[list->n++] = s;
}

const char *strs_first(struct arena *a, const struct strs *list, size_t max)
{
    const struct strs first = {list->v, list->n < max ? list->n : max};
    const char *text = strs_joined(a, &first, ", ");

    return list->n > max ? arena_printf(a, "%s ...", text) : text;
}

const char *strs_joined(struct arena *a, const struct strs *list, const char *between)
{
    size_t gap = strlen(between);
    size_t len = 0;

    for (size_t i = 0; i < list->n; i++)
        len += strlen(list->v[i]) + gap;
    char *text = arena_alloc(a, len + 1);
    char *end = text;
    for (size_t i = 0; i < list->n; i++) {
        size_t n = strlen(list->v[i]);
        if (i)
            end = (char *)memcpy(end, between, gap) + gap;
        end = (char *)memcpy(end, list->v[i], n) + n;
    }
    return text;
}

bool strs_has(const struct strs *list, const char *s)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], s) == 0)
            return true;
    return false;
}
