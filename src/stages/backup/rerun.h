/* rerun.h -- starts a backup again that this run stopped. */
#ifndef CRELEASE_RERUN_H
#define CRELEASE_RERUN_H

#include "core/run.h"
#include "stages/backup/schedule.h"

bool rerun_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
/* True for the host of the migration, if the recipe wants stopped backups to be started again. */
bool rerun_hosts(const struct recipe *r, const struct what *what, size_t host);
bool rerun_undo(struct run *r, const struct step *s, struct err *err);

/* The line of the login user's crontab that backs up this database: the only one that names it, or
 * the only one that may concern any database.  NULL when there is no such line, and *ret_why says
 * why. */
const char *rerun_line(const struct schedule *next, const char *database, const char **ret_why);

#endif
