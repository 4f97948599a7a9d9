#include "base/quote.h"

void quote_word(struct buf *b, const char *s)
{
    buf_puts(b, "'");
    for (;;) {
        size_t plain = strcspn(s, "'");
        buf_add(b, s, plain);
        if (!s[plain])
            break;
        buf_puts(b, "'\\''");
        s += plain + 1;
    }
    buf_puts(b, "'");
}

void quote_assign(struct buf *b, const char *name, const char *value)
{
    buf_puts(b, name);
    buf_puts(b, "=");
    quote_word(b, value);
    buf_puts(b, "\n");
}
