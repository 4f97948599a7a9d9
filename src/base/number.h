/* number.h -- numbers in text that comes from outside: a recipe, a host, a database.
 *
 * The only reader of numbers.  A number is decimal digits and nothing else, without a sign, and its
 * range is checked where it is read, so that no later sum or product can overflow. */
#ifndef CRELEASE_NUMBER_H
#define CRELEASE_NUMBER_H

#include "base/arena.h"

/* Ranges.  Times and spans fit a long long in milliseconds, and ten thousand sizes add up. */
#define NUMBER_UNIX_MAX  253402300799LL       /* 9999-12-31 23:59:59 UTC */
#define NUMBER_SPAN_MAX  999999999999LL       /* seconds */
#define NUMBER_BYTES_MAX 100000000000000LL    /* 100 TB */
#define NUMBER_ID_MAX    999999999999999999LL /* of a session: any of 18 digits */
#define NUMBER_PID_MAX   9999999999LL         /* of a process */

/* Whether the text is a number from 0 to max; *ret is untouched when not. */
bool number_read(const char *s, long long max, long long *ret);

/* The same of exactly len bytes. */
bool number_part(const char *s, size_t len, long long max, long long *ret);

/* The number, or `otherwise` for what is none or out of range. */
long long number_or(const char *s, long long max, long long otherwise);

#endif
