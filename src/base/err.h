/* err.h -- an error as a value: its class and its message.
 *
 * A function that can fail returns bool, true on success, and takes a struct err last.
 *
 *     if (!repo_open(&repo, &options, err))
 *         return err_in(err, "repository '%s'", url);
 *
 * The first cause is kept; callers that know more put context in front of it.  A message is one
 * line, lower case, without a full stop, with values in 'single quotes'. */
#ifndef CRELEASE_ERR_H
#define CRELEASE_ERR_H

#include "base/arena.h"

/* One row an error class: name, exit status, word, meaning.  The exit status of the program,
 * `crelease help exit` and the JSON output all come from this list. */
#define ERR_MAP(X)                                                                                 \
    X(NONE, 0, "done", "finished, or nothing to do because that revision is live everywhere")      \
    X(FAILED, 1, "failed", "a stage failed; the run is kept and can be resumed or aborted")        \
    X(USAGE, 2, "usage", "the command line or the recipe is wrong; no host was changed")           \
    X(LOCKED, 3, "locked", "another run is alive on these hosts")                                  \
    X(BACKUP, 4, "backup",                                                                         \
      "a backup blocks the migration and the policy says not to wait (longer); can be resumed")    \
    X(UNREACHABLE, 5, "unreachable",                                                               \
      "a host could not be reached, verified or logged in to; nothing was changed")                \
    X(UNFINISHED, 6, "unfinished",                                                                 \
      "an earlier run is unfinished and nobody is working on it: resume or abort")                 \
    X(UNCERTAIN, 7, "uncertain",                                                                   \
      "a connection was lost after a command was sent; 'resume' checks and continues")             \
    X(UNTIDY, 8, "untidy",                                                                         \
      "live on all hosts, but something after the restart failed (cleanup, notification)")         \
    X(FROZEN, 9, "frozen", "a freeze or a window forbids deploys now; nothing was changed")        \
    X(INTERRUPTED, 130, "interrupted", "by SIGINT, after an orderly stop; can be resumed")         \
    X(TERMINATED, 143, "interrupted", "by SIGTERM or SIGHUP, after an orderly stop; can be resumed")

enum err_code {
#define X(name, status, word, meaning) ERR_##name,
    ERR_MAP(X)
#undef X
        ERR_CODES
};

struct err {
    struct arena *arena; /* set by the caller; msg is allocated here */
    enum err_code code;
    const char *msg; /* outermost context first */
};

/* Records the cause and returns false.  Must not be called on an error that is already set. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Lets compilers see in each caller that the result is always false.  Otherwise they report
 * variables as possibly unset on paths that cannot happen. */
#define err_set(...) err_is_set(err_set(__VA_ARGS__))
static inline bool err_is_set(bool set)
{
    (void)set;
    return false;
}

/* Puts context in front of the message: "context: message".  Returns false. */
bool err_in(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Resets the error after a failure that was handled. */
void err_clear(struct err *err);

/* Whether somebody has stopped the program, so that nothing has failed. */
static inline bool err_is_signal(enum err_code code)
{
    return code == ERR_INTERRUPTED || code == ERR_TERMINATED;
}

/* The columns of ERR_MAP for a class. */
int err_status(enum err_code code);
const char *err_word(enum err_code code);
const char *err_meaning(enum err_code code);

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
