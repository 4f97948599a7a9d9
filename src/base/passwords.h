/* passwords.h -- text of somebody else's (a command line, a message of psql), without the passwords
 * in it.
 *
 * Only what has a usual form is seen: NAME=value and name='value' where the name speaks of a
 * secret, scheme://user:password@host, --password value, and what some programs take behind -p and
 * -u.  Rather too much is taken out than too little. */
#ifndef CRELEASE_PASSWORDS_H
#define CRELEASE_PASSWORDS_H

#include "base/arena.h"

/* [secret] in the place of each. */
const char *passwords_hidden(struct arena *a, const char *text);

#endif
