/* running.h -- the backups that are running now, and what else would block a migration.  Each call
 * asks the database once, through the recipe's client. */
#ifndef CRELEASE_BACKUPS_H
#define CRELEASE_BACKUPS_H

#include "db/server.h"

struct backups {
    struct backup *v;
    size_t n;
    const char *why; /* why the answer is unknown; v is empty then */
};

/* Fills in *ret.  False only when the host was lost; if the database does not answer, ret->why is
 * set. */
bool backup_look(struct run *r, size_t host, struct backups *ret, struct err *err) MUST_CHECK;

/* The same, with the sessions of this run in *ret_own. */
bool backup_look_all(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                     struct err *err) MUST_CHECK;

/* Terminates sessions that an earlier attempt of this run left in the database. */
bool backup_end_own(struct run *r, size_t host, struct err *err) MUST_CHECK;

/* Cancels or terminates exactly this session, identified by pid, transaction and start in the same
 * statement.  No other session is ever touched, and nothing happens if it is gone.  Adds the number
 * of signalled sessions to *ret_signalled. */
bool backup_signal(struct run *r, size_t host, const struct backup *b, enum way way,
                   size_t *ret_signalled, struct err *err) MUST_CHECK;

/* The size of the recipe's database in bytes; -1 when unknown. */
long long backup_database_size(struct run *r, size_t host);

/* The first backup that blocks, or NULL; *ret_n is the number of those that do. */
struct backup *backups_first(const struct backups *b, size_t *ret_n);

/* A copy with all of its texts. */
struct backup backup_copy(struct arena *a, const struct backup *b);

/* What would wait for it: "a migration", or "a migration of a table that it holds". */
const char *backup_waiter(const struct backup *b);

/* For example "pg_dump of shop by ann, pid 123, for 1 h". */
const char *backup_text(struct run *r, const struct backup *b);

/* Sets err to ERR_BACKUP, naming the backup and why it is not waited for. Always false. */
bool backup_in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err);

/* Reports, once, that `database: auto` found nothing that can be asked, as backup_unknown does. */
bool backup_guard_off(struct run *r, size_t host, struct err *err) MUST_CHECK;

/* Called when the database could not be asked; `what` says why.  Warns, ending with `then`, and
 * returns true; or fails with ERR_BACKUP if backup.unknown is abort. */
bool backup_unknown(struct run *r, size_t host, const char *what, const char *then,
                    struct err *err) MUST_CHECK;

#endif
