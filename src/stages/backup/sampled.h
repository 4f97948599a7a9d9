/* sampled.h -- how much a dump will write in total and how much it has written, estimated from a
 * sample of each table's rows.  Used for the first backup of a database, when no earlier one can be
 * compared.
 *
 * A dump that is not parallel writes the tables sorted by schema and name, in all versions of
 * pg_dump.  A row as text is about as long as its line in the output of COPY. */
#ifndef CRELEASE_SAMPLED_H
#define CRELEASE_SAMPLED_H

#include "core/run.h"

struct sampled {
    const char **names; /* of the tables in the dump's order, as COPY names them */
    long long *bytes;   /* of text, per table */
    size_t n;
    long long all;
};

/* Asks the database with short statements that fail rather than wait.  False when the host was
 * lost; *ret is NULL when too little could be sampled. */
bool sampled_look(struct run *r, size_t host, const struct sampled **ret,
                  struct err *err) MUST_CHECK;

/* Takes rows "table NAME BYTES-ON-DISK" in the dump's order, and "text NAME BYTES" in any order. */
const struct sampled *sampled_read(struct arena *a, const struct strs *rows);

/* A copy with its names. */
const struct sampled *sampled_copy(struct arena *a, const struct sampled *s);

/* How many bytes of text the dump has written when it executes `query` and has copied that many
 * bytes of the current table (-1: unknown).  -1 when unknown. */
long long sampled_done(const struct sampled *s, const char *query, long long copied);

#endif
