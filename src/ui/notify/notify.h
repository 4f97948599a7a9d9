/* notify.h -- sends the notifications of the recipe (`notify`): one more reader of the events of a run.
 *
 *     struct notifier *n = notifier_open(&about, loop);
 *     struct watcher w = notifier_watcher(n, &first)    (passes each event on to `first`, too)
 *     ...
 *     notifier_close(n);
 *
 * A notification that cannot be delivered is a warning.  It makes a run that has put a release live and
 * has nothing else to complain of untidy (status 8): EVENT_END is passed on with that code. */
#ifndef CRELEASE_NOTIFY_H
#define CRELEASE_NOTIFY_H

#include "core/event.h"
#include "edge/loop.h"
#include "recipe/recipe.h"

/* What holds for all events of a command.  The texts live longer than the notifier. */
struct notify_about {
    const struct recipe *recipe;
    const char *command;
    const char *user; /* user@machine */
};

struct notifier;

struct notifier *notifier_open(const struct notify_about *about, struct loop *loop);
void notifier_close(struct notifier *n); /* accepts NULL */
struct watcher notifier_watcher(struct notifier *n, const struct watcher *first);

/* The run is being undone, also if the command is resume. */
void notifier_is_aborting(struct notifier *n); /* accepts NULL */

/* What made EVENT_END untidy; NULL: nothing. */
const char *notifier_failure(const struct notifier *n); /* accepts NULL */

/* message.c: what is sent about an event. */
struct notice {
    const struct notify_about *about;
    enum notify_on on;
    const struct event *event;
    const char *run; /* of the run; NULL: there is none */
    const char *release;
    const char *revision;
};
const char *notice_body(struct arena *a, enum notify_format format, const struct notice *n);

#endif
