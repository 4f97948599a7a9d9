/* survey.h -- looks at every host at once, before anything changes. */
#ifndef CRELEASE_SURVEY_H
#define CRELEASE_SURVEY_H

#include "core/run.h"

/* The values linked_files and linked_dirs. */
void linked_assign(struct run *r, struct buf *b);

/* Looks at every host at once.  True when all were reached and understood; else err, and
 * sites and replies of the others are filled all the same (reached[h] says which). */
struct survey {
    struct site *sites;
    bool *reached;
    const char **why; /* by host, NULL for those that were reached */
};
bool survey_hosts(struct run *r, bool tools, struct survey *ret, struct err *err) MUST_CHECK;

/* Between the answers of two hosts: hears the signal that came while one was read.  False when it
 * says to stop. */
bool survey_goes_on(struct run *r, struct err *err) MUST_CHECK;

#endif
