/* yaml.h -- a text as a scalar of a recipe that is written. */
#ifndef CRELEASE_CAPISTRANO_YAML_H
#define CRELEASE_CAPISTRANO_YAML_H

#include "base/arena.h"

/* Whether a recipe can have the text in one line: UTF-8 without control characters and line ends. */
bool yaml_fits(const char *s);

/* Returns the text, in double quotes if YAML or ${NAME} would change it. */
const char *yaml_scalar(struct arena *a, const char *s);

/* Returns the text for a comment: one line, ASCII. */
const char *yaml_comment(struct arena *a, const char *s);

#endif
