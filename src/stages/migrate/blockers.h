/* blockers.h -- who holds what a statement of the migration waits for.
 *
 * The watch beside the migration sees them at the moment of the wait and prints rows
 * (server.h, waits); each comes here as a line and is told at once (blockers_take).  What is known
 * then serves the pause between two attempts: whether they are still there, and, where the recipe
 * says so, to end exactly them. */
#ifndef CRELEASE_BLOCKERS_H
#define CRELEASE_BLOCKERS_H

#include "core/run.h"

/* What was seen during one attempt. */
struct blockers {
    struct blocker *v;
    size_t n;
    size_t room;
    bool cancelled;   /* the watch ended a wait of ours */
    bool helpless;    /* it should have, and may not */
    bool crowded;     /* because too many queued behind it */
    long crowd;       /* so many */
    long dump_behind; /* a pg_dump that waited for the migration; 0: none */
};

/* One row; false when it is none.  Nothing in it is trusted. */
bool blocker_read(struct arena *a, const char *line, struct blocker *ret);

/* A statement without what stands in quotes, for people and logs: at most 120 characters. */
const char *blocker_statement(struct arena *a, const char *query);

/* "pid 4711 (rails console by web, idle in transaction for 3 min: update users set ...)" */
const char *blocker_text(struct arena *a, const struct blocker *b);

/* Takes a line of the watch; tells of a blocker that was not seen in this attempt. */
void blockers_take(struct run *r, const struct step *s, size_t host, struct blockers *b,
                   const char *line);

/* The one to name when there is only room for one: NULL when nobody was seen. */
const struct blocker *blockers_first(const struct blockers *b);

/* Asks for those who hold an advisory lock on the database: a migration tool that somebody else has
 * started.  What cannot be asked leaves it empty. */
bool blockers_advisory(struct run *r, const struct step *s, size_t host, struct blockers *ret,
                       struct err *err) MUST_CHECK;

/* Whether one of them is still there; true too when the database cannot be asked. */
bool blockers_look(struct run *r, size_t host, const struct blockers *b, bool *ret_there,
                   struct err *err) MUST_CHECK;

/* Ends those that are ordinary sessions, each by pid, start and transaction in one statement: never
 * a backup, the server's own work, our own, or one that this role may not end.  *ret_n: how many.
 */
bool blockers_end(struct run *r, size_t host, const struct blockers *b, size_t *ret_n,
                  struct err *err) MUST_CHECK;

#endif
