/* share.h -- what the connections of a process share: the parsed known_hosts files, and the
 * passphrases that the user has typed.  No connection asks for one twice. */
#ifndef CRELEASE_SSH_SHARE_H
#define CRELEASE_SSH_SHARE_H

#include "base/buf.h"
#include "fleet/fleet.h"
#include "ssh/known_hosts.h"

enum { SECRET_BYTES_MAX = 1024, PASSPHRASE_TRIES = 3 };

enum secret_state {
    SECRET_UNKNOWN,
    SECRET_ASKED, /* the user is typing it */
    SECRET_GIVEN,
    SECRET_REFUSED, /* not given, or wrong too often; not asked for again */
};

/* A secret, named after what it is for (the path of a key).  Wiped by the last share_leave. */
struct secret {
    struct secret *next;
    char *name;
    char text[SECRET_BYTES_MAX];
    char prompt[SECRET_BYTES_MAX];
    enum secret_state state;
    bool proven; /* it has worked */
    int wrong;   /* number of wrong answers */
};

/* Joins and leaves the share; the last share_leave frees everything.  `wake` is called when a
 * secret has changed that others may be waiting for. */
void share_join(void (*wake)(void));
void share_leave(void);

/* Returns the parsed files, read only once.  Valid until the next call with other files. */
const struct known_hosts *share_known_hosts(const char *const *files);

/* Makes the next share_known_hosts read the files again. */
void share_forget_known_hosts(void);

/* Returns the secret of that name, and asks for it if it is not known yet and no other question is
 * open.  `what` is shown in the question: "passphrase for '~/.ssh/id'".  In state UNKNOWN or ASKED
 * the answer is still to come; `wake` reports it.  All callers share the answer. */
struct secret *share_secret(struct loop *loop, const char *name, const char *what,
                            const struct fleet_options *options);

/* Records that the secret was wrong.  It is asked for PASSPHRASE_TRIES times in all. */
void share_wrong(struct secret *secret);

#endif
