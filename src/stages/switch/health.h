/* health.h -- the stage that asks the application whether it works. */
#ifndef CRELEASE_HEALTH_H
#define CRELEASE_HEALTH_H

#include "core/run.h"

bool health_act(struct run *r, const struct step *s, struct err *err);

#endif
