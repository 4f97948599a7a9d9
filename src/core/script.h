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
    const char *before;    /* exports in front of everything, so that ours win; or NULL */
    const char *deploy_to; /* these are '' when NULL */
    const char *run;
    const char *release;
    const char *step;
    const char *verb;
    long epoch;           /* of the lock; 0: '' */
    const char *values;   /* assignments, or NULL; they win over those above */
    const char *parts[3]; /* behind the prelude, in order, up to the first NULL */
};

/* NULL when it would be longer than SCRIPT_BYTES_MAX. */
const char *script_text(struct arena *a, const struct script *s);

#endif
