/* run.h -- a run in progress: its plan, its hosts, and its watcher.
 *
 * This is what the stages share.  The result of a step is in stage.h, what is known of the database
 * in guard.h, and which hosts are left out in left_out.h. */
#ifndef CRELEASE_RUN_H
#define CRELEASE_RUN_H

#include "base/redact.h"
#include "core/event.h"
#include "core/guard.h"
#include "core/hint.h"
#include "core/left_out.h"
#include "core/plan.h"
#include "core/times.h"
#include "fleet/fleet.h"
#include "fleet/sudo.h"
#include "git/repo.h"
#include "host/site.h"

struct early;

struct run {
    struct arena *arena; /* lives as long as the command, or as the turn in progress; */
    struct arena *kept;  /* in a turn: the arena that lives as long as the command, else NULL */
    const struct recipe
        *recipe; /* in a step for one of several databases: for that one (run_use) */
    struct plan *plan;
    const struct stage *stages;
    struct loop *loop;
    struct fleet *fleet;
    struct site *sites;    /* by host: what was found there, and what has been done since */
    long epoch;            /* of the lock: a holder with a lower epoch is fenced off */
    struct guard *guard;   /* of the database that the recipe is about */
    struct guard **guards; /* of each of several databases, NULL until one is used; or NULL */
    const struct watcher *watcher;
    const struct called *called; /* for hints; NULL: without options */
    const struct export *export; /* for checkout; NULL when no host needs it */

    /* options from the command line and the recipe */
    enum policy on_backup;
    bool on_backup_given; /* by an option, which holds for every database */
    bool force;
    bool no_migrate;          /* resume: skip the rest of the migration */
    bool takeover;            /* the lock may be taken from a run with this id */
    bool wait_auto;           /* wait for a backup as long as it is expected to take; */
    long long wait_until_ms;  /* but only until this time of the loop, 0: no limit of a CI job */
    bool asks_several;        /* the survey looks for several databases (host/several.sh), */
    const char *database_yml; /* in this config/database.yml; NULL: in that of the host */
    bool interactive;         /* a person can be asked to press a key */
    fleet_ask *ask;           /* a person can be asked for a secret; NULL: nobody */
    void *ask_arg;
    struct sudo *job_sudo; /* the password for jobs with `become` */

    /* progress */
    bool resumed;
    bool begun;       /* EVENT_RUN has been sent */
    bool rolled_back; /* after a failure, and completely: the run is over */
    bool quit;        /* the user chose not to wait any longer: nothing has failed */
    struct left_out left_out;
    struct early *early; /* replies to scripts of steps that have not been walked yet (chain.h) */
    struct times times;  /* of the steps that this command walked */
    struct strs untidy;  /* failures after the release was live */
    struct failure failure;
};

/* A turn is memory that is freed before the command ends: that of one step, or of one poll in a
 * wait that may take a day.
 *
 *     struct turn turn;
 *     run_turn_begin(r, &turn);
 *     ... r->arena is the turn's; what the run or the next turn needs is copied to run_kept ...
 *     run_turn_end(r, &turn, failed);
 *
 * Turns nest.  With `keep` the memory of the turn is kept, so that an error and what it names
 * outlive it. */
struct turn {
    struct arena arena;
    struct arena *outer;
};
void run_turn_begin(struct run *r, struct turn *turn);
void run_turn_end(struct run *r, struct turn *turn, bool keep);

/* Makes the run about one of several databases, that of the recipe (recipe_for_database): its keys,
 * its guard and its policy.  NULL: about none, or the only one. */
void run_use(struct run *r, const struct recipe *of);

/* How long this command has waited for backups of any database. */
long long run_behind_backup_ms(const struct run *r);

/* The arena that lives as long as the command, inside a turn or not. */
struct arena *run_kept(const struct run *r);

/* Whether the run is finished with the host: it was left out, or the run has ended there. */
bool run_is_through(const struct run *r, size_t host);

/* Notes that the step now has this mark on the host. */
void run_set_mark(struct run *r, size_t host, const char *step, const char *state);

/* Reports an event to the watcher; fills in its time and run. */
void run_tell(struct run *r, struct event e);
void run_warn(struct run *r, const char *host, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The run as an event describes it. Its texts belong to the plan. */
struct run_info run_info(const struct run *r);

/* The folder of the run's release on that host. */
const char *run_folder(struct run *r, size_t host);

/* Text with every secret of the recipe replaced by [secret]. */
const char *run_redact(const struct run *r, const char *text);

/* For example "crelease resume --force production", ready to be typed (hint.h); more may be
 * NULL. */
const char *run_hint(const struct run *r, const char *command, const char *more);

/* The step's hosts that were not left out and have no mark "done" or "skipped" yet.  Returns how
 * many; ret, which may be NULL, gets their indexes. */
size_t run_hosts_left(struct run *r, const struct step *s, size_t **ret);

/* Whether a signal asks to stop. If so, err is set to ERR_INTERRUPTED or ERR_TERMINATED. */
bool run_is_stopped(struct run *r, const char *where, struct err *err);

/* "app1 app2 db1", for people. */
const char *run_host_names(struct run *r, const size_t *hosts, size_t n);

#endif
