/* jobs.h -- commands of the user's on hosts: started, followed, reattached to, ended.
 *
 * A job lives in a process of its own on the host (src/host/job), with its output and its exit
 * status in files of the run.  It survives the connection and crelease itself. */
#ifndef CRELEASE_JOBS_H
#define CRELEASE_JOBS_H

#include "core/run.h"

enum { JOB_OK = 0, JOB_LOST = -1, JOB_TIMEOUT = -2, JOB_UNKNOWN = -3 };

/* How one job ended on one host. */
struct job_end {
    size_t host;
    int status;          /* as the shell tells it; or one of the above */
    const char *output;  /* the last of what it printed, at most 64 KiB; terminated */
    const char *why;     /* of its log, what excerpt.h reads; "" when it was not sent */
    long attempt;        /* its number, which is the folder of the log; 0: not known */
    const char *refused; /* the watchdog said why the command must not begin (gate); else NULL */
    bool attached;       /* it was running, or had ended, before this command came */
};

struct job_call {
    const struct step *step;
    const struct job *job;
    const char *name;  /* of its folder under the run's jobs */
    const char *where; /* folder, NULL: the new release */
    bool in_current;   /* instead: in the live release */
    const char *watch; /* shell text: the watchdog that runs beside it (job.sh), or NULL */
    const char
        *watch_values; /* assignments for it, with watch; they never lie on the host's disk */
    const char *gate;  /* the command begins only when the watchdog has written "go" or "go WHY"
                                 into $crelease_job/gate; when it writes nothing for long, this
                          counts as  its word; NULL: no gate */
    void (*watched)(void *arg, const char *line); /* hears each line that the watchdog prints,
                                                     "gated WHY" when the gate opened with a reason,
                                                     and "gone" when the watchdog ended before the
                                                                command; or NULL */
    void *watched_arg;
    const char *extra_env; /* shell text of exports, or NULL */
    const size_t *hosts;
    size_t n_hosts;
    const bool *last; /* by position in hosts: its end with 0 marks the step done; NULL: none */
    bool quiet;       /* its output is read here and not shown */
    bool alone; /* two of it must never run: what is left of an attempt is waited for, and after
                         a lost end nothing is started without `again` */
    bool again; /* start another attempt after a lost end that was reported before */
};

/* Runs it on all of the hosts.  False with err when it could not be run or followed on one of them;
 * a status other than 0 is no error here.  ends has n_hosts members in the arena. */
bool jobs_run(struct run *r, const struct job_call *call, struct job_end **ends,
              struct err *err) MUST_CHECK;

/* Describes an end in r->failure and sets err: FAILED, or UNCERTAIN for a lost one.  Returns false.
 */
bool jobs_fail(struct run *r, const struct job_call *call, const struct job_end *end,
               struct err *err);

/* All jobs of a step, one after the other, each on its hosts at once. */
bool jobs_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);

/* Whether the job, or something that is left of it, still runs on its one host.  When not, nothing
 * of it ever will. */
bool jobs_look(struct run *r, const struct job_call *call, bool *ret_runs,
               struct err *err) MUST_CHECK;

/* Ends what may still run of a step's jobs (TERM, then KILL); for `abort`. */
bool jobs_stop(struct run *r, const struct step *s, struct err *err);

#endif
