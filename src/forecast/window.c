/* window.c -- windows in which deploys are allowed (see window.h).  Called by the recipe's checks and by
 * cli/frozen.c. */
#include "forecast/window.h"

#include "base/number.h"

#include <string.h>

enum { DAY_S = 86400, DAY_MINUTES = 1440, DAYS = 7, AHEAD_DAYS = 15 };

static const char names[DAYS][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int day_named(const char *s, size_t len)
{
    for (int i = 0; i < DAYS; i++)
        if (len == 3 && strncmp(s, names[i], 3) == 0)
            return i;
    return -1;
}

bool window_days(const char *s, unsigned *ret)
{
    unsigned days = 0;

    for (;;) {
        size_t len = strcspn(s, ",");
        size_t first = strcspn(s, ",-");
        int from = day_named(s, first);
        int to = first < len ? day_named(s + first + 1, len - first - 1) : from;
        if (from < 0 || to < 0)
            return false;
        for (int day = from;; day = (day + 1) % DAYS) {
            days |= 1U << day;
            if (day == to)
                break;
        }
        if (!s[len])
            break;
        s += len + 1;
        s += strspn(s, " ");
    }
    *ret = days;
    return true;
}

bool window_time(const char *s, int *ret)
{
    const char *colon = strchr(s, ':');
    long long hour;
    long long minute;

    if (!colon || strlen(colon) != 3 || !number_part(s, (size_t)(colon - s), 24, &hour) ||
        !number_read(colon + 1, 59, &minute) || (hour == 24 && minute))
        return false;
    *ret = (int)(hour * 60 + minute);
    return true;
}

/* Days since 1970 and minute of the day, by the zone's clocks. */
static long long local_day(const struct zone *zone, long long unix_s, int *ret_minute)
{
    long long local = unix_s + zone_offset(zone, unix_s);
    long long day = local / DAY_S - (local % DAY_S < 0);

    *ret_minute = (int)((local - day * DAY_S) / 60);
    return day;
}

/* 1970-01-01 was a Thursday. */
static bool has_day(const struct window_times *w, long long day)
{
    return w->days >> ((day + 3) % DAYS + DAYS) % DAYS & 1;
}

bool window_is_open(const struct window_times *w, const struct zone *zone, long long unix_s)
{
    int minute;
    long long day = local_day(zone, unix_s, &minute);
    bool over_midnight = w->to <= w->from;

    if (has_day(w, day) && minute >= w->from && (over_midnight || minute < w->to))
        return true;
    return over_midnight && has_day(w, day - 1) && minute < w->to;
}

long long window_opens(const struct window_times *w, const struct zone *zone, long long unix_s)
{
    int minute;
    long long today = local_day(zone, unix_s, &minute);

    for (long long day = today; day < today + AHEAD_DAYS; day++) {
        long long at[2];
        long skipped;
        if (!has_day(w, day))
            continue;
        /* A time that does not exist on that day is the moment when clocks go forward, by which a short
         * window is over. */
        (void)zone_when(zone, day * DAY_S + w->from * 60LL, at, &skipped);
        if (at[0] > unix_s && window_is_open(w, zone, at[0]))
            return at[0];
    }
    return -1;
}
