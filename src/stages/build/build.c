/* build.c -- the jobs of the stage 'build'.  Called through stages/table.c.  They run like all jobs
 * (core/job/jobs.h), in the new release folder; what they create is removed with that folder. */
#include "stages/build/build.h"

const struct jobs *build_jobs(struct arena *a, const struct recipe *r)
{
    (void)a;
    return &r->build;
}
