/* timers.h -- reads the timers of systemd and the commands of their services. */
#ifndef CRELEASE_BACKUP_TIMERS_H
#define CRELEASE_BACKUP_TIMERS_H

#include "stages/backup/reading.h"

/* Takes a line of 'systemctl show'. *id is kept from one line to the next. */
void timers_take_unit(struct reading *rd, const char *text, const char **id);

/* Takes a line of 'systemctl list-timers', once all services are known. */
void timers_take(struct reading *rd, const struct source *src, const char *text);

#endif
