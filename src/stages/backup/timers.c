/* timers.c -- finds the backups among the timers of systemd.  Called by schedule.c, first for the
 * services, then for the timers.  Relies on upcoming.sh to ask in English and in UTC. */

#include "stages/backup/timers.h"

#include "base/limits.h"
#include "base/number.h"

#include <ctype.h>
#include <string.h>

enum { DAY = 86400 };

/* Reads a time like "Mon 2026-11-23 00:00:00 UTC ...". */
static bool read_time(const char *s, long long *ret)
{
    static const struct {
        size_t at;
        size_t len;
        long long max;
    } parts[] = {{4, 4, 9999}, {9, 2, 12}, {12, 2, 31}, {15, 2, 23}, {18, 2, 59}, {21, 2, 59}};
    static const char form[] = "aaa 0000-00-00 00:00:00 UTC";
    long long v[6];

    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'a'   ? !isalpha((unsigned char)s[i])
            : form[i] == '0' ? !isdigit((unsigned char)s[i])
                             : s[i] != form[i])
            return false;
    for (size_t i = 0; i < 6; i++)
        if (!number_part(s + parts[i].at, parts[i].len, parts[i].max, &v[i]))
            return false;
    if ((s[27] && s[27] != ' ') || v[0] < 1970 || v[1] < 1 || v[2] < 1)
        return false;
    *ret = zone_days(v[0], (int)v[1], (int)v[2]) * DAY + v[3] * 3600 + v[4] * 60 + v[5];
    return true;
}

/* From a line of list-timers: the last start if it was at most back_s ago, else the next one. */
static bool timer_start(const struct reading *rd, const char *text, long long *ret)
{
    long long now = rd->to->now_unix;
    long long last;

    for (const char *s = strchr(text, ' '); s; s = strchr(s, ' ')) {
        s += strspn(s, " ");
        if (read_time(s, &last) && last <= now && now - last <= rd->of->back_s) {
            *ret = last;
            return rd->of->back_s > 0;
        }
    }
    if (!read_time(text, ret))
        return false;
    /* The timer is due but has not fired: its AccuracySec (one minute by default) has not run out. */
    if (*ret <= now)
        *ret = now + 1;
    return true;
}

/* The columns are NEXT, LEFT, LAST, PASSED, UNIT, ACTIVATES; a missing value is "-", in older
 * versions "n/a":
 *
 *   Mon 2026-11-23 00:00:00 UTC 5h 3min left Sun 2026-11-22 00:00:00 UTC 18h ago x.timer x.service */
void timers_take(struct reading *rd, const struct source *src, const char *text)
{
    long long t;
    const char *unit = text + strlen(text);

    while (unit > text && !isspace((unsigned char)unit[-1]))
        unit--;
    if (!timer_start(rd, text, &t))
        return;
    for (size_t i = 0; i < rd->n_units; i++) {
        struct unit *u = &rd->units[i];
        if (strcmp(unit, u->id) != 0)
            continue;
        if (!u->asked)
            u->is = command_is_backup(rd->of->adapter, u->command, &rd->scripts, &u->blocks);
        u->asked = true;
        if (!u->is)
            continue;
        reading_add_start(rd, t, u->command, src->name, u->blocks);
        return;
    }
}

/* Reads "ExecStart={ path=/x ; argv[]=/x --all ; ignore_errors=no ; ..."; nothing is quoted
 * there. */
void timers_take_unit(struct reading *rd, const char *text, const char **id)
{
    const char *argv = strstr(text, "argv[]=");

    if (strncmp(text, "Id=", 3) == 0) {
        *id = text + 3;
    } else if (strncmp(text, "ExecStart=", 10) == 0 && argv && *id) {
        const char *end = strstr(argv, " ; ignore_errors=");
        argv += strlen("argv[]=");
        size_t len = end && end > argv ? (size_t)(end - argv) : strlen(argv);
        if (rd->n_units == UNITS_MAX || len > LINE_BYTES_MAX || strlen(*id) > LINE_BYTES_MAX)
            reading_leave_out(
                rd, "systemd's timers",
                "a service is ignored: there are too many, or its command is too long");
        else
            rd->units[rd->n_units++] =
                (struct unit){.id = *id, .command = arena_strndup(rd->a, argv, len)};
    }
}
