/* zone.c -- reads time zone files and converts local time (see zone.h).  Called by cron.c and by
 * the code that reads schedules.
 *
 * A TZif file (RFC 8536) has a header, a block with 32-bit times, which is skipped, a header, a
 * block with 64-bit times, and a line with the rule for later years,
 * "\nCET-1CEST,M3.5.0,M10.5.0/3\n". */
#include "forecast/zone.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, HEADER = 44, TIMES_MAX = 5000, TYPES_MAX = 256, OFFSET_MAX = 26 * 3600 };

/* The day of a year on which clocks change: "M3.5.0/2", "J60", "59". */
struct day_rule {
    char kind; /* M, J, or 0 */
    int month, week, day;
    long at; /* time of that day, in seconds, by the clock before the change */
};

struct zone {
    size_t n;
    long long *times;
    long *offsets; /* valid from times[i] on */
    long before;   /* before times[0] */
    bool has_rule; /* for times after the last one */
    bool has_summer;
    long winter, summer;
    struct day_rule begin, end; /* of daylight saving time */
};

long long zone_days(long long year, int month, int day)
{
    year -= month <= 2;
    long long era = (year >= 0 ? year : year - 399) / 400;
    long long of_era = year - era * 400;
    long long of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void zone_date(long long days, long long *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    long long era = (days >= 0 ? days : days - 146096) / 146097;
    long long of_era = days - era * 146097;
    long long year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    long long of_year = of_era - (365 * year + year / 4 - year / 100);
    long long month = (5 * of_year + 2) / 153;

    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

static long long floor_div(long long n, long long by)
{
    return n / by - (n % by < 0);
}

/* ---- the rule for later years ---- */

static bool read_number(const char **s, int max, int *ret)
{
    int n = 0;

    if (!isdigit((unsigned char)**s))
        return false;
    for (; isdigit((unsigned char)**s); ++*s) {
        n = n * 10 + (**s - '0');
        if (n > max)
            return false;
    }
    *ret = n;
    return true;
}

/* Parses "[+-]hh[:mm[:ss]]". */
static bool read_time(const char **s, long *ret)
{
    int sign = **s == '-' ? -1 : 1;
    int part[3] = {0};

    if (**s == '-' || **s == '+')
        ++*s;
    if (!read_number(s, 167, &part[0]))
        return false;
    for (int i = 1; i < 3 && **s == ':'; i++) {
        ++*s;
        if (!read_number(s, 59, &part[i]))
            return false;
    }
    *ret = sign * (part[0] * 3600L + part[1] * 60L + part[2]);
    return true;
}

static bool read_name(const char **s)
{
    const char *begin = *s;

    if (**s == '<') {
        *s += strcspn(*s, ">");
        if (!**s)
            return false;
        ++*s;
        return true;
    }
    while (isalpha((unsigned char)**s))
        ++*s;
    return *s - begin >= 3;
}

static bool read_day(const char **s, struct day_rule *ret)
{
    struct day_rule d = {.kind = 0, .at = 7200};

    if (*(*s)++ != ',')
        return false;
    if (**s == 'M' || **s == 'J')
        d.kind = *(*s)++;
    if (d.kind == 'M') {
        if (!read_number(s, 12, &d.month) || !d.month || *(*s)++ != '.' ||
            !read_number(s, 5, &d.week) || !d.week || *(*s)++ != '.' || !read_number(s, 6, &d.day))
            return false;
    } else if (!read_number(s, 365, &d.day) || (d.kind == 'J' && !d.day)) {
        return false;
    }
    if (**s == '/') {
        ++*s;
        if (!read_time(s, &d.at))
            return false;
    }
    *ret = d;
    return true;
}

static bool read_rule(const char *s, struct zone *z)
{
    long west;

    if (!read_name(&s) || !read_time(&s, &west) || labs(west) > OFFSET_MAX)
        return false;
    z->winter = -west;
    z->has_rule = true;
    if (!*s)
        return true;
    if (!read_name(&s))
        return false;
    z->summer = z->winter + 3600;
    if (*s && *s != ',') {
        if (!read_time(&s, &west) || labs(west) > OFFSET_MAX)
            return false;
        z->summer = -west;
    }
    z->has_summer = read_day(&s, &z->begin) && read_day(&s, &z->end) && !*s;
    return z->has_summer;
}

static bool is_leap(long long year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Returns the local second, since 1970, of the change in that year. */
static long long change_in(const struct day_rule *d, long long year)
{
    long long day;

    if (d->kind == 'M') {
        long long first = zone_days(year, d->month, 1);
        long long next =
            d->month == 12 ? zone_days(year + 1, 1, 1) : zone_days(year, d->month + 1, 1);
        int weekday = (int)((first % 7 + 11) % 7); /* 1970-01-01 was a Thursday */
        day = first + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
        while (day >= next)
            day -= 7;
    } else if (d->kind == 'J') {
        day = zone_days(year, 1, 1) + d->day - 1 + (is_leap(year) && d->day >= 60);
    } else {
        day = zone_days(year, 1, 1) + d->day;
    }
    return day * DAY + d->at;
}

static long rule_offset(const struct zone *z, long long t)
{
    long long year;
    int month;
    int day;

    if (!z->has_summer)
        return z->winter;
    zone_date(floor_div(t + z->winter, DAY), &year, &month, &day);
    long long begin = change_in(&z->begin, year) - z->winter;
    long long end = change_in(&z->end, year) - z->summer;
    bool is_summer = begin < end ? t >= begin && t < end : t >= begin || t < end;
    return is_summer ? z->summer : z->winter;
}

/* ---- the file ---- */

static unsigned long long big_endian(const unsigned char *p, size_t n)
{
    unsigned long long v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static bool read_header(const unsigned char *p, size_t len, struct counts *ret)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *const fields[] = {&ret->isut, &ret->isstd, &ret->leap,
                              &ret->time, &ret->type,  &ret->chars};
    for (size_t i = 0; i < 6; i++) {
        *fields[i] = (size_t)big_endian(p + 20 + 4 * i, 4);
        if (*fields[i] > TIMES_MAX)
            return false;
    }
    return ret->type > 0 && ret->type <= TYPES_MAX;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->time * time_size + c->time + c->type * 6 + c->chars + c->leap * (time_size + 4) +
           c->isstd + c->isut;
}

static bool read_block(struct arena *a, const unsigned char *p, const struct counts *c, size_t size,
                       struct zone *z)
{
    const unsigned char *index = p + c->time * size;
    const unsigned char *types = index + c->time;

    z->n = c->time;
    z->times = arena_array(a, c->time + 1, sizeof *z->times);
    z->offsets = arena_array(a, c->time + 1, sizeof *z->offsets);
    for (size_t i = 0; i < c->time; i++) {
        unsigned long long v = big_endian(p + i * size, size);
        z->times[i] = size == 4 ? (int32_t)(uint32_t)v : (long long)(int64_t)v;
        if (index[i] >= c->type || (i && z->times[i] <= z->times[i - 1]))
            return false;
    }
    for (size_t i = 0; i <= c->time; i++) {
        size_t type = i < c->time ? index[i] : 0;
        long offset = (int32_t)(uint32_t)big_endian(types + type * 6, 4);
        if (labs(offset) > OFFSET_MAX)
            return false;
        *(i < c->time ? &z->offsets[i] : &z->before) = offset;
    }
    return true;
}

struct zone *zone_read(struct arena *a, const unsigned char *bytes, size_t len)
{
    struct zone *z = arena_alloc(a, sizeof *z);
    struct counts c;

    if (!read_header(bytes, len, &c))
        return NULL;
    size_t first = block_size(&c, 4);
    if (len - HEADER < first)
        return NULL;
    if (bytes[4] < '2')
        return read_block(a, bytes + HEADER, &c, 4, z) ? z : NULL;
    bytes += HEADER + first;
    len -= HEADER + first;
    if (!read_header(bytes, len, &c) || len - HEADER < block_size(&c, 8) ||
        !read_block(a, bytes + HEADER, &c, 8, z))
        return NULL;
    const unsigned char *footer = bytes + HEADER + block_size(&c, 8);
    len -= HEADER + block_size(&c, 8);
    if (len < 2 || footer[0] != '\n')
        return NULL;
    const unsigned char *end = memchr(footer + 1, '\n', len - 1);
    if (!end)
        return NULL;
    size_t n = (size_t)(end - footer - 1);
    if (n && !read_rule(arena_strndup(a, (const char *)footer + 1, n), z))
        return NULL;
    return z;
}

struct zone *zone_fixed(struct arena *a, long offset)
{
    struct zone *z = arena_alloc(a, sizeof *z);

    z->before = labs(offset) > OFFSET_MAX ? 0 : offset;
    return z;
}

long zone_offset(const struct zone *z, long long t)
{
    if (z->n == 0 || t < z->times[0])
        return z->has_rule && z->n == 0 ? rule_offset(z, t) : z->before;
    if (z->has_rule && t >= z->times[z->n - 1])
        return rule_offset(z, t);
    size_t low = 0;
    size_t high = z->n; /* times[low] <= t < times[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(z->times[middle] <= t ? &low : &high) = middle;
    }
    return z->offsets[low];
}

int zone_when(const struct zone *z, long long local, long long ret[2], long *ret_skipped)
{
    /* The offsets well before and after: no time zone is more than 26 hours from Greenwich. */
    long long low = local - OFFSET_MAX - 3600;
    long long high = local + OFFSET_MAX + 3600;
    long before = zone_offset(z, low);
    long after = zone_offset(z, high);
    int n = 0;

    *ret_skipped = 0;
    if (zone_offset(z, local - before) == before)
        ret[n++] = local - before;
    if (after != before && zone_offset(z, local - after) == after)
        ret[n++] = local - after;
    if (n)
        return n;
    while (high - low > 1) { /* the change is at high */
        long long middle = low + (high - low) / 2;
        *(zone_offset(z, middle) == before ? &low : &high) = middle;
    }
    ret[0] = high;
    *ret_skipped = zone_offset(z, high) - before;
    return 0;
}
