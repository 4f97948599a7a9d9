/* table.h -- what a deploy is made of: the rows of table.c. */
#ifndef CRELEASE_STAGE_TABLE_H
#define CRELEASE_STAGE_TABLE_H

#include "core/run.h"

/* The rows in the order in which a deploy walks them; ends with one without a name. */
extern const struct stage deploy_stages[];

/* A run with everything that scripts need, but for its plan. */
void run_init(struct run *r);

#endif
