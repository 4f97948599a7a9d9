/* manifest.h -- the list of the files that a release must contain, as checkout.sh describes it.
 *
 *     struct manifest m;
 *     manifest_write(x, revision, &m, err)                          the whole list
 *     manifest_write_difference(x, revision, &base, send, &m, err)  what to change in an earlier release's
 *     ...
 *     manifest_close(&m); */
#ifndef CRELEASE_MANIFEST_H
#define CRELEASE_MANIFEST_H

#include "git/repo.h"

#include <stdio.h>

enum { MANIFEST_BLOCK = 512 };

struct manifest {
    FILE *file; /* padded with newlines to whole blocks, to be read with pread; NULL when closed */
    off_t size;
    bool *kept; /* a difference: by entry of the export, whether the base has it */
    size_t n_kept;
};

/* Writes a manifest into a file without a name, which the caller closes. */
bool manifest_write(const struct export *x, const char *revision, struct manifest *ret,
                    struct err *err) MUST_CHECK;

/* The same for the difference to a release with other files.  `send` says, by entry of the export, which are
 * sent in any case. */
bool manifest_write_difference(const struct export *x, const char *revision,
                               const struct files *base, const bool *send, struct manifest *ret,
                               struct err *err) MUST_CHECK;

/* The SHA-256 of the whole list without its padding, in hex. */
bool manifest_digest(const struct export *x, const char *revision, char ret[static 65],
                     struct err *err) MUST_CHECK;

void manifest_close(struct manifest *m); /* accepts one that was never written */

#endif
