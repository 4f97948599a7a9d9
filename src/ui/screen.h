/* screen.h -- lines that stay on a terminal, and live lines below them, which are redrawn.
 *
 *     screen_begin(s);
 *     struct line l = line_make(s);
 *     line_add(&l, STYLE_DIM, shown, 20);
 *     screen_keep(s, &l);                  (printed once, above the live lines)
 *     ... line_make, line_add, screen_live(s, &l) ...
 *     screen_show(s);                      (one write: erase the old live lines, print the new)
 *
 * Texts must be free of control characters (base/text.h).  The terminal needs to know cursor up, erase
 * to the end, and colors; only the live lines are ever erased. */
#ifndef CRELEASE_UI_SCREEN_H
#define CRELEASE_UI_SCREEN_H

#include "base/buf.h"

#include <stdio.h>

struct screen;

enum style { STYLE_PLAIN, STYLE_DIM, STYLE_BOLD, STYLE_GREEN, STYLE_YELLOW, STYLE_RED };

/* columns 0: ask the terminal each time. */
struct screen *screen_open(FILE *out, int columns, bool color);
void screen_close(struct screen *s); /* erases nothing but the progress; accepts NULL */

/* Sets what the terminal shows in its tab or task bar (OSC 9;4), with the next screen_show.  percent -1: not
 * known.  The numbers are those of the sequence. */
enum screen_progress {
    PROGRESS_NONE = 0,
    PROGRESS_SOME = 1,
    PROGRESS_ANY = 3,
    PROGRESS_WAITING = 4
};
void screen_progress(struct screen *s, enum screen_progress progress, int percent);

/* Reads the size of the terminal, and starts without live lines. */
void screen_begin(struct screen *s);
size_t screen_columns(const struct screen *s);
size_t screen_rows(const struct screen *s);

/* A line in the making, which is cut at the right edge. */
struct line {
    struct buf b;
    size_t width;
    size_t max;
    bool color;
};

struct line line_make(const struct screen *s);

/* At most `columns` of the text; a cut one ends in "...". */
void line_add(struct line *l, enum style style, const char *shown, size_t columns);

/* Blanks up to this column. */
void line_to(struct line *l, size_t column);

/* Both end the line.  Live lines that do not fit on the screen are left out. */
void screen_keep(struct screen *s, struct line *l);
void screen_live(struct screen *s, struct line *l);

/* Parts side by side with `gap` between them, on as many lines as it takes, each of which starts at
 * `indent`.  A part that is longer than a line is broken, at a blank if possible.  With `begun` the
 * first line continues that one. */
struct flow {
    enum style style;
    size_t indent;
    size_t gap;
    bool live;
    const struct line *begun;
};
void screen_flow(struct screen *s, const struct flow *f, const struct strs *parts);

/* How many bytes of a text that is longer than `columns` to put on a line: up to a blank in its second
 * half, or all that fit. */
size_t screen_break(const char *text, size_t columns);

void screen_show(struct screen *s);

/* Another program has written to the screen: the live lines there are not to be erased. */
void screen_forget(struct screen *s);

/* Erases the live lines until the next screen_show. */
void screen_erase(struct screen *s);

/* Columns that a text takes; where terminals differ, the larger number. */
size_t screen_width(const char *shown);

/* Bytes at the start of a text that take at most `columns`. */
size_t screen_fit(const char *shown, size_t columns);

#endif
