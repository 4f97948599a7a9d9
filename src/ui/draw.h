/* ui_draw.h -- how a terminal shows a run: the line of a stage, and the block of what is
 * under way.  For ui_tty.c. */
#ifndef CRELEASE_UI_DRAW_H
#define CRELEASE_UI_DRAW_H

#include "ui/live.h"
#include "ui/screen.h"

struct drawing {
    struct screen *screen;
    struct live live;
    size_t hosts_columns;
    unsigned turn; /* of spinners and of the bar without an end */
};

/* What the lines of stages, live or over, have in common. */
struct stage_line {
    const char *mark;
    enum style mark_style;
    const char *name;
    const char *hosts;
    const char *detail;
    const char *time;
    enum style style;
    bool live; /* of what is under way; else it stays */
};

/* One line while it lives, cut where it must be; a line that stays is wrapped. */
void draw_stage(struct drawing *d, const struct stage_line *s);

/* As many lines as the detail takes, without the time.  Returns the column where those
 * that follow begin. */
size_t draw_stage_whole(struct drawing *d, const struct stage_line *s);

/* Makes the live lines anew and shows them with what is to be kept. */
void draw(struct drawing *d);

#endif
