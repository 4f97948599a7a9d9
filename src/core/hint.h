/* hint.h -- builds the commands that messages suggest to type next, ready to be pasted into a shell.
 *
 * They name the program as it was called, and repeat the options without which they would concern
 * other hosts or another recipe. */
#ifndef CRELEASE_HINT_H
#define CRELEASE_HINT_H

#include "base/arena.h"

/* How the program was called. All zero: as "crelease", without options. */
struct called {
    const char *program;
    const char *environment; /* NULL: none */
    const char *recipe;      /* -f, --hosts, --roles; NULL: not given */
    const char *hosts;
    const char *roles;
    struct strs deploy; /* further options that a deploy must repeat */
    struct strs resume; /* and that resume and abort must repeat */
};

/* "crelease resume --force production -f other.yml": the command, the options in `more` (as they are
 * typed, or NULL), and of `called` what applies to that command.  Every word is quoted for the shell. */
const char *hint(struct arena *a, const struct called *called, const char *command,
                 const char *more);

/* The same for these hosts instead of --hosts and --roles. */
const char *hint_on(struct arena *a, const struct called *called, const char *command,
                    const char *hosts);

#endif
