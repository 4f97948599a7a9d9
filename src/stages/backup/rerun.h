/* rerun.h -- starts a backup again that this run stopped. */
#ifndef CRELEASE_RERUN_H
#define CRELEASE_RERUN_H

#include "core/run.h"
#include "stages/backup/schedule.h"

bool rerun_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err);
/* Where the migration runs, if the recipe wants stopped backups started again. */
bool rerun_hosts(const struct recipe *r, const struct what *what, size_t host);
bool rerun_undo(struct run *r, const struct step *s, struct err *err);

/* The line of the login's crontab that makes the backup of that database: the only one that names
 * it, or the only one that may be of any.  NULL when it cannot be told, and *ret_why says why. */
const char *rerun_line(const struct schedule *next, const char *database, const char **ret_why);

#endif
