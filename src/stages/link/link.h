/* link.h -- the stage 'link', which links the shared files and folders into the release. */
#ifndef CRELEASE_LINK_STAGE_H
#define CRELEASE_LINK_STAGE_H

#include "core/stage.h"

extern const char script_link[];

void link_values(struct run *r, const struct step *s, size_t host, struct buf *script);

#endif
