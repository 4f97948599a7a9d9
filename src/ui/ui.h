/* ui.h -- readers of the event stream.
 *
 *     struct ui_options o = {.mode = UI_TTY, ...};
 *     struct ui *ui = ui_open(&o);
 *     struct watcher w = ui_watcher(ui);
 *     ... the engine tells w ...
 *     ui_close(ui);                             (the screen is left in order)
 *
 * All of them make texts from outside harmless before they are shown. */
#ifndef CRELEASE_UI_H
#define CRELEASE_UI_H

#include "core/event.h"

#include <stdio.h>

enum ui_mode { UI_TTY, UI_PLAIN, UI_JSON };

struct ui_options {
    enum ui_mode mode;
    bool color;
    bool document; /* UI_JSON: the command has one document to write, and tells no events */
    bool quiet;    /* -q: nothing but the one line of an error, on err */
    int verbose;   /* -v: keep job output, say more */
    FILE *out;
    FILE *err;
    int columns; /* 0: ask the terminal, 80 when it does not say */
};

struct ui;

struct ui *ui_open(const struct ui_options *options);
struct watcher ui_watcher(struct ui *ui);

/* Called about ten times a second on a terminal: clocks and spinners move. */
void ui_tick(void *ui);

/* Erases the live lines so that something else can be printed; the next event draws them again. */
void ui_pause(struct ui *ui);
void ui_close(struct ui *ui);

/* "about 2 h 20 min left (2 h 05 min to 2 h 50 min), from the last 5 backups and its size",
 * harmless. */
const char *ui_backup_expected(struct arena *a, const struct backup *b);

#endif
