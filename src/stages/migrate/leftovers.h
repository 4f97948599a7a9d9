/* leftovers.h -- what an interrupted migration leaves in the database: invalid indexes, and partitions
 * whose detach was interrupted.  crelease reports them with the statement that fixes them, and never
 * removes them itself. */
#ifndef CRELEASE_LEFTOVERS_H
#define CRELEASE_LEFTOVERS_H

#include "core/run.h"
#include "db/server.h"

struct leftovers {
    struct strs v;       /* rows: "index", name; "detach", parent, partition */
    long long deadlocks; /* in this database so far; -1: unknown */
    bool known;          /* false: the database did not answer, or with too many rows */
    const char *why;     /* the reason if not known, else NULL */
};

bool leftovers_look(struct run *r, size_t host, long server_version, struct leftovers *ret,
                    struct err *err) MUST_CHECK;

/* The state before the run's first attempt.  The first call reads it from the database and stores it on
 * the host; a resumed run reads it from there. */
bool leftovers_before(struct run *r, const struct step *s, size_t host, long server_version,
                      struct leftovers *ret, struct err *err) MUST_CHECK;

/* The rows of `now` that are not in `before`; none when either is unknown.  Rows with a digest are
 * compared both ways and returned as "now TABLE|COLUMN|ROUTINE NAME HOW". */
struct strs leftovers_new(struct arena *a, const struct leftovers *before,
                          const struct leftovers *now);

/* "index public.orders_by_day is invalid; DROP INDEX CONCURRENTLY public.orders_by_day; removes
 * it" */
const char *leftover_text(struct arena *a, const char *row);

/* The line of the output that says that an object already exists; NULL when there is none. */
const char *leftovers_exists_line(struct arena *a, const struct server *s, const char *output);

#endif
