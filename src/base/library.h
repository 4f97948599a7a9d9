/* library.h -- what a third-party library says about itself, for --version --json.  The module that uses
 * the library fills it in. */
#ifndef CRELEASE_LIBRARY_H
#define CRELEASE_LIBRARY_H

#include "base/arena.h"

struct library {
    const char *name;
    const char *version;    /* of the library that is loaded */
    const char *built_with; /* of the headers; NULL: they do not say */
    struct strs features;   /* in the library's own words */
};

#endif
