/* fuzz.h -- what the targets of the fuzzer share.
 *
 * A target is a function that reads bytes as if they came from outside, and checks what was made of
 * them.  The table of all targets is in fuzz.c; tests/fuzz/seeds/NAME has the first inputs of each. */
#ifndef CRELEASE_FUZZ_H
#define CRELEASE_FUZZ_H

#include "base/buf.h"
#include "base/err.h"
#include "core/run.h"

struct input {
    const char *bytes; /* in memory of exactly this size */
    size_t len;
    const char *text;    /* the same up to the first NUL, terminated */
    struct arena *arena; /* emptied after each input */
};

typedef void fuzz_target(const struct input *in);

struct target {
    const char *name;
    fuzz_target *run;
};
extern const struct target targets[]; /* ends with a row without a name */

/* What every target promises.  Ends the process if it does not hold. */
#define HOLDS(condition) ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))
void fuzz_broken(const char *file, int line, const char *what) __attribute__((noreturn));

/* Whether the text can be shown in one line: no control characters, valid UTF-8. */
bool is_shown(const char *s);

/* An error as a user may see it: set, with a message in one line. */
void holds_err(const struct err *err);

/* Cuts the next part off, which ends with a line "%%" or with the text.  Returns it with its size in
 * memory of its own, so that a look beyond its end is seen; NULL at the end. */
const char *next_part(const struct input *in, const char **at);

/* The path of an open, empty file of this machine with these bytes. */
const char *file_of(const char *bytes, size_t len);

/* ---- fleet.c: a run whose hosts answer with the parts of the input, one after the other ---- */

/* A run on two hosts, one of which has the database.  Lives until the next call. */
struct run *run_of(const struct input *in, const char *answers);

/* How many bytes of output are passed on at a time; 0: all. */
extern size_t fleet_piece;

/* All events since run_of, in a form that can be compared. */
extern struct buf events;

#endif
