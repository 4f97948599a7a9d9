/* jobs.h -- commands of the user's on hosts: started, followed, taken up again.
 *
 * What runs is src/host/job/job.sh; this reads its answers while they come: lines "key value", and
 * after "out N ATTEMPT OFFSET" N bytes that the command printed.  Once these were shown it is told
 * "ATTEMPT OFFSET", so that whoever goes on begins there, whatever was lost on its way. */
#ifndef CRELEASE_JOBS_H
#define CRELEASE_JOBS_H

#include "core/run.h"

/* command.sh: run_command, behind the values of jobs_command. */
extern const char script_command[];

enum { JOB_OK = 0, JOB_LOST = -1, JOB_TIMEOUT = -2, JOB_UNKNOWN = -3 };

/* How one job ended on one host. */
struct job_end {
    size_t host;
    int status;          /* as the shell tells it; or one of the above */
    const char *output;  /* the last of what it printed, at most 64 KiB; terminated */
    const char *why;     /* of its log, what excerpt.h reads; "" when it was not sent */
    long attempt;        /* its number, which the folder of the log has; 0: not known */
    const char *refused; /* the watch said why the command was not to begin (gate); else NULL */
    bool attached;       /* it ran already, or had ended, when we came */
};

struct job_call {
    const struct step *step;
    const struct job *job;
    const char *name;  /* of its folder under the run's jobs */
    const char *where; /* folder, NULL: the new release */
    bool in_current;   /* instead: in what is live */
    const char *watch; /* shell text that runs beside it (job.sh), or NULL */
    const char *gate;  /* it begins only when the watch has written "go" or "go WHY" into
                          $crelease_job/gate; when it writes nothing for long, this is taken for its
                          word; NULL: none */
    void (*watched)(void *arg, const char *line); /* what that says, as it comes, "gated WHY" when
                                                     it began with that, and "gone" when the watch
                                                     has ended before it; or NULL */
    void *watched_arg;
    const char *extra_env; /* shell text of exports, or NULL */
    const size_t *hosts;
    size_t n_hosts;
    const bool *last; /* by position in hosts: its end with 0 marks the step done; NULL: none */
    bool quiet;       /* its output is for us, not to be shown */
    bool alone;       /* two of it must never run: what is left of an attempt is waited for, and
                         after one whose end is not known nothing is started but by again */
    bool again;       /* start another attempt after a lost end that was told before */
};

/* Runs it on all of the hosts.  False with err when one of them could not be run or followed;
 * a status other than 0 is no error here.  ends has n_hosts members in the arena. */
bool jobs_run(struct run *r, const struct job_call *call, struct job_end **ends,
              struct err *err) MUST_CHECK;

/* What an end means for people, and r->failure filled: sets err FAILED (UNCERTAIN for a lost one).
 */
bool jobs_fail(struct run *r, const struct job_call *call, const struct job_end *end,
               struct err *err);

/* All jobs of a step, one after the other, each on its hosts at once. */
bool jobs_act(struct run *r, const struct step *s, struct err *err);

/* Whether the job still runs on its one host, or something that is left of it.  When not, nothing
 * of it will any more. */
bool jobs_look(struct run *r, const struct job_call *call, bool *ret_runs,
               struct err *err) MUST_CHECK;

/* Ends what may still run of a step's jobs (TERM, then KILL); for `abort`. */
bool jobs_stop(struct run *r, const struct step *s, struct err *err);

/* "NAME=VALUE\n" as shell text. */
void variable_assign(struct buf *b, const struct variable *v);

/* "export NAME='value'" lines for a host: crelease's own names, and the recipe's, which may be any.
 * What comes behind them gives its own values to what it uses. */
void jobs_environment(const struct run *r, size_t host, struct buf *b);

/* For scripts that run a command of the user's: the values command and environment, shell text of
 * exports, which the command's own shell alone is to run; extra_env (or NULL) is the last of it.
 * And the function job_env, which exports crelease's own names. */
void jobs_command(const struct run *r, size_t host, const char *command, const char *extra_env,
                  struct buf *b);

#endif
