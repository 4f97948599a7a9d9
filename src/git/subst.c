/* subst.c -- expands export-subst placeholders (see subst.h).  Called by export.c. */
#define _GNU_SOURCE /* memmem */
#include "git/subst.h"

#include <ctype.h>

enum { SHORT = 7 };

static const char opening[] = "$Format:";

/* A message in two parts: the lines up to the first blank one, and the rest. */
struct parts {
    const char *subject;
    size_t subject_len;
    const char *body;
};

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isspace((unsigned char)line[i]))
            return false;
    return true;
}

static const char *skip_blank(const char *s)
{
    for (;;) {
        size_t len = strcspn(s, "\n");
        if (!*s || !is_blank(s, len))
            return s;
        s += len + (s[len] == '\n');
    }
}

static struct parts split(const char *message)
{
    struct parts p = {.subject = skip_blank(message)};
    const char *s = p.subject;

    while (*s) {
        size_t len = strcspn(s, "\n");
        if (is_blank(s, len))
            break;
        s += len + (s[len] == '\n');
    }
    p.subject_len = (size_t)(s - p.subject);
    p.body = skip_blank(s);
    return p;
}

/* Joins the lines of a subject with blanks. */
static void add_subject(struct buf *b, const struct parts *p)
{
    const char *s = p->subject;
    const char *end = s + p->subject_len;

    while (s < end) {
        size_t len = strcspn(s, "\n");
        size_t shown = len;
        while (shown && isspace((unsigned char)s[shown - 1]))
            shown--;
        if (s != p->subject)
            buf_puts(b, " ");
        buf_add(b, s, shown);
        s += len + 1;
    }
}

static void add_date(struct buf *b, const struct subst_person *who, char form)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int off = abs(who->offset);
    char sign = who->offset < 0 ? '-' : '+';
    time_t t = (time_t)(who->time + who->offset * 60LL);
    struct tm tm = {0};

    if (form == 't') {
        buf_printf(b, "%lld", who->time);
        return;
    }
    if (!gmtime_r(&t, &tm)) /* the year overflows an int */
        return;
    int year = tm.tm_year + 1900;
    int mon = tm.tm_mon + 1;
    switch (form) {
    case 'd':
        buf_printf(b, "%s %s %d %02d:%02d:%02d %d %c%02d%02d", days[tm.tm_wday], months[tm.tm_mon],
                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, year, sign, off / 60, off % 60);
        break;
    case 'D':
        buf_printf(b, "%s, %d %s %d %02d:%02d:%02d %c%02d%02d", days[tm.tm_wday], tm.tm_mday,
                   months[tm.tm_mon], year, tm.tm_hour, tm.tm_min, tm.tm_sec, sign, off / 60,
                   off % 60);
        break;
    case 'i':
        buf_printf(b, "%04d-%02d-%02d %02d:%02d:%02d %c%02d%02d", year, mon, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec, sign, off / 60, off % 60);
        break;
    case 'I':
        buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", year, mon, tm.tm_mday, tm.tm_hour,
                   tm.tm_min, tm.tm_sec, sign, off / 60, off % 60);
        break;
    default:
        buf_printf(b, "%04d-%02d-%02d", year, mon, tm.tm_mday);
    }
}

static size_t add_person(struct buf *b, const struct subst_person *who, char what)
{
    if (what == 'n')
        buf_puts(b, who->name);
    else if (what == 'e')
        buf_puts(b, who->email);
    else if (what && strchr("dDiIst", what))
        add_date(b, who, what);
    else
        return 0;
    return 2;
}

static void add_parents(struct buf *b, const struct strs *parents, int digits)
{
    for (size_t i = 0; i < parents->n; i++)
        buf_printf(b, "%s%.*s", i ? " " : "", digits, parents->v[i]);
}

static size_t add_byte(struct buf *b, const char *s)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char c = 0;

    for (int i = 0; i < 2; i++) {
        const char *at = s[i] ? strchr(digits, tolower((unsigned char)s[i])) : NULL;
        if (!at)
            return 0;
        c = (unsigned char)(c << 4 | (at - digits));
    }
    buf_add(b, &c, 1);
    return 3;
}

/* Returns how many characters behind the percent sign were used, or 0 if they are not known. */
static size_t add_one(struct buf *b, const char *s, const struct subst_commit *c)
{
    struct parts p;

    switch (*s) {
    case 'a':
        return add_person(b, &c->author, s[1]);
    case 'c':
        return add_person(b, &c->committer, s[1]);
    case 'x':
        return add_byte(b, s + 1);
    case 'H':
        buf_puts(b, c->sha);
        break;
    case 'h':
        buf_printf(b, "%.*s", SHORT, c->sha);
        break;
    case 'T':
        buf_puts(b, c->tree);
        break;
    case 't':
        buf_printf(b, "%.*s", SHORT, c->tree);
        break;
    case 'P':
        add_parents(b, &c->parents, 64);
        break;
    case 'p':
        add_parents(b, &c->parents, SHORT);
        break;
    case 's':
        p = split(c->message);
        add_subject(b, &p);
        break;
    case 'b':
        buf_puts(b, split(c->message).body);
        break;
    case 'B':
        buf_puts(b, c->message);
        break;
    case 'd':
        if (*c->refs)
            buf_printf(b, " (%s)", c->refs);
        break;
    case 'D':
        buf_puts(b, c->refs);
        break;
    case 'n':
        buf_puts(b, "\n");
        break;
    case '%':
        buf_puts(b, "%");
        break;
    default:
        return 0;
    }
    return 1;
}

static void add_format(struct buf *b, const char *format, const struct subst_commit *c)
{
    for (const char *s = format; *s && !b->full;) {
        size_t used = *s == '%' ? add_one(b, s + 1, c) : 0;
        if (!used)
            buf_add(b, s, 1);
        s += used + 1;
    }
}

void subst_fill(struct buf *b, const char *bytes, size_t len, const struct subst_commit *c)
{
    const size_t skip = sizeof opening - 1;
    const char *end = bytes + len;
    struct arena scratch = {0};

    while (!b->full) {
        const char *from = memmem(bytes, (size_t)(end - bytes), opening, skip);
        const char *to = from ? memchr(from + skip, '$', (size_t)(end - from) - skip) : NULL;
        if (!to)
            break;
        buf_add(b, bytes, (size_t)(from - bytes));
        add_format(b, arena_strndup(&scratch, from + skip, (size_t)(to - from) - skip), c);
        bytes = to + 1;
    }
    buf_add(b, bytes, (size_t)(end - bytes));
    arena_free(&scratch);
}
