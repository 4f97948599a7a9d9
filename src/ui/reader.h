/* reader.h -- what the three readers of the event stream share; for this folder only.
 *
 * A reader is a row of functions.  ui.c opens the one for the mode, drops what it need not see (-q,
 * anything after the end), and passes on the rest.  The functions below return texts of one line
 * without control characters. */
#ifndef CRELEASE_UI_READER_H
#define CRELEASE_UI_READER_H

#include "ui/ui.h"

struct ui;

struct ui_reader {
    void *(*open)(struct ui *ui); /* what the reader remembers: `own` */
    void (*tell)(struct ui *ui, const struct event *e);
    void (*tick)(struct ui *ui);  /* a few times a second */
    void (*pause)(struct ui *ui); /* erases the live lines */
    void (*close)(struct ui *ui); /* frees own; there may have been no end */
};

extern const struct ui_reader ui_tty;
extern const struct ui_reader ui_plain;
extern const struct ui_reader ui_json;

struct ui {
    struct ui_options o;
    const struct ui_reader *reader;
    void *own;
    bool ended;
    struct ui_stream *streams;
    struct arena progress_text;
    const char *progress_of; /* the stage whose progress was reported last, */
    long long progress_ms;   /* and when */
};

/* Whether two texts are equal, or both NULL. */
bool ui_same(const char *a, const char *b);

/* The state as people read it: "started", "done", ...; JSON has event_state_words. */
const char *ui_state_word(enum event_state state);

/* The same of an event, where it is known better: a stage that gave up waiting, or was stopped. */
const char *ui_event_word(const struct event *e);

/* Whether e is the end of something. */
bool ui_is_over(const struct event *e);

/* Cuts the output of jobs into lines, for each stage and host separately.  A line comes without its
 * newline; one that is longer than LINE_BYTES_MAX comes in pieces.  The event has the stage and host of
 * the line. */
typedef void ui_line(struct ui *ui, const struct event *e, const char *line, size_t len);
void ui_take_output(struct ui *ui, const struct event *e, ui_line *line);

/* If e ends a job, a stage or a run: passes on the rest of its output, which lacks a newline. */
void ui_end_output(struct ui *ui, const struct event *e, ui_line *line);

/* A line of output as a terminal would finally show it: what follows the last carriage return, without
 * colors and cursor movements. */
const char *ui_output(struct arena *a, const char *line, size_t len);

/* At most max bytes of valid UTF-8, without cutting a character in two. */
size_t ui_whole_characters(const char *text, size_t max);

/* A text without control characters; "" for NULL. */
const char *ui_shown(struct arena *a, const char *s);

/* The parts of the line about a run: "my_project -> production", "3 hosts", ... */
struct strs ui_run_parts(struct arena *a, const struct event *e);

/* The names of the event's hosts, or their number if the names are longer than `columns`. */
const char *ui_hosts(struct arena *a, const struct event *e, size_t columns);

/* "pg_dump of my_database by postgres, pid 12345, for 1 h 02 min", passed_ms after the event. */
const char *ui_backup_what(struct arena *a, const struct backup *b, long long passed_ms);

/* "about 2 h 20 min left," and "from ...", the second only if it is known. */
struct strs ui_backup_left(struct arena *a, const struct backup *b, long long passed_ms);

/* The last line of a run that succeeded, and the first one about a failure. */
/* What is live where, and what has changed there: "bfd1264 on app1 app2: 13 commits since 8fdc7d2; ...".
 * NULL if that is not known. */
const char *ui_live(struct arena *a, const struct event *e);

/* "took: build 34 s (usually 21 s), migrate 4.5 s": the steps that took a second, or usually do; NULL: none did. */
const char *ui_times(struct arena *a, const struct event *e);
const char *ui_success(struct arena *a, const struct event *e);
const char *ui_failed(struct arena *a, const struct event *e);

/* Prints a failure to err, as a block or with -q as one line. */
void ui_failure(struct ui *ui, const struct event *e);

#endif
