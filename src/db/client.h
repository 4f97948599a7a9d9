/* db.h -- what is asked of the database, through the recipe's psql on its host. */
#ifndef CRELEASE_DB_H
#define CRELEASE_DB_H

#include "core/run.h"

/* Runs SQL.  Each row is a text, its fields divided by the unit separator (\037).  *ret_why is
 * NULL, or says why the database did not answer (further: rows from
 * before an error are given all the same); false only when the host itself was lost. */
bool db_ask(struct run *r, size_t host, const char *sql, struct strs *ret_rows,
            const char **ret_why, struct err *err) MUST_CHECK;

/* The field (from 0) of such a row; "" when there are not so many. */
const char *db_field(struct arena *a, const char *row, size_t field);

/* Whether the text is a number, and one that looks like a virtual transaction ("3/271"): only what
 * looks exactly like what PostgreSQL gives goes into SQL again. */
bool db_is_number(const char *s);
bool db_is_vxid(const char *s);

/* -1 when it is none, or no span of time. */
long long db_seconds(const char *s);

/* The encoding in which it answers. */
const char *db_encoding(const struct run *r);

/* The script that asks the database, or another in its manner, with its values. */
const char *db_script(struct run *r, size_t host, const char *sql, const char *script);

/* What a client said, so that it can be shown: in one line, without secrets and passwords. */
const char *db_shown(const struct run *r, const char *said);

/* Why the client did not give an answer; status is what it ended with, or NULL. */
const char *db_why(struct run *r, const struct reply *reply, const char *status);

#endif
