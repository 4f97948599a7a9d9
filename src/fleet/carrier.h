/* carrier.h -- the interface between fleet.c and the transports that carry scripts to hosts.
 *
 * A transport is a struct carrier.  fleet.c creates an exchange for each call and passes it to
 * `start`.  The carrier connects if necessary, runs exchange->command on the host, feeds it
 * exchange_input until the input has ended, and passes its output to exchange_output.  At the end
 * it calls exactly one of exchange_exit and exchange_fail, once. */
#ifndef CRELEASE_CARRIER_H
#define CRELEASE_CARRIER_H

#include "base/buf.h"
#include "fleet/fleet.h"
#include "fleet/greeting.h"

/* How an exchange ended.  Plain values only, so that they can be copied and outlive the carrier. */
struct ending {
    enum reply_kind kind;
    int status;
    char signal[32];
    struct buf why;
};

/* One script on one host.  fleet_run creates it and frees it before it returns.  A held exchange
 * passes to the host's fleet_member instead, which frees it when it has ended.  A carrier never
 * frees an exchange, and must not use it after exchange_exit, exchange_fail or `cut`. */
struct exchange {
    /* for the carrier */
    char *command; /* for a login shell of any kind; makes it read the script from stdin */
    void *own;     /* the carrier's own data */
    bool sent;     /* set by the carrier once the command may have reached the host */
    /* for fleet.c and exchange.c only */
    const struct fleet_host *host;
    struct call call; /* a copy; what it points to may be gone once the exchange is held */
    struct ending end;
    struct greeting greeting;
    bool waits;           /* the input waits until the shell is ready */
    bool asks;            /* sudo may ask for a password, and the input waits for that */
    int ends;             /* prompts in a terminal that were answered with the end of input */
    bool answered;        /* the password was sent */
    size_t password_sent; /* of its bytes */
    struct buf script;    /* including the lines in front of it */
    size_t script_sent;
    off_t payload_sent;
    struct buf chunk; /* read from the payload, but not yet sent */
    struct buf out;
    struct buf err_out;
    bool input_ended;
    bool done;      /* there is a reply */
    bool held;      /* the script has printed "held" */
    size_t hold_at; /* the output before this offset has been searched for "held" */
    bool over;      /* the carrier has finished with it */
    bool let_go;
    int beats;   /* heartbeats that still have to be written */
    bool framed; /* runs in a session, whose shell is `in` until it has ended */
    struct exchange *in;
    /* Takes both streams of a session's shell instead; NULL: none does. */
    void (*raw)(void *arg, int stream, const char *bytes, size_t len);
    void *raw_arg;
    long long last_beat_ms;
    long long sent_ms; /* when fleet.c noticed that it was sent; 0: not yet */
};

struct link;

/* What a transport implements.  None of these functions may block. */
struct carrier {
    const char *name;
    /* Creates the connection of a host without connecting yet. */
    struct link *(*open)(struct fleet *fleet, const struct fleet_host *host,
                         const struct fleet_options *options, struct loop *loop);
    /* Starts an exchange, and connects first if necessary.  Several may be in progress at once. */
    void (*start)(struct link *link, struct exchange *x);
    /* exchange_input has something new: bytes or the end of the input. */
    void (*wake)(struct link *link, struct exchange *x);
    /* The size of the exchange's terminal (call.terminal) has changed. */
    void (*resize)(struct link *link, struct exchange *x);
    /* Drops the exchange at once and reports nothing; it must not be used afterwards. */
    void (*cut)(struct link *link, struct exchange *x);
    /* Ends the connection.  Its uv handles may close later; fleet.c turns the loop for that. */
    void (*close)(struct link *link);
};

/* This machine as a host. */
extern const struct carrier carrier_local;

/* ---- for carriers ---- */

/* Returns the number of bytes to send next and sets *ret to them; 0 if there are none now. */
size_t exchange_input(struct exchange *x, const char **ret);

/* Records that n of those bytes were sent. */
void exchange_sent(struct exchange *x, size_t n);

/* Whether all input has been sent, so that standard input has to be closed. */
bool exchange_input_is_over(const struct exchange *x);

/* Takes output of the script; stream is 1 for standard output, 2 for standard error. */
void exchange_output(struct exchange *x, int stream, const char *bytes, size_t len);

/* Ends the exchange.  signal is NULL for an ordinary exit, else the signal's name without SIG. */
void exchange_exit(struct exchange *x, int status, const char *signal);

/* Ends the exchange because there is no connection: as REPLY_LOST if x->sent, else as
 * REPLY_UNREACHED.  why is one line. */
void exchange_fail(struct exchange *x, const char *why);

/* ---- for fleet.c ---- */

struct exchange *exchange_make(const struct fleet_host *host, const struct call *call);

/* The same for a script that a session runs. */
struct exchange *exchange_make_frame(const struct fleet_host *host, const struct call *call);
void exchange_free(struct exchange *x);

/* Ends the exchange with that kind of reply.  Must be called only once. */
void exchange_over(struct exchange *x, enum reply_kind kind, const char *why);

/* Bytes of the payload, and how many of them the carrier has taken. */
long long exchange_payload(const struct exchange *x);
long long exchange_payload_sent(const struct exchange *x);

/* Returns the reason why the script's shell did not start.  how says what happened to the login
 * shell, as in "ended with exit status 1". */
const char *exchange_no_script(const struct exchange *x, struct arena *a, const char *how);

/* Returns the reply, copied into the arena. */
struct reply exchange_reply(struct arena *a, const struct exchange *x);

#endif
