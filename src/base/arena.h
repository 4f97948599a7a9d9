/* arena.h -- memory that is allocated piece by piece and freed all at once.
 *
 *     struct arena a = {0};
 *     char *name = arena_printf(&a, "%s.tmp", path);
 *     ...
 *     arena_free(&a);            (frees everything; the arena can be used again)
 *
 * No function here returns NULL: when memory runs out, the process ends with a message and
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

/* Returns zeroed memory, aligned for any type, that is valid until arena_free. */
void *arena_alloc(struct arena *a, size_t size);

/* Returns zeroed memory for n elements of the given size.  The product is checked for overflow. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Return a terminated copy.  arena_strndup copies exactly len bytes, NULs included. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);

/* Return the formatted string. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Frees everything; the arena is empty afterwards and can be used again. */
void arena_free(struct arena *a);

/* Moves everything in `other` to `a`, where it lives until `a` is freed.  `other` is empty then. */
void arena_adopt(struct arena *a, struct arena *other);

/* Zeroed or resized memory with an owner of its own, for handles; the owner calls free().
 * xrealloc(NULL, n) allocates. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);

/* A list of strings in an arena.  v is NULL when n is 0. */
struct strs {
    const char **v;
    size_t n;
};

/* Appends the pointer s, not a copy. */
void strs_add(struct arena *a, struct strs *list, const char *s);

/* Returns the first `max` strings joined by ", ", followed by " ..." when there are more. */
const char *strs_first(struct arena *a, const struct strs *list, size_t max);

/* Whether the list contains a string equal to s. */
bool strs_has(const struct strs *list, const char *s);

/* Returns all strings joined with `between`. */
const char *strs_joined(struct arena *a, const struct strs *list, const char *between);

#endif
