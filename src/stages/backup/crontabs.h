/* crontabs.h -- reads the lines of crontabs, of the host and of the recipe. */
#ifndef CRELEASE_BACKUP_CRONTABS_H
#define CRELEASE_BACKUP_CRONTABS_H

#include "stages/backup/reading.h"

/* The time zone of the host: hex is its /etc/localtime, offset is like "+0530"; either may be
 * NULL. */
const struct zone *crontabs_zone(struct reading *rd, const char *hex, const char *offset);

/* Takes one line. A setting applies to the lines of the same source that follow. */
void crontabs_take(struct reading *rd, struct source *src, const char *text);

/* Takes the lines of backup.schedule. */
void crontabs_take_given(struct reading *rd);

#endif
