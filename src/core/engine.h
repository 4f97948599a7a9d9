/* engine.h -- forward, backward, resume: the walk over a plan.
 *
 *     bool ok = engine_forward(run, err);        deploy, rollback, and both resumed
 *     bool ok = engine_back(run, err);           abort, and a resumed one
 *
 * Both begin with the lock and end with it freed, or with the run kept so that it can be gone
 * on with; run->failure then says what a person needs.  The engine knows no stage by its name
 * but for the lock, which is the first row, and unlock, which is the last. */
#ifndef CRELEASE_ENGINE_H
#define CRELEASE_ENGINE_H

#include "core/run.h"

bool engine_forward(struct run *r, struct err *err) MUST_CHECK;
bool engine_back(struct run *r, struct err *err) MUST_CHECK;

/* Whether somebody has decided to turn this run back: then it only goes backwards. */
bool engine_is_turning_back(const struct run *r);

/* The name of the mark of that decision. */
#define TURNING_BACK "turning-back"

/* "app1, app3": the hosts on which the run has ended well, before this command; "" for none. */
const char *engine_ended_well(const struct run *r);

#endif
