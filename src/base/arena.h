/* arena.h -- memory with one owner and one end.
 *
 *     struct arena a = {0};
 *     char *name = arena_printf(&a, "%s.tmp", path);
 *     ...
 *     arena_free(&a);            (everything, at once; the arena can be used again)
 *
 * Nothing here returns NULL: out of memory ends the process with a message and
 * status 1 (die.h). */
#ifndef CRELEASE_ARENA_H
#define CRELEASE_ARENA_H

#include "base/banned.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    struct arena_block *top;
};

/* Zeroed memory, aligned for any type; lives until arena_free. */
void *arena_alloc(struct arena *a, size_t size);

/* Room for n members of the given size, zeroed; the product is checked. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Copies of text, terminated.  arena_strndup copies len bytes, NULs included. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);

char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

void arena_free(struct arena *a);

/* All that is in the other lives as long as `a` from now on; the other is empty then. */
void arena_adopt(struct arena *a, struct arena *other);

/* Memory with a single owner, for handles; xrealloc(NULL, n) makes it, free ends it. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);

/* A list of texts in an arena.  v is NULL when n is 0. */
struct strs {
    const char **v;
    size_t n;
};

/* Appends s itself, not a copy. */
void strs_add(struct arena *a, struct strs *list, const char *s);

/* "a, b, c ...": the first of them, as one text. */
const char *strs_first(struct arena *a, const struct strs *list, size_t max);
bool strs_has(const struct strs *list, const char *s);

/* All of them, with that between two. */
const char *strs_joined(struct arena *a, const struct strs *list, const char *between);

#endif
