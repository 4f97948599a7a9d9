/* fleet.h -- runs scripts on several hosts at once and returns all replies.
 *
 *     struct fleet *fleet = fleet_open(loop, hosts, n, &options);
 *     struct call calls[] = {{.host = 0, .script = "uname\n", .timeout_ms = 10000}, ...};
 *     struct reply replies[n_calls];
 *     fleet_run(fleet, arena, calls, n_calls, replies);
 *     fleet_close(fleet);
 *
 * All hosts are connected at once, each when its first script is to run, and again when a script is
 * to run after the connection was lost.  A script is POSIX shell for /bin/sh of the host.  It
 * reaches the host through standard input, so its values are in no argument list.  The script's own
 * standard input is the payload, then end of file (except with `hold` and `say`).  Each reply is a
 * value; nothing is retried here. */
#ifndef CRELEASE_FLEET_H
#define CRELEASE_FLEET_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/loop.h"

#include <sys/types.h>

struct fleet;
struct carrier; /* fleet/carrier.h */
struct sudo;    /* fleet/sudo.h */

enum transport { TRANSPORT_LIBSSH2, TRANSPORT_OPENSSH, TRANSPORT_LOCAL, TRANSPORTS };

/* One host, as the recipe gives it.  The texts must outlive the fleet.  NULL: not given. */
struct fleet_host {
    const char *name;     /* shown in messages */
    const char *address;  /* name or IP address to connect to */
    const char *user;     /* to log in as; not needed with TRANSPORT_LOCAL */
    int port;             /* 0: 22 */
    const char *host_key; /* pinned: "SHA256:..." or a public key line.  Replaces known_hosts */
    const char *identity; /* a private key file; no other key is tried then */
    enum transport transport;
    const char *become; /* the user as whom scripts run, through sudo; NULL: as who logs in */
    struct sudo *sudo;  /* with `become`: what is known of sudo there; NULL: it needs no password */
    const struct fleet_host
        *via;                  /* the jump host before this one.  Hosts with the same pointer share
                                     its connection */
    const char *proxy_command; /* shell text: its standard input and output are the connection */
    struct strs identities;    /* key files to try first; empty: the usual ones */
    bool no_identities;        /* try no key file, also none of the usual ones */
    bool identities_only;      /* try no other key of the agent */
    bool no_agent;
    const char *agent;              /* the socket of the agent; NULL: $SSH_AUTH_SOCK */
    const char *const *known_hosts; /* files, NULL-terminated; NULL: those of the options */
    const char *host_key_alias;     /* the name to look up in known_hosts */
    const char *host_key_types;     /* the only ones to accept, separated by commas; NULL: all */
    bool accept_new_key;            /* add an unknown host key to the first known_hosts file */
    bool hash_names;                /* and hash the host's name there */
    long connect_ms;                /* 0: that of the options; so for the next two */
    long alive_interval_ms;
    int alive_max;    /* intervals without a byte that end a connection; 0: three */
    int family;       /* AF_INET or AF_INET6 only; AF_UNSPEC: either */
    const char *bind; /* the local address to connect from */
    bool scan;        /* only report its key, to fleet_options.scanned; nobody logs in */
    /* With TRANSPORT_OPENSSH: arguments of ssh, and its destination. */
    struct strs program;
    const char *destination;
};

enum reply_kind {
    REPLY_EXIT,      /* ended with `status` */
    REPLY_SIGNAL,    /* ended by `signal` ("KILL") */
    REPLY_LOST,      /* sent, but its end was not seen: it may have run in part, or still run */
    REPLY_TIMEOUT,   /* as LOST: the call's deadline passed */
    REPLY_UNREACHED, /* never sent: no connection, unknown host key, login failed */
    REPLY_STOPPED,   /* as LOST: the caller asked to stop (second signal) */
};

struct reply {
    enum reply_kind kind;
    int status;
    const char *signal;
    const char *out; /* standard output if the call has no output function; terminated */
    size_t out_len;
    const char *err_out; /* the end of standard error, terminated */
    const char *why;     /* one line; NULL for REPLY_EXIT and REPLY_SIGNAL */
    bool too_large;      /* REPLY_LOST because only the beginning of the output fits `out` */
};

/* Receives standard output as it arrives. */
typedef void fleet_output(void *arg, const char *bytes, size_t len);

/* Called as soon as a host is lost, while other hosts still answer.  why is one line. */
typedef void fleet_lost(void *arg, const char *why);

struct termios;

/* A terminal on the host, in which a script runs.  All output is then standard output. */
struct fleet_terminal {
    const char *type;            /* as in TERM */
    const struct termios *modes; /* of the terminal of this machine */
    int columns;
    int rows; /* the caller may change both (fleet_resized) */
};

