/* lock.h -- the stages that take the lock of a site and release it. */
#ifndef CRELEASE_STAGE_LOCK_H
#define CRELEASE_STAGE_LOCK_H

#include "core/run.h"

extern const char script_lock[];
extern const char script_unlock[];

bool lock_act(struct run *r, const struct step *s, struct err *err);
bool lock_undo(struct run *r, const struct step *s, struct err *err);
bool unlock_act(struct run *r, const struct step *s, struct err *err);
void unlock_values(struct run *r, const struct step *s, size_t host, struct buf *script);

#endif
