/* report.h -- files that tell how a command went: --report FORMAT:FILE.
 *
 *     struct report_target t;
 *     report_parse("html:deploy.html", "--report", &t, err)
 *     struct reports *all = reports_open(targets, n, command, environment, err)
 *     struct watcher w = reports_watcher(all, &first)    (passes each event on to `first`, too)
 *     ... the run; files are written when it ends, and meanwhile from time to time ...
 *     reports_close(all);
 *
 * A file is written beside its place and renamed, so that it is complete at every moment.  One that is
 * no regular file, such as a pipe or a link, is written once, at the end. */
#ifndef CRELEASE_REPORT_H
#define CRELEASE_REPORT_H

#include "core/event.h"

#include <stdio.h>

enum report_format { REPORT_HTML, REPORT_JUNIT, REPORT_MARKDOWN, REPORT_JSON, REPORT_FORMATS };

struct report_target {
    enum report_format format;
    const char *path;
};

struct reports;

/* USAGE unless it is "html:FILE" or the like.  name is the option, for the error.  The path is a part of
 * the value. */
bool report_parse(const char *value, const char *name, struct report_target *ret,
                  struct err *err) MUST_CHECK;

/* USAGE if one of the files cannot be written. */
bool reports_open(struct reports **ret, const struct report_target *targets, size_t n,
                  const char *command, const char *environment, struct err *err) MUST_CHECK;

/* Takes an event.  After the one that ends the command, all files are complete. */
void reports_tell(struct reports *all, const struct event *e);

/* The same as a watcher, which passes the event on to `first`, too. */
struct watcher reports_watcher(struct reports *all, const struct watcher *first);

/* Whether the end was told. */
bool reports_have_ended(const struct reports *all);

/* Writes the Markdown form to a stream. */
void reports_markdown(const struct reports *all, FILE *out);

void reports_close(struct reports *all); /* accepts NULL */

#endif
