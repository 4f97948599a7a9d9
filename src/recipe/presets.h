/* presets.h -- the built-in recipes for `extends`: the files of recipes/. */
#ifndef CRELEASE_RECIPES_H
#define CRELEASE_RECIPES_H

#include "base/arena.h"

struct built_in {
    const char *name;  /* "rails" */
    const char *file;  /* "recipes/rails/recipe.yml", for messages */
    const char *bytes; /* terminated */
    size_t len;
};

extern const char *const built_in_names[]; /* NULL-terminated */

/* Finds a built-in recipe.  False if there is none of that name. */
bool built_in_find(const char *name, struct built_in *ret);

#endif
