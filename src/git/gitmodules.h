/* gitmodules.h -- parses .gitmodules, and resolves the relative URLs in it.  Nothing is contacted, and
 * nothing that the file includes is read. */
#ifndef CRELEASE_GITMODULES_H
#define CRELEASE_GITMODULES_H

#include "base/err.h"

struct submodule {
    const char *name;
    const char *path; /* NULL if missing */
    const char *url;  /* NULL if missing */
    bool unwanted;    /* "update = none" */
};

struct gitmodules {
    struct submodule *v;
    size_t n;
};

/* Parses the file.  Fails if it is not valid, or if any of its paths or URLs is one that no honest
 * repository has: a path with "..", an absolute path, a URL that begins with '-', a remote
 * helper. */
bool gitmodules_read(struct gitmodules *ret, struct arena *a, const char *text, size_t len,
                     struct err *err) MUST_CHECK;

/* Returns the submodule at that path; NULL: there is none. */
const struct submodule *gitmodules_find(const struct gitmodules *m, const char *path);

/* Resolves a URL as `git submodule` does: one that begins with "./" or "../" is relative to the
 * address of the repository, `base`.  NULL, with err set, if it leads above the top. */
const char *gitmodules_url(struct arena *a, const char *base, const char *url, struct err *err);

#endif
