/* detect.h -- the stages that look for a backup and wait for it. */
#ifndef CRELEASE_BACKUP_DETECT_H
#define CRELEASE_BACKUP_DETECT_H

#include "core/run.h"

bool backup_detect_act(struct run *r, const struct step *s, struct err *err);
bool backup_clear_act(struct run *r, const struct step *s, struct err *err);
#define PASSED_OVER    "passed over (--no-migrate)" /* of run.skipped */

#endif
