/* adopt.h -- sessions of the migration that do not bear its name, since its driver heeds no
 * PGAPPNAME.
 *
 * The watch finds them on its host (adopt.sh), by their client's end of the connection, and names
 * them to the database as pid and start in psql's variable `adopted`. */
#ifndef CRELEASE_ADOPT_H
#define CRELEASE_ADOPT_H

#include "base/arena.h"

/* A condition on the alias a: sessions called `own`, and those that were found. */
const char *adopt_tag(struct arena *a, const char *own);

/* Asked at every look: rows 'maybe' of sessions that wait for a lock and may turn out to be such,
 * but for those in psql's variable `asked`. */
extern const char adopt_look_sql[];

/* Asked when the command has ended: of those that were found a wait for a lock is cancelled. */
extern const char adopt_last_sql[];

#endif
