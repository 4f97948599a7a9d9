/* fleet.h -- run these scripts on these hosts, all at once, and give me every answer.
 *
 *     struct fleet *fleet = fleet_open(loop, hosts, n, &options);
 *     struct call calls[] = {{.host = 0, .script = "uname\n", .timeout_ms = 10000}, ...};
 *     struct reply replies[n_calls];
 *     fleet_run(fleet, arena, calls, n_calls, replies);
 *     fleet_close(fleet);
 *
 * A host is connected when its first script is to run, all hosts at once, and again when a
 * connection that was lost is wanted anew.  A script is POSIX shell: it is run by /bin/sh of the
 * host, reaches it through standard input (so its values are in no argument list), and has as its
 * own standard input the payload, then (but for `hold` and `say`) end of file.  Each answer is a
 * value; nothing is retried here. */
#ifndef CRELEASE_FLEET_H
#define CRELEASE_FLEET_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/loop.h"

#include <sys/types.h>

struct fleet;

enum transport { TRANSPORT_LIBSSH2, TRANSPORT_LOCAL };

/* One host, as the recipe gives it; the texts outlive the fleet.  NULL: not given. */
struct fleet_host {
    const char *name;    /* what people see */
    const char *address; /* name or IP address to connect to */
    const char *user;    /* whom to log in as; not needed with TRANSPORT_LOCAL */
    int port;            /* 0: 22 */
    const char
        *host_key; /* pinned: "SHA256:..." or a public key line; then known_hosts is not asked */
    const char *identity; /* a private key file; then only that one is tried */
    enum transport transport;
};

enum reply_kind {
    REPLY_EXIT,      /* ended with `status` */
    REPLY_SIGNAL,    /* ended by `signal` ("KILL") */
    REPLY_LOST,      /* it was sent and no end was seen: it may have run, in part, or still run */
    REPLY_TIMEOUT,   /* as LOST, after the call's deadline */
    REPLY_UNREACHED, /* it was never sent: no connection, unknown host key, no login */
    REPLY_STOPPED,   /* as LOST, because the caller asked to stop (second signal) */
};

struct reply {
    enum reply_kind kind;
    int status;
    const char *signal;
    const char *out; /* standard output, when the call had no output function; terminated */
    size_t out_len;
    const char *err_out; /* the last of standard error, terminated */
    const char *why;     /* one line, for the kinds that are not an end; else NULL */
    bool too_large;      /* LOST, since only the beginning of the answer is in `out` */
};

/* Takes standard output as it comes. */
typedef void fleet_output(void *arg, const char *bytes, size_t len);

/* Hears at once of a host that was lost while others still answer; why is one line. */
typedef void fleet_lost(void *arg, const char *why);

struct call {
    size_t host;        /* index into the hosts */
    const char *script; /* text, terminated */
    int head;           /* a file descriptor read with pread from 0, shared by calls; sent before */
    off_t head_size;    /* the payload; 0 for none */
    int payload;        /* the same, behind it; -1 for none */
    off_t payload_size;
    long long timeout_ms; /* from the moment it is sent; 0 for none */
    bool hold;            /* stays: counts as answered (REPLY_EXIT 0) when it prints its first line
                             that begins with "held"; then lives until fleet_let_go */
    struct buf *say; /* or NULL: what the caller, who may add to it at any time, has the script read
                        behind the payload; then its input does not end before the call does */
    const bool *said_all; /* with say, or NULL: once it is true, and all was sent, the input ends */
    fleet_output *output; /* or NULL: collected in the reply, at most REPLY_BYTES_MAX */
    fleet_lost *lost;     /* or NULL: the reply tells */
    void *arg;
};

/* Whether a person is there who can be asked for a secret; called right before the question, to
 * make room for it on the screen. */
typedef bool fleet_ask(void *arg);

struct fleet_options {
    const char *const *known_hosts; /* files, NULL-terminated; NULL: ~/.ssh/known_hosts,
                                       ~/.ssh/known_hosts2 and the two in /etc/ssh */
    long connect_ms;                /* name, TCP, banner, keys and login together; 0: 15 s */
    long alive_interval_ms;         /* 0: 15 s; three without a byte end the connection */
    fleet_ask *ask;                 /* NULL: nobody is */
    void *ask_arg;
    /* A first signal came, and a trip that has to be finished goes on; may be NULL. */
    void (*interrupted)(void *arg);
    void *interrupted_arg;
    void (*tell)(void *arg, const char *line); /* for the person, always; may be NULL */
    void *tell_arg;
    void (*log)(void *arg, const char *host, const char *line); /* -v: what happens; may be NULL */
    void *log_arg;
};

/* No I/O yet. */
struct fleet *fleet_open(struct loop *loop, const struct fleet_host *hosts, size_t n,
                         const struct fleet_options *options);

/* Starts every call, returns when each has its reply; the texts of the replies live in the arena.
 * A first signal does not end it (the trip under way is finished); a second one does, and so does
 * each that comes while a trip begun after a signal is under way.  With `impatient` set on the
 * fleet the first one does. */
void fleet_run(struct fleet *fleet, struct arena *a, const struct call *calls, size_t n,
               struct reply *ret_replies);
void fleet_impatient(struct fleet *fleet, bool on);

/* Whether to stop is asked of that function instead, about ten times a second; NULL: as above. */
typedef bool fleet_stop(void *arg);
void fleet_stop_when(struct fleet *fleet, fleet_stop *stop, void *arg);

/* Hears several times a second how many bytes of the payloads have been sent to all hosts of a
 * fleet_run together, and of how many; NULL: nobody does. */
typedef void fleet_progress(void *arg, long long sent, long long total);
void fleet_watch(struct fleet *fleet, fleet_progress *progress, void *arg);

/* While fleet_run is under way: whether a script of that host still runs, and that there is
 * something new in its `say` or `said_all`. */
bool fleet_is_running(const struct fleet *fleet, size_t host);
void fleet_said(struct fleet *fleet, size_t host);

/* Waits as loop_wait does, while the held scripts go on hearing from us. */
bool fleet_wait(struct fleet *fleet, long long ms);

/* For whoever turns the loop otherwise: held scripts hear from us when it is time. */
void fleet_beat(struct fleet *fleet);

/* Whether a held script of that host has ended or was lost since it held. */
bool fleet_hold_is_lost(const struct fleet *fleet, size_t host);

/* Ends the input of every held script and waits for their ends, for a few seconds at most. */
void fleet_let_go(struct fleet *fleet);

/* Ends connections; scripts that still run are left to themselves.  Accepts NULL. */
void fleet_close(struct fleet *fleet);

#endif
