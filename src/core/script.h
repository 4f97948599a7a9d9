/* script.h -- the text of a script, as it is sent to a host.
 *
 * Every script begins alike: the values that prelude.sh needs, the script's own values, the prelude
 * itself, then the script.  Values are assignments of quoted text, so nothing of a recipe is read
 * as a command by accident.
 *
 *     const struct script s = {.deploy_to = host->deploy_to,
 *                              .verb = "look",
 *                              .values = values.text,
 *                              .parts = {script_history}};
 *     const char *text = script_text(arena, &s);
 */
#ifndef CRELEASE_SCRIPT_H
#define CRELEASE_SCRIPT_H

#include "base/arena.h"

struct script {
    const char *before;    /* exports that come first, so that the values below win; or NULL */
    const char *deploy_to; /* NULL becomes '' */
    const char *run;
    const char *release;
    const char *step;
    const char *verb;
    const char *umask;    /* of the site's files and the user's commands; NULL: the login's */
    long epoch;           /* of the lock; 0 becomes '' */
    const char *values;   /* assignments, or NULL; they override those above */
    const char *parts[3]; /* come after the prelude, in order, up to the first NULL */
};

/* The complete text; NULL when it would be longer than SCRIPT_BYTES_MAX. */
const char *script_text(struct arena *a, const struct script *s);

/* The same for a session, whose program is script_session; and what makes that session keep the
 * lock (struct call). */
const char *script_frame(struct arena *a, const struct script *s);
const char *script_keep(struct arena *a, const struct script *s);
const char *script_session(struct arena *a);

#endif
