/* local.h -- jobs with `where: local`, which run on the deploying machine.
 *
 * Such a job is a child of crelease and ends with it, so at most one is running as long as there is
 * one owner of the lock.  Its result lies on this machine, where the next command may not be: a
 * resume runs the local jobs of an unfinished step again, from the first. */
#ifndef CRELEASE_JOB_LOCAL_H
#define CRELEASE_JOB_LOCAL_H

#include "core/job/jobs.h"

/* Runs the job of the call in the folder of the recipe.  Before it, the step is marked as started on
 * the call's hosts, which refuse that when another run has taken over; after it, as failed, or as
 * done where it was the last job (`last`). */
bool local_act(struct run *r, const struct job_call *c, struct err *err) MUST_CHECK;

/* Runs a job that belongs to no step, such as `on failure`: nothing is marked. It also gets the variables,
 * "NAME=VALUE", NULL-terminated.  False, with err set, when it failed or could not be run. */
bool local_run(struct run *r, const struct job *job, const char *place,
               const char *const *variables, struct err *err) MUST_CHECK;

#endif
