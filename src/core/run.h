/* run.h -- a run in progress: its plan, its hosts, and who watches.
 *
 * What the stages share.  What one step reports is its result (stage.h), what is known of the
 * database is the guard's (guard.h), and which hosts are left out is left_out.h's. */
#ifndef CRELEASE_RUN_H
#define CRELEASE_RUN_H

#include "base/redact.h"
#include "core/event.h"
#include "core/guard.h"
#include "core/hint.h"
#include "core/left_out.h"
#include "core/plan.h"
#include "fleet/fleet.h"
#include "git/repo.h"
#include "host/site.h"

struct run {
    struct arena *arena; /* lives as long as the command, or as the turn in progress; */
    struct arena *kept;  /* then the one that lives as long as the command, else NULL */
    const struct recipe *recipe;
    struct plan *plan;
    const struct stage *stages;
    struct loop *loop;
    struct fleet *fleet;
    struct site *sites; /* by host: what was seen there, and what was done since */
    long epoch;         /* of the lock: an owner with a lower one is fenced off */
    struct guard *guard;
    const struct watcher *watcher;
    const struct called *called; /* for hints; NULL: without options */
    const struct export *export; /* for checkout; NULL when no host needs it */

    /* what the command line and the recipe ask for */
    enum policy on_backup;
    bool force;
    bool no_migrate;  /* resume: what is left of the migration is skipped */
    bool takeover;    /* the lock may be taken from a run with this id */
    bool interactive; /* a person can be asked, by keys */

    /* how far it has come */
    bool resumed;
    bool begun;       /* an EVENT_RUN was told */
    bool rolled_back; /* after a failure, to the end: the run is over */
    bool quit;        /* a person did not want to wait any longer: nothing has failed */
    struct left_out left_out;
    struct strs untidy; /* what failed after the release was live */
    struct failure failure;
};

/* Memory that ends before the command does: of one step, or of one turn of a wait, which may take a
 * day.
 *
 *     struct turn turn;
 *     run_turn_begin(r, &turn);
 *     ... r->arena is the turn's; what the run or the next turn needs is copied to run_kept ...
 *     run_turn_end(r, &turn, failed);
 *
 * Turns nest.  With `keep` everything of the turn is kept: an error and what it names outlive it. */
struct turn {
    struct arena arena;
    struct arena *outer;
};
void run_turn_begin(struct run *r, struct turn *turn);
void run_turn_end(struct run *r, struct turn *turn, bool keep);

/* Where to make what lives as long as the command, in a turn or not. */
struct arena *run_kept(const struct run *r);

/* Whether the run has no more business with the host: it was left out, or has ended there. */
bool run_is_through(const struct run *r, size_t host);

/* Notes that the step has this mark on the host now. */
void run_set_mark(struct run *r, size_t host, const char *step, const char *state);

/* Tells the watcher; fills time and run. */
void run_tell(struct run *r, struct event e);
void run_warn(struct run *r, const char *host, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The run as an event shows it: its texts are the plan's. */
struct run_info run_info(const struct run *r);

/* The folder of the run's release on that host. */
const char *run_folder(struct run *r, size_t host);

/* Text with every secret of the recipe replaced by [secret]. */
const char *run_redact(const struct run *r, const char *text);

/* "crelease resume --force production", as it is to be typed (hint.h); more may be NULL. */
const char *run_hint(const struct run *r, const char *command, const char *more);

/* The step's hosts that were not left out and have no mark "done" or "skipped" yet: how many, and in
 * ret, which may be NULL, their indexes. */
size_t run_hosts_left(struct run *r, const struct step *s, size_t **ret);

/* Whether a signal asks to stop: then err is INTERRUPTED or TERMINATED, with what was told. */
bool run_is_stopped(struct run *r, const char *where, struct err *err);

/* "app1 app2 db1", for people. */
const char *run_host_names(struct run *r, const size_t *hosts, size_t n);

#endif
