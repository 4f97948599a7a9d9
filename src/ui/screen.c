/* screen.c -- lines on a terminal: some stay, those below them are redrawn (screen.h).  Knows nothing of
 * runs. */
#include "ui/screen.h"

#include "base/limits.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { LIVE_MAX = 64, COLUMNS_MIN = 12, SCREEN_BYTES_MAX = 4 * 1024 * 1024 };

struct live {
    struct buf text;
    size_t width[LIVE_MAX];
    size_t n;
};

struct screen {
    FILE *out;
    int fixed_columns;
    bool color;
    size_t columns;
    size_t rows;
    struct buf keep;                  /* to be printed above the live lines */
    struct live now;                  /* live lines on the screen */
    struct live next;                 /* those that will replace them */
    enum screen_progress progress[2]; /* on the terminal, and to be shown there */
    int percent[2];
};

struct screen *screen_open(FILE *out, int columns, bool color)
{
    struct screen *s = xcalloc(1, sizeof *s);

    s->out = out;
    s->fixed_columns = columns;
    s->color = color;
    s->keep = buf_make(SCREEN_BYTES_MAX);
    s->now.text = buf_make(SCREEN_BYTES_MAX);
    s->next.text = buf_make(SCREEN_BYTES_MAX);
    screen_begin(s);
    return s;
}

void screen_progress(struct screen *s, enum screen_progress progress, int percent)
{
    s->progress[1] = progress;
    s->percent[1] = percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

static bool progress_differs(const struct screen *s)
{
    return s->progress[0] != s->progress[1] || s->percent[0] != s->percent[1];
}

static void put_progress(struct screen *s, struct buf *out)
{
    if (!progress_differs(s))
        return;
    buf_printf(out, "\033]9;4;%d;%d\033\\", (int)s->progress[1], s->percent[1]);
    s->progress[0] = s->progress[1];
    s->percent[0] = s->percent[1];
}

void screen_close(struct screen *s)
{
    if (!s)
        return;
    screen_progress(s, PROGRESS_NONE, 0);
    struct buf out = buf_make(64);
    put_progress(s, &out);
    fwrite(out.text ? out.text : "", 1, out.len, s->out);
    fflush(s->out);
    buf_free(&out);
    buf_free(&s->keep);
    buf_free(&s->now.text);
    buf_free(&s->next.text);
    free(s);
}

void screen_begin(struct screen *s)
{
    struct winsize w = {0};
    bool known = ioctl(fileno(s->out), TIOCGWINSZ, &w) == 0;

    s->columns = known && w.ws_col ? w.ws_col : 80;
    if (s->fixed_columns > 0)
        s->columns = (size_t)s->fixed_columns;
    if (s->columns < COLUMNS_MIN)
        s->columns = COLUMNS_MIN;
    s->rows = known && w.ws_row ? w.ws_row : 24;
    buf_clear(&s->next.text);
    s->next.n = 0;
}

size_t screen_columns(const struct screen *s)
{
    return s->columns;
}

size_t screen_rows(const struct screen *s)
{
    return s->rows;
}

struct line line_make(const struct screen *s)
{
    /* The last column stays free, since terminals differ in when they wrap after it. */
    return (struct line){.b = buf_make(LINE_BYTES_MAX), .max = s->columns - 1, .color = s->color};
}

void line_add(struct line *l, enum style style, const char *shown, size_t columns)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "",         [STYLE_DIM] = "\033[2m",     [STYLE_BOLD] = "\033[1m",
        [STYLE_GREEN] = "\033[32m", [STYLE_YELLOW] = "\033[33m", [STYLE_RED] = "\033[31m",
    };
    bool paint = l->color && style != STYLE_PLAIN && *shown;

    if (columns > l->max - l->width)
        columns = l->max - l->width;
    size_t width = screen_width(shown);
    bool cut = width > columns;
    size_t dots = cut && columns > 6 ? 3 : 0;
    if (paint)
        buf_puts(&l->b, codes[style]);
    buf_add(&l->b, shown, screen_fit(shown, columns - dots));
    buf_add(&l->b, "...", dots);
    if (paint)
        buf_puts(&l->b, "\033[0m");
    /* May be one too many, if a wide character did not fit at the edge. */
    l->width += cut ? columns : width;
}

void line_to(struct line *l, size_t column)
{
    for (; l->width < column && l->width < l->max; l->width++)
        buf_puts(&l->b, " ");
}

void screen_keep(struct screen *s, struct line *l)
{
    buf_add(&s->keep, l->b.text, l->b.len);
    buf_puts(&s->keep, "\n");
    buf_free(&l->b);
}

void screen_live(struct screen *s, struct line *l)
{
    if (s->next.n < LIVE_MAX && s->next.n + 1 < s->rows) {
        buf_add(&s->next.text, l->b.text, l->b.len);
        buf_puts(&s->next.text, "\n");
        s->next.width[s->next.n++] = l->width;
    }
    buf_free(&l->b);
}

static void line_end(struct screen *s, struct line *l, bool live)
{
    if (live)
        screen_live(s, l);
    else
        screen_keep(s, l);
}

