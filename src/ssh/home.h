/* home.h -- the user's home directory and login name, "~" in paths, and whether there is such a user at all. */
#ifndef CRELEASE_SSH_HOME_H
#define CRELEASE_SSH_HOME_H

#include "base/arena.h"

/* Returns the home directory: $HOME if that is an absolute path, else that of the user database. */
const char *home_dir(void);

/* Whether $HOME is another folder than the home directory in passwd, which is the one that the ssh
 * program uses (ssh(1), FILES). */
bool home_differs(void);

/* Returns the name that ssh would log in as if none is given: that of the real user id in the user
 * database, never an environment variable.  NULL if there is no entry, as in some containers. */
const char *login_user(struct arena *a);

/* Replaces a leading "~/" or "~ann/" by the home directory.  The path is unchanged if there is no
 * such user. */
const char *home_expand(struct arena *a, const char *path);

/* Replaces the home directory at the beginning of a path by "~", for messages. */
const char *home_shorten(struct arena *a, const char *path);

/* Whether a CI system runs this program, so that keys come from its variables and not from a home
 * directory. */
bool in_ci_job(void);

#endif
