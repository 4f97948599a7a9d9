/* find.h -- finds the recipe file. */
#ifndef CRELEASE_RECIPE_FIND_H
#define CRELEASE_RECIPE_FIND_H

#include "base/err.h"

/* Returns the path to open, relative to the working directory if possible: `given` if it is not
 * NULL, else the nearest crelease.yml or config/crelease.yml.  Fails with ERR_USAGE if there is
 * none. */
bool recipe_find(struct arena *a, const char *given, const char **ret, struct err *err) MUST_CHECK;

/* Makes the path absolute and removes '.' and '..' members at its beginning. */
bool recipe_absolute(struct arena *a, const char *path, const char **ret,
                     struct err *err) MUST_CHECK;

#endif
