/* recipe_find.h -- where the recipe is. */
#ifndef CRELEASE_RECIPE_FIND_H
#define CRELEASE_RECIPE_FIND_H

#include "base/err.h"

/* The path to open, relative to the working directory where it can be: `given` when that is not
 * NULL, else the nearest crelease.yml or config/crelease.yml. */
bool recipe_find(struct arena *a, const char *given, const char **ret, struct err *err) MUST_CHECK;

/* The path from '/', without '.' and '..' members at its beginning. */
bool recipe_absolute(struct arena *a, const char *path, const char **ret,
                     struct err *err) MUST_CHECK;

#endif
