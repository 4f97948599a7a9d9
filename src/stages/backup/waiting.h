/* waiting.h -- the state of one wait, and what the wait for the end of a backup (clear.c) and the wait
 * for one that is to start (clearance.c) have in common. */
#ifndef CRELEASE_BACKUP_WAITING_H
#define CRELEASE_BACKUP_WAITING_H

#include "core/run.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"

enum { POLL_MS = 1000 }; /* short enough to notice the end of a backup within two seconds */

/* One wait, from the first check to the end of the last backup. */
struct wait {
    struct run *run;
    const struct step *step;
    size_t host; /* of the database */
    long long began_ms;
    long long blind_since_ms; /* when the database stopped answering; 0: it answers */
    enum policy policy;
    bool stopped;         /* by us */
    bool quit;            /* a person pressed q to stop waiting */
    bool only_wait;       /* for 'backups --wait': stop nothing, record nothing */
    bool unseen;          /* the database stayed silent, and the recipe says to proceed */
    const char *why_stop; /* as in the record: policy, option, limit, key */
    bool refusal_known;   /* `refusal` is valid for refused_of and refused_policy */
    struct backup refused_of;
    enum policy refused_policy;
    const char *refusal; /* why it cannot be stopped; NULL: it can */
    bool seen;           /* the database has answered once */
    struct backup last;  /* the last backup that blocked; kind BACKUP_NONE: none did */
    long long last_ms;   /* when it was last seen */
    bool lost_sight;     /* the database did not answer since, so its end is unknown */
    struct trace trace;
    bool seen_clear; /* the previous check found nothing that blocks */
    bool waited;
    struct arena kept; /* owns the texts of these fields */
};

enum wait_state { WAIT_MORE, WAIT_OVER, WAIT_FAILED };

#define BY_PERSON "stopped by you (q) while waiting"

void wait_tell(const struct wait *w, const struct backup *b, enum event_state state,
               const char *detail);

/* Marks the step as begun unless it is, so that commands that look from outside say that the run
 * waits.  To be called before each wait; it costs a round trip the first time. */
bool wait_mark(const struct wait *w, struct err *err) MUST_CHECK;

/* Why the migration waits for this backup, if that is not obvious; or NULL. */
const char *wait_note(struct run *r, const struct backup *b);

/* Sets err to ERR_BACKUP; always false. */
bool wait_fail(struct run *r, const struct backup *b, const char *why, struct err *err);

/* Called when the database did not answer.  True when that has lasted too long: it was reported, and
 * err is set if the recipe says to stop.  With only_wait, the first failure is already too long. */
bool wait_is_blind(struct wait *w, const char *why, struct err *err);

/* True, with err set, once backup.wait_limit is reached, unless backup.after_limit is kill. */
bool wait_limit_reached(struct wait *w, const struct backup *b, struct err *err);

/* Handles all keys that were typed; nothing after a q counts. */
void wait_take_keys(struct wait *w);

#endif
