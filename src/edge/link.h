/* link.h -- between fleet.c and its carriers: one script in flight, and who carries it.
 *
 * A carrier is a struct carrier.  fleet.c makes an exchange for each call and hands it
 * to `start`; the carrier connects if it must, runs exchange->command on the host, feeds
 * it exchange_input until that has ended, gives what comes back to exchange_output, and
 * at the end calls exactly one of exchange_exit and exchange_fail, once. */
#ifndef CRELEASE_LINK_H
#define CRELEASE_LINK_H

#include "base/buf.h"
#include "edge/fleet.h"

struct exchange {
    /* for the carrier */
    const char
        *command; /* a line for the login shell of any kind: it reads the script from stdin */
    void *own;    /* the carrier's own */
    bool sent;    /* set by the carrier once the command may have reached the host */
    /* fleet.c's own */
    struct fleet *fleet;
    const struct call *call;
    struct reply reply;
    struct buf script;
    size_t script_sent;
    off_t payload_sent;
    struct buf chunk; /* read from the payload, not yet sent */
    struct buf out;
    struct buf err_out;
    bool input_ended;
    bool done;
    bool held;
    bool let_go;
    bool cut;
    int beats; /* heartbeats still to be written */
    long long last_beat_ms;
    long long deadline_ms;
};

struct link;

struct carrier {
    const char *name;
    struct link *(*open)(struct fleet *fleet, const struct fleet_host *host,
                         const struct fleet_options *options, struct loop *loop);
    /* Connects when that has not happened; several exchanges may be under way at a time. */
    void (*start)(struct link *link, struct exchange *x);
    /* There is input again, or its end (heartbeats, let go). */
    void (*wake)(struct link *link, struct exchange *x);
    /* Forgets the exchange at once, without telling: no call on x after this. */
    void (*cut)(struct link *link, struct exchange *x);
    /* Ends everything; uv handles may still be closing (fleet.c turns the loop). */
    void (*close)(struct link *link);
};

extern const struct carrier carrier_libssh2;
extern const struct carrier carrier_local;

/* Bytes to be sent next: their number, and in ret where they are; 0 when there are none now. */
size_t exchange_input(struct exchange *x, const char **ret);
void exchange_sent(struct exchange *x, size_t n);

/* Whether all input was sent and standard input is to be closed. */
bool exchange_input_is_over(const struct exchange *x);

/* stream is 1 or 2. */
void exchange_output(struct exchange *x, int stream, const char *bytes, size_t len);

/* signal NULL for an ordinary end, else its name without SIG. */
void exchange_exit(struct exchange *x, int status, const char *signal);

/* The connection is gone or never was: LOST when x->sent, else UNREACHED; why is one line. */
void exchange_fail(struct exchange *x, const char *why);

#endif
