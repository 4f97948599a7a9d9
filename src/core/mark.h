/* mark.h -- writes a mark on the hosts without doing anything else (host/mark.sh). */
#ifndef CRELEASE_MARK_H
#define CRELEASE_MARK_H

#include "core/trip.h"

extern const char script_mark[];

/* What is written; NULL for what is not. */
struct new_mark {
    const char *state;          /* of the step: "begun", "done", "skipped", ... */
    const char *error;          /* one line for those who look later */
    const char *migrated;       /* what the database has been brought to */
    const struct strs *pending; /* what this run is to migrate; the first list stays */
};

/* On the step's hosts, except those that the run is through with. */
bool mark_put(struct run *r, const struct step *s, const struct new_mark *m,
              struct err *err) MUST_CHECK;

/* As the script's values, in the run's arena; NULL when they are too large. */
const char *mark_assignments(struct run *r, const struct new_mark *m);

#endif
