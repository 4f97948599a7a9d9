/* shown.c -- text from hosts, repositories and databases as one line that cannot control a terminal (reader.h). */
#include "ui/reader.h"

#include "base/text.h"

#include <string.h>

/* Length of a whole control sequence (ECMA-48) at s, 0 when there is none. */
static size_t control_sequence(const char *s, const char *end)
{
    const char *p = s + 2;

    if (end - s < 3 || s[0] != '\033' || s[1] != '[')
        return 0;
    while (p < end && *p >= 0x20 && *p <= 0x3f)
        p++;
    return p < end && *p >= 0x40 && *p <= 0x7e ? (size_t)(p + 1 - s) : 0;
}

const char *ui_output(struct arena *a, const char *line, size_t len)
{
    const char *end = line + len;
    const char *p = end;
    struct buf kept = buf_make(len);
    struct buf shown = buf_make(len * 4 + 1);

    while (p > line && p[-1] != '\r')
        p--;
    while (p < end) {
        size_t skip = control_sequence(p, end);
        if (!skip)
            buf_add(&kept, p, 1);
        p += skip ? skip : 1;
    }
    text_visible(&shown, kept.text, kept.len, false);
    const char *text = arena_strndup(a, shown.text, shown.len);
    buf_free(&kept);
    buf_free(&shown);
    return text;
}

const char *ui_shown(struct arena *a, const char *s)
{
    return s ? text_shown(a, s) : "";
}

size_t ui_whole_characters(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len <= max)
        return len;
    while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}
