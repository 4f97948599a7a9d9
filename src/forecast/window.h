/* window.h -- when deploys are allowed: days of the week, and times of day in a time zone.
 *
 *     window_days("mon-fri,sun", &days); window_time("16:30", &minute);
 *     window_is_open(&window, zone, unix_s)
 *
 * No I/O.  A window that ends before it begins ends on the next day; the days are those on which it
 * begins. */
#ifndef CRELEASE_WINDOW_H
#define CRELEASE_WINDOW_H

#include "forecast/zone.h"

struct window_times {
    unsigned days; /* bit 0: Monday */
    int from;      /* minutes since midnight */
    int to;        /* up to 24:00 */
};

/* Parse "mon-fri", "sat,sun", "fri-mon"; and "09:00".  False if the text is nothing of that. */
bool window_days(const char *s, unsigned *ret);
bool window_time(const char *s, int *ret);

bool window_is_open(const struct window_times *w, const struct zone *zone, long long unix_s);

/* The next second, after unix_s, at which it opens, within a fortnight; -1: there is none. */
long long window_opens(const struct window_times *w, const struct zone *zone, long long unix_s);

#endif
