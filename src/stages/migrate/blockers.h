/* blockers.h -- the sessions that hold what a statement of the migration waits for.
 *
 * The watchdog beside the migration sees them while it waits and prints rows (db/server.h, waits).
 * Each row is passed to blockers_take, which reports the blocker at once.  During the pause between
 * two attempts, the same list tells whether they are still there, and with migrate.blockers:
 * terminate whom to end. */
#ifndef CRELEASE_BLOCKERS_H
#define CRELEASE_BLOCKERS_H

#include "core/run.h"

/* What the watchdog reported during one attempt. */
struct blockers {
    struct blocker *v;
    size_t n;
    size_t room;
    bool cancelled;   /* the watchdog cancelled a statement of the migration */
    bool helpless;    /* it tried to, and its role is not permitted to */
    bool crowded;     /* because more than max_blocked sessions queued */
    long crowd;       /* how many did */
    long dump_behind; /* pid of a pg_dump that waits for the migration; 0: none */
};

/* Parses one row; false when it is not about a blocker.  Every field is checked before it is
 * used. */
bool blocker_read(struct arena *a, const char *line, struct blocker *ret);

/* A statement for people and logs: without string literals, at most 120 characters. */
const char *blocker_statement(struct arena *a, const char *query);

/* For example "'rails console' of web, pid 4711, idle in transaction for 3 min: update users set
 * ...". */
const char *blocker_text(struct arena *a, const struct blocker *b);

/* Takes one line of the watchdog's, and reports a blocker that is new in this attempt. */
void blockers_take(struct run *r, const struct step *s, size_t host, struct blockers *b,
                   const char *line);

/* The blocker to name in a message that has room for one; NULL when none was seen. */
const struct blocker *blockers_first(const struct blockers *b);

/* Adds the sessions that hold an advisory lock on the database, such as a migration tool that
 * somebody else started.  When the database cannot be asked, nothing is added. */
bool blockers_advisory(struct run *r, const struct step *s, size_t host, struct blockers *ret,
                       struct err *err) MUST_CHECK;

/* Sets *ret_there to whether at least one of them still exists.  It is also true when the database
 * cannot be asked. */
bool blockers_look(struct run *r, size_t host, const struct blockers *b, bool *ret_there,
                   struct err *err) MUST_CHECK;

/* Ends the blockers that are ordinary sessions.  Each is identified by pid, start time and
 * transaction in the same statement that ends it.  Never ends a backup, a background worker, a
 * session of this run, or a session that the role is not permitted to end.  *ret_n: how many were
 * ended. */
bool blockers_end(struct run *r, size_t host, const struct blockers *b, size_t *ret_n,
                  struct err *err) MUST_CHECK;

#endif
