/* zone.h -- converts between UTC and the local time of a host, by that host's /etc/localtime.
 *
 *     struct zone *zone = zone_read(arena, bytes, len);      (TZif, RFC 8536)
 *     long offset = zone_offset(zone, unix_s);
 *
 * No I/O; this machine's own time zone is not used. */
#ifndef CRELEASE_ZONE_H
#define CRELEASE_ZONE_H

#include "base/arena.h"

struct zone;

/* Parses a TZif file.  Returns NULL if the bytes are not a complete one. */
struct zone *zone_read(struct arena *a, const unsigned char *bytes, size_t len);

/* Returns a zone with a constant offset, in seconds east of Greenwich, of at most a day. */
struct zone *zone_fixed(struct arena *a, long offset);

/* Returns the offset at that second, in seconds east of Greenwich. */
long zone_offset(const struct zone *z, long long unix_s);

/* Finds when local clocks show `local` (seconds since 1970 as if it were UTC).  Returns the number
 * of times: 1; 2 if clocks go back, with ret[0] the earlier one; 0 if that time is skipped, and
 * then ret[0] is the second at which clocks go forward and *ret_skipped is by how much. */
int zone_when(const struct zone *z, long long local, long long ret[2], long *ret_skipped);

/* Convert a Gregorian date to days since 1970-01-01, and back. */
long long zone_days(long long year, int month, int day);
void zone_date(long long days, long long *ret_year, int *ret_month, int *ret_day);

#endif
