/* ssh_share.h -- what the connections of one process have in common: the known_hosts files as
 * they were read, and the passphrases that a person has typed.  No connection asks twice. */
#ifndef CRELEASE_SSH_SHARE_H
#define CRELEASE_SSH_SHARE_H

#include "base/buf.h"
#include "fleet/fleet.h"
#include "ssh/known_hosts.h"

enum { SECRET_BYTES_MAX = 1024, PASSPHRASE_TRIES = 3 };

enum secret_state {
    SECRET_UNKNOWN,
    SECRET_ASKED, /* the person is typing it */
    SECRET_GIVEN,
    SECRET_REFUSED, /* nobody wanted to type it, or it was wrong too often: not asked again */
};

/* A secret by name (the path of a key); wiped when the last user of the share leaves. */
struct secret {
    struct secret *next;
    char *name;
    char text[SECRET_BYTES_MAX];
    char prompt[SECRET_BYTES_MAX];
    enum secret_state state;
    bool proven; /* it opened its key */
    int wrong;   /* how often what was typed was */
};

/* share_leave of the last one forgets everything.  `wake` is called when something has changed that
 * others may wait for. */
void share_join(void (*wake)(void));
void share_leave(void);

/* Read once for the same files; not to be closed, valid until the next call with other files. */
const struct known_hosts *share_known_hosts(const char *const *files);

/* The secret of that name; what it is for is shown in the question: "passphrase for key ~/.ssh/id".
 * One that is not there yet is asked for, when no other question is open.  The same answer counts
 * for every caller: UNKNOWN and ASKED mean that it will come, and that `wake` will tell. */
struct secret *share_secret(struct loop *loop, const char *name, const char *what, fleet_ask *ask,
                            void *ask_arg);

/* It was wrong: asked for again, PASSPHRASE_TRIES times in all. */
void share_wrong(struct secret *secret);

#endif
