/* escape.c -- writes text so that neither a browser nor an XML parser reads anything in it (escape.h). */
#include "ui/report/escape.h"

#include "base/text.h"

#include <string.h>

/* A character of three bytes.  U+FFFE and U+FFFF are valid UTF-8, but XML has no form for them. */
static size_t put_three(FILE *out, const char *p)
{
    bool none = strncmp(p, "\xef\xbf\xbe", 3) == 0 || strncmp(p, "\xef\xbf\xbf", 3) == 0;

    if (none)
        fprintf(out, "\\xef\\xbf\\x%02x", (unsigned char)p[2]);
    else
        fwrite(p, 1, 3, out);
    return 3;
}

void put_escaped(FILE *out, const char *s)
{
    static const struct {
        char c;
        const char *as;
    } special[] = {
        {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"},
    };
    struct arena a = {0};
    const char *p = text_shown(&a, s ? s : "");

    while (*p) {
        size_t len = strcspn(p, "<>&\"'\xef");
        fwrite(p, 1, len, out);
        p += len;
        if (*p == '\xef') {
            p += put_three(out, p);
            continue;
        }
        for (size_t i = 0; *p && i < sizeof special / sizeof *special; i++)
            if (*p == special[i].c) {
                fputs(special[i].as, out);
                p++;
                break;
            }
    }
    arena_free(&a);
}

void put_escapedf(FILE *out, const char *fmt, ...)
{
    struct arena a = {0};
    va_list ap;

    va_start(ap, fmt);
    put_escaped(out, arena_vprintf(&a, fmt, ap));
    va_end(ap);
    arena_free(&a);
}
