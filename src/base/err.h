/* err.h -- what went wrong, as one value.
 *
 * What can fail returns bool, true for done, and takes a struct err last.
 *
 *     if (!repo_open(&repo, &options, err))
 *         return err_in(err, "repository '%s'", url);
 *
 * The first cause is kept; those who know more put it in front on the way up.
 * Messages are one line, lower case, without a full stop, values in 'quotes'. */
#ifndef CRELEASE_ERR_H
#define CRELEASE_ERR_H

#include "base/arena.h"

/* Name, exit status, word, meaning: the exit, `help exit` and JSON read this list. */
#define ERR_MAP(X)                                                                                 \
    X(NONE, 0, "done", "finished, or nothing to do because that revision is live everywhere")      \
    X(FAILED, 1, "failed", "a stage failed; the run is kept and can be resumed or aborted")        \
    X(USAGE, 2, "usage", "the command line or the recipe is wrong; no host was contacted")         \
    X(LOCKED, 3, "locked", "another run is alive on these hosts")                                  \
    X(BACKUP, 4, "backup",                                                                         \
      "a backup is in the way and the policy says not to wait (longer); can be resumed")           \
    X(UNREACHABLE, 5, "unreachable",                                                               \
      "a host could not be reached, verified or logged into; nothing was changed")                 \
    X(UNFINISHED, 6, "unfinished",                                                                 \
      "an earlier run is unfinished and nobody is working on it: resume or abort")                 \
    X(UNCERTAIN, 7, "uncertain",                                                                   \
      "a connection was lost after a command was sent; 'resume' will look and go on")              \
    X(UNTIDY, 8, "untidy",                                                                         \
      "live on all hosts, but something after the restart failed (cleanup, notice)")               \
    X(INTERRUPTED, 130, "interrupted", "by SIGINT, after an orderly stop; can be resumed")         \
    X(TERMINATED, 143, "interrupted", "by SIGTERM or SIGHUP, after an orderly stop; can be resumed")

enum err_code {
#define X(name, status, word, meaning) ERR_##name,
    ERR_MAP(X)
#undef X
        ERR_CODES
};

struct err {
    struct arena *arena; /* where msg lives */
    enum err_code code;
    const char *msg; /* outermost context first */
};

/* Fails: keeps this cause.  Must not be called on an error that has one.  Returns false. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* That it is false whoever reads one caller alone can see, too: a compiler that looks for paths on
 * which a result was not set. */
#define err_set(...) err_is_set(err_set(__VA_ARGS__))
static inline bool err_is_set(bool set)
{
    (void)set;
    return false;
}

/* Puts context in front of the cause: "context: cause".  Returns false. */
bool err_in(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forgets the cause: for a failure that was dealt with. */
void err_clear(struct err *err);

int err_status(enum err_code code);
const char *err_word(enum err_code code);
const char *err_meaning(enum err_code code);

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
