/* hint.h -- commands that a person is told to type next, so that they can be pasted as they stand.
 *
 * The one place where such a command is made: it names the program as it was called, and repeats
 * the options without which it would be about other hosts or another recipe. */
#ifndef CRELEASE_HINT_H
#define CRELEASE_HINT_H

#include "base/arena.h"

/* How this run of the program was called.  All zero: as "crelease", without options. */
struct called {
    const char *program;
    const char *recipe; /* -f, --hosts, --roles; NULL: not given */
    const char *hosts;
    const char *roles;
    struct strs deploy; /* further options that another deploy must repeat */
    struct strs resume; /* and another resume or abort */
};

/* "crelease resume --force production -f other.yml": command, environment (NULL: none), the options
 * in `more` (as they are to be typed, or NULL), and those of `called` that apply.  Every word is
 * quoted for the shell. */
const char *hint(struct arena *a, const struct called *called, const char *command,
                 const char *environment, const char *more);

/* The same with these hosts instead of those that were given. */
const char *hint_on(struct arena *a, const struct called *called, const char *command,
                    const char *environment, const char *hosts);

#endif
