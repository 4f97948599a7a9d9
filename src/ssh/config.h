/* config.h -- what the user's ssh configuration says of a host: the answer of `ssh -G`.
 *
 * ssh itself evaluates Include, Host and Match, so crelease sees what ssh would do.  Values of the
 * recipe win over these; whoever builds a struct fleet_host merges both. */
#ifndef CRELEASE_SSH_CONFIG_H
#define CRELEASE_SSH_CONFIG_H

#include "base/err.h"
#include "edge/loop.h"

enum ssh_config_strict { STRICT_YES, STRICT_ACCEPT_NEW };

/* A destination as it is given to ssh: `ssh -p PORT -l USER HOST`. */
struct ssh_target {
    const char *host;
    const char *user; /* NULL: not given */
    int port;         /* 0: not given */
};

/* All texts are allocated in the arena of ssh_config_read.  Paths are expanded. */
struct ssh_config {
    const char *host;            /* HostName, or the name that was given */
    const char *user;            /* NULL: none is configured or given */
    int port;                    /* 0: none is configured or given */
    struct strs identities;      /* IdentityFile; empty: ssh's own defaults */
    bool no_identities;          /* IdentityFile none: no key file, also none of the defaults */
    bool identities_only;        /* IdentitiesOnly */
    const char *agent;           /* IdentityAgent: a path, or "none"; NULL: $SSH_AUTH_SOCK */
    const char *jump;            /* ProxyJump, as configured: "ann@b1:2222,b2"; NULL: none */
    const char *command;         /* ProxyCommand with its tokens expanded; NULL: none */
    const char *const *known;    /* known_hosts files, the user's first; NULL: the usual ones */
    const char *alias;           /* HostKeyAlias; NULL: none */
    const char *key_types;       /* HostKeyAlgorithms, separated by commas; NULL: all */
    enum ssh_config_strict keys; /* StrictHostKeyChecking */
    bool hashed;                 /* HashKnownHosts */
    long connect_ms;             /* ConnectTimeout; 0: none */
    long alive_ms;               /* ServerAliveInterval; 0: none */
    int alive_max;               /* ServerAliveCountMax */
    int family;                  /* AddressFamily: AF_UNSPEC, AF_INET or AF_INET6 */
    const char *bind;            /* BindAddress; NULL: none */
    struct strs ignored;         /* names of options that are set and have no effect here */
};

/* Which configuration to read, and the destinations to ask for. */
struct ssh_config_query {
    const char *file; /* NULL: the user's and the system's; "none"; or a path */
    const struct ssh_target *target;
    size_t n;
};

/* Asks the ssh program for every target, side by side, and fills n configurations.  Without an ssh
 * program, or without an entry in passwd for the current user (ssh refuses to work then), the
 * configurations have only what was given; *ret_why says so if a configuration exists that is not
 * read, else it is NULL.  Fails with ERR_USAGE if ssh rejects its configuration. */
bool ssh_config_read(struct loop *loop, struct arena *a, const struct ssh_config_query *query,
                     struct ssh_config *ret, const char **ret_why, struct err *err) MUST_CHECK;

/* Whether there is an ssh program, and it works for this user id. */
bool ssh_config_program_works(void);

/* Appends the arguments that make ssh read that configuration (as in struct ssh_config_query) and use
 * the target's port and user: "-F FILE -p PORT -l USER". */
void ssh_config_arguments(struct arena *a, const char *file, const struct ssh_target *target,
                          struct strs *argv);

/* Parses one answer of `ssh -G`; `plain` is its answer with no configuration at all, which tells
 * what is only a default. */
void ssh_config_parse(struct arena *a, const struct ssh_target *target, const char *text,
                      const char *plain, struct ssh_config *ret);

/* Parses one hop of a ProxyJump, "user@host:port" or "ssh://user@host:port".  False if it is none. */
bool ssh_target_parse(struct arena *a, const char *text, size_t len, struct ssh_target *ret);

#endif
