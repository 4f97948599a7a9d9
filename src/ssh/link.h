/* link.h -- one host over libssh2; private to the files that drive it:
 *
 *   carrier.c     the states of a link, deadlines, cleaning up
 *   connect.c     the way to the host, how many at once; tunnel.c and proxy.c for those that are not direct
 *   connection.c  key exchange and the check of the host key
 *   login.c       keys, agent, password
 *   channel.c     scripts, once logged in
 *   link.c        log lines and the reason of a failure
 *
 * Each step function does what can be done now and returns whether it made progress.  False means
 * that libssh2 returned EAGAIN; the loop calls again when something has changed. */
#ifndef CRELEASE_SSH_LINK_H
#define CRELEASE_SSH_LINK_H

#include "ssh/known_hosts.h"
#include "fleet/carrier.h"
#include "ssh/agent.h"
#include "ssh/dial.h"
#include "ssh/keys.h"
#include "ssh/proxy.h"
#include "ssh/rsa_login.h"
#include "ssh/share.h"
#include "ssh/tunnel.h"
#include "ssh/wire.h"

#include <libssh2.h>

enum {
    PACKET_BYTES = 32768,
    ROUNDS = 32,                      /* of one pump(); then other links get their turn */
    PUMP_BYTES_MAX = 4 * 1024 * 1024, /* read in one pump() */
};

enum link_state {
    LINK_IDLE,      /* no exchange yet, or the connection was lost since */
    LINK_DIALING,   /* name lookup, then TCP */
    LINK_QUEUED,    /* too many logins in progress at this address */
    LINK_PAUSED,    /* the server was too busy; tries again at retry_ms */
    LINK_HANDSHAKE, /* banner and key exchange, then the host key is checked */
    LINK_LOGIN,
    LINK_READY,
    LINK_DEAD, /* failed for good */
};

enum login_stage { LOGIN_AGENT, LOGIN_KEYS, LOGIN_METHODS, LOGIN_PASSWORD, LOGIN_DIALOGUE };

enum channel_state {
    CHANNEL_WAITING,
    CHANNEL_OPENING,
    CHANNEL_TERMINAL,
    CHANNEL_EXEC,
    CHANNEL_RUNNING,
    CHANNEL_ENDING,
    CHANNEL_GONE
};

struct channel {
    struct channel *next;
    struct link *link;     /* the connection that it belongs to */
    struct exchange *x;    /* NULL once its end was reported, or it was cut */
    struct tunnel *tunnel; /* instead of an exchange: the way to another host; likewise */
    bool tunnels;          /* it is for a tunnel, even if that is gone */
    enum channel_state state;
    LIBSSH2_CHANNEL *ssh;
    char *command; /* a copy, because the request may outlive the exchange */
    const struct fleet_terminal *terminal; /* or NULL */
    bool resized;                          /* the host has to be told its size */
    bool input_over;
    bool ahead; /* write_ahead has been tried */
    int refusals;
};

struct link {
    struct link *next;
    const struct fleet_host *host;
    const struct fleet_options *options;
    struct loop *loop;
    uv_loop_t *uv;
    struct arena arena;   /* freed with the link */
    struct known_host id; /* what to look up in known_hosts */
    int port;
    enum link_state state;
    uv_timer_t *timer;
    struct dial *dial;     /* one of these three */
    struct tunnel *tunnel; /* through the jump host `via` */
    struct proxy *proxy;
    struct link *via;
    int users; /* links that go through this one */
    struct wire *wire;
    LIBSSH2_SESSION *ssh;
    long long connect_ms;
    long long alive_ms;
    int alive_max;         /* so many of these without a byte end the connection */
    long long deadline_ms; /* for connecting and logging in */
    long long retry_ms;
    long long queued_ms;
    long long wait_ms;  /* since when it waits for the agent or the user; 0: it does not */
    int signals;        /* number of signals before it began to connect */
    long long asked_ms; /* when the unanswered keepalive was sent; 0: none */
    long long pinged_ms;
    int retries;
    bool has_slot;   /* one of LOGINS_PER_ADDRESS */
    bool was_ready;  /* it was logged in: after a loss, the next script connects again */
    size_t received; /* bytes before the login was done */
    size_t taken;    /* bytes in this pump() */
    bool taken_all;  /* PUMP_BYTES_MAX was reached; there is probably more */
    bool deaf;       /* libssh2 reads end of file; see connection_end */
    bool pumping;
    bool closing;        /* free the link at the end of pump() */
    const char *why;     /* it died */
    const char *goodbye; /* the text of the server's disconnect message */
    struct strs seen;    /* host key types that did not match the pin, and what was seen */
    struct agent *agent;
    struct agent_sign *sign; /* requested for the current key */
    const char *user;
    enum login_stage step;
    struct login_list list;
    struct login_key *key; /* the one being tried */
    struct rsa *rsa;       /* opened for it, where libssh2 cannot sign */
    struct secret *secret; /* its passphrase, or the password */
    const char *methods;   /* offered by the server; NULL: not asked yet */
    struct channel *channels;
    struct channel *turn; /* the one whose request is being answered; only one at a time */
    long long turn_ms;    /* since when */
    size_t sessions;      /* opened on this connection so far */
    size_t sessions_max;  /* the server's limit for this connection; 0: unknown */
    struct link *more;    /* another connection for further sessions, or NULL */
};

