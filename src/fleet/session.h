/* session.h -- one shell on a host that runs the scripts of a run, one after the other.
 *
 * A script of its own costs a channel (two round trips) and the processes of a login shell.  A session
 * costs that once; each script is then one round trip and a copy of a shell that has the common
 * functions already (host/session.sh).  fleet.c asks a session for calls with `frame`. */
#ifndef CRELEASE_SESSION_H
#define CRELEASE_SESSION_H

#include "fleet/carrier.h"

struct session_shell;

/* Starts the shell; text is its program.  Connects first if necessary. */
struct session_shell *session_start(const struct carrier *carrier, struct link *link,
                                    const struct fleet_host *host, size_t index, const char *text);

/* Whether a script can be run now: the shell has not ended, and no other script is running. */
bool session_is_free(const struct session_shell *s);

/* Runs an exchange that exchange_make_frame made. */
void session_run(struct session_shell *s, struct exchange *x);

/* Stops waiting for the script that is running.  The session is free again when it has ended. */
void session_abandon(struct session_shell *s);

/* Notices that the shell has ended, and ends its exchange then.  To be called in each turn. */
void session_look(struct session_shell *s, long long now);

/* Makes the shell the keeper of the lock: text assigns what it needs (host/session.sh). */
void session_keep(struct session_shell *s, const char *text);
void session_keep_no_more(struct session_shell *s);
bool session_keeps(const struct session_shell *s);

/* Ends its input, so that it ends soon unless a script is running. */
void session_let_go(struct session_shell *s);
bool session_is_over(const struct session_shell *s);

/* The exchange of the shell itself: its greeting, and why it ended. */
const struct exchange *session_exchange(const struct session_shell *s);

/* Drops the connection's channel at once and frees it.  Accepts NULL. */
void session_drop(struct session_shell *s);

#endif
