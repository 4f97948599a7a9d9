/* build.h -- the stage 'build', which runs the recipe's build jobs. */
#ifndef CRELEASE_BUILD_H
#define CRELEASE_BUILD_H

#include "core/stage.h"

const struct jobs *build_jobs(struct arena *a, const struct recipe *r);

#endif
