/* ui_reader.h -- what the three readers of the event stream share; for ui*.c only.
 *
 * A reader is a row of functions.  ui.c opens the one the mode asks for, keeps events
 * from it that it need not see (-q, anything after the end), and passes the rest on.
 * Texts that come out of the functions below are harmless and of one line. */
#ifndef CRELEASE_UI_READER_H
#define CRELEASE_UI_READER_H

#include "ui/ui.h"

struct ui;

struct ui_reader {
    void *(*open)(struct ui *ui); /* what the reader remembers: `own` */
    void (*tell)(struct ui *ui, const struct event *e);
    void (*tick)(struct ui *ui);  /* must not print what should stay */
    void (*pause)(struct ui *ui); /* leaves nothing on the screen that will be erased */
    void (*close)(struct ui *ui); /* frees own; told an end before, or not */
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
    const char *progress_of; /* the stage whose progress was told last, */
    long long progress_ms;   /* and when */
};

/* Whether two texts are equal, or both NULL. */
bool ui_same(const char *a, const char *b);

/* The state as people read it: "started", "done", ...; JSON has event_state_words. */
const char *ui_state_word(enum event_state state);

/* Whether the state of e is a last one. */
bool ui_is_over(const struct event *e);

/* Output of jobs becomes lines, for each stage and host apart.  A line comes without its
 * end; longer ones than LINE_BYTES_MAX come in pieces.  The event given along has the
 * stage and host of the line. */
typedef void ui_line(struct ui *ui, const struct event *e, const char *line, size_t len);
void ui_take_output(struct ui *ui, const struct event *e, ui_line *line);

/* When e ends a job, a stage or a run: gives what is left of its output without a newline. */
void ui_end_output(struct ui *ui, const struct event *e, ui_line *line);

/* A line of output for people, harmless: what a terminal would show in the end, that is
 * after its last carriage return, without colours and cursor movements. */
const char *ui_output(struct arena *a, const char *line, size_t len);

/* A text made harmless; "" for NULL. */
const char *ui_shown(struct arena *a, const char *s);

/* The parts of the line about a run: "my_project -> production", "3 hosts", ... */
struct strs ui_run_parts(struct arena *a, const struct event *e);

/* On which hosts: their names, or when they are longer than `columns`, how many. */
const char *ui_hosts(struct arena *a, const struct event *e, size_t columns);

/* "pg_dump of my_database by postgres, pid 12345, for 1 h 02 min", passed_ms after it was told. */
const char *ui_backup_what(struct arena *a, const struct backup *b, long long passed_ms);

/* "about 2 h 20 min left," and "from ...", the second only where it is known. */
struct strs ui_backup_left(struct arena *a, const struct backup *b, long long passed_ms);

/* The last line of a run that went well. */
const char *ui_success(struct arena *a, const struct event *e);

/* On err: what went wrong, as a block, or with -q as one line; nothing when all is well. */
void ui_failure(struct ui *ui, const struct event *e);

#endif