struct call {
    size_t host;        /* index of the host */
    const char *script; /* text, terminated */
    bool secret;        /* it contains a password: the text is wiped once it has arrived */
    const char *frame;  /* the same for the host's session, which has fleet_options.session already;
                           NULL: it does not run there.  Contains the payload, which is not sent
                           then; no `say` or `output` */
    const char *keep;   /* with `hold`: text that makes the session the keeper (host/session.sh) */
    int head;           /* descriptor of the first part of the payload, read with pread from 0 */
    off_t head_size;    /* its size; 0 for none.  Several calls may share it */
    int payload; /* descriptor of the second part, read with pread from payload_at; -1 for none */
    off_t payload_at;
    off_t payload_size;
    long long timeout_ms; /* from the moment it is sent; 0 for none */
    bool hold;            /* counts as answered (REPLY_EXIT 0) as soon as it prints a line that
                             begins with "held"; keeps running until fleet_let_go */
    bool reads;           /* the shell reads the script as its commands, and goes on with `say` */
    struct buf *say; /* NULL, or further input behind the payload.  The caller may add to it at any
                        time (fleet_said); the input stays open until the call ends */
    const bool *said_all; /* NULL, or with `say`: once true, the input ends when all is sent */
    struct fleet_terminal *terminal; /* or NULL.  The script finds the terminal in raw mode, and the
                                        modes to restore with stty in $terminal_modes */
    fleet_output *output; /* NULL: the output is collected in the reply, up to REPLY_BYTES_MAX */
    fleet_lost *lost;     /* NULL: only the reply tells */
    void *arg;
};

/* Whether there is a person to ask for a secret.  Called right before the question, so that it can
 * clear a place on the screen. */
typedef bool fleet_ask(void *arg);

struct fleet_options {
    /* The transports, by enum transport; needed for those that the hosts use. */
    const struct carrier *carriers[TRANSPORTS];
    const char *const *known_hosts; /* files, NULL-terminated; NULL: ~/.ssh/known_hosts,
                                       ~/.ssh/known_hosts2 and the two in /etc/ssh */
    const char *session;            /* the program of a session's shell; NULL: there are none */
    long connect_ms;                /* for name, TCP, banner, keys and login together; 0: 15 s */
    long alive_interval_ms;         /* 0: 15 s.  Three intervals without a byte end a connection */
    fleet_ask *ask;                 /* NULL: nobody can be asked */
    void *ask_arg;
    /* Acknowledges a first signal while the current trip has to finish; may be NULL. */
    void (*interrupted)(void *arg);
    void *interrupted_arg;
    void (*tell)(void *arg, const char *line); /* shows the user a line; may be NULL */
    void *tell_arg;
    /* Takes the key of a host with `scan`, which was not verified; needed if there is one. */
    void (*scanned)(void *arg, const struct fleet_host *host, const void *key, size_t len);
    void *scanned_arg;
    void (*log)(void *arg, const char *host, const char *line); /* for -v; may be NULL */
    void *log_arg;
};

/* Creates the fleet without any I/O.  `hosts` must outlive it, `options` is copied. */
struct fleet *fleet_open(struct loop *loop, const struct fleet_host *hosts, size_t n,
                         const struct fleet_options *options);

/* Starts every call and returns when each has its reply.  The texts of the replies are allocated in
 * the arena.  A first signal lets the trip finish; a second one ends it, and so does any signal
 * during a trip that began after the first.  While `impatient` is on, the first signal ends it. */
void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies);
void fleet_impatient(struct fleet *fleet, bool on);

/* Calls `stop` instead, about ten times a second, to learn whether to stop.  NULL: as above. */
typedef bool fleet_stop(void *arg);
void fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg);

/* Reports several times a second how much of the payloads of a fleet_run has been sent: one entry for
 * each call that has one.  NULL turns it off. */
struct fleet_sent {
    size_t host;
    long long sent;
    long long total;
};
typedef void fleet_progress(void *arg, const struct fleet_sent *sent, size_t n);
void fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg);

/* During fleet_run: whether a script of that host is still running, and a notice that its `say` or
 * `said_all` has changed. */
bool fleet_is_running(const struct fleet *fleet, size_t host);
void fleet_said(struct fleet *fleet, size_t host);

/* A notice that the size of its terminal has changed. */
void fleet_resized(struct fleet *fleet, size_t host);

/* Waits like loop_wait, and sends heartbeats to the held scripts meanwhile. */
bool fleet_wait(struct fleet *fleet, long long ms);

/* Sends the heartbeats that are due.  For callers that turn the loop themselves. */
void fleet_beat(struct fleet *fleet);

/* Whether the held script of that host has ended or was lost. */
bool fleet_hold_is_lost(const struct fleet *fleet, size_t host);

/* The session of that host no longer keeps the lock, which the next script releases. */
void fleet_let_go_of(struct fleet *fleet, size_t host);

/* Ends the input of every held script and waits a few seconds at most for them to end. */
void fleet_let_go(struct fleet *fleet);

/* Ends the connections and frees the fleet.  Scripts that still run are left alone.  Accepts
 * NULL. */
void fleet_close(struct fleet *fleet);

#endif
