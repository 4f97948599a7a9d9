/* buf.h -- text that grows up to a limit.
 *
 *     struct buf b = buf_make(LINE_BYTES_MAX);
 *     buf_printf(&b, "%s=", name);
 *     buf_quote(&b, value);                       (base/quote.h)
 *     ... b.text is always terminated, b.len is its length ...
 *     buf_free(&b);
 *
 * What does not fit is not added and sets `full`; the caller who cares looks. */
#ifndef CRELEASE_BUF_H
#define CRELEASE_BUF_H

#include "base/arena.h"

struct buf {
    char *text; /* never NULL after buf_make */
    size_t len;
    size_t room;
    size_t max;
    bool full;
};

struct buf buf_make(size_t max);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first n bytes, n at most len. */
void buf_drop(struct buf *b, size_t n);
void buf_clear(struct buf *b);

/* Accepts a zeroed buf and one that was freed. */
void buf_free(struct buf *b);

#endif
