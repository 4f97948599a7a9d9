/* ssh_share.h -- what the connections of one process have in common: the known_hosts files as
 * they were read, and the passphrases that a person has typed.  No connection asks twice. */
#ifndef CRELEASE_SSH_SHARE_H
#define CRELEASE_SSH_SHARE_H

#include "base/buf.h"
#include "edge/fleet.h"
#include "edge/known_hosts.h"

enum { SECRET_BYTES_MAX = 1024 };

/* A secret by name (the path of a key); wiped when the last user of the share leaves. */
struct secret {
    struct secret *next;
    char *name;
    char text[SECRET_BYTES_MAX];
    bool refused; /* nobody wanted to type it: not asked again */
    bool proven;  /* it opened its key */
};

/* share_leave of the last one forgets everything. */
void share_join(void);
void share_leave(void);

/* Read once for the same files; not to be closed, valid until the next call with other files. */
const struct known_hosts *share_known_hosts(const char *const *files);

/* The secret of that name, asking for it when it is not there yet.  NULL when nobody is there to
 * ask, or refused. */
struct secret *share_secret(const char *name, const char *prompt, fleet_ask *ask, void *ask_arg);
void share_forget(struct secret *secret);

#endif
