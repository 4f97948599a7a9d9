/* switch.h -- the stages that make a release live: switch and restart. */
#ifndef CRELEASE_SWITCH_H
#define CRELEASE_SWITCH_H

#include "core/run.h"

extern const char script_switch[];
extern const char script_restart[];

bool switch_act(struct run *r, const struct step *s, struct err *err);
bool switch_undo(struct run *r, const struct step *s, struct err *err);
/* The steps that a batch goes through with the switch, by name, with blanks between them: they are
 * to be done again when it is.  Empty when all hosts go at once. */
const char *switch_again(struct run *r, const struct step *s);

bool restart_act(struct run *r, const struct step *s, struct err *err);

#endif
