/* failure.h -- how a job ended, in words. */
#ifndef CRELEASE_JOB_FAILURE_H
#define CRELEASE_JOB_FAILURE_H

#include "core/job/jobs.h"

/* "ended with exit status 2" */
const char *job_how_ended(struct run *r, const struct job *job, int status);

/* "'make' ended with exit status 2", noted for the host as well (left_out_note). */
const char *job_note_end(struct run *r, const struct job_call *call, const struct job_end *end);

/* "crelease log production build.0 --hosts app1": the command that shows all that the job printed, on that host (NULL:
 * on all), while its run is the last one there. */
const char *job_log_hint(struct run *r, const char *job, const char *host);

/* Describes the failure of a job on this machine, like jobs_fail.  Always false. */
bool job_fail_locally(struct run *r, const struct job_call *call, int status, const char *output,
                      struct err *err);

#endif
