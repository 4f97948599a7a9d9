/* buf.h -- a string buffer that grows up to a fixed limit.
 *
 *     struct buf b = buf_make(LINE_BYTES_MAX);
 *     buf_printf(&b, "%s=", name);
 *     quote_word(&b, value);                      (base/quote.h)
 *     ... b.text is always terminated, b.len is its length ...
 *     buf_free(&b);
 *
 * An addition that would exceed the limit is dropped whole and sets `full`.  Callers that can
 * exceed the limit check `full` at the end.
 *
 * Memory is wiped before it is freed, since any script may contain a password (fleet/sudo.h). */
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

/* Returns an empty buffer for at most max bytes.  Nothing is allocated yet. */
struct buf buf_make(size_t max);

/* Append bytes, a string, or formatted text. */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Removes the first n bytes; n is at most len. */
void buf_drop(struct buf *b, size_t n);

/* Empties the buffer and resets `full`; keeps the memory. */
void buf_clear(struct buf *b);

/* Frees the text.  Accepts a zeroed buf and one that was freed before. */
void buf_free(struct buf *b);

#endif
