/* subst.h -- $Format:...$ in a file with the attribute export-subst, as `git archive` fills it in.
 *
 *     $Format:%H %ad$        becomes        3f2a91c... Fri Jan 2 03:04:05 2026 +0100
 *
 * Known: %H %h %T %t %P %p, %an %ae %ad %aD %ai %aI %as %at and the same with c for the
 * committer, %s %b %B %d %D %n %% %xNN.  Anything else stays as it stands.
 *
 * What differs from git on purpose, so that every machine makes the same bytes of a commit: the
 * short hashes always have 7 digits (git takes more in a repository with many objects), and the
 * message is not converted to UTF-8.  %d and %D say what this repository says: a file with them
 * is not the same everywhere, in git as here. */
#ifndef CRELEASE_SUBST_H
#define CRELEASE_SUBST_H

#include "base/buf.h"

struct subst_person {
    const char *name;
    const char *email;
    long long time;
    int offset; /* minutes east of UTC */
};

struct subst_commit {
    const char *sha;
    const char *tree;
    struct strs parents;
    struct subst_person author;
    struct subst_person committer;
    const char *message;
    const char *refs; /* "HEAD -> main, tag: v1", "" when nothing points here */
};

/* What does not fit into the buffer sets its `full`. */
void subst_fill(struct buf *b, const char *bytes, size_t len, const struct subst_commit *c);

#endif
