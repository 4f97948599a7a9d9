/* cron.c -- parses lines of crontabs and computes their next start (see cron.h).  Called by the
 * backup stages for the schedule of backups, and by the recipe's check of backup.schedule. */
#include "forecast/cron.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MINUTE = 60,
    DAY = 86400,
    DAYS_AHEAD = 8 * 366 + 2, /* from one 29 February to the next, across 2100 */
    SKIP_MAX = 3 * 3600,      /* a larger change of the clock is not daylight saving time */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

struct field {
    int min, max;
    const char *const *names; /* of min, min + 1, ... */
};

static const struct field fields[] = {
    {0, 59, NULL}, {0, 23, NULL}, {1, 31, NULL}, {1, 12, month_names}, {0, 7, day_names}};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

/* ---- the five fields ---- */

static bool read_value(const char **s, const struct field *f, int *ret)
{
    int n = 0;

    if (isalpha((unsigned char)**s)) {
        for (int i = 0; f->names && f->names[i]; i++)
            if (strncasecmp(*s, f->names[i], 3) == 0) {
                *s += 3;
                *ret = f->min + i;
                return !isalpha((unsigned char)**s);
            }
        return false;
    }
    if (!isdigit((unsigned char)**s))
        return false;
    for (; isdigit((unsigned char)**s); ++*s) {
        n = n * 10 + (**s - '0');
        if (n > 999)
            return false;
    }
    *ret = n;
    return true;
}

/* Parses "*", "5" or "1-5"; the first and the last may have a step, "/2". */
static bool read_range(const char **s, const struct field *f, uint64_t *bits)
{
    int from = f->min;
    int to = f->max;
    int step = 1;
    bool many = true;

    if (**s == '*') {
        ++*s;
    } else {
        if (!read_value(s, f, &from))
            return false;
        many = **s == '-';
        to = from;
        if (many) {
            ++*s;
            if (!read_value(s, f, &to))
                return false;
        }
    }
    if (**s == '/') {
        ++*s;
        if (!many || !isdigit((unsigned char)**s) || !read_value(s, f, &step) || step < 1)
            return false;
    }
    if (from < f->min || to > f->max || from > to)
        return false;
    for (int i = from; i <= to; i += step)
        *bits |= (uint64_t)1 << i;
    return true;
}

static bool read_field(const char **s, const struct field *f, uint64_t *bits, bool *any)
{
    *bits = 0;
    *any = **s == '*';
    for (;;) {
        if (!read_range(s, f, bits))
            return false;
        if (**s != ',')
            break;
        ++*s;
    }
    return is_blank(**s) || !**s;
}

static bool read_times(const char **s, struct cron_line *l)
{
    uint64_t bits[5];
    bool any[5];

    for (size_t i = 0; i < 5; i++) {
        if (!read_field(s, &fields[i], &bits[i], &any[i]))
            return false;
        *s = skip_blanks(*s);
    }
    l->minutes = bits[0];
    l->hours = (uint32_t)bits[1];
    l->days = (uint32_t)bits[2];
    l->months = (uint16_t)bits[3];
    l->weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f);
    l->any_day = any[2];
    l->any_weekday = any[4];
    l->fixed = !any[0] && !any[1];
    return true;
}

