/* number.h -- parses numbers in text from outside: a recipe, a host, a database.
 *
 * This is the only parser of numbers.  A number is decimal digits and nothing else, without a sign.
 * Its range is checked where it is parsed, so that no later sum or product can overflow. */
#ifndef CRELEASE_NUMBER_H
#define CRELEASE_NUMBER_H

#include "base/arena.h"

/* Upper bounds.  Times and durations in milliseconds, and sums of ten thousand sizes, fit a long
 * long. */
#define NUMBER_UNIX_MAX  253402300799LL       /* 9999-12-31 23:59:59 UTC */
#define NUMBER_SPAN_MAX  999999999999LL       /* seconds */
#define NUMBER_BYTES_MAX 100000000000000LL    /* 100 TB */
#define NUMBER_ID_MAX    999999999999999999LL /* of a session: up to 18 digits */
#define NUMBER_PID_MAX   9999999999LL         /* of a process */

/* Parses all of s.  True, and *ret set, when it is a number from 0 to max; otherwise *ret is
 * unchanged. */
bool number_read(const char *s, long long max, long long *ret);

/* The same for exactly len bytes. */
bool number_part(const char *s, size_t len, long long max, long long *ret);

/* Returns the number, or `otherwise` when s is not a number from 0 to max. */
long long number_or(const char *s, long long max, long long otherwise);

#endif
