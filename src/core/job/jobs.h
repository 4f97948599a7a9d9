/* jobs.h -- the user's commands on hosts: starting, following, reattaching, ending.
 *
 * A job has a process of its own on the host (src/host/job), with its output and its exit status in
 * files of the run.  It survives the loss of the connection and the end of crelease. */
#ifndef CRELEASE_JOBS_H
#define CRELEASE_JOBS_H

#include "core/run.h"

/* What events and output of a job with `where: local` have as their host. */
#define LOCAL_NAME "local"

enum { JOB_OK = 0, JOB_LOST = -1, JOB_TIMEOUT = -2, JOB_UNKNOWN = -3 };

/* How one job ended on one host. */
struct job_end {
    size_t host;
    int status;          /* the exit status as the shell reports it, or one of the above */
    const char *output;  /* the end of its output, at most 64 KiB, NUL-terminated */
    const char *why;     /* lines of its log for excerpt.h; "" when none were sent */
    long attempt;        /* its number, which names the folder of the log; 0: unknown */
    const char *refused; /* why the watchdog did not let the command start (gate); else NULL */
    bool attached;       /* it was running, or had ended, before this command started */
};

struct job_call {
    const struct step *step;
    const struct job *job;
    const char *name;     /* of its folder below the run's jobs */
    const char *where;    /* folder, NULL: the new release */
    bool in_current;      /* instead: in the live release */
    const char *watchdog; /* the watchdog that runs beside it (watch.sh), as shell text; or NULL */
    const char *watchdog_values; /* assignments for the watchdog; never stored on the host's disk */
    /* Shell text that defines prepare_watch for job.sh; or NULL. */
    const char *watchdog_prepare;
    /* The command starts only when the watchdog has written "go" or "go WHY" into
     * $crelease_job/gate.  If it writes nothing for too long, this text is used instead.  NULL: no
     * gate. */
    const char *gate;
    /* Called with each line that the watchdog prints, with "gated WHY" when the gate opened with a
     * reason, and with "gone" when the watchdog ended before the command.  May be NULL. */
    void (*watched)(void *arg, const char *line);
    void *watched_arg;
    const char *extra_env; /* shell text of exports, or NULL */
    const size_t *hosts;
    size_t n_hosts;
    const bool *last; /* by position in hosts: its success marks the step as done; NULL: none */
    bool quiet;       /* its output is only returned, not shown */
    /* Two attempts must never run at once: what is left of an attempt is waited for, and after a
     * lost end nothing is started without `again`. */
    bool alone;
    bool again; /* start another attempt after a lost end that was reported before */
};

/* Runs the job on all of the hosts.  False, with err set, when it could not be run or followed
 * on one of them; a status other than 0 is not an error here.  ends gets n_hosts members in the
 * arena. */
bool jobs_run(struct run *r, const struct job_call *call, struct job_end **ends,
              struct err *err) MUST_CHECK;

/* Describes an end in r->failure and sets err: ERR_FAILED, or ERR_UNCERTAIN for a lost one.  Always
 * false. */
bool jobs_fail(struct run *r, const struct job_call *call, const struct job_end *end,
               struct err *err);

/* Runs all jobs of a step one after the other, each on its hosts at once. */
bool jobs_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);

/* Whether the job, or a process that it left, is still running on its one host.  If not, no process
 * of it will ever start. */
bool jobs_look(struct run *r, const struct job_call *call, bool *ret_runs,
               struct err *err) MUST_CHECK;

/* Undoes the jobs of a hook that were started, newest first, as far as the recipe says how.  A command that
 * fails is a warning; false when a host was lost, or a signal asks to stop. */
bool jobs_undo(struct run *r, const struct step *s, struct err *err) MUST_CHECK;

/* Ends what may still be running of a step's jobs (TERM, then KILL); for `abort`. */
bool jobs_stop(struct run *r, const struct step *s, struct err *err);

#endif
