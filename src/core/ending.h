/* ending.h -- the last event of a command. */
#ifndef CRELEASE_ENDING_H
#define CRELEASE_ENDING_H

#include "core/run.h"

struct ending {
    const char *message;           /* for a command that succeeded */
    const struct changes *changes; /* the same: what it has changed; NULL: not known */
    bool note;                     /* leave the error on the hosts, for those who look later */
    long long began_ms;
};

/* Reports EVENT_END.  After a failure it first asks the hosts what users see now, and adds the
 * answer to r->failure. */
void ending_tell(struct run *r, const struct err *err, const struct ending *end);

#endif
