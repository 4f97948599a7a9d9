/* client.h -- asks the database through the recipe's psql or mysql client, which runs on its
 * host. */
#ifndef CRELEASE_DB_H
#define CRELEASE_DB_H

#include "core/run.h"

/* Runs SQL.  Each row is a text whose fields are separated by \037.  *ret_why is NULL, or says why
 * the database did not answer; rows that came before the error are returned all the same.  False
 * only when the host itself was lost. */
bool db_ask(struct run *r, size_t host, const char *sql, struct strs *ret_rows,
            const char **ret_why, struct err *err) MUST_CHECK;

/* A field of such a row, counted from 0; "" when the row has fewer fields. */
const char *db_field(struct arena *a, const char *row, size_t field);

/* db_is_number: whether the text is a number.  db_is_vxid: whether it is a virtual transaction id
 * ("3/271").  Only what has exactly the server's format goes back into SQL. */
bool db_is_number(const char *s);
bool db_is_vxid(const char *s);

/* A time span in seconds; -1 when the text is none. */
long long db_seconds(const char *s);

/* The encoding that the client is told to answer in. */
const char *db_encoding(const struct run *r);

/* The script client.sh, or `script` in its place, with its values and the SQL. */
const char *db_script(struct run *r, size_t host, const char *sql, const char *script);

/* The same as a call that runs in the host's session, for run_ask.  sql: NULL for the script in whose course a database
 * is found, and asked the first question (find.h). */
struct call db_call(struct run *r, size_t host, const char *sql, const char *script);

/* Reads the answer of client.sh: the rows, and why there are no more; NULL: these are all. */
void db_answer(struct run *r, const struct reply *reply, struct strs *ret_rows,
               const char **ret_why);

/* What a client printed, fit to be shown: one line, without secrets and passwords. */
const char *db_shown(const struct run *r, const char *said);

/* Why the client gave no answer; status is its exit status, or NULL. */
const char *db_why(struct run *r, const struct reply *reply, const char *status);

#endif
