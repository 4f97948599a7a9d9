/* clock.c -- wall-clock time and its text forms (see clock.h).  Called by everything that names a
 * release, prints a time or writes one to a host. */
#include "edge/clock.h"

#include <ctype.h>

long long clock_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct tm utc(long long unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm tm = {0};

    gmtime_r(&t, &tm);
    return tm;
}

static struct tm local(long long unix_ms)
{
    time_t t = (time_t)(unix_ms / 1000);
    struct tm tm = {0};

    localtime_r(&t, &tm);
    return tm;
}

const char *clock_release_name(struct arena *a, long long unix_s)
{
    struct tm tm = utc(unix_s);

    return arena_printf(a, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int digits(const char *s, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++)
        value = value * 10 + (s[i] - '0');
    return value;
}

long long clock_release_time(const char *name)
{
    struct arena a = {0};

    for (int i = 0; i < 14; i++)
        if (!isdigit((unsigned char)name[i]))
            return -1;
    if (name[14])
        return -1;
    struct tm tm = {.tm_year = digits(name, 4) - 1900,
                    .tm_mon = digits(name + 4, 2) - 1,
                    .tm_mday = digits(name + 6, 2),
                    .tm_hour = digits(name + 8, 2),
                    .tm_min = digits(name + 10, 2),
                    .tm_sec = digits(name + 12, 2)};
    long long t = timegm(&tm);
    /* timegm normalises a 32nd day and the like; such a name does not come back unchanged. */
    bool same = strcmp(clock_release_name(&a, t), name) == 0;
    arena_free(&a);
    return same ? t : -1;
}

const char *clock_rfc3339(struct arena *a, long long unix_ms, bool ms)
{
    struct tm tm = utc(unix_ms / 1000);
    const char *text = arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);

    return ms ? arena_printf(a, "%s.%03lldZ", text, unix_ms % 1000) : arena_printf(a, "%sZ", text);
}

const char *clock_of_day(struct arena *a, long long unix_ms)
{
    struct tm tm = local(unix_ms);

    return arena_printf(a, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

const char *clock_date(struct arena *a, long long unix_ms)
{
    struct tm tm = local(unix_ms);

    return arena_printf(a, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min);
}

const char *clock_date_zoned(struct arena *a, long long unix_ms)
{
    long offset = local(unix_ms).tm_gmtoff / 60;
    const char *date = clock_date(a, unix_ms);

    if (!offset)
        return arena_printf(a, "%s UTC", date);
    return arena_printf(a, "%s UTC%c%02ld:%02ld", date, offset < 0 ? '-' : '+', labs(offset) / 60,
                        labs(offset) % 60);
}

/* The date of now, and nothing else. */
static struct tm day_of(long long now_unix)
{
    struct tm tm = local(now_unix * 1000);

    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return tm;
}

long long clock_read(const char *text, long long now_unix)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M",    "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d",       "%H:%M"};
    size_t n = sizeof forms / sizeof *forms;

    for (size_t i = 0; i < n; i++) {
        bool only_time = i == n - 1;
        struct tm tm = only_time ? day_of(now_unix) : (struct tm){.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        bool is_utc = end && strcmp(end, "Z") == 0;
        if (!end || (*end && !is_utc) || (only_time && is_utc))
            continue;
        long long t = is_utc ? timegm(&tm) : mktime(&tm);
        if (only_time && t <= now_unix) {
            tm = day_of(now_unix);
            tm.tm_mday++;
            if (!strptime(text, forms[i], &tm))
                return -1;
            t = mktime(&tm);
        }
        return t;
    }
    return -1;
}
