/* lock.h -- the stages that take the lock of a site and release it. */
#ifndef CRELEASE_STAGE_LOCK_H
#define CRELEASE_STAGE_LOCK_H

#include "core/stage.h"

extern const char script_lock[];

bool lock_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
bool lock_undo(struct run *r, const struct step *s, struct err *err);
bool unlock_trip(struct run *r, const struct step *s, struct trip *ret);
bool unlock_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);

#endif
