/* webhook.h -- posts JSON to a web address, in a process of its own; the only module that uses libcurl.
 *
 *     struct webhook w;
 *     webhook_start(&w, url, body);
 *     while (!webhook_is_over(&w))
 *         loop_turn(loop, loop_now() + 50);
 *     if (*w.why)
 *         ... it was not delivered ...
 *
 * The process does all of the waiting, for the name server too, so that the caller's loop is never
 * blocked.  It ends after WEBHOOK_MS, and with crelease.  libcurl is loaded there, and to ask for its version.
 * The URL is never part of an argument list, an environment or a message. */
#ifndef CRELEASE_WEBHOOK_H
#define CRELEASE_WEBHOOK_H

#include "base/arena.h"
#include "base/library.h"

#include <stdbool.h>
#include <sys/types.h>

enum { WEBHOOK_MS = 10000, WEBHOOK_WHY = 200 };

struct webhook {
    pid_t pid; /* 0: none */
    int from;  /* reads what went wrong */
    bool over;
    char why[WEBHOOK_WHY]; /* once it is over: why it was not delivered; "": it was */
};

/* Loads libcurl to ask it; without a version where it cannot be loaded. */
struct library webhook_library(struct arena *a);

/* Whether a URL can be posted to: http or https, with a host and without control characters. */
bool webhook_takes(const char *url);

void webhook_start(struct webhook *w, const char *url, const char *body);

/* Does not block. */
bool webhook_is_over(struct webhook *w);

/* Ends it if it is not over, with that as its `why`. */
void webhook_stop(struct webhook *w, const char *why);

#endif
