/* leftovers.h -- what migrations leave in the database when they end halfway: indexes that are not
 * valid, partitions that are half detached.  They are named with the statement that removes them, and
 * never removed. */
#ifndef CRELEASE_LEFTOVERS_H
#define CRELEASE_LEFTOVERS_H

#include "core/run.h"
#include "db/server.h"

struct leftovers {
    struct strs v;       /* rows: "index", name; "detach", parent, partition */
    long long deadlocks; /* in this database so far; -1: not known */
    bool known;          /* false: the database could not be asked, or there is too much of it; */
    const char *why;     /* one line then, else NULL */
};

bool leftovers_look(struct run *r, size_t host, long server_version, struct leftovers *ret,
                    struct err *err) MUST_CHECK;

/* What there was before the run's first attempt: looked at now, kept on the host, and read from
 * there when the run is gone on with. */
bool leftovers_before(struct run *r, const struct step *s, size_t host, long server_version,
                      struct leftovers *ret, struct err *err) MUST_CHECK;

/* Those of now that were not there before; none when either is not known. */
/* Of rows with a digest also those that are gone; as rows "now TABLE|COLUMN|ROUTINE NAME HOW". */
struct strs leftovers_new(struct arena *a, const struct leftovers *before,
                          const struct leftovers *now);

/* "index public.orders_by_day is not valid; DROP INDEX CONCURRENTLY public.orders_by_day; removes
 * it" */
const char *leftover_text(struct arena *a, const char *row);

/* The line of the output that says that what was to be made is there already; NULL: none does. */
const char *leftovers_exists_line(struct arena *a, const struct server *s, const char *output);

#endif
