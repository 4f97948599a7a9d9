/* html_track.h -- bars on a time line, and times in words, for the HTML page; for this folder only.
 * Positions are SVG attributes in percent, so that a bar fits any width and needs no script. */
#ifndef CRELEASE_REPORT_TRACK_H
#define CRELEASE_REPORT_TRACK_H

#include "ui/report/record.h"

#include <stdio.h>

/* Time from left to right.  A wait that takes most of it is drawn shorter than it was, or the stages
 * around it would be too small to see. */
struct axis {
    long long begin;
    long long end;
    long long cut_begin; /* the wait; 0: none is shortened */
    long long cut_end;
};

/* From the first event of the run to its last one. */
struct axis axis_of_run(const struct record *r);

/* The times at both ends, above the tracks, and how long a shortened wait was. */
void put_scale(FILE *out, const struct axis *x);

/* A track with bars.  The label is read by screen readers; NULL: the text beside it says the same. */
void begin_track(FILE *out, const struct axis *x, const char *label);
void end_track(FILE *out);

/* `class` decides the color; a mouse shows `about` and the times.  An end of 0: not ended. */
struct bar {
    const char *class;
    const char *about;
    long long begin;
    long long end;
};
void put_bar(FILE *out, const struct axis *x, struct bar bar);

const char *html_state_class(enum event_state state);

/* "15:30:12 to 15:30:14". */
const char *html_times(struct arena *a, long long begin, long long end);

/* A duration: "3.2 s", or "< 0.1 s"; "" if it is not known. */
const char *html_took(struct arena *a, long long ms);

#endif
