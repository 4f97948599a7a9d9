/* changes.h -- what a deploy changes.  Filled in by repo_commits and repo_files (repo.h). */
#ifndef CRELEASE_CHANGES_H
#define CRELEASE_CHANGES_H

#include "base/arena.h"

enum { CHANGES_MAX = 100 }; /* commits that are listed; more are counted */

struct commit {
    const char *sha;
    const char *author;  /* its name */
    const char *subject; /* first line of the message */
};

struct commits {
    struct commit *v; /* newest first */
    size_t n;
    size_t more; /* not listed */
};

struct changes {
    const char *from; /* the commit that is live; "": nothing is */
    bool known;       /* else the repository lacks the history between them */
    struct commits added;
    struct commits removed; /* in the live commit and not in the new one */
    long files;             /* that differ; -1: not known */
    struct strs
        migrations; /* new and changed files under migrate.paths, without lists of packages */
    size_t more_migrations; /* not listed */
};

#endif
