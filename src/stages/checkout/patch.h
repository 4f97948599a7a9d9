/* patch.h -- a large file that changed a little: what makes it from the file that the base has. */
#ifndef CRELEASE_PATCH_H
#define CRELEASE_PATCH_H

#include "git/repo.h"

#include <stdio.h>

/* The paths that were sent as patches, with "./" in front. */
struct patches {
    const struct files *base; /* NULL: none are made */
    struct arena *arena;
    struct strs paths;
};

/* Appends a file's member of the tar with a patch as its content, and notes its path.  False, with nothing written, if
 * the base has no such file or a patch is not much smaller. */
bool patch_pack(struct patches *p, const struct export *x, const struct entry *e, FILE *to);

#endif
