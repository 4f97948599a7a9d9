/* trust.h -- whether a recipe that was found by searching may be used.
 *
 * A recipe is code.  One that was found is used only if nobody but root and the user can have
 * written it, as ssh requires for its configuration.  A recipe named with -f is not checked. */
#ifndef CRELEASE_RECIPE_TRUST_H
#define CRELEASE_RECIPE_TRUST_H

#include "base/err.h"

#include <sys/stat.h>

/* Checks the recipe at `path`, as returned by recipe_find.  `opened` is the status of the open
 * file, since the path may lead elsewhere by now.  Fails with ERR_USAGE if anyone else can write to
 * the file, the folder that contains it, or a folder that a symbolic link leads through. */
bool recipe_trusted(struct arena *a, const char *path, const struct stat *opened,
                    struct err *err) MUST_CHECK;

#endif
