/* rolling.h -- runs switch, restart and health in batches of hosts, if the recipe says so
 * (rolling). */
#ifndef CRELEASE_ROLLING_H
#define CRELEASE_ROLLING_H

#include "core/walk.h"

/* The name under which the wait between two batches is reported. */
#define ROLLING "rolling"

/* Consecutive steps of the plan that roll together, or one step that does not. */
struct group {
    const struct step *v;
    size_t n;
    bool rolls;
};

/* The group that starts with step i; only that step when it does not roll. */
struct group rolling_group(const struct run *r, size_t i);

/* Walks all of the group's steps for one batch, then for the next. */
bool rolling_walk(struct run *r, const struct group *g, walk_failed *failed,
                  struct err *err) MUST_CHECK;

#endif
