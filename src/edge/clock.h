/* clock.h -- the time of day of this machine; only for names and for people. */
#ifndef CRELEASE_CLOCK_H
#define CRELEASE_CLOCK_H

#include "base/arena.h"

/* Milliseconds since 1970, UTC. */
long long clock_now_ms(void);

/* "20261122153012": the name of a release made at that second, UTC. */
const char *clock_release_name(struct arena *a, long long unix_s);

/* The second a release name stands for, -1 when it is not 14 digits of a real time since 1970:
 * whoever writes or reads the name of a release asks this, on hosts is_release_name of prelude.sh.
 */
long long clock_release_time(const char *name);

/* RFC 3339, UTC: "2026-11-22T15:30:12Z", with milliseconds when ms is set. */
const char *clock_rfc3339(struct arena *a, long long unix_ms, bool ms);

/* Local time of day "15:30:12", and local date and time "2026-11-22 15:30". */
const char *clock_of_day(struct arena *a, long long unix_ms);
const char *clock_date(struct arena *a, long long unix_ms);

#endif
