/* writers.h -- one function for each format of a report; for this folder only. */
#ifndef CRELEASE_REPORT_WRITERS_H
#define CRELEASE_REPORT_WRITERS_H

#include "ui/report/record.h"

#include <stdio.h>

void html_write(const struct record *r, FILE *out);
void junit_write(const struct record *r, FILE *out);
void markdown_write(const struct record *r, FILE *out);
void report_json_write(const struct record *r, FILE *out);

/* The larger sections of the page. */
void html_stages(const struct record *r, FILE *out);
void html_waits(const struct record *r, FILE *out);
void html_migrations(const struct record *r, FILE *out);
void html_logs(const struct record *r, FILE *out);

/* A time of day and a date, UTC: "15:30:12", "2026-11-22". */
const char *utc_time(struct arena *a, long long unix_ms);
const char *utc_date(struct arena *a, long long unix_ms);

#endif
