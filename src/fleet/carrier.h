/* link.h -- between fleet.c and its carriers: one script in flight, and who carries it.
 *
 * A carrier is a struct carrier.  fleet.c makes an exchange for each call and hands it
 * to `start`; the carrier connects if it must, runs exchange->command on the host, feeds
 * it exchange_input until that has ended, gives what comes back to exchange_output, and
 * at the end calls exactly one of exchange_exit and exchange_fail, once. */
#ifndef CRELEASE_LINK_H
#define CRELEASE_LINK_H

#include "base/buf.h"
#include "fleet/fleet.h"
#include "fleet/greeting.h"

/* How it ended: all of it values, so that nothing has to be handed over or freed with it. */
struct ending {
    enum reply_kind kind;
    int status;
    char signal[32];
    struct buf why;
};

/* Who owns it: fleet_run makes it and frees it before it returns, but for one that holds, which it
 * hands over to the host's fleet_member; that frees it when it has ended.  A carrier never does:
 * what it is told by exchange_exit and exchange_fail is only noted, and it keeps nothing of an
 * exchange after one of these, or after `cut`. */
struct exchange {
    /* for the carrier */
    char *command; /* a line for the login shell of any kind: it reads the script from stdin */
    void *own;     /* the carrier's own */
    bool sent;     /* set by the carrier once the command may have reached the host */
    /* fleet.c's own */
    const struct fleet_host *host;
    struct call call; /* a copy: what it points at is not looked at any more once it holds */
    struct ending end;
    struct greeting greeting;
    struct buf script; /* with what stands in front of it */
    size_t script_sent;
    off_t payload_sent;
    struct buf chunk; /* read from the payload, not yet sent */
    struct buf out;
    struct buf err_out;
    bool input_ended;
    bool done;      /* there is a reply */
    bool held;      /* it has said that it holds */
    size_t hold_at; /* the lines of its output before this do not say so */
    bool over;      /* the carrier is through with it */
    bool let_go;
    int beats; /* heartbeats still to be written */
    long long last_beat_ms;
    long long sent_ms; /* seen to be sent; 0: not yet */
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

/* ---- for carriers ---- */

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

/* ---- for fleet.c ---- */

struct exchange *exchange_make(const struct fleet_host *host, const struct call *call);
void exchange_free(struct exchange *x);

/* Notes an end of that kind, once. */
void exchange_over(struct exchange *x, enum reply_kind kind, const char *why);

/* Bytes of the payload: all of them, and those that a carrier has taken. */
long long exchange_payload(const struct exchange *x);
long long exchange_payload_sent(const struct exchange *x);

/* Why, when the script's shell has not begun; what became of the login instead is in how. */
const char *exchange_no_script(const struct exchange *x, struct arena *a, const char *how);

/* The reply, all of it in the arena. */
struct reply exchange_reply(struct arena *a, const struct exchange *x);

#endif
