/* find.h -- the database of `database: auto`: found on its host, from the application's own configuration.
 *
 * The first call of database_find sends one script, which finds the database and asks it the first question,
 * backup_look's.  The password stays on the host: it is in the environment of the client, and, if the recipe does not
 * contain it, in a file of the run that only the login user can read, so that the search is not repeated at each look.
 * What the answer says decides only how this database is asked on this host. */
#ifndef CRELEASE_DB_FIND_H
#define CRELEASE_DB_FIND_H

#include "core/run.h"

/* reach.sh: makes the connection to what was found. */
extern const char script_reach[];

/* Finds the database of `database: auto`, once; does nothing for other recipes.  Afterwards r->guard->found is filled.
 * False only when the host was lost. */
bool database_find(struct run *r, size_t host, struct err *err) MUST_CHECK;

/* Whether the recipe leaves it to crelease to find the database, and there is none that can be asked. */
bool database_is_off(const struct run *r);

/* Whether there is no server that a backup could block, such as with SQLite. */
bool database_is_serverless(const struct run *r);

/* Why there is nothing to ask, and what to write: "there is no psql on this host ...". */
const char *database_problem(struct run *r);

/* "shop on db1:5432, found in config/database.yml (production), as shop: sees ..." */
const char *database_text(struct run *r);

/* Assigns what find.sh and reach.sh need, for scripts that ask the database.  tell: the script answers what it found,
 * and asks the first question. */
void database_values(struct run *r, size_t host, bool tell, struct buf *b);

/* reach.sh and what has to precede it. */
const char *database_reach(struct run *r);

/* For the watchdog: reach.sh with its values, and the function prepare_watch (job.sh). */
const char *database_watch(struct run *r, size_t host);

#endif
