/* known_hosts.h -- whether a key belongs to a host according to the known_hosts files.
 *
 *     struct known_hosts *known = known_hosts_open(NULL);
 *     struct known_answer answer = known_hosts_check(known, &host, key, len);
 *     if (answer.known != KNOWN_YES)
 *         err_set(err, ERR_UNREACHABLE, "%s", known_hosts_refusal(known, a, &answer));
 *     known_hosts_close(known);
 *
 * The files are read once, by known_hosts_open, following sshd(8): lists, wildcards, negation,
 * hashed names, [host]:port, @revoked and @cert-authority.  Invalid lines are ignored.  A key is a
 * blob of the SSH protocol (host_key.h). */
#ifndef CRELEASE_KNOWN_HOSTS_H
#define CRELEASE_KNOWN_HOSTS_H

#include "base/buf.h"

struct known_hosts;

enum known {
    KNOWN_YES,
    KNOWN_UNKNOWN, /* no line matches this host */
    KNOWN_CHANGED, /* lines match the host, but all have other keys */
    KNOWN_REVOKED, /* this key is revoked, which overrides everything else */
    KNOWN_CA_ONLY, /* only a certificate authority matches, and this key is not a certificate */
};

struct known_host {
    const char *name; /* as given for connecting: a name or an IP address */
    int port;
    bool is_git; /* a Git server, and no host of the recipe */
};

/* The answer to a check, with the line that decided: for KNOWN_YES the matching one, for
 * KNOWN_CHANGED one with another key, preferably of the same type.  The texts live as long as the
 * struct known_hosts. */
struct known_answer {
    enum known known;
    const char *file; /* NULL if no line decided */
    unsigned line;
    const char *type;       /* of the key on that line: "ssh-ed25519" */
    struct known_host host; /* what was asked */
    const void *key;
    size_t key_len;
};

/* Reads the files, a NULL-terminated list.  NULL stands for ~/.ssh/known_hosts, ~/.ssh/known_hosts2
 * and ssh_known_hosts, ssh_known_hosts2 in /etc/ssh.  A leading "~/" is the home directory.  A
 * missing file counts as empty.  What the environment variable CRELEASE_KNOWN_HOSTS holds, lines or the
 * path of a file, comes first. */
struct known_hosts *known_hosts_open(const char *const *files);
void known_hosts_close(struct known_hosts *k); /* accepts NULL */

/* Returns "cannot read ~/.ssh/known_hosts: Permission denied", or NULL if nothing failed. */
const char *known_hosts_trouble(const struct known_hosts *k);

/* Looks up [name]:port, and if that is unknown the name alone, as ssh does. */
struct known_answer known_hosts_check(const struct known_hosts *k, const struct known_host *host,
                                      const void *key, size_t len);

/* Appends the types of the keys known for this host, each once, to request these from the
 * server. */
void known_hosts_types(const struct known_hosts *k, const struct known_host *host, struct arena *a,
                       struct strs *ret);

/* Returns the name as the files have it: in lower case, as [name]:port unless the port is 22. */
const char *known_hosts_name(struct arena *a, const char *name, int port);

/* Appends a line with the host's key to the file, which is created if necessary, with its name as a
 * hash if `hashed`.  Returns why that failed, or NULL. */
const char *known_hosts_add(struct arena *a, const char *file, const struct known_host *host,
                            const void *key, size_t len, bool hashed);

/* Explains in one line why a key was refused, and what to do. */
const char *known_hosts_refusal(const struct known_hosts *k, struct arena *a,
                                const struct known_answer *answer);

#endif
