/* ui_screen.h -- lines that stay on a terminal, and below them lines that live.
 *
 *     screen_begin(s);
 *     struct line l = line_make(s);
 *     line_add(&l, STYLE_DIM, shown, 20);
 *     screen_keep(s, &l);                  (printed once, above the live lines)
 *     ... line_make, line_add, screen_live(s, &l) ...
 *     screen_show(s);                      (one write: erase the old live lines, print the new)
 *
 * All texts given are harmless already (base/text.h).  Nothing but cursor up, erase to the
 * end and colours is asked of the terminal, and only the live lines are ever erased. */
#ifndef CRELEASE_UI_SCREEN_H
#define CRELEASE_UI_SCREEN_H

#include "base/buf.h"

#include <stdio.h>

struct screen;

enum style { STYLE_PLAIN, STYLE_DIM, STYLE_BOLD, STYLE_GREEN, STYLE_YELLOW, STYLE_RED };

/* columns 0: the terminal is asked each time. */
struct screen *screen_open(FILE *out, int columns, bool color);
void screen_close(struct screen *s); /* erases nothing; accepts NULL */

/* Looks at the size, and starts with no live lines. */
void screen_begin(struct screen *s);
size_t screen_columns(const struct screen *s);
size_t screen_rows(const struct screen *s);

/* A line being made: cut at the right edge, whatever is added. */
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

/* Both end the line.  A live line for which the screen has no row is left out. */
void screen_keep(struct screen *s, struct line *l);
void screen_live(struct screen *s, struct line *l);

/* Parts beside each other with `gap` between them, on as many lines as it takes, each
 * beginning at `indent`.  A part that is longer than a line is broken, at a blank if there
 * is one.  With `begun` the first line goes on from there. */
struct flow {
    enum style style;
    size_t indent;
    size_t gap;
    bool live;
    const struct line *begun;
};
void screen_flow(struct screen *s, const struct flow *f, const struct strs *parts);

/* Bytes of a text that is longer than `columns` to put on a line: up to a blank in the second half
 * of it, or whatever fits. */
size_t screen_break(const char *text, size_t columns);

void screen_show(struct screen *s);

/* What stands on the screen is somebody else's by now: nothing of it is erased. */
void screen_forget(struct screen *s);

/* Takes the live lines from the screen until the next screen_show. */
void screen_erase(struct screen *s);

/* Columns that a harmless text takes.  Where terminals differ, the larger number. */
size_t screen_width(const char *shown);

/* Bytes of the beginning of a harmless text that take at most `columns`. */
size_t screen_fit(const char *shown, size_t columns);

#endif
