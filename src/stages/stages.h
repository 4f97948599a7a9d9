/* stages.h -- what a deploy is made of.
 *
 * stages.c has the table; each file beside it what C decides for one stage, each NAME.sh what
 * happens on a host. */
#ifndef CRELEASE_STAGES_H
#define CRELEASE_STAGES_H

#include "forecast/estimate.h"
#include "core/run.h"
#include "stages/backup/schedule.h"
#include "stages/backup/running.h"
#include "stages/migrate/pending.h"

/* The rows in the order in which a deploy walks them; ends with one without a name. */
extern const struct stage deploy_stages[];

/* lock.c */
bool lock_act(struct run *r, const struct step *s, struct err *err);
bool lock_undo(struct run *r, const struct step *s, struct err *err);
bool unlock_act(struct run *r, const struct step *s, struct err *err);
void unlock_values(struct run *r, const struct step *s, size_t host, struct buf *script);

/* checkout.c */
bool checkout_act(struct run *r, const struct step *s, struct err *err);
bool checkout_undo(struct run *r, const struct step *s, struct err *err);
const char *checkout_tell(struct arena *a, const struct what *what);

/* Holds a release against its manifest on one host: names what differs, at most a hundred.
 * *ret_known is false when there is no manifest. */
bool checkout_verify(struct run *r, size_t host, const char *release, bool *ret_known,
                     struct strs *ret_differs, struct err *err) MUST_CHECK;

/* backup.c */
bool backup_detect_act(struct run *r, const struct step *s, struct err *err);
bool backup_clear_act(struct run *r, const struct step *s, struct err *err);
#define COULD_NOT_LOOK "could not look" /* of run.skip_backup */

/* wait.c */

/* Waits for, or stops, whatever would hold up a migration; foresee: with a backup that starts
 * within backup.clearance. */
bool wait_until_clear(struct run *r, const struct step *s, size_t host, bool foresee,
                      struct err *err) MUST_CHECK;

/* The same for others than a deploy: nothing is stopped, nothing changed on a host.  BACKUP at the
 * limit.  *ret_waited_ms is 0 when none was in the way. */
bool backup_wait(struct run *r, const struct step *s, size_t host, long long *ret_waited_ms,
                 struct err *err) MUST_CHECK;

/* For between two attempts to migrate. */
bool backup_clear(struct run *r, const struct step *s, size_t host, struct err *err) MUST_CHECK;

/* server.c: "PostgreSQL 9.6", as far as its version is known. */
const char *server_text(struct run *r);

/* hold.c */

/* The lock that a migration and a `backups --hold` exclude each other with: in PostgreSQL
 * pg_advisory_lock, "crel". */
#define HOLD_KEYS "1668441452, 1"
#define HOLD_MIGRATION                                                                             \
    "crelease-migration-" /* and the run: application_name of a migration's session */
#define HOLD_BUSY    "busy"
#define HOLD_UNKNOWN "unknown"

/* Shell text for the beginning of a job's watch (job.sh), which then calls guard_beat now and then
 * and ends with guard_end: tries the lock, says at the gate whether the command may begin, and
 * holds it as long as the watch lives, in another session when one is lost. */
const char *guard_text(struct run *r);

/* A session on the host holds the lock when *ret_held, until fleet_let_go.  It waits for a
 * migration, or another one that holds it: BACKUP after backup.wait_limit. */
bool hold_take(struct run *r, const struct step *s, size_t host, bool *ret_held,
               struct err *err) MUST_CHECK;

/* stop.c; on the host stop.sh. */

/* *ret is NULL when all that blocks can be stopped, else why not and what to do.  by_person: one
 * has looked at it. */
bool stop_refusal(struct run *r, size_t host, const struct backups *b, bool by_person,
                  const char **ret, struct err *err) MUST_CHECK;

/* Stops all that hold up a migration: first their clients, when these are ours, then their
 * sessions. What they wrote is judged and set aside, and all of it is written down.  why: policy,
 * option, limit, key. */
bool stop_backups(struct run *r, const struct step *s, size_t host, const struct backups *b,
                  const char *why, struct err *err) MUST_CHECK;

/* One line of the record. */
struct stopped {
    long long unix_s;
    const char *how;
    const char *run;
    const char *kind;
    long pid;
    const char *database;
    const char *user;
    const char *why;
    const char *by;
    const char *judged; /* complete, incomplete or - */
    const char *output; /* NULL: not known */
    const char *again;  /* running, ended, lost; NULL: it was not started again */
    int again_status;   /* of ended; -1 */
    long long again_unix;
};

struct stops {
    struct stopped *v; /* the oldest first */
    size_t n;
};

/* A line of the record; false, and nothing in ret, for what this version does not write. */
bool stop_read(struct arena *a, const char *line, struct stopped *ret);

/* "RUN STATE STATUS SINCE" of a backup that was started again, taken to the last one that the run
 * stopped. */
void stop_read_rerun(struct arena *a, const char *text, struct stops *to);

