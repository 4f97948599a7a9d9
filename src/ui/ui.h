/* ui.h -- readers of the event stream.
 *
 *     struct ui_options o = {.mode = UI_TTY, ...};
 *     struct ui *ui = ui_open(&o);
 *     struct watcher w = ui_watcher(ui);
 *     ... the engine sends events to w ...
 *     ui_close(ui);                             (erases the live lines)
 *
 * Texts from hosts, repositories and databases are shown without their control characters. */
#ifndef CRELEASE_UI_H
#define CRELEASE_UI_H

#include "core/event.h"

#include <stdio.h>

enum ui_mode { UI_TTY, UI_PLAIN, UI_JSON };

/* The CI system whose log is written, if it folds lines or has annotations. */
enum ui_ci { UI_CI_NONE, UI_CI_GITHUB, UI_CI_GITLAB };

struct ui_options {
    enum ui_mode mode;
    enum ui_ci ci;
    bool color;
    bool progress; /* UI_TTY: the terminal understands OSC 9;4 */
    bool document; /* UI_JSON: the command writes one document and no events */
    bool quiet;    /* -q: nothing but one line on an error, to err */
    int verbose;   /* -v: keep job output, print more */
    FILE *out;
    FILE *err;
    int columns; /* 0: ask the terminal; 80 if it does not know */
};

struct ui;

struct ui *ui_open(const struct ui_options *options);
struct watcher ui_watcher(struct ui *ui);

/* To be called a few times a second: moves clocks and spinners, and prints what a log held back. */
void ui_tick(void *ui);

/* Erases the live lines so that something else can be printed; the next event draws them again. */
void ui_pause(struct ui *ui);
void ui_close(struct ui *ui);

/* "about 2 h 20 min left (2 h 05 min to 2 h 50 min), from the last 5 backups and its size",
 * harmless. */
const char *ui_backup_expected(struct arena *a, const struct backup *b);

#endif
