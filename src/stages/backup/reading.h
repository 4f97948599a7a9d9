/* reading.h -- shared by the parts that read the answer of upcoming.sh: schedule.c, which takes it
 * line by line, and crontabs.c and timers.c, which take the lines of their kind. */
#ifndef CRELEASE_BACKUP_READING_H
#define CRELEASE_BACKUP_READING_H

#include "base/buf.h"
#include "stages/backup/commands.h"
#include "stages/backup/schedule.h"

enum { STARTS_MAX = 200, NOTES_MAX = 20, UNITS_MAX = 500 };

/* One source while its lines are read. */
struct source {
    const char *form;
    const char *name;
    const struct zone *zone;
    const char *zone_problem;
    bool cut;            /* the source has more lines than were sent */
    struct buf settings; /* shell text; when full, no command of it can be run as it stands */
};

/* A service that a timer starts. */
struct unit {
    const char *id;
    const char *command;
    bool asked;
    bool is; /* is a backup */
    enum blocks blocks;
};

/* A time zone that a crontab names. */
struct named_zone {
    const char *row; /* "NAME HEX" */
    const struct zone *zone;
    bool asked;
};

struct reading {
    struct arena *a;
    const struct schedule_of *of;
    struct schedule *to;
    struct strs rows; /* of scripts: "KIND WORD" */
    struct scripts scripts;
    struct unit *units;
    size_t n_units;
    struct named_zone zones[NOTES_MAX];
    size_t n_zones;
    bool knows_cron_tz;
    size_t lines; /* of times, so far */
};

/* The text after the key and a blank; NULL when the line has another key. */
const char *reading_value(const char *line, const char *key);

/* What was left out may contain a backup, so it is always reported. */
void reading_leave_out(struct reading *rd, const char *where, const char *why);

void reading_note(struct reading *rd, const char *text);

/* False when the time is none, or there is no room. */
bool reading_add_start(struct reading *rd, long long t, const char *command, const char *source,
                       enum blocks blocks);

/* Sets the texts of the start that was added last; settings: NULL when there are none. */
void reading_add_text(struct reading *rd, const struct buf *settings, const char *command);

#endif
