/* ruby.h -- reads the literal part of Ruby: texts, numbers, symbols, lists, maps, and what is computed from
 * them without running anything, such as "#{fetch(:application)}-web".  Nothing is ever executed.
 *
 *     const char *next = ruby_skip(at, end, &whole);          (the end of this statement)
 *     struct ruby r = {.arena = a, .at = after_word, .end = next, ...};
 *     if (ruby_args(&r, &args))
 *         ... args.items[0 .. args.n - 1]; pairs "k: v" are one map, the last item ...
 *
 * A reader that meets anything else fails, and its caller lists the statement as one it could not read. */
#ifndef CRELEASE_CAPISTRANO_RUBY_H
#define CRELEASE_CAPISTRANO_RUBY_H

#include "base/arena.h"

enum ruby_kind {
    RUBY_NIL,
    RUBY_TEXT, /* also symbols, numbers, true and false */
    RUBY_LIST,
    RUBY_MAP,
    RUBY_ENV, /* a variable of the environment without a default; text is its name */
    RUBY_LAZY /* -> { text }: the source of an expression that is read when its value is needed */
};

struct ruby_value {
    enum ruby_kind kind;
    const char *text;
    const char *env; /* the variable of the environment that would replace it; NULL: none */
    struct ruby_value *items; /* RUBY_MAP: key, value, key, value */
    size_t n;
};

/* Returns the value of fetch(:name), or of a local variable.  False if it has none. */
typedef bool ruby_lookup(void *arg, const char *name, bool local, struct ruby_value *ret);

struct ruby {
    struct arena *arena;
    const char *at;
    const char *end;
    ruby_lookup *lookup;
    void *arg;
    long *fuel; /* decreases with each value and byte made; nothing is read when it is used up */
    int depth;
};

/* Read an expression; or the arguments of a call up to the end of the statement, with or without
 * parentheses, as a list. */
bool ruby_read(struct ruby *r, struct ruby_value *ret);
bool ruby_args(struct ruby *r, struct ruby_value *ret);

/* Reads a RUBY_LAZY value; others stay as they are. */
bool ruby_force(const struct ruby *r, struct ruby_value *value);

/* Returns the value of that key of a map, or NULL. */
const struct ruby_value *ruby_get(const struct ruby_value *map, const char *key);

/* Returns whether `value` was appended to the list. */
bool ruby_push(const struct ruby *r, struct ruby_value *list, const struct ruby_value *value);

/* Skips blanks and comments; with `lines` also line ends. */
void ruby_blanks(const char **at, const char *end, bool lines);

/* Returns the length of the identifier at `at`, or 0. */
size_t ruby_word(const char *at, const char *end);

/* Returns the end of a text or bracket whose first byte has been passed, behind `close`. */
const char *ruby_past(const char *at, const char *end, char open, char close);

/* Returns the end of the statement that begins at `at`: of a line, or of a block up to its `end`.
 * *whole is false if a text, bracket or block of it is never closed. */
const char *ruby_skip(const char *at, const char *end, bool *whole);

#endif
