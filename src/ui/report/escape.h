/* escape.h -- text of hosts and repositories in HTML and XML; for this folder only. */
#ifndef CRELEASE_REPORT_ESCAPE_H
#define CRELEASE_REPORT_ESCAPE_H

#include <stdio.h>

/* One line: control characters and bytes that are not UTF-8 as \xNN, <>&"' as references.  NULL is
 * empty. */
void put_escaped(FILE *out, const char *s);

/* The same with a format, whose values are escaped, too. */
void put_escapedf(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