/* link.c */

/* Writes a line to the log (-v), if there is one. */
__attribute__((format(printf, 2, 3))) void link_say(struct link *link, const char *fmt, ...);

/* Marks the link as dead and records why; the first cause is kept.  pump() cleans up later. */
__attribute__((format(printf, 2, 3))) void link_die(struct link *link, const char *fmt, ...);

/* The same, for a connection that was lost; the reason is found out here. */
void link_lost(struct link *link);

/* Returns "web1 port 22". */
const char *link_place(struct link *link);

/* Returns why libssh2 failed: the server's disconnect message, the socket's error, or libssh2's own
 * message.  link_error_text returns only the latter. */
const char *link_loss(struct link *link);
const char *link_error_text(struct link *link);

/* The known_hosts files of this host; NULL: the usual ones. */
const char *const *link_known_hosts(const struct link *link);

/* Returns text from the server, safe to show and shortened. */
const char *link_server_text(struct link *link, const char *text, size_t len);

/* carrier.c */

/* Returns another connection to the same host, created on first use and closed with this one. */
struct link *link_more(struct link *link);

/* Advances the link.  The callback of everything that belongs to it. */
void link_on_change(void *arg);

/* Does the same from the loop, as soon as it turns. */
void link_poke(struct link *link);

/* Suspends the time limit for connecting while the link waits for the agent or the user. */
void link_waits(struct link *link, bool on);

/* Returns a secret, which may not have been typed yet; see share_secret. */
struct secret *link_ask(struct link *link, const char *name, const char *what);

/* The first of all links of the process; the others follow by `next`. */
struct link *links_first(void);

/* connect.c */

/* Lets other links log in at that address. */
void link_leave_slot(struct link *link);

/* Closes this connection and tries again in ms milliseconds. */
void link_pause(struct link *link, long long ms);

/* Connects if the address has a free slot, else waits for one. */
void connect_try(struct link *link);

/* One step of a link in state DIALING. */
void connect_step(struct link *link);

/* Closes the tunnel or the ProxyCommand. */
void connect_close(struct link *link);

/* connection.c */

/* Starts an SSH session on the connected socket, which it takes over. */
void connection_begin(struct link *link, int fd);
bool connection_handshake(struct link *link);

/* Ends the connection, not the link.  `politely` sends a disconnect message. */
void connection_end(struct link *link, bool politely);

/* login.c */
void login_begin(struct link *link);
bool login_step(struct link *link);

/* channel.c */

/* Creates a channel for the exchange; it opens when its turn comes. */
void channel_start(struct link *link, struct exchange *x);

/* Creates a channel that connects a tunnel. */
struct channel *channel_for_tunnel(struct link *link, struct tunnel *t);

/* Detaches the exchange or the tunnel; the channel then closes by itself. */
void channel_cut(struct channel *c);

/* Tells the host the new size of the terminal, soon. */
void channel_resize(struct channel *c);

bool channels_step(struct link *link);

/* Ends all channels and reports why to their exchanges; NULL reports nothing. */
void channels_end(struct link *link, const char *why);

/* Frees the channels that have ended. */
void channels_sweep(struct link *link);

#endif
