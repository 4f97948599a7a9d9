/* stop.h -- stops a backup and keeps the record of it. */
#ifndef CRELEASE_BACKUP_STOP_H
#define CRELEASE_BACKUP_STOP_H

#include "stages/backup/running.h"

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

#endif
