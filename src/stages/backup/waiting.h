/* waiting.h -- the state of one wait, and what the wait for the end of a backup (clear.c) and the wait
 * for one that is to start (clearance.c) have in common. */
#ifndef CRELEASE_BACKUP_WAITING_H
#define CRELEASE_BACKUP_WAITING_H

#include "core/run.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"

enum { POLL_MS = 1000 }; /* a backup that has ended shall be noticed within two seconds */

/* One wait, from the first look to the end of the last backup. */
struct wait {
    long long began_ms;
    long long blind_since_ms; /* 0: the last look saw something */
    enum policy policy;
    bool stopped;   /* by us */
    bool quit;      /* a person said not to wait any longer (q) */
    bool only_wait; /* for others: nothing is stopped and nothing recorded */
    bool unseen; /* whether one still runs could not be seen, and that is to be no reason to stop */
    const char *why_stop; /* word of the record: policy, option, limit, key */
    bool refusal_known;   /* for the backup and the policy that follow */
    struct backup refused_of;
    enum policy refused_policy;
    const char *refusal; /* why it cannot be stopped; NULL: it can */
    bool seen;           /* the database has answered once */
    struct backup last;  /* the one that was in the way; kind BACKUP_NONE: none was */
    long long last_ms;   /* when it was seen last */
    bool
        lost_sight; /* since then the database did not answer: when and how it ended is not known */
    struct trace trace;
    bool seen_clear; /* the look before saw none in the way */
    bool waited;
    struct arena kept; /* the texts of all of these */
};

enum wait_state { WAIT_MORE, WAIT_OVER, WAIT_FAILED };

#define BY_PERSON "stopped by you (q) while waiting"

void wait_tell(struct run *r, const struct step *s, size_t host, const struct wait *w,
               const struct backup *b, enum event_state state, const char *detail);

/* Why it is waited for, where that does not go without saying; or NULL. */
const char *wait_note(struct run *r, const struct backup *b);

/* Fails with BACKUP. */
bool wait_fail(struct run *r, const struct backup *b, const char *why, struct err *err);

/* Whether nothing was seen for too long.  Then it is told, and err says whether to stop.  Who only
 * waits for others, and has seen nothing yet, has it at once. */
bool wait_is_blind(struct run *r, size_t host, struct wait *w, const char *why, struct err *err);

/* Fails at backup.wait_limit, unless what is in the way is to be stopped then. */
bool wait_limit_reached(struct run *r, struct wait *w, const struct backup *b, struct err *err);

/* Takes every key that was typed; whoever wants to stop has the last word. */
void wait_take_keys(struct run *r, struct wait *w);

#endif
