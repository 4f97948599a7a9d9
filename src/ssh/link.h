/* ssh_link.h -- one host over libssh2, for the sources that drive it and nobody else:
 *
 *   fleet_ssh.c       the carrier: when to dial, how many at once, what time it is, the end of it
 *   ssh_connection.c  the connection: key exchange, and whether the host is the right one
 *   ssh_login.c       keys, agent, password
 *   ssh_channel.c     scripts, once logged in
 *   ssh_link.c        what a link says, of itself and of its death
 *
 * Each step function does what can be done now, and says whether it got anywhere: false means that
 * the library answers EAGAIN and the loop will tell when to come again. */
#ifndef CRELEASE_SSH_LINK_H
#define CRELEASE_SSH_LINK_H

#include "ssh/known_hosts.h"
#include "fleet/carrier.h"
#include "ssh/agent.h"
#include "ssh/dial.h"
#include "ssh/keys.h"
#include "ssh/share.h"
#include "ssh/wire.h"

#include <libssh2.h>

enum {
    PACKET_BYTES = 32768,
    ROUNDS = 32,                      /* of one pump; then other links get their turn */
    PUMP_BYTES_MAX = 4 * 1024 * 1024, /* read in one go */
    ALIVE_INTERVALS = 3,
};

enum link_state {
    LINK_IDLE,      /* nobody wants anything yet, or the connection was lost meanwhile */
    LINK_DIALING,   /* name, then TCP */
    LINK_QUEUED,    /* too many logins under way at this address */
    LINK_PAUSED,    /* the server was too busy; again at retry_ms */
    LINK_HANDSHAKE, /* banner and keys; then the host key is checked */
    LINK_LOGIN,
    LINK_READY,
    LINK_DEAD, /* and will not be tried again */
};

enum login_stage { LOGIN_AGENT, LOGIN_KEYS, LOGIN_METHODS, LOGIN_PASSWORD, LOGIN_DIALOGUE };

enum channel_state {
    CHANNEL_WAITING,
    CHANNEL_OPENING,
    CHANNEL_EXEC,
    CHANNEL_RUNNING,
    CHANNEL_ENDING,
    CHANNEL_GONE
};

struct channel {
    struct channel *next;
    struct link *link;  /* the connection it is on */
    struct exchange *x; /* NULL when it was told its end, or cut */
    enum channel_state state;
    LIBSSH2_CHANNEL *ssh;
    char *command; /* a copy: the request may outlive the exchange */
    bool input_over;
    bool ahead; /* what could be sent before the answer to exec was sent */
    int refusals;
};

struct link {
    struct link *next;
    const struct fleet_host *host;
    const struct fleet_options *options;
    struct loop *loop;
    uv_loop_t *uv;
    struct arena arena; /* for this attempt; emptied before the next */
    struct known_host id;
    enum link_state state;
    uv_timer_t *timer;
    struct dial *dial;
    struct wire *wire;
    LIBSSH2_SESSION *ssh;
    long long connect_ms;
    long long alive_ms;
    long long deadline_ms; /* of connecting, all of it */
    long long retry_ms;
    long long queued_ms;
    long long wait_ms;  /* since when it waits for the agent or a person; 0: it does not */
    int signals;        /* that had come before it began to connect */
    long long asked_ms; /* when the unanswered "are you there" was sent; 0: none was */
    long long pinged_ms;
    int retries;
    bool has_slot;   /* one of LOGINS_PER_ADDRESS */
    bool was_ready;  /* lost after that: the next script connects again */
    size_t received; /* before the login was done */
    size_t taken;    /* in this pump() */
    bool taken_all;  /* there is probably more */
    bool deaf;
    bool pumping;
    bool closing;            /* as soon as pump() is over */
    const char *why;         /* it is dead */
    const char *goodbye;     /* the text of the server's disconnect message */
    struct strs seen;        /* types of host keys that were not the pinned one */
    struct agent_sign *sign; /* by the agent, for the key being tried */
    const char *user;
    enum login_stage step;
    struct login_list list;
    struct login_key *key; /* being tried */
    struct secret *secret; /* for it, or the password */
    const char *methods;   /* that the server offers, when it was asked */
    struct channel *channels;
    struct channel *turn; /* the one whose request waits for an answer: one at a time */
    long long turn_ms;    /* since when */
    size_t sessions;      /* opened on this connection so far */
    size_t sessions_max;  /* so many are as many as the server allows here; 0: not known */
    struct link *more;    /* another connection to the host, for those above; NULL: none yet */
};

/* ssh_link.c */

/* To the log, when there is one. */
__attribute__((format(printf, 2, 3))) void link_say(struct link *link, const char *fmt, ...);

/* The link is dead, and why; the first cause counts.  pump() buries it when nothing uses it any
 * more. */
__attribute__((format(printf, 2, 3))) void link_die(struct link *link, const char *fmt, ...);

/* It died in the middle, with what is known of that. */
void link_lost(struct link *link);

/* "web1 port 22" */
const char *link_place(struct link *link);

/* What to say when the library gave up: the server's farewell, the socket's trouble, or its own
 * words. */
const char *link_loss(struct link *link);
const char *link_error_text(struct link *link);

/* What a server said, so that it can be shown: printable and not long. */
const char *link_server_text(struct link *link, const char *text, size_t len);

/* fleet_ssh.c */

/* Another connection to the same host: opened when there is none yet, closed with this one. */
struct link *link_more(struct link *link);

/* Something may have changed: goes on with it.  The callback of what belongs to a link. */
void link_on_change(void *arg);

/* The same, as soon as the loop turns. */
void link_poke(struct link *link);

/* While it waits for the agent or a person its own time does not run. */
void link_waits(struct link *link, bool on);

/* The secret, which may not be there yet; see share_secret. */
struct secret *link_ask(struct link *link, const char *name, const char *what);

/* Others may log in at that address. */
void link_leave_slot(struct link *link);

/* Gives this connection up and tries another in so many milliseconds. */
void link_pause(struct link *link, long long ms);

/* ssh_connection.c*/

/* The address is connected: a session of the library begins on it. */
void connection_begin(struct link *link);
bool connection_handshake(struct link *link);

/* Ends the connection, not the link.  `politely` takes leave of the server. */
void connection_end(struct link *link, bool politely);

/* ssh_login.c */
void login_begin(struct link *link);
bool login_step(struct link *link);

/* ssh_channel.c */

/* A channel for the exchange: it opens when its turn comes. */
void channel_start(struct link *link, struct exchange *x);

/* Nobody waits for this channel any more. */
void channel_cut(struct channel *c);

bool channels_step(struct link *link);

/* Each is gone, and its exchange hears why; NULL: it hears nothing. */
void channels_end(struct link *link, const char *why);

/* Frees those that are gone. */
void channels_sweep(struct link *link);

#endif
