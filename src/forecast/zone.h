/* zone.h -- the local time of a host, by the rules its own /etc/localtime holds.
 *
 *     struct zone *zone = zone_read(arena, bytes, len);      (TZif, RFC 8536)
 *     long offset = zone_offset(zone, unix_s);
 *
 * Pure: no file is read and nothing of this machine's own zone is asked. */
#ifndef CRELEASE_ZONE_H
#define CRELEASE_ZONE_H

#include "base/arena.h"

struct zone;

/* NULL when the bytes are no whole TZif file. */
struct zone *zone_read(struct arena *a, const unsigned char *bytes, size_t len);

/* The same offset at all times, in seconds east of Greenwich; within a day. */
struct zone *zone_fixed(struct arena *a, long offset);

/* Seconds east of Greenwich at that second. */
long zone_offset(const struct zone *z, long long unix_s);

/* When local clocks show `local` (seconds since 1970 as if it were UTC).  Returns how often: 1;
 * 2 when clocks were put back, ret[0] being the first; or 0 when it is skipped, and then ret[0] is
 * the second at which clocks were put forward and *ret_skipped by how much. */
int zone_when(const struct zone *z, long long local, long long ret[2], long *ret_skipped);

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back. */
long long zone_days(long long year, int month, int day);
void zone_date(long long days, long long *ret_year, int *ret_month, int *ret_day);

#endif
