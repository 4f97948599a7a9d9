/* survey.h -- inspects every host at once, before anything is changed. */
#ifndef CRELEASE_SURVEY_H
#define CRELEASE_SURVEY_H

#include "core/run.h"

/* Assigns the values linked_files and linked_dirs. */
void linked_assign(struct run *r, struct buf *b);

/* The result of looking at every host at once.  True when all were reached and their answers
 * understood.  Otherwise err is set, and the sites and replies of the other hosts are filled in all
 * the same (reached[h] says which). */
struct survey {
    struct site *sites;
    bool *reached;
    const char **why; /* by host, NULL for those that were reached */
};
bool survey_hosts(struct run *r, bool tools, struct survey *ret, struct err *err) MUST_CHECK;

/* Called between the answers of two hosts, to notice a signal that came while one was read.  False,
 * with err set, when it asks to stop. */
bool survey_goes_on(struct run *r, struct err *err) MUST_CHECK;

#endif
