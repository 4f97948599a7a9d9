/* sampled.h -- how much a dump writes in all, and how much of that is behind it: from a sample of
 * each table's rows.  For the first backup of a database, of which no earlier one tells anything.
 *
 * A dump that is not parallel takes the tables by schema and name (pg_dump sorts them so in all
 * versions), and each row as text is about what COPY writes of it. */
#ifndef CRELEASE_SAMPLED_H
#define CRELEASE_SAMPLED_H

#include "core/run.h"

struct sampled {
    const char **names; /* of the tables, in the dump's order, as its COPY names them */
    long long *bytes;   /* of text, of each */
    size_t n;
    long long all;
};

/* Asks the database: short statements that give up rather than wait.  False when the host was lost,
 * *ret NULL when too little could be sampled. */
bool sampled_look(struct run *r, size_t host, const struct sampled **ret,
                  struct err *err) MUST_CHECK;

/* From rows "table NAME BYTES-ON-DISK" in the dump's order, and "text NAME BYTES" in any. */
const struct sampled *sampled_read(struct arena *a, const struct strs *rows);

/* With its names. */
const struct sampled *sampled_copy(struct arena *a, const struct sampled *s);

/* How many bytes of text a dump has behind it that does this, and has copied so many bytes of its
 * table
 * (-1: not known); -1 when that cannot be told. */
long long sampled_done(const struct sampled *s, const char *query, long long copied);

#endif
