/* stop.h -- stops a backup and keeps a record of it. */
#ifndef CRELEASE_BACKUP_STOP_H
#define CRELEASE_BACKUP_STOP_H

#include "stages/backup/waiting.h"

/* Sets *ret to NULL when everything that blocks can be stopped, else to why not and what to do.
 * by_person: a person has looked at it and asks for it. */
bool stop_refusal(const struct wait *w, const struct backups *b, bool by_person, const char **ret,
                  struct err *err) MUST_CHECK;

/* Stops all backups that block a migration: first their clients, if they run on this host as the
 * login user, then their sessions.  Judges their outputs, sets them aside, and records everything. */
bool stop_backups(const struct wait *wait, const struct backups *b, struct err *err) MUST_CHECK;

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
    const char *output; /* NULL: unknown */
    const char *again;  /* running, ended, lost; NULL: it was not started again */
    int again_status;   /* exit status if ended; else -1 */
    long long again_unix;
};

struct stops {
    struct stopped *v; /* the oldest first */
    size_t n;
};

/* Reads a line of the record.  False, with *ret empty, for a line that this version does not
 * write. */
bool stop_read(struct arena *a, const char *line, struct stopped *ret);

/* Takes "RUN STATE STATUS SINCE" of a backup that was started again, and adds it to the last one
 * that this run stopped. */
void stop_read_rerun(struct arena *a, const char *text, struct stops *to);

/* Reads the record on the database's host. False, with err set, when that fails. */
bool stop_told(struct run *r, size_t host, struct stops *ret, struct err *err) MUST_CHECK;

/* For example "pg_dump of shop by ann (pid 123) was stopped 22 Nov 14:01 ...". */
const char *stop_text(struct run *r, size_t host, const struct stopped *s);

#endif
