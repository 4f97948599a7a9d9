/* build.c -- the jobs of the stage 'build'.  They run as any other jobs do (core/jobs.h), in the new
 * release folder; what they leave behind goes with that folder. */
#include "stages/build/build.h"

const struct jobs *build_jobs(struct arena *a, const struct recipe *r)
{
    (void)a;
    return &r->build;
}
