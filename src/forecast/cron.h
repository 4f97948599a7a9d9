/* cron.h -- a line of a crontab, and when it starts next.
 *
 *     struct cron_line line;
 *     if (cron_parse(arena, text, true, &line) == CRON_COMMAND)
 *         next = cron_next(&line, zone, now);
 *
 * Pure.  As the crons of Debian and of Red Hat do it, in their traps too:
 *   both days given   "0 2 13 * 5": on the 13th and on every Friday; a field that begins with
 *                     '*' ("*" or "*" with a step) counts as not given
 *   7                 is Sunday as 0 is
 *   %                 ends the command, what follows is its input; \% is a percent sign
 *   clocks put forward (less than three hours): a fixed time that is skipped starts at once after
 *                     it; one with '*' in its hour or minute is skipped with its time
 *   clocks put back   a fixed time does not start again in the second of the two hours */
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
    uint64_t minutes; /* bit by bit */
    uint32_t hours;
    uint32_t days;    /* of the month: bits 1 to 31 */
    uint16_t months;  /* bits 1 to 12 */
    uint8_t weekdays; /* bit 0 is Sunday */
    bool any_day;
    bool any_weekday;
    bool fixed;          /* neither hour nor minute begins with '*' */
    bool at_boot;        /* @reboot: at no time of day */
    const char *user;    /* NULL unless the form has one */
    const char *command; /* "" when there is none */
    bool cut;            /* a % ended the command */
};

/* has_user: the form of /etc/crontab and /etc/cron.d.  In a CRON_COMMAND without has_user the
 * command may be empty: whoever needs one looks. */
enum cron_kind cron_parse(struct arena *a, const char *text, bool has_user, struct cron_line *ret);

/* The first start after that second; -1 when there is none within eight years. */
long long cron_next(const struct cron_line *line, const struct zone *zone, long long after);

#endif
