/* table.h -- what a deploy is made of: the rows of table.c. */
#ifndef CRELEASE_STAGE_TABLE_H
#define CRELEASE_STAGE_TABLE_H

#include "core/run.h"

/* The rows in the order of a deploy; the last one has no name. */
extern const struct stage deploy_stages[];

/* Fills in everything that scripts need of a run, except its plan. */
void run_init(struct run *r);

#endif
