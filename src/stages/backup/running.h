/* backups.h -- which backups run now, and what else would hold up a migration: looked at through
 * the recipe's database client, one look a call. */
#ifndef CRELEASE_BACKUPS_H
#define CRELEASE_BACKUPS_H

#include "db/server.h"

struct backups {
    struct backup *v;
    size_t n;
    const char *why; /* NULL, or why it could not be seen: then there are none in v */
};

/* False only when the host was lost. */
bool backup_look(struct run *r, size_t host, struct backups *ret, struct err *err) MUST_CHECK;

/* The same, with what this run itself has in the database. */
bool backup_look_all(struct run *r, size_t host, struct backups *ret, struct backups *ret_own,
                     struct err *err) MUST_CHECK;

/* Ends sessions that an earlier attempt of this run left in the database. */
bool backup_end_own(struct run *r, size_t host, struct err *err) MUST_CHECK;

/* Cancels or ends exactly this session: pid, transaction and start in one statement.  Nobody else's
 * is ever touched; when it is gone already nothing is.  Adds to *ret_signalled how many were. */
bool backup_signal(struct run *r, size_t host, const struct backup *b, enum way way,
                   size_t *ret_signalled, struct err *err) MUST_CHECK;

/* Bytes of the recipe's database; -1 when it does not say. */
long long backup_database_size(struct run *r, size_t host);

/* The first that blocks, or NULL, and how many do. */
struct backup *backups_first(const struct backups *b, size_t *ret_n);

/* With all of its texts. */
struct backup backup_copy(struct arena *a, const struct backup *b);

/* What would wait for it: "a migration", or "a migration of a table that it holds". */
const char *backup_waiter(const struct backup *b);

/* "pg_dump of shop by ann, pid 123, for 1 h" */
const char *backup_text(struct run *r, const struct backup *b);

/* Always false: err says BACKUP, which one, and why it is not waited for. */
bool backup_in_the_way(struct run *r, const struct backup *b, const char *why, struct err *err);

/* The database could not be asked, as `what` says: true with a warning, which ends with `then`, or
 * BACKUP when the recipe says to stop. */
bool backup_unknown(struct run *r, size_t host, const char *what, const char *then,
                    struct err *err) MUST_CHECK;

#endif
