/* reading.h -- what the parts share that read the answer of upcoming.sh: schedule.c its lines one by
 * one, crontabs.c and timers.c those that are theirs. */
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
    bool cut;            /* of its lines not all were read */
    struct buf settings; /* shell text; full: there are more, and no command is whole without */
};

/* A service of a timer. */
struct unit {
    const char *id;
    const char *command;
    bool asked;
    bool is; /* a backup, */
    enum blocks blocks;
};

/* A zone that a crontab may name. */
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

/* What follows the key and a blank; NULL: the line has another key. */
const char *reading_value(const char *line, const char *key);

/* What was left out may hold a backup: never in silence. */
void reading_leave_out(struct reading *rd, const char *where, const char *why);

void reading_note(struct reading *rd, const char *text);

/* False when there is no such time, or no room. */
bool reading_add_start(struct reading *rd, long long t, const char *command, const char *source,
                       enum blocks blocks);

/* Of the start that was added last; settings: NULL when there are none. */
void reading_add_text(struct reading *rd, const struct buf *settings, const char *command);

#endif
