/* switch.h -- the stage 'switch', which makes a release live. */
#ifndef CRELEASE_SWITCH_H
#define CRELEASE_SWITCH_H

#include "core/stage.h"

extern const char script_switch[];

const char *switch_describe(struct arena *a, const struct recipe *r, const struct what *what);
void switch_values(struct run *r, const struct step *s, size_t host, struct buf *script);
bool switch_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
bool switch_undo(struct run *r, const struct step *s, struct err *err);

#endif
