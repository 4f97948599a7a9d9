/* stage.h -- one kind of change to the hosts: a row of the stage table (stages/stages.c).
 *
 * What happens on a host is the row's script, which looks, acts, looks again and leaves its
 * marks in one trip.  What C decides is in the row's functions.  The engine knows no stage
 * by its name. */
#ifndef CRELEASE_STAGE_H
#define CRELEASE_STAGE_H

#include "base/buf.h"
#include "base/err.h"

struct run;
struct step;
struct recipe;
struct what;

/* On which hosts. */
enum who {
    WHO_ALL,
    WHO_DB,      /* the primary of role db, when the recipe migrates */
    WHO_MIGRATE, /* the same; the recipe's migration is its job */
    WHO_RERUN,   /* the same, when the recipe has stopped backups started again */
    WHO_BUILD,   /* where one of the recipe's build jobs runs */
    WHO_RESTART, /* where something is restarted */
    WHO_HEALTH,  /* where the application is asked */
};

/* When it fails. */
enum on_fail {
    ON_FAIL_STOP,      /* the run stops and can be resumed */
    ON_FAIL_UNDO,      /* what it did is undone on every host first: all or none */
    ON_FAIL_TURN_BACK, /* as the recipe's health.on_failure says */
    ON_FAIL_CARRY_ON,  /* the release is live and stays so; said at the end */
};

/* Assigns the script's values for one host. */
typedef void stage_values(struct run *r, const struct step *s, size_t host, struct buf *script);
typedef bool stage_act(struct run *r, const struct step *s, struct err *err);

struct stage {
    const char *name; /* typed, shown, and marked on hosts: never renamed */
    enum who who;
    enum on_fail on_fail;
    bool in_rollback;  /* part of a rollback too */
    bool makes_folder; /* before it is done there is no release folder for hooks to run in */
    bool rolls;        /* a batch of hosts after the other, where the recipe says so */
    bool leaves_out;   /* a host on which it fails may be left out of the run, where it says so */
    bool if_pending;   /* only when migrations are pending: else its hooks are passed over too */
    const char *until; /* its mark counts only when that stage is done too; NULL: at once */
    const char *about; /* one line for the plan and the help */
    const char *(*tell)(struct arena *a, const struct what *what); /* more for the plan; or NULL */
    const char *script;
    stage_values *values; /* NULL: none but the common ones */
    stage_act *act;       /* makes the change on all of the step's hosts; harmless to repeat */
    stage_act *undo;      /* puts it back; harmless to repeat */
};

#endif
