/* mark.h -- writes a mark on the hosts without doing anything else (host/mark.sh). */
#ifndef CRELEASE_MARK_H
#define CRELEASE_MARK_H

#include "core/trip.h"

extern const char script_mark[];

/* What is written. A NULL member is not. */
struct new_mark {
    const char *state;    /* of the step: "begun", "done", "skipped", ... */
    const char *error;    /* one line for those who look later */
    const char *job;      /* of the step, started on the deploying machine */
    const char *migrated; /* the state that the database has been migrated to */
    /* What this run is to migrate; a list that is already there stays. */
    const struct strs *pending;
};

/* Writes the mark on the step's hosts, except those that have left the run or ended it. */
bool mark_put(struct run *r, const struct step *s, const struct new_mark *m,
              struct err *err) MUST_CHECK;

/* The members as values of the script, in the run's arena; NULL when they are too large. */
const char *mark_assignments(struct run *r, const struct new_mark *m);

#endif
