/* recipe_trust.h -- whether a recipe that nobody named may be used.
 *
 * A recipe is code.  One that the search found is used only when nobody but root and the user can
 * have written it, as ssh asks of its configuration.  One that was named with -f is never judged.
 */
#ifndef CRELEASE_RECIPE_TRUST_H
#define CRELEASE_RECIPE_TRUST_H

#include "base/err.h"

#include <sys/stat.h>

/* path: as recipe_find gave it.  opened: what its open descriptor says, since the path may lead
 * elsewhere by now.  Fails with USAGE when anybody else can write the file, the folder that holds
 * it, or what a symbolic link on the way goes through. */
bool recipe_trusted(struct arena *a, const char *path, const struct stat *opened,
                    struct err *err) MUST_CHECK;

#endif