/* Parses "@daily" and the like. */
static bool read_word(const char **s, struct cron_line *l)
{
    static const struct {
        const char *word;
        const char *times; /* NULL: at boot */
    } words[] = {{"@reboot", NULL},          {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
                 {"@monthly", "0 0 1 * *"},  {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},
                 {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};
    size_t len = strcspn(*s, " \t");

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *times = words[i].times;
        if (strlen(words[i].word) != len || strncasecmp(words[i].word, *s, len) != 0)
            continue;
        *s = skip_blanks(*s + len);
        l->at_boot = !times;
        return !times || read_times(&times, l);
    }
    return false;
}

/* ---- the line ---- */

static enum cron_kind read_setting(struct arena *a, const char *s, struct cron_line *ret)
{
    size_t len = strcspn(s, "=");
    const char *value = skip_blanks(s + len + 1);
    const char *end = value + strlen(value);

    while (len && is_blank(s[len - 1]))
        len--;
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    if (len > 1 && (*s == '"' || *s == '\'') && s[len - 1] == *s) {
        s++;
        len -= 2;
    }
    if (end - value > 1 && (*value == '"' || *value == '\'') && end[-1] == *value) {
        value++;
        end--;
    }
    if (!len)
        return CRON_WRONG;
    for (size_t i = 0; i < len; i++)
        if (is_blank(s[i]))
            return CRON_WRONG;
    ret->name = arena_strndup(a, s, len);
    ret->value = arena_strndup(a, value, (size_t)(end - value));
    return CRON_SETTING;
}

/* The command ends at the first % without a backslash before it. */
static void read_command(struct arena *a, const char *s, struct cron_line *ret)
{
    char *command = arena_alloc(a, strlen(s) + 1);
    size_t n = 0;

    for (; *s && !ret->cut; s++) {
        if (*s == '%')
            ret->cut = true;
        else if (*s == '\\' && s[1] == '%')
            command[n++] = *++s;
        else
            command[n++] = *s;
    }
    while (n && isspace((unsigned char)command[n - 1]))
        n--;
    command[n] = '\0';
    ret->command = command;
}

enum cron_kind cron_parse(struct arena *a, const char *text, bool has_user, struct cron_line *ret)
{
    const char *s = skip_blanks(text);
    size_t len = strlen(s);

    *ret = (struct cron_line){.command = ""};
    while (len && isspace((unsigned char)s[len - 1]))
        len--;
    if (!len || *s == '#')
        return CRON_NOTHING;
    s = arena_strndup(a, s, len);
    if (*s == '-' && s[1]) /* suppresses the entry in syslog */
        s++;
    if (*s != '@' && *s != '*' && !isdigit((unsigned char)*s))
        return strchr(s, '=') ? read_setting(a, s, ret) : CRON_WRONG;
    if (*s == '@' ? !read_word(&s, ret) : !read_times(&s, ret))
        return CRON_WRONG;
    if (has_user) {
        len = strcspn(s, " \t");
        ret->user = arena_strndup(a, s, len);
        s = skip_blanks(s + len);
        if (!len || !*s)
            return CRON_WRONG;
    }
    read_command(a, s, ret);
    return CRON_COMMAND;
}

/* ---- the next start ---- */

static bool is_its_day(const struct cron_line *l, long long days)
{
    long long year;
    int month;
    int day;

    zone_date(days, &year, &month, &day);
    if (!(l->months >> month & 1))
        return false;
    bool in_month = l->days >> day & 1;
    bool in_week = l->weekdays >> ((days % 7 + 11) % 7) & 1; /* 1970-01-01 was a Thursday */
    return l->any_day || l->any_weekday ? in_month && in_week : in_month || in_week;
}

/* Returns the first start after `after` among those that this local minute stands for, or -1. */
static long long start_at(const struct cron_line *l, const struct zone *zone, long long local,
                          long long after)
{
    long long when[2];
    long skipped;
    int n = zone_when(zone, local, when, &skipped);

    if (n == 0)
        n = l->fixed && skipped < SKIP_MAX;
    else if (n == 2 && l->fixed && when[1] - when[0] < SKIP_MAX)
        n = 1;
    for (int i = 0; i < n; i++)
        if (when[i] > after)
            return when[i];
    return -1;
}

static long long start_on(const struct cron_line *l, const struct zone *zone, long long days,
                          long long after)
{
    long long first = -1;

    for (int hour = 0; hour < 24; hour++) {
        if (!(l->hours >> hour & 1))
            continue;
        for (int minute = 0; minute < 60; minute++) {
            if (!(l->minutes >> minute & 1))
                continue;
            long long t = start_at(l, zone, days * DAY + (hour * 60 + minute) * MINUTE, after);
            if (t >= 0 && (first < 0 || t < first))
                first = t;
        }
    }
    return first;
}

long long cron_next(const struct cron_line *l, const struct zone *zone, long long after)
{
    if (l->at_boot || after < 0)
        return -1;
    long long today = (after + zone_offset(zone, after)) / DAY;
    for (long long day = today > 0 ? today - 1 : 0; day < today + DAYS_AHEAD; day++) {
        long long t = is_its_day(l, day) ? start_on(l, zone, day, after) : -1;
        if (t >= 0)
            return t;
    }
    return -1;
}
