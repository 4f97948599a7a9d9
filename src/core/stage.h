/* stage.h -- one kind of change to the hosts: a row of the stage table (stages/table.c).
 *
 * What happens on a host is the row's script: it looks, acts, looks again and leaves its marks, in
 * one trip.  What C decides is in the row's functions, which live in the stage's folder.  The
 * engine and the plan know no stage by its name or kind: all that they ask is here. */
#ifndef CRELEASE_STAGE_H
#define CRELEASE_STAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "recipe/recipe.h"

struct run;
struct step;
struct trip;
struct what;

/* What becomes of the run when the stage fails. */
enum on_fail {
    ON_FAIL_STOP,      /* it stops and can be resumed */
    ON_FAIL_UNDO,      /* the same, after the stage was undone on every host: all or none */
    ON_FAIL_ROLL_BACK, /* everything is undone and the run ends */
    ON_FAIL_CARRY_ON,  /* the release is live and stays so; the failure is reported at the end */
};

/* What the act of a step reports. */
struct step_result {
    const char *detail;            /* what was done; NULL: as the plan says */
    const char *skipped;           /* why there was nothing to do; NULL: there was */
    const struct strs *migrations; /* names of the pending ones, if the stage knows them */
    size_t jobs_done; /* how many of its jobs have finished on every host that takes part.  The act
                         starts behind them: it is called again after a host was left out */
};

/* Whether the host takes part. */
typedef bool stage_hosts(const struct recipe *r, const struct what *what, size_t host);
/* The user's commands that it runs; NULL when the recipe has none. */
typedef const struct jobs *stage_jobs(struct arena *a, const struct recipe *r);
/* What it will do, in a line; NULL: as `about` says. */
typedef const char *stage_describe(struct arena *a, const struct recipe *r,
                                   const struct what *what);
/* Why there is nothing to do in this run; NULL when there is, or that is not known yet. */
typedef const char *stage_idle(const struct run *r);
/* Assigns the script's values for one host. */
typedef void stage_values(struct run *r, const struct step *s, size_t host, struct buf *script);
/* Makes the change on all of the step's hosts; harmless to repeat. */
typedef bool stage_act(struct run *r, const struct step *s, struct step_result *ret,
                       struct err *err);
/* The one script that its act sends.  False when it does more than that in this run. */
typedef bool stage_trip(struct run *r, const struct step *s, struct trip *ret);
/* Puts it back; harmless to repeat. */
typedef bool stage_undo(struct run *r, const struct step *s, struct err *err);

/* Whether its script may go to a host together with that of the stage before, which may still fail on
 * another host. */
enum joins {
    JOINS_NEVER,
    JOINS_SAFELY, /* when no other host, or no failure of that stage, can stop the run */
    JOINS_ALWAYS
};

struct stage {
    const char *name;         /* typed, shown, and marked on hosts: never renamed */
    const char *about;        /* one line for the plan and the help */
    stage_hosts *hosts;       /* NULL: all of them; with jobs, those that have one */
    stage_jobs *jobs;         /* NULL: it runs none of the user's */
    stage_describe *describe; /* NULL: what its jobs are called, or `about` */
    enum on_fail on_fail;
    enum on_fail (*on_fail_as)(const struct recipe *r); /* instead, where the recipe decides */
    bool in_rollback;                                   /* part of a rollback too */
    bool makes_folder; /* before it is done there is no release folder for hooks to run in */
    bool rolls;        /* goes from batch to batch of hosts, if the recipe says so */
    bool
        leaves_out; /* the run may go on without a host on which it failed, if the recipe says so */
    bool per_database; /* one step for each database of the recipe */
    bool migrates; /* serves the migration, which the paths of the recipe may show to be needless */
    const char *needs; /* why its hosts cannot be left out, in words; NULL: they can */
    const char *until; /* its mark counts only when that stage is done too; NULL: at once */
    bool
        serious; /* from it on, a person decides what becomes of a dead run: what it does may not be
                     undone without being looked at */
    bool ends_run;    /* releases the lock, after its mark: as long as the lock is there it is run
                          again, and such a run cannot be aborted */
    stage_idle *idle; /* NULL: never idle.  Its hooks are skipped too then */
    const char *script;
    stage_values *values; /* NULL: none but the common ones */
    stage_trip *trip;     /* NULL: its act does more than to send one script */
    enum joins joins;
    stage_act *act;
    stage_undo *undo;
};

/* The common acts: the row's script, on the hosts that have not done it. */
bool stage_script_trip(struct run *r, const struct step *s, struct trip *ret);
bool stage_script_act(struct run *r, const struct step *s, struct step_result *ret,
                      struct err *err);
bool stage_script_undo(struct run *r, const struct step *s, struct err *err);
bool stage_undo_nothing(struct run *r, const struct step *s, struct err *err);

/* For rows whose jobs are one command of the recipe. */
const struct jobs *stage_one_job(struct arena *a, const struct job *job);

#endif
