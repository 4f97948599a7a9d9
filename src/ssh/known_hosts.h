/* known_hosts.h -- is this the key of that host, as far as the known_hosts files say?
 *
 *     struct known_hosts *known = known_hosts_open(NULL);
 *     struct known_answer answer = known_hosts_check(known, &host, key, len);
 *     if (answer.known != KNOWN_YES)
 *         return err_set(err, ERR_UNREACHABLE, "%s", known_hosts_refusal(known, a, &answer, &host,
 * key, len)); known_hosts_close(known);
 *
 * The files are read once, at open, by the rules of sshd(8): lists, wildcards, negation, hashed
 * names, [host]:port, @revoked and @cert-authority.  A line that is none is passed over.
 * A key is the blob of the SSH protocol: a string with its type, then the rest. */
#ifndef CRELEASE_KNOWN_HOSTS_H
#define CRELEASE_KNOWN_HOSTS_H

#include "base/buf.h"

struct known_hosts;

enum known {
    KNOWN_YES,
    KNOWN_UNKNOWN, /* no line is about this host */
    KNOWN_CHANGED, /* there are lines about it, all with other keys */
    KNOWN_REVOKED, /* this key is revoked: wins over everything */
    KNOWN_CA_ONLY, /* only a certificate authority is known for it, and this key is no certificate
                    */
};

struct known_host {
    const char *name; /* as it is connected to: a name or an IP address */
    int port;
};

/* The line that decided: for KNOWN_YES the one that matched, for KNOWN_CHANGED one with another
 * key, of the same type if there is one.  The texts live as long as the struct known_hosts. */
struct known_answer {
    enum known known;
    const char *file; /* NULL when no line decided */
    unsigned line;
    const char *type; /* of the key on that line: "ssh-ed25519" */
};

/* files is NULL-terminated; NULL stands for ~/.ssh/known_hosts, ~/.ssh/known_hosts2 and
 * ssh_known_hosts, ssh_known_hosts2 in /etc/ssh.  A leading "~/" is the home directory.  A file
 * that does not exist is empty. */
struct known_hosts *known_hosts_open(const char *const *files);
void known_hosts_close(struct known_hosts *k); /* accepts NULL */

/* "cannot read ~/.ssh/known_hosts: Permission denied", or NULL when all that exist were read. */
const char *known_hosts_trouble(const struct known_hosts *k);

/* Looks for [name]:port, and when that is unknown for the name alone, as ssh does. */
struct known_answer known_hosts_check(const struct known_hosts *k, const struct known_host *host,
                                      const void *key, size_t len);

/* Adds the types of the keys known for this host, each once: what to ask the server for first. */
void known_hosts_types(const struct known_hosts *k, const struct known_host *host, struct arena *a,
                       struct strs *ret);

/* Why a key was refused and what to do about it, in one line. */
const char *known_hosts_refusal(const struct known_hosts *k, struct arena *a,
                                const struct known_answer *answer, const struct known_host *host,
                                const void *key, size_t len);

/* The type in a key blob, in the arena; NULL when the blob is none. */
const char *host_key_type(struct arena *a, const void *key, size_t len);

/* "ED25519", "ECDSA", "RSA", "DSA", else the type itself, fit to be shown. */
const char *host_key_kind(struct arena *a, const char *type);

/* "SHA256:" and base64 without padding, as ssh prints it. */
const char *host_key_fingerprint(struct arena *a, const void *key, size_t len);

/* A pin is "SHA256:..." or a public key line "ssh-ed25519 AAAA... comment". */
bool host_key_pin_is_valid(const char *pin);
bool host_key_pin_matches(const char *pin, const void *key, size_t len);

/* The type of a pin that is a public key line, else NULL. */
const char *host_key_pin_type(struct arena *a, const char *pin);

/* The home directory: $HOME when that is an absolute path, else that of the user database. */
const char *home_dir(void);

/* Whom ssh would log in as when nobody names a user: the entry of the real user id in the user
 * database, never a variable of the environment.  NULL when it has no entry, as in a container. */
const char *login_user(struct arena *a);

/* "~/x" and "~ann/x" become paths (the latter stays as it is when there is no such user); and a
 * path under the home directory becomes "~/x" again, for people. */
const char *home_expand(struct arena *a, const char *path);
const char *home_shorten(struct arena *a, const char *path);

#endif
