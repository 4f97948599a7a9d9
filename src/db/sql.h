/* sql.h -- turns a .sql file into the text that a server is sent.
 *
 * Each file under postgres/ and mysql/ is one question, in the form that psql understands:
 *
 *     -- comments, one a line, which are not sent
 *     \if :since_9_6        lines for servers of 9.6 and later, or of unknown version
 *     \else, \endif         (known_9_6 instead: not for those of unknown version)
 *     :'own'                a value, as a quoted literal
 *     :pid                  a value, or a piece of the server's fragments.sql, as it is
 *
 * What is neither a value nor a fragment stays as it is: the watchdog sets some of psql's variables
 * itself.  To paste a question into psql, set the variables that it names with \set and replace the
 * fragments by their text. */
#ifndef CRELEASE_SQL_H
#define CRELEASE_SQL_H

#include "base/arena.h"

struct sql_value {
    const char *name;
    const char *text;
};

struct sql {
    const char *fragments;          /* the text of fragments.sql */
    long version;                   /* of the server, as 90624 or 170002; 0: unknown */
    const struct sql_value *values; /* ends with a row without a name; NULL: none */
};

const char *sql_text(struct arena *a, const char *question, const struct sql *sql);

#endif
