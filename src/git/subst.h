/* subst.h -- expands $Format:...$ in files with the attribute export-subst, like `git archive`.
 *
 *     $Format:%H %ad$        becomes        3f2a91c... Fri Jan 2 03:04:05 2026 +0100
 *
 * Known are %H %h %T %t %P %p, %an %ae %ad %aD %ai %aI %as %at and the same with c for the
 * committer, %s %b %B %d %D %n %% %xNN.  Anything else stays as it is.
 *
 * Two differences from git make every machine produce the same bytes for a commit: short hashes
 * always have 7 digits (git uses more in a repository with many objects), and the message is not
 * converted to UTF-8.  %d and %D depend on the refs of this repository, as they do in git. */
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
    const char *refs; /* "HEAD -> main, tag: v1", "" if no ref points here */
};

/* Appends the bytes with all placeholders expanded.  Sets the buffer's `full` if they do not
 * fit. */
void subst_fill(struct buf *b, const char *bytes, size_t len, const struct subst_commit *c);

#endif
