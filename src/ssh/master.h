/* master.h -- one master connection of the ssh program.
 *
 *     struct master *m = master_start(uv, argv, watch, &why);
 *     ... watch.changed is called when it prints a line or ends ...
 *     ... once its socket exists, sessions can be opened through it ...
 *     master_has_ended(m)         then master_words(m, arena) says why
 *     master_end(m);
 *
 * Called by program.c. */
#ifndef CRELEASE_SSH_MASTER_H
#define CRELEASE_SSH_MASTER_H

#include "edge/loop_uv.h"
#include "base/arena.h"

struct master;

struct master_watch {
    void (*changed)(void *arg);
    void (*said)(void *arg, const char *line); /* what it prints on standard error; may be NULL */
    void *arg;
};

/* Starts `ssh` with these arguments, which ends when crelease does.  NULL if it cannot be started:
 * *ret_why says why. */
struct master *master_start(uv_loop_t *uv, const char *const *argv, struct master_watch watch,
                            const char **ret_why);

/* Whether the process has ended. */
bool master_is_ending(const struct master *m);

/* Whether the process has ended and all that it printed was read. */
bool master_has_ended(const struct master *m);

/* Returns its last words in one line, safe to show, in the arena; "" if it printed nothing. */
const char *master_words(const struct master *m, struct arena *a);

/* Ends the process, and with it all sessions, within about a second of turning the loop.  Accepts NULL. */
void master_end(struct master *m);

#endif
