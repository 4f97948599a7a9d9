/* clock.h -- the wall clock of this machine, for names and for display only.  Deadlines use
 * loop_now (loop.h), which never jumps. */
#ifndef CRELEASE_CLOCK_H
#define CRELEASE_CLOCK_H

#include "base/arena.h"

/* Returns milliseconds since 1970, UTC. */
long long clock_now_ms(void);

/* Returns the name of a release made at that second, UTC: "20261122153012". */
const char *clock_release_name(struct arena *a, long long unix_s);

/* Returns the second that a release name stands for, or -1 unless the name is 14 digits that form a
 * real time since 1970.  All code that reads or writes release names checks them with this; scripts
 * on hosts use is_release_name of releases.sh. */
long long clock_release_time(const char *name);

/* Formats RFC 3339 in UTC: "2026-11-22T15:30:12Z", with milliseconds if `ms`. */
const char *clock_rfc3339(struct arena *a, long long unix_ms, bool ms);

/* Reads a time to come: "2026-12-05 08:00", "2026-12-05" (its midnight), "2026-12-05T08:00:00Z", or the
 * next "08:00", in local time unless it ends with a Z.  -1 if the text is none of these. */
long long clock_read(const char *text, long long now_unix);

/* Format the local time of day, "15:30:12", and the local date and time, "2026-11-22 15:30". */
const char *clock_of_day(struct arena *a, long long unix_ms);
const char *clock_date(struct arena *a, long long unix_ms);

/* The same with the offset of the time zone, for people who are elsewhere: "2026-11-22 15:30 UTC+01:00". */
const char *clock_date_zoned(struct arena *a, long long unix_ms);

#endif
