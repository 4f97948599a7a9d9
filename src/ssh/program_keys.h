/* program_keys.h -- makes the ssh program check host keys as crelease does: those that the recipe
 * pins, and those in CRELEASE_KNOWN_HOSTS.
 *
 * Both are passed through KnownHostsCommand (ssh_config(5)), so no file has to be written.  Called
 * by cli/reach.c. */
#ifndef CRELEASE_SSH_PROGRAM_KEYS_H
#define CRELEASE_SSH_PROGRAM_KEYS_H

#include "fleet/fleet.h"

/* Appends the options to argv.  host->host_key is NULL or a valid pin. */
void program_key_options(struct arena *a, const struct fleet_host *host, struct strs *argv);

/* Returns a path as the value of an option in which ssh expands tokens such as %h: in quotes, and with
 * "~" expanded. */
const char *program_path(struct arena *a, const char *path);

#endif
