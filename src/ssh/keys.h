/* ssh_keys.h -- user keys: what is in a key file, and which keys to try on a host, in what order.
 *
 * The headers are read here because the library answers a missing passphrase, a wrong one, and a
 * format it does not know all with the same error. */
#ifndef CRELEASE_SSH_KEYS_H
#define CRELEASE_SSH_KEYS_H

#include "base/buf.h"

enum key_form {
    KEY_ABSENT,     /* no such file */
    KEY_UNREADABLE, /* see why */
    KEY_UNKNOWN,    /* a file, but no key that we know of; see why */
    KEY_PUBLIC,     /* a public key line: the agent may have the other half */
    KEY_PRIVATE,
};

struct ssh_key {
    enum key_form form;
    const char *path;   /* to open */
    const char *label;  /* to show: "~/.ssh/id_ed25519" */
    const char *type;   /* "ssh-ed25519"; NULL when the file does not tell */
    const char *cipher; /* when encrypted: "aes256-ctr", or "" when the file does not tell */
    bool encrypted;
    bool loose;       /* others than the owner may read it */
    const void *blob; /* the public key, when the file or the .pub beside it has it */
    size_t blob_len;
    char *text; /* of a private key: the file's content; wiped by ssh_key_wipe */
    size_t text_len;
    const char *why;
};

/* The texts live in the arena. */
struct ssh_key ssh_key_read(struct arena *a, const char *path);
void ssh_key_wipe(struct ssh_key *key);

/* A key of the agent. */
struct agent_key {
    const void *blob;
    size_t blob_len;
    const char *comment;
    const void *id; /* of what is to be signed with: the key itself */
};

/* What the library that we run with can do. */
struct ssh_library {
    const char *version; /* "1.10.0" */
    bool is_1_11;        /* or later: RSA with SHA-2, FIDO keys, aes-gcm key files */
};

enum key_fate {
    KEY_TO_TRY,
    KEY_SPARE, /* a file whose key the agent has, too: for when that does not sign */
    KEY_PASSED_OVER,
    KEY_REFUSED,
    KEY_ACCEPTED
};

/* One key on the list of a login. */
struct login_key {
    const char *label;    /* "agent key 'ann@laptop' (ED25519)", "~/.ssh/id_ed25519" */
    const void *agent_id; /* NULL for a file */
    struct ssh_key file;
    enum key_fate fate;
    const char *why; /* of a key that was passed over or refused */
};

struct login_list {
    struct login_key *key;
    size_t n;
    const char *identity; /* the only one that may be tried, to show; or NULL */
};

enum { LOGIN_TRIES_MAX = 5 }; /* sshd hangs up after six (MaxAuthTries) */

/* The keys in the order in which to try them: with an identity only that, from the agent if it
 * has it, else its file (a spare one otherwise); without one the agent's, then the usual files,
 * encrypted ones last. What cannot be used is on the list too, passed over, with the reason. */
struct login_list login_list_make(struct arena *a, const char *identity,
                                  const struct agent_key *agent, size_t n_agent,
                                  const struct ssh_library *library);
void login_list_wipe(struct login_list *list);

/* The next one to try, or NULL; at most LOGIN_TRIES_MAX in all, the rest is passed over. */
struct login_key *login_list_next(struct login_list *list);

/* The agent does not sign with that key: its file, when there is one, is tried then. */
void login_list_unsigned(struct login_list *list, struct login_key *key, const char *why);

/* How many the server has refused. */
size_t login_list_tried(const struct login_list *list);

/* "agent key 'x' (ED25519): not accepted; ~/.ssh/id_rsa: RSA keys need ...", or that none was
 * found. */
const char *login_list_story(const struct login_list *list, struct arena *a);

#endif
