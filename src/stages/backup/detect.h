/* detect.h -- the stages that look for a backup and wait for it. */
#ifndef CRELEASE_BACKUP_DETECT_H
#define CRELEASE_BACKUP_DETECT_H

#include "core/run.h"

bool backup_detect_act(struct run *r, const struct step *s, struct step_result *ret,
                       struct err *err);
bool backup_clear_act(struct run *r, const struct step *s, struct step_result *ret,
                      struct err *err);

#endif
