/* last_backup.h -- what the log says about a wait for a backup; for plain.c. */
#ifndef CRELEASE_UI_LAST_BACKUP_H
#define CRELEASE_UI_LAST_BACKUP_H

#include "core/event.h"

/* The backup that the last line was about, so that a wait of hours does not fill the log. */
struct last_backup {
    struct arena names;
    const char *host;
    const char *transaction; /* of the identity of the backup */
    const char *start;
    const char *detail;
    long pid;
    bool over;
    long long waited_ms;
    bool told;
};

/* Whether the event says more than the last one that did; then it is remembered. */
bool last_backup_is_news(struct last_backup *last, const struct event *e);

/* "pg_dump of shop by postgres, pid 12345, about 2 h left, waited 3 min" */
const char *last_backup_line(struct arena *a, const struct event *e);

void last_backup_clear(struct last_backup *last);

#endif
