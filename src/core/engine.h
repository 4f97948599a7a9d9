/* engine.h -- walks a plan forward or backward, in a new run or a resumed one.
 *
 *     bool ok = engine_forward(run, err);        deploy, rollback, and both resumed
 *     bool ok = engine_back(run, err);           abort, and a resumed one
 *
 * Both start by taking the lock.  They end with the lock released, or with the run kept so that it
 * can be resumed; run->failure then says what to do.  The engine knows no stage by its name, except
 * that the first row is the lock and the last one is unlock. */
#ifndef CRELEASE_ENGINE_H
#define CRELEASE_ENGINE_H

#include "core/run.h"

bool engine_forward(struct run *r, struct err *err) MUST_CHECK;
bool engine_back(struct run *r, struct err *err) MUST_CHECK;

/* Whether someone has decided to roll back this run. It can then only go backwards. */
bool engine_is_turning_back(const struct run *r);

/* The name of the mark of that decision. */
#define TURNING_BACK "turning-back"

/* For example "app1, app3": the hosts on which the run had finished before this command; "" for
 * none. */
const char *engine_ended_well(const struct run *r);

#endif
