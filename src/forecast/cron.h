/* cron.h -- parses a line of a crontab and computes when it starts next.
 *
 *     struct cron_line line;
 *     if (cron_parse(arena, text, true, &line) == CRON_COMMAND)
 *         next = cron_next(&line, zone, now);
 *
 * No I/O.  Follows the crons of Debian and Red Hat, including their pitfalls:
 *   both days given   "0 2 13 * 5" means the 13th and every Friday; a field that begins with '*'
 *                     ("*", or "*" with a step) does not count as given
 *   7                 is Sunday, like 0
 *   %                 ends the command, and the rest is its input; \% is a percent sign
 *   clocks go forward (by less than three hours): a fixed time that is skipped starts right after
 *                     the change; a time with '*' in its hour or minute is skipped
 *   clocks go back    a fixed time does not start again in the repeated hour */
#ifndef CRELEASE_CRON_H
#define CRELEASE_CRON_H

#include "forecast/zone.h"

enum cron_kind {
    CRON_NOTHING, /* a comment or an empty line */
    CRON_SETTING, /* NAME=value: name and value */
    CRON_COMMAND,
    CRON_WRONG,
};

struct cron_line {
    const char *name;
    const char *value;
    uint64_t minutes; /* a bit each */
    uint32_t hours;
    uint32_t days;    /* of the month: bits 1 to 31 */
    uint16_t months;  /* bits 1 to 12 */
    uint8_t weekdays; /* bit 0 is Sunday */
    bool any_day;
    bool any_weekday;
    bool fixed;          /* neither hour nor minute begins with '*' */
    bool at_boot;        /* @reboot; has no time of day */
    const char *user;    /* NULL unless has_user */
    const char *command; /* "" if there is none */
    bool cut;            /* a % ended the command */
};

/* Parses a line.  has_user selects the format of /etc/crontab and /etc/cron.d.  Without has_user,
 * the command of a CRON_COMMAND may be empty; callers that need one check. */
enum cron_kind cron_parse(struct arena *a, const char *text, bool has_user, struct cron_line *ret);

/* Returns the first start after that second, or -1 if there is none within eight years. */
long long cron_next(const struct cron_line *line, const struct zone *zone, long long after);

#endif
