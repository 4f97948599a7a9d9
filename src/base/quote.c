/* quote.c -- the only code that quotes text for a shell (see quote.h).  Called wherever a value is
 * put into a script or a command is shown for copying. */
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

static bool is_bare(const char *s)
{
    static const char bare[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_^";

    for (const char *c = s; *c; c++)
        if ((unsigned char)*c < 0x80 && !strchr(bare, *c))
            return *c == '~' && c > s && is_bare(c + 1);
    return *s != '\0';
}

void quote_typed(struct buf *b, const char *s)
{
    bool quotes = !strchr(s, '!');

    if (is_bare(s)) {
        buf_puts(b, s);
        return;
    }
    if (quotes)
        buf_puts(b, "\"");
    for (; *s; s++) {
        bool special = strchr(quotes ? "$`\"\\" : " \t!\"#$&'()*;<>?[\\]`{|}~", *s) != NULL;
        if (special)
            buf_puts(b, "\\");
        buf_add(b, s, 1);
    }
    if (quotes)
        buf_puts(b, "\"");
}

void quote_assign(struct buf *b, const char *name, const char *value)
{
    buf_puts(b, name);
    buf_puts(b, "=");
    quote_word(b, value);
    buf_puts(b, "\n");
}
