/* passwords.h -- hides passwords in text from outside, such as a command line or a message of psql.
 *
 * Recognised are the usual forms: NAME=value and name='value' with a name that suggests a secret,
 * scheme://user:password@host, --password value, and what curl, sshpass, mydumper and the MySQL
 * clients take with -p and -u.  When in doubt, a value is hidden. */
#ifndef CRELEASE_PASSWORDS_H
#define CRELEASE_PASSWORDS_H

#include "base/arena.h"

/* Returns a copy with [secret] in place of each password. */
const char *passwords_hidden(struct arena *a, const char *text);

#endif
