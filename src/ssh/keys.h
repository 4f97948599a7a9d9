/* keys.h -- the user's keys: what a key file contains, and which keys to try on a host in what
 * order.
 *
 * Key files are inspected here because libssh2 reports a missing passphrase, a wrong one and an
 * unknown format all with the same error. */
#ifndef CRELEASE_SSH_KEYS_H
#define CRELEASE_SSH_KEYS_H

#include "base/buf.h"

enum key_form {
    KEY_ABSENT,     /* no such file */
    KEY_UNREADABLE, /* see why */
    KEY_UNKNOWN,    /* not a key of a known format; see why */
    KEY_PUBLIC,     /* a public key line; the agent may have the private key */
    KEY_PRIVATE,
};

struct ssh_key {
    enum key_form form;
    const char *path;   /* of the file */
    const char *label;  /* for messages: "~/.ssh/id_ed25519" */
    const char *type;   /* "ssh-ed25519"; NULL if the file does not tell */
    const char *cipher; /* of an encrypted key: "aes256-ctr", or "" if the file does not tell */
    bool encrypted;
    bool loose;       /* readable by others than its owner */
    const void *blob; /* the public key, if the file or the .pub file beside it has it */
    size_t blob_len;
    char *text; /* content of a private key file; ssh_key_wipe erases it */
    size_t text_len;
    const char *why;
};

/* Reads a key file.  The result's texts are allocated in the arena. */
struct ssh_key ssh_key_read(struct arena *a, const char *path);

/* The same for the key that CRELEASE_SSH_KEY holds: its text, its text in base64, or the path of a
 * file.  Carriage returns, a missing last newline and "\n" in place of newlines are repaired.  It is
 * never written to disk. */
struct ssh_key ssh_key_of_variable(struct arena *a, const char *value);

/* Returns the private part of an unencrypted key in OpenSSH's own format, to be erased by the
 * caller.  False for any other key. */
bool ssh_key_private_part(struct arena *a, const struct ssh_key *key, const unsigned char **ret,
                          size_t *ret_len);

/* Erases the private key from memory. */
void ssh_key_wipe(struct ssh_key *key);

/* A key that the agent holds. */
struct agent_key {
    const void *blob;
    size_t blob_len;
    const char *comment;
    const void *id; /* the key itself, for agent_sign_begin */
};

/* What the libssh2 at run time supports. */
struct ssh_library {
    const char *version; /* "1.10.0" */
    bool is_1_11;        /* 1.11 or later: RSA with SHA-2, FIDO keys, aes-gcm key files */
};

enum key_fate {
    KEY_TO_TRY,
    KEY_SPARE, /* the file of a key that the agent has; used if the agent does not sign */
    KEY_PASSED_OVER,
    KEY_REFUSED,
    KEY_ACCEPTED
};

/* One candidate key of a login. */
struct login_key {
    const char *label;    /* "agent key 'ann@laptop' (ED25519)", "~/.ssh/id_ed25519" */
    const void *agent_id; /* NULL for a file */
    struct ssh_key file;
    enum key_fate fate;
    const char *why; /* it was passed over or refused */
};

struct login_list {
    struct login_key *key;
    size_t n;
    const char *identity; /* label of the only key that may be tried, or NULL */
    bool no_files;
};

enum { LOGIN_TRIES_MAX = 5 }; /* sshd disconnects after six failures (MaxAuthTries) */

/* Which keys are meant. */
struct login_wish {
    const char *variable;   /* the value of CRELEASE_SSH_KEY, tried before all others; or NULL */
    const char *identity;   /* the only other one, or NULL */
    struct strs configured; /* files that the ssh configuration names; empty: the usual ones */
    bool no_files;          /* IdentityFile none: try no file, also not the usual ones */
    bool configured_only;   /* IdentitiesOnly: try no other key of the agent */
    const struct ssh_library *library;
};

/* Returns the keys in the order in which to try them.  With an identity, only that key: from the
 * agent if it has it, with the file as a spare, else the file.  Else the configured keys, and then
 * the agent's other ones; or without any the agent's keys and then the usual files, encrypted ones
 * last.  Unusable keys are listed as passed over, with the reason. */
struct login_list login_list_make(struct arena *a, const struct login_wish *wish,
                                  const struct agent_key *agent, size_t n_agent);

/* Erases all private keys of the list. */
void login_list_wipe(struct login_list *list);

/* Returns the next key to try, or NULL.  After LOGIN_TRIES_MAX tries the rest is passed over. */
struct login_key *login_list_next(struct login_list *list);

/* Records that the agent did not sign with that key.  Its file, if there is one, is tried then. */
void login_list_unsigned(struct login_list *list, struct login_key *key, const char *why);

/* Returns the number of keys that the server has refused. */
size_t login_list_tried(const struct login_list *list);

/* Whether there is a key that the ssh program could use and libssh2 cannot: a FIDO key, or a
 * certificate. */
bool login_list_wants_program(const struct login_list *list, struct arena *a);

/* Returns what happened to each key: "agent key 'x' (ED25519): rejected by the server;
 * ~/.ssh/id_rsa: RSA keys need ...", or that there was none. */
const char *login_list_story(const struct login_list *list, struct arena *a);

#endif
