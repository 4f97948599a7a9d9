/* guard.h -- what a run has learned about the migration and the backups that may block it.
 *
 * Filled while the stages backup-detect, backup-clear and migrate look at the database, and by
 * `backups`, which looks without a deploy.  Nothing of it is written to the hosts, so a resume
 * starts with an empty guard and looks again.  Texts live as long as the command (run_kept). */
#ifndef CRELEASE_GUARD_H
#define CRELEASE_GUARD_H

#include "core/event.h"
#include "recipe/recipe.h"

/* Whether the database is asked for backups before the migration. */
enum backup_look {
    LOOK_FOR_BACKUPS,
    LOOK_NO_DATABASE,      /* the recipe names none */
    LOOK_OFF,              /* none was found that can be asked */
    LOOK_FAILED,           /* it did not answer, and the recipe says to proceed */
    LOOK_ALREADY_MIGRATED, /* the migration was started earlier and may be running now */
    LOOK_ANOTHER_MIGRATES, /* that of an earlier database was */
};

/* What a database role is permitted to see and to end. */
struct db_rights {
    bool known;
    bool super;
    bool signal; /* it may end sessions of others: pg_signal_backend, CONNECTION ADMIN */
    bool stats;  /* it sees what others do: pg_read_all_stats, PROCESS */
};

/* The database of `database: auto` (db/find).  Texts are NULL when the answer lacks them. */
struct found {
    bool asked;
    bool kept;            /* the host keeps the answer for the next question of the run */
    bool later;           /* nothing is live yet: only the new release can tell, */
    bool unnamed;         /* and the recipe names no framework whose configuration is known */
    enum adapter adapter; /* NONE: there is nothing that can be asked, and `problem` says why */
    const char *word;     /* the adapter as it was found, such as "sqlite" */
    const char *name;
    const char *host; /* or the folder of its socket */
    const char *port;
    const char *user;
    const char *source; /* where it was found */
    const char *client; /* the program */
    const char *note;
    const char *problem;
    struct db_rights rights;
    struct strs rows; /* the answer to the first look, */
    const char *why;  /* and why there is none, */
    bool is_fresh;    /* until they are taken */
};

struct guard {
    struct found found;
    bool off_told;       /* it was reported that there is nothing to ask */
    long server_version; /* as the database reports it; 0: unknown */
    bool raw_text;       /* the database holds text that is not UTF-8: ask without conversion */

    bool nothing_pending;   /* nothing is pending, or that is to be assumed */
    struct strs to_migrate; /* what was pending when this command first looked */
    enum backup_look look;

    struct backup
        *dumps; /* sessions identified as dumps; running_s counts from the loop's time 0 */
    size_t n_dumps;
    struct strs met;         /* partial dumps that have blocked the migration (partial.h), */
    struct strs passed;      /* and those that it was started beside */
    bool concurrently_asked; /* whether the next field was looked up */
    /* A file that mentions CONCURRENTLY; "": none does; NULL: unknown. */
    const char *concurrently;
    bool backup_stopped;        /* this command stopped one */
    long long behind_backup_ms; /* how long this command has waited for backups */
};

#endif
