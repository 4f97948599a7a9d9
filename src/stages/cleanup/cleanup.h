/* cleanup.h -- the stage 'cleanup', which removes the oldest releases. */
#ifndef CRELEASE_CLEANUP_H
#define CRELEASE_CLEANUP_H

#include "core/stage.h"

extern const char script_cleanup[];

void cleanup_values(struct run *r, const struct step *s, size_t host, struct buf *script);

#endif
