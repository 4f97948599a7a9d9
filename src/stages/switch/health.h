/* health.h -- the stage 'health', which checks whether the application works. */
#ifndef CRELEASE_HEALTH_H
#define CRELEASE_HEALTH_H

#include "core/stage.h"

const struct jobs *health_jobs(struct arena *a, const struct recipe *r);
enum on_fail health_on_fail(const struct recipe *r);
bool health_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);

#endif
