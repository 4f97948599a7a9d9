/* buf.c -- a string that grows up to a fixed limit (see buf.h).  Used wherever text is built or
 * collected; memory comes from arena.c's xrealloc. */
#include "base/buf.h"

#include <assert.h>

static char empty[1];

struct buf buf_make(size_t max)
{
    return (struct buf){.text = empty, .max = max};
}

static void wipe(struct buf *b)
{
    explicit_bzero(b->text, b->room);
    free(b->text);
}

static void make_room(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;

    if (need <= b->room)
        return;
    size_t room = b->room ? b->room : 128;
    while (room < need)
        room *= 2;
    char *text = xrealloc(NULL, room);
    if (b->room) {
        memcpy(text, b->text, b->len + 1);
        wipe(b);
    } else {
        text[0] = '\0';
    }
    b->text = text;
    b->room = room;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len > b->max - b->len) {
        b->full = true;
        return;
    }
    if (!len)
        return;
    make_room(b, len);
    memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_list again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len > 0 && (size_t)len <= b->max - b->len) {
        make_room(b, (size_t)len);
        vsnprintf(b->text + b->len, (size_t)len + 1, fmt, ap);
        b->len += (size_t)len;
    } else if (len > 0) {
        b->full = true;
    }
    va_end(ap);
}

void buf_drop(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (!n)
        return;
    memmove(b->text, b->text + n, b->len - n + 1);
    b->len -= n;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->full = false;
    if (b->room)
        b->text[0] = '\0';
}

void buf_free(struct buf *b)
{
    if (b->room)
        wipe(b);
    *b = (struct buf){.text = empty, .max = b->max};
}
