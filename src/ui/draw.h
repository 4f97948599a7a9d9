/* draw.h -- how a terminal shows a run: the line of a stage, and the block of what is in progress.  For
 * tty.c. */
#ifndef CRELEASE_UI_DRAW_H
#define CRELEASE_UI_DRAW_H

#include "ui/live.h"
#include "ui/screen.h"

struct drawing {
    struct screen *screen;
    struct live live;
    size_t hosts_columns;
    bool progress; /* the terminal shows progress in its tab or task bar */
    unsigned turn; /* of spinners, and of the bar without a percentage */
};

/* The line of a stage, live or final. */
struct stage_line {
    const char *mark;
    enum style mark_style;
    const char *name;
    const char *hosts;
    const char *detail;
    const char *time;
    enum style style;
    bool live; /* will be redrawn; else it stays */
};

/* A live line is cut at the edge of the screen, one that stays is wrapped. */
void draw_stage(struct drawing *d, const struct stage_line *s);

/* As many lines as the detail takes, without the time.  Returns the column where further lines
 * should start. */
size_t draw_stage_whole(struct drawing *d, const struct stage_line *s);

/* Draws the live lines, and prints what is to stay above them. */
void draw(struct drawing *d);

#endif