/* What the record on the database's host says. */
bool stop_told(struct run *r, size_t host, struct stops *ret, struct err *err) MUST_CHECK;

/* "pg_dump of shop by ann (pid 123) was stopped 22 Nov 14:01 ..." */
const char *stop_text(struct run *r, size_t host, const struct stopped *s);

/* rerun.c */
bool rerun_act(struct run *r, const struct step *s, struct err *err);
bool rerun_undo(struct run *r, const struct step *s, struct err *err);

/* The line of the login's crontab that makes the backup of that database: the only one that names
 * it, or the only one that may be of any.  NULL when it cannot be told, and *ret_why says why. */
const char *rerun_line(const struct schedule *next, const char *database, const char **ret_why);

/* backup_host.c: one backup, followed from look to look. */
struct trace {
    const char *identity; /* of which backup; NULL: none yet */
    long pid;
    long client_pid;      /* 0: its process was not seen */
    struct strs pipeline; /* event.h */
    const char *path;     /* of its output; NULL: not seen */
    long long bytes;      /* of it; -1: not seen */
    long long bytes_s;    /* for how long the backup had run then */
    long long age_s;      /* of the process on the host that makes it, when it was told; -1 */
    long long age_ms;
    long long copied;
    const char *query;
    long long moved_ms; /* when something about it changed last */
    long long asked_ms; /* when its host was asked last */
    long long db_bytes; /* -1: not known */
    long long eta_s;    /* as it was told last */
    struct sample *past;
    size_t n_past;
    const struct sampled *sampled; /* NULL: not known */
    bool sampled_asked;
};

/* With all that it refers to. */
struct trace trace_copy(struct arena *a, const struct trace *t);

/* Takes what backup_host.sh answered about b. */
void trace_read(struct arena *a, struct trace *t, const struct backup *b, const char *answer);

/* Fills in what is expected of b; asks the host now and then.  Nothing known is no error. */
void trace_follow(struct run *r, size_t host, struct trace *t, struct backup *b);

/* Whether a process of the host makes a dump of the recipe's database. */
bool trace_has_client(struct run *r, size_t host, const char *kind);

/* Adds the backup, which has ended after so many seconds, to the record on its host. */
void trace_record(struct run *r, const struct step *s, const struct trace *t,
                  const struct backup *b, long long seconds);

/* Fills in what is expected of those that block migrations, for one look (backup_host.c). */
void backup_expect(struct run *r, size_t host, struct backups *b);

/* foresee.c */

/* When backups start next, with those that started up to back_s seconds ago.  False only when the
 * host was lost; what could not be looked up is told in ret. */
bool foresee_look(struct run *r, size_t host, long long back_s, struct schedule *ret,
                  struct err *err) MUST_CHECK;

/* "a backup (pg_dump shop) starts at 02:00, in 4 min" */
const char *foresee_text(struct run *r, const struct schedule *s, const struct start *start);

/* What to say when a migration that began now would probably meet a backup; else NULL. */
const char *foresee_warning(struct run *r, const struct schedule *s);

/* migrate.c */
#define PASSED_OVER "passed over (--no-migrate)"
bool migrate_act(struct run *r, const struct step *s, struct err *err);
bool migrate_undo(struct run *r, const struct step *s, struct err *err);

/* How many migrations are pending according to migrate.status in that folder (pending.h).
 * ret_names: the first few, for people; may be NULL. */
bool migrate_pending(struct run *r, size_t host, const char *where, long *ret_pending,
                     const char **ret_names, struct err *err) MUST_CHECK;

/* Of what was pending when the run began, that which is not any more, as one text: NULL when it
 * cannot be told. */
const char *migrate_applied(struct run *r, size_t host);

/* health.c, restart.c */
bool switch_act(struct run *r, const struct step *s, struct err *err);
bool switch_undo(struct run *r, const struct step *s, struct err *err);
/* The steps that a batch goes through with the switch, by name, with blanks between them: they are
 * to be done again when it is.  Empty when all hosts go at once. */
const char *switch_again(struct run *r, const struct step *s);

bool health_act(struct run *r, const struct step *s, struct err *err);
bool restart_act(struct run *r, const struct step *s, struct err *err);

/* The values linked_files and linked_dirs (stages.c). */
void linked_assign(struct run *r, struct buf *b);

/* survey.c: looks at every host at once.  True when all were reached and understood; else err, and
 * sites and replies of the others are filled all the same (reached[h] says which). */
struct survey {
    struct site *sites;
    bool *reached;
    const char **why; /* by host, NULL for those that were reached */
};
bool survey_hosts(struct run *r, bool tools, struct survey *ret, struct err *err) MUST_CHECK;

/* Between the answers of two hosts: hears the signal that came while one was read.  False when it
 * says to stop. */
bool survey_goes_on(struct run *r, struct err *err) MUST_CHECK;

/* A run with everything that scripts need, but for its plan. */
void run_init(struct run *r);

#endif