/* Ends the line and starts the next one. */
static void line_break(struct screen *s, struct line *l, const struct flow *f)
{
    line_end(s, l, f->live);
    *l = line_make(s);
    line_to(l, f->indent);
}

size_t screen_break(const char *text, size_t columns)
{
    size_t fit = screen_fit(text, columns);

    for (size_t n = fit; n > fit / 2; n--)
        if (text[n] == ' ')
            return n;
    return fit;
}

void screen_flow(struct screen *s, const struct flow *f, const struct strs *parts)
{
    struct arena a = {0};
    struct line l = f->begun ? *f->begun : line_make(s);
    size_t gap = 0;

    if (!f->begun)
        line_to(&l, f->indent);
    for (size_t i = 0; i < parts->n; i++, gap = f->gap) {
        const char *part = parts->v[i];
        if (gap && l.width + gap + screen_width(part) > l.max) {
            line_break(s, &l, f);
            gap = 0;
        }
        line_to(&l, l.width + gap);
        while (screen_width(part) > l.max - l.width && l.max - l.width >= 2) {
            size_t n = screen_break(part, l.max - l.width);
            line_add(&l, f->style, arena_strndup(&a, part, n), SIZE_MAX);
            line_break(s, &l, f);
            part += part[n] == ' ' ? n + 1 : n;
        }
        line_add(&l, f->style, part, SIZE_MAX);
    }
    line_end(s, &l, f->live);
    arena_free(&a);
}

/* Rows that the live lines take now: a terminal that was made narrower has wrapped them. */
static size_t rows_standing(const struct screen *s)
{
    size_t rows = 0;

    for (size_t i = 0; i < s->now.n; i++)
        rows += s->now.width[i] > s->columns ? (s->now.width[i] + s->columns - 1) / s->columns : 1;
    return rows;
}

static void erase(struct screen *s, struct buf *out)
{
    if (s->now.n)
        buf_printf(out, "\r\033[%zuA\033[J", rows_standing(s));
    s->now.n = 0;
    buf_clear(&s->now.text);
}

void screen_show(struct screen *s)
{
    bool same = s->now.n == s->next.n && strcmp(s->now.text.text, s->next.text.text) == 0;

    if (!s->keep.len && same && !progress_differs(s))
        return;
    struct buf out = buf_make(3 * (size_t)SCREEN_BYTES_MAX);
    erase(s, &out);
    buf_add(&out, s->keep.text, s->keep.len);
    buf_add(&out, s->next.text.text, s->next.text.len);
    put_progress(s, &out);
    fwrite(out.text, 1, out.len, s->out);
    fflush(s->out);
    buf_free(&out);
    buf_clear(&s->keep);
    struct live shown = s->next;
    s->next = s->now;
    s->now = shown;
}

void screen_forget(struct screen *s)
{
    s->now.n = 0;
    buf_clear(&s->now.text);
}

void screen_erase(struct screen *s)
{
    struct buf out = buf_make(64);

    screen_begin(s);
    erase(s, &out);
    fwrite(out.text, 1, out.len, s->out);
    fflush(s->out);
    buf_free(&out);
}

struct range {
    unsigned first;
    unsigned last;
};

static bool in(const struct range *ranges, size_t n, unsigned c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Not wcwidth, which depends on the locale and need not agree with the terminal.  If a width here is too
 * large a line is cut early; if it were too small the line would wrap. */
static size_t columns_of(unsigned c)
{
    static const struct range none[] = {
        {0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
        {0x20d0, 0x20ff}, {0xfe00, 0xfe0e}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
    };
    static const struct range two[] = {
        {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23f3},   {0x25fd, 0x25fe},
        {0x2600, 0x27bf},   {0x2b1b, 0x2b55},   {0x2e80, 0xa4cf},   {0xa960, 0xa97f},
        {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe1f},   {0xfe30, 0xfe6f},
        {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff},
        {0x1f000, 0x1faff}, {0x20000, 0x3fffd},
    };

    if (c < 0x300)
        return 1;
    if (in(none, sizeof none / sizeof *none, c))
        return 0;
    return in(two, sizeof two / sizeof *two, c) ? 2 : 1;
}

/* Decodes the character at *s, which is valid UTF-8, and moves on to the next. */
static unsigned next_character(const char **s)
{
    const unsigned char *u = (const unsigned char *)*s;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    unsigned c = n == 1 ? u[0] : u[0] & (0xffu >> (n + 1));
    size_t i = 1;

    for (; i < n && u[i]; i++)
        c = c << 6 | (u[i] & 0x3fu);
    *s += i;
    return c;
}

size_t screen_width(const char *shown)
{
    size_t width = 0;

    while (*shown)
        width += columns_of(next_character(&shown));
    return width;
}

size_t screen_fit(const char *shown, size_t columns)
{
    const char *at = shown;
    const char *next = shown;
    size_t width = 0;

    while (*next) {
        width += columns_of(next_character(&next));
        if (width > columns)
            break;
        at = next;
    }
    return (size_t)(at - shown);
}
