/* fleet_ssh.c -- hosts over libssh2: connect, make sure of the host, log in, run.
 *
 * One struct link per host.  It goes through the states below, driven by pump(), which is called
 * whenever something may have changed (bytes, a timer, a new script) and does all that can be
 * done until the library answers EAGAIN everywhere.  Everything is non-blocking but two things:
 * asking a person, and the agent, which is a local socket. */
#include "edge/link.h"

#include "base/text.h"
#include "edge/known_hosts.h"
#include "edge/ssh_dial.h"
#include "edge/ssh_keys.h"
#include "edge/ssh_offer.h"
#include "edge/ssh_share.h"
#include "edge/ssh_wire.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <libssh2.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    CONNECT_MS = 15000,
    ALIVE_INTERVAL_MS = 15000,
    ALIVE_INTERVALS = 3,
    LOGINS_PER_ADDRESS = 8, /* sshd drops some from the 10th on (MaxStartups) */
    RETRY_FIRST_MS = 150,
    RETRY_MOST_MS = 2000,
    REQUEST_MS = 60000, /* for opening a channel: sshd may have slow PAM modules */
    AGENT_SECONDS = 60, /* somebody may have to touch or confirm something */
    PASSPHRASE_TRIES = 3,
    WRITE_BYTES = 32700,        /* what fits into one packet */
    PENDING_BYTES = 512 * 1024, /* above that no more input is taken */
    WINDOW_BYTES = 1024 * 1024, /* what a host may send before we have read it */
    PACKET_BYTES = 32768,
    ROUNDS = 32,                      /* of one pump; then other links get their turn */
    PUMP_BYTES_MAX = 4 * 1024 * 1024, /* read in one go */
    BEFORE_LOGIN_BYTES_MAX = 1024 * 1024,
    SERVER_TEXT_MAX = 200, /* of what a server says in a message */
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

enum login_step { LOGIN_KEYS, LOGIN_METHODS, LOGIN_PASSWORD, LOGIN_DIALOGUE };

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
    struct exchange *x; /* NULL when it was told its end, or cut */
    enum channel_state state;
    LIBSSH2_CHANNEL *ssh;
    char *command; /* a copy: the request may outlive the exchange */
    bool input_over;
    bool ahead; /* what could be sent before the answer to exec was sent */
};

struct link {
    struct link *next;
    const struct fleet_host *host;
    const struct fleet_options *options;
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
    bool closing;        /* as soon as pump() is over */
    const char *why;     /* it is dead */
    const char *goodbye; /* the text of the server's disconnect message */
    struct strs seen;    /* types of host keys that were not the pinned one */
    LIBSSH2_AGENT *agent;
    const char *user;
    enum login_step step;
    struct login_list list;
    struct login_key *key; /* being tried */
    struct secret *secret; /* for it, or the password */
    int passphrases;
    const char *methods; /* that the server offers, when it was asked */
    struct channel *channels;
    struct channel *turn; /* the one whose request waits for an answer: one at a time */
    long long turn_ms;    /* since when */
};

/* All links of the process, for the slots and for the clocks. */
static struct link *links;

static void pump(struct link *link);

static void poke(struct link *link);

static bool library_is_1_11(void)
{
    return libssh2_version(0x010b00) != NULL;
}

__attribute__((format(printf, 2, 3))) static void say(struct link *link, const char *fmt, ...)
{
    struct arena a = {0};
    va_list ap;

    if (!link->options->log)
        return;
    va_start(ap, fmt);
    link->options->log(link->options->log_arg, link->host->name, arena_vprintf(&a, fmt, ap));
    va_end(ap);
    arena_free(&a);
}

/* The first cause counts.  pump() buries what has died, when nothing uses it any more. */
__attribute__((format(printf, 2, 3))) static void die(struct link *link, const char *fmt, ...)
{
    va_list ap;

    if (link->state == LINK_DEAD)
        return;
    va_start(ap, fmt);
    link->why = arena_vprintf(&link->arena, fmt, ap);
    va_end(ap);
    link->state = LINK_DEAD;
}

static const char *server_text(struct link *link, const char *text, size_t len)
{
    bool cut = len > SERVER_TEXT_MAX;

    return arena_printf(
        &link->arena, "%s%s",
        text_shown(&link->arena, arena_strndup(&link->arena, text, cut ? SERVER_TEXT_MAX : len)),
        cut ? "..." : "");
}

static const char *last_error(struct link *link)
{
    char *text = NULL;
    int len = 0;

    int rc = libssh2_session_last_error(link->ssh, &text, &len, 0);
    return arena_printf(&link->arena, "%s (libssh2 %d)",
                        text ? server_text(link, text, len > 0 ? (size_t)len : 0) : "", rc);
}

/* What to say when the library gave up in the middle. */
static const char *loss(struct link *link)
{
    if (link->goodbye)
        return arena_printf(&link->arena, "the server said '%s'", link->goodbye);
    if (wire_trouble(link->wire))
        return wire_trouble(link->wire);
    return last_error(link);
}

/* Nobody's time runs while a person types. */
static void clocks_forward(long long ms)
{
    for (struct link *l = links; l; l = l->next) {
        l->deadline_ms += ms;
        l->queued_ms += ms;
        l->asked_ms += l->asked_ms ? ms : 0;
    }
}

/* The library talks to the agent, too, through the callbacks of the session.  That socket blocks:
 * the agent is on this machine, and may ask its owner (ssh-add -c). */

static ssize_t agent_send(int fd, const void *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

    return n < 0 ? -errno : n;
}

static ssize_t agent_recv(int fd, void *bytes, size_t len)
{
    const struct timeval most = {.tv_sec = AGENT_SECONDS};
    long long before = loop_now();
    ssize_t n;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    do
        n = recv(fd, bytes, len, 0);
    while (n < 0 && errno == EINTR);
    int error = errno == EAGAIN ? ETIMEDOUT : errno; /* "again" is for what does not block */
    clocks_forward(loop_now() - before);
    return n < 0 ? -error : n;
}

static LIBSSH2_SEND_FUNC(on_send)
{
    struct link *link = *abstract;

    (void)flags;
    if (socket != wire_fd(link->wire))
        return agent_send(socket, buffer, length);
    return wire_send(link->wire, buffer, length);
}

static LIBSSH2_RECV_FUNC(on_recv)
{
    struct link *link = *abstract;

    (void)flags;
    if (socket != wire_fd(link->wire))
        return agent_recv(socket, buffer, length);
    if (link->deaf)
        return 0;
    /* The library reads on while there is anything; a host that never stops sending must not
     * keep the others waiting, nor fill the memory before it is known who it is. */
    if (link->taken >= PUMP_BYTES_MAX) {
        link->taken_all = true;
        return -EAGAIN;
    }
    if (link->state < LINK_READY && link->received >= BEFORE_LOGIN_BYTES_MAX)
        return -EMSGSIZE;
    ssize_t n = wire_recv(link->wire, buffer, length);
    if (n > 0) {
        link->taken += (size_t)n;
        link->received += link->state < LINK_READY ? (size_t)n : 0;
    }
    return n;
}

static LIBSSH2_DISCONNECT_FUNC(on_disconnect)
{
    struct link *link = *abstract;

    (void)session;
    (void)reason;
    (void)language;
    (void)language_len;
    if (!link->goodbye && message_len > 0)
        link->goodbye = server_text(link, message, (size_t)message_len);
}

static void set_callbacks(LIBSSH2_SESSION *ssh)
{
    /* The library takes functions as object pointers. */
    union {
        LIBSSH2_SEND_FUNC((*send));
        LIBSSH2_RECV_FUNC((*recv));
        LIBSSH2_DISCONNECT_FUNC((*disconnect));
        void *any;
    } u;

    u.send = on_send;
    libssh2_session_callback_set(ssh, LIBSSH2_CALLBACK_SEND, u.any);
    u.recv = on_recv;
    libssh2_session_callback_set(ssh, LIBSSH2_CALLBACK_RECV, u.any);
    u.disconnect = on_disconnect;
    libssh2_session_callback_set(ssh, LIBSSH2_CALLBACK_DISCONNECT, u.any);
}

/* Slots: how many may log in at one address at a time. */

static bool slot_is_free(const struct link *link)
{
    int taken = 0;

    for (const struct link *l = links; l; l = l->next)
        if (l->has_slot && dial_same_address(dial_address(l->dial), dial_address(link->dial)))
            taken++;
    return taken < LOGINS_PER_ADDRESS;
}

static void slot_release(struct link *link)
{
    if (!link->has_slot)
        return;
    link->has_slot = false;
    for (struct link *l = links; l; l = l->next)
        if (l->state == LINK_QUEUED)
            poke(l);
}

static struct secret *ask_person(struct link *link, const char *name, const char *prompt)
{
    long long before = loop_now();
    struct secret *s = share_secret(name, prompt, link->options->ask, link->options->ask_arg);

    clocks_forward(loop_now() - before);
    return s;
}

/* Ends the connection, not the link.  `politely` takes leave of the server. */
static void session_end(struct link *link, bool politely)
{
    login_list_wipe(&link->list);
    link->list = (struct login_list){0};
    link->key = NULL;
    link->secret = NULL;
    if (politely && link->ssh && link->state == LINK_READY)
        libssh2_session_disconnect(link->ssh, "done");
    link->deaf = true; /* the library reads an end of file from now on, and waits for nothing */
    for (struct channel *c = link->channels; c; c = c->next) {
        c->ssh = NULL; /* freed with the session */
        if (!c->x)
            c->state = CHANNEL_GONE;
    }
    link->turn = NULL;
    if (link->agent) {
        libssh2_agent_disconnect(link->agent);
        libssh2_agent_free(link->agent);
        link->agent = NULL;
    }
    if (link->ssh) {
        for (int i = 0; i < 10000 && libssh2_session_free(link->ssh) == LIBSSH2_ERROR_EAGAIN; i++)
            continue;
        link->ssh = NULL;
    }
    wire_close(link->wire);
    link->wire = NULL;
    link->asked_ms = 0;
    link->deaf = false;
}

static void on_change(void *arg)
{
    pump(arg);
}

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

static void poke(struct link *link)
{
    uv_timer_start(link->timer, on_timer, 0, 0);
}

/* Connecting */

static void step_idle(struct link *link)
{
    if (!link->channels)
        return;
    link->deadline_ms = loop_now() + link->connect_ms;
    link->retries = 0;
    link->state = LINK_DIALING;
    link->dial = dial_open(link->uv, link->id.name, link->id.port, on_change, link);
}

static const char *place(struct link *link)
{
    return arena_printf(&link->arena, "%s port %d", text_shown(&link->arena, link->id.name),
                        link->id.port);
}

/* Appends one name if the library knows it: 1.10 takes names out of a preference that it does not
 * know with a memcpy over itself. */
static void add_algorithm(struct buf *b, const char *name, const char **supported, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(supported[i], name) == 0)
            buf_printf(b, "%s%s", b->len ? "," : "", name);
}

static void add_type(struct buf *b, const struct link *link, const char *type)
{
    const char **supported = NULL;
    int n = libssh2_session_supported_algs(link->ssh, LIBSSH2_METHOD_HOSTKEY, &supported);

    if (n <= 0)
        return;
    /* An RSA key signs with SHA-2 or not at all: SHA-1 is history. */
    if (strcmp(type, "ssh-rsa") == 0) {
        add_algorithm(b, "rsa-sha2-512", supported, n);
        add_algorithm(b, "rsa-sha2-256", supported, n);
    } else if (!strs_has(&link->seen, type)) {
        add_algorithm(b, type, supported, n);
    }
    libssh2_free(link->ssh, supported);
}

/* Types of host keys in the order in which to ask for them: those that are known come first, else
 * a server with several keys would show one that nobody here has seen. */
static const char *host_key_order(struct link *link)
{
    static const char *const usual[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                        "ecdsa-sha2-nistp521", "ssh-rsa"};
    enum { USUAL = sizeof usual / sizeof *usual };
    const char *pin = link->host->host_key;
    struct strs known = {0};
    struct buf b = buf_make(1024);

    if (pin && host_key_pin_type(&link->arena, pin))
        strs_add(&link->arena, &known, host_key_pin_type(&link->arena, pin));
    else if (!pin)
        known_hosts_types(share_known_hosts(link->options->known_hosts), &link->id, &link->arena,
                          &known);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < USUAL; i++)
            if (strs_has(&known, usual[i]) == (pass == 0))
                add_type(&b, link, usual[i]);
    const char *order = arena_strdup(&link->arena, b.text);
    buf_free(&b);
    return order;
}

static void session_begin(struct link *link)
{
    int fd = dial_take(link->dial);

    say(link, "connected to %s", dial_address_text(link->dial, &link->arena));
    link->wire = wire_open(link->uv, fd, (long)(link->alive_ms * ALIVE_INTERVALS), on_change, link);
    link->ssh = libssh2_session_init_ex(NULL, NULL, NULL, link);
    if (!link->ssh) {
        die(link, "cannot connect to %s: libssh2 gives no session", place(link));
        return;
    }
    libssh2_session_set_blocking(link->ssh, 0);
    set_callbacks(link->ssh);
    libssh2_session_method_pref(link->ssh, LIBSSH2_METHOD_HOSTKEY, host_key_order(link));
    link->received = 0;
    link->state = LINK_HANDSHAKE;
}

static void try_connect(struct link *link)
{
    long long now = loop_now();

    if (!link->has_slot && !slot_is_free(link)) {
        if (link->state != LINK_QUEUED)
            link->queued_ms = now;
        link->state = LINK_QUEUED;
        return;
    }
    /* The time in the queue is nobody's fault. */
    if (link->state == LINK_QUEUED)
        link->deadline_ms += now - link->queued_ms;
    link->has_slot = true;
    link->state = LINK_DIALING;
    dial_connect(link->dial, link->deadline_ms - now);
}

static void step_dialing(struct link *link)
{
    switch (dial_state(link->dial)) {
    case DIAL_RESOLVING:
    case DIAL_CONNECTING:
        return;
    case DIAL_RESOLVED:
        try_connect(link);
        return;
    case DIAL_CONNECTED:
        session_begin(link);
        return;
    case DIAL_FAILED:
        die(link, "cannot connect to %s: %s", place(link), dial_why(link->dial));
        return;
    }
}

/* Another try at a server that hung up before it said who it is: it was too busy. */
static void pause_and_retry(struct link *link, long long ms)
{
    session_end(link, false);
    slot_release(link);
    link->retry_ms = loop_now() + ms;
    link->state = LINK_PAUSED;
}

/* Some jitter without a random generator: links are apart in memory. */
static long long back_off(const struct link *link)
{
    long long ms = (long long)RETRY_FIRST_MS << (link->retries < 5 ? link->retries : 5);

    if (ms > RETRY_MOST_MS)
        ms = RETRY_MOST_MS;
    return ms + (long long)((uintptr_t)link / 64 % 16) * ms / 16;
}

static bool server_was_busy(const struct offer *offer)
{
    return !offer->banner && (!offer->before || strstr(offer->before, "MaxStartups") ||
                              strncmp(offer->before, "Not allowed at this time", 24) == 0);
}

/* What this library supports, as the lists of a KEXINIT. */
static void our_lists(struct link *link, const char *ret[OFFER_LISTS])
{
    static const int method[OFFER_LISTS] = {LIBSSH2_METHOD_KEX,      LIBSSH2_METHOD_HOSTKEY,
                                            LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC,
                                            LIBSSH2_METHOD_MAC_CS,   LIBSSH2_METHOD_MAC_SC};

    for (int i = 0; i < OFFER_LISTS; i++) {
        const char **names = NULL;
        struct buf b = buf_make(4096);
        int n = libssh2_session_supported_algs(link->ssh, method[i], &names);

        for (int k = 0; k < n; k++)
            if (i != OFFER_HOST_KEY || (strcmp(names[k], "ssh-rsa") &&
                                        strcmp(names[k], "ssh-dss") && !strchr(names[k], '@')))
                buf_printf(&b, "%s%s", b.len ? "," : "", names[k]);
        if (n > 0)
            libssh2_free(link->ssh, names);
        ret[i] = b.len ? arena_strdup(&link->arena, b.text) : NULL;
        buf_free(&b);
    }
}

static const char *wrong_pin(struct link *link)
{
    return arena_printf(&link->arena,
                        "%s shows another host key than the host_key: of the recipe (%s): if it "
                        "was changed on purpose, change host_key:",
                        place(link), link->seen.v[link->seen.n - 1]);
}

static void handshake_failed(struct link *link)
{
    const struct buf *first = wire_first(link->wire);
    struct offer offer = offer_read(&link->arena, first->text, first->len);
    const char *ours[OFFER_LISTS];

    our_lists(link, ours);
    const char *gap = offer_gap(&offer, &link->arena, ours);
    if (wire_trouble(link->wire) && server_was_busy(&offer) &&
        loop_now() + back_off(link) < link->deadline_ms) {
        say(link, "the server hung up before its banner%s%s: trying again",
            offer.before ? ": " : "", offer.before ? offer.before : "");
        pause_and_retry(link, back_off(link));
        link->retries++;
    } else if (link->seen.n) {
        die(link, "%s", wrong_pin(link));
    } else if (gap) {
        die(link, "cannot agree with %s: %s (this is libssh2 %s)", place(link), gap,
            libssh2_version(0));
    } else if (!offer.banner && offer.before && *offer.before) {
        die(link, "cannot connect to %s: no SSH server: it says '%s'", place(link), offer.before);
    } else if (!offer.banner) {
        die(link, "cannot connect to %s: no SSH banner: %s", place(link), loss(link));
    } else {
        die(link, "cannot connect to %s: key exchange: %s", place(link), loss(link));
    }
}

static bool pinned_key_is_right(struct link *link, const char *key, size_t len)
{
    const char *type = host_key_type(&link->arena, key, len);

    if (!host_key_pin_is_valid(link->host->host_key)) {
        die(link, "the host_key: given for %s is neither 'SHA256:...' nor a public key line",
            place(link));
        return false;
    }
    if (host_key_pin_matches(link->host->host_key, key, len)) {
        say(link, "host key %s %s as pinned", host_key_kind(&link->arena, type ? type : "?"),
            host_key_fingerprint(&link->arena, key, len));
        return true;
    }
    const char *seen =
        arena_printf(&link->arena, "%s %s", host_key_kind(&link->arena, type ? type : "?"),
                     host_key_fingerprint(&link->arena, key, len));
    /* A fingerprint does not tell the type of its key: the server may have it as well. */
    if (type && !host_key_pin_type(&link->arena, link->host->host_key) &&
        !strs_has(&link->seen, type) && strncmp(type, "ssh-rsa", 7) != 0) {
        strs_add(&link->arena, &link->seen, type);
        strs_add(&link->arena, &link->seen, seen);
        say(link, "host key %s is not the pinned one: asking for another type", seen);
        pause_and_retry(link, 0);
        return false;
    }
    strs_add(&link->arena, &link->seen, seen);
    die(link, "%s", wrong_pin(link));
    return false;
}

static bool host_key_is_right(struct link *link)
{
    size_t len = 0;
    int type = 0;
    const char *key = libssh2_session_hostkey(link->ssh, &len, &type);

    if (!key || !len) {
        die(link, "%s shows no host key", place(link));
        return false;
    }
    if (link->host->host_key)
        return pinned_key_is_right(link, key, len);
    const struct known_hosts *known = share_known_hosts(link->options->known_hosts);
    struct known_answer answer = known_hosts_check(known, &link->id, key, len);
    if (answer.known != KNOWN_YES) {
        die(link, "%s", known_hosts_refusal(known, &link->arena, &answer, &link->id, key, len));
        return false;
    }
    say(link, "host key %s %s known from %s:%u", host_key_kind(&link->arena, answer.type),
        host_key_fingerprint(&link->arena, key, len), answer.file, answer.line);
    return true;
}

static void login_begin(struct link *link);

static bool step_handshake(struct link *link)
{
    /* The descriptor is not used for I/O (there are callbacks) but must be one. */
    int rc = libssh2_session_handshake(link->ssh, wire_fd(link->wire));

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc != 0) {
        handshake_failed(link);
        return true;
    }
    const char *banner = libssh2_session_banner_get(link->ssh);
    if (banner && strncmp(banner, "SSH-2.0-", 8) == 0)
        say(link, "server %s", server_text(link, banner + 8, strlen(banner + 8)));
    if (host_key_is_right(link))
        login_begin(link);
    return true;
}

/* Logging in */

static const char *login_name(struct link *link)
{
    const struct passwd *pw = getpwuid(getuid());

    if (link->host->user)
        return link->host->user;
    return pw ? arena_strdup(&link->arena, pw->pw_name) : "root";
}

/* The keys of the agent, in the arena; their ids are the library's until the agent is freed. */
static struct agent_key *agent_keys(struct link *link, size_t *ret_n)
{
    struct libssh2_agent_publickey *id = NULL;
    struct agent_key *keys = NULL;
    size_t n = 0;

    *ret_n = 0;
    if (!getenv("SSH_AUTH_SOCK"))
        return NULL;
    link->agent = libssh2_agent_init(link->ssh);
    if (!link->agent || libssh2_agent_connect(link->agent) != 0 ||
        libssh2_agent_list_identities(link->agent) != 0) {
        say(link, "the agent at $SSH_AUTH_SOCK does not answer");
        return NULL;
    }
    while (libssh2_agent_get_identity(link->agent, &id, id) == 0)
        n++;
    keys = arena_array(&link->arena, n + 1, sizeof *keys);
    id = NULL;
    for (size_t i = 0; i < n && libssh2_agent_get_identity(link->agent, &id, id) == 0; i++) {
        keys[i] = (struct agent_key){id->blob, id->blob_len, id->comment ? id->comment : "", id};
        *ret_n = i + 1;
    }
    return keys;
}

static void login_begin(struct link *link)
{
    struct ssh_library library = {libssh2_version(0), library_is_1_11()};
    size_t n;
    struct agent_key *agent = agent_keys(link, &n);

    link->user = login_name(link);
    link->list = login_list_make(&link->arena, link->host->identity, agent, n, &library);
    for (size_t i = 0; i < link->list.n; i++)
        if (link->list.key[i].file.text && link->list.key[i].file.loose)
            say(link, "%s can be read by others than its owner", link->list.key[i].label);
    link->key = NULL;
    link->methods = NULL;
    link->step = LOGIN_KEYS;
    link->state = LINK_LOGIN;
}

static void login_failed(struct link *link)
{
    const char *story = login_list_story(&link->list, &link->arena);
    const char *offers =
        link->methods ? arena_printf(&link->arena, "; the server offers %s", link->methods) : "";
    const char *ended = wire_trouble(link->wire) || link->goodbye
                            ? arena_printf(&link->arena, "; the server hung up: %s", loss(link))
                            : "";

    die(link, "cannot log in to %s as %s: %s%s%s; %s", place(link),
        text_shown(&link->arena, link->user), story, offers, ended,
        login_list_tried(&link->list)
            ? "add a public key to its ~/.ssh/authorized_keys there, or name the right key as "
              "identity:"
            : "load a key with ssh-add, or name one as identity: in the recipe");
}

static void login_done(struct link *link, const char *how)
{
    say(link, "logged in as %s with %s", text_shown(&link->arena, link->user), how);
    login_list_wipe(&link->list);
    if (link->agent) {
        libssh2_agent_disconnect(link->agent);
        libssh2_agent_free(link->agent);
        link->agent = NULL;
    }
    /* The library rounds one second up to two; the rhythm is ours. */
    libssh2_keepalive_config(link->ssh, 1, 2);
    slot_release(link);
    dial_close(link->dial);
    link->dial = NULL;
    link->was_ready = true;
    link->state = LINK_READY;
}

/* Makes sure that the key can be opened; false when it is to be passed over. */
static bool key_is_open(struct link *link, struct login_key *key)
{
    if (key->agent_id || !key->file.encrypted || link->secret)
        return true;
    if (!link->options->ask) {
        key->fate = KEY_PASSED_OVER;
        key->why = "is encrypted and nobody is there to type its passphrase: use ssh-agent";
        return false;
    }
    link->secret = ask_person(link, key->file.path,
                              arena_printf(&link->arena, "passphrase for key %s: ", key->label));
    if (link->secret)
        return true;
    key->fate = KEY_PASSED_OVER;
    key->why = "is encrypted and no passphrase was given";
    return false;
}

static void key_failed(struct link *link, int rc)
{
    struct login_key *key = link->key;
    bool answered = rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED;

    /* A wrong passphrase and a strange format look the same; the format was looked at before. */
    if (!answered && !key->agent_id && key->file.encrypted &&
        rc != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED && !wire_trouble(link->wire)) {
        if (!link->secret->proven)
            share_forget(link->secret);
        link->secret = NULL;
        if (++link->passphrases < PASSPHRASE_TRIES)
            return; /* the same key again, with another passphrase */
        key->fate = KEY_PASSED_OVER;
        key->why = "the passphrase was wrong";
    } else {
        if (link->secret)
            link->secret->proven = true;
        key->fate = KEY_REFUSED;
        key->why = answered ? "not accepted" : last_error(link);
    }
    say(link, "%s: %s", key->label, key->why);
    link->secret = NULL;
    link->key = NULL;
}

static bool step_keys(struct link *link)
{
    unsigned user_len = (unsigned)strlen(link->user);
    int rc;

    if (!link->key) {
        link->key = login_list_next(&link->list);
        link->passphrases = 0;
        if (!link->key) {
            /* Asking what else there is counts as one more try: the last, after so many. */
            if (login_list_tried(&link->list) < LOGIN_TRIES_MAX)
                link->step = LOGIN_METHODS;
            else
                login_failed(link);
            return true;
        }
    }
    struct login_key *key = link->key;
    if (!key_is_open(link, key)) {
        link->key = NULL;
        return true;
    }
    if (key->agent_id)
        rc = libssh2_agent_userauth(link->agent, link->user, key->agent_id);
    else
        rc = libssh2_userauth_publickey_frommemory(link->ssh, link->user, user_len, NULL, 0,
                                                   key->file.text, key->file.text_len,
                                                   /* never NULL: 1.10 measures its length */
                                                   link->secret ? link->secret->text : "");
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc == 0) {
        key->fate = KEY_ACCEPTED;
        if (link->secret)
            link->secret->proven = true;
        link->secret = NULL;
        login_done(link,
                   key->agent_id ? key->label : arena_printf(&link->arena, "key %s", key->label));
    } else {
        key_failed(link, rc);
        if (wire_trouble(link->wire) || link->goodbye)
            login_failed(link);
    }
    return true;
}

static bool methods_have(const struct link *link, const char *name)
{
    return link->methods && strstr(link->methods, name) != NULL;
}

static bool step_methods(struct link *link)
{
    char *methods = libssh2_userauth_list(link->ssh, link->user, (unsigned)strlen(link->user));

    if (!methods) {
        if (libssh2_session_last_errno(link->ssh) == LIBSSH2_ERROR_EAGAIN)
            return false;
        if (libssh2_userauth_authenticated(link->ssh))
            login_done(link, "no key at all: the server asks for none");
        else
            login_failed(link);
        return true;
    }
    link->methods = server_text(link, methods, strlen(methods));
    bool password = methods_have(link, "password");
    if (link->options->ask && (password || methods_have(link, "keyboard-interactive"))) {
        const char *who =
            arena_printf(&link->arena, "password for %s@%s: ", text_shown(&link->arena, link->user),
                         text_shown(&link->arena, link->id.name));
        link->secret =
            ask_person(link, arena_printf(&link->arena, "%s%d", who, link->id.port), who);
    }
    if (link->secret)
        link->step = password ? LOGIN_PASSWORD : LOGIN_DIALOGUE;
    else
        login_failed(link);
    return true;
}

/* Every question that is not echoed gets the password; the library frees the answers. */
static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(on_questions)
{
    const struct link *link = *abstract;

    (void)name;
    (void)name_len;
    (void)instruction;
    (void)instruction_len;
    for (int i = 0; i < num_prompts; i++) {
        const char *text = prompts[i].echo ? "" : link->secret->text;
        size_t len = strlen(text);
        responses[i].text = xcalloc(1, len + 1);
        memcpy(responses[i].text, text, len);
        responses[i].length = (unsigned)len;
    }
}

static bool step_password(struct link *link)
{
    unsigned user_len = (unsigned)strlen(link->user);
    bool dialogue = link->step == LOGIN_DIALOGUE;
    int rc;

    if (dialogue)
        rc =
            libssh2_userauth_keyboard_interactive_ex(link->ssh, link->user, user_len, on_questions);
    else
        rc = libssh2_userauth_password_ex(link->ssh, link->user, user_len, link->secret->text,
                                          (unsigned)strlen(link->secret->text), NULL);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc == 0) {
        link->secret->proven = true;
        link->secret = NULL;
        login_done(link, "a password");
    } else if (!dialogue && !wire_trouble(link->wire) &&
               methods_have(link, "keyboard-interactive")) {
        link->step = LOGIN_DIALOGUE;
    } else {
        link->methods =
            arena_printf(&link->arena, "%s; the password was not accepted", link->methods);
        login_failed(link);
    }
    return true;
}

static bool step_login(struct link *link)
{
    switch (link->step) {
    case LOGIN_KEYS:
        return step_keys(link);
    case LOGIN_METHODS:
        return step_methods(link);
    case LOGIN_PASSWORD:
    case LOGIN_DIALOGUE:
        return step_password(link);
    }
    return false;
}

/* Running scripts */

/* Whether an answer of the library concerns one channel only. */
static bool is_channel_trouble(int rc)
{
    return rc == LIBSSH2_ERROR_CHANNEL_FAILURE || rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED ||
           rc == LIBSSH2_ERROR_CHANNEL_CLOSED || rc == LIBSSH2_ERROR_CHANNEL_EOF_SENT;
}

static struct exchange *channel_release(struct channel *c)
{
    struct exchange *x = c->x;

    c->x = NULL;
    if (x)
        x->own = NULL;
    return x;
}

static void channel_fail(struct channel *c, const char *why)
{
    struct exchange *x = channel_release(c);

    if (x)
        exchange_fail(x, why);
}

static void lost(struct link *link)
{
    die(link, "the connection to %s was lost: %s", place(link), loss(link));
}

static bool channel_open(struct link *link, struct channel *c)
{
    c->ssh = libssh2_channel_open_ex(link->ssh, "session", 7, WINDOW_BYTES, PACKET_BYTES, NULL, 0);
    if (!c->ssh) {
        int rc = libssh2_session_last_errno(link->ssh);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return false;
        link->turn = NULL;
        if (rc != LIBSSH2_ERROR_CHANNEL_FAILURE) {
            lost(link); /* bury() tells the exchange, as all others */
            return true;
        }
        c->state = CHANNEL_GONE;
        channel_fail(
            c, arena_printf(&link->arena,
                            "%s opens no session for a command (MaxSessions of its sshd, or not"
                            " allowed to this user)",
                            place(link)));
        return true;
    }
    if (!c->x) {
        link->turn = NULL;
        c->state = CHANNEL_ENDING;
        return true;
    }
    c->x->sent = true;
    c->state = CHANNEL_EXEC;
    return true;
}

/* The script goes out behind the request, not behind its answer: sshd takes both in order, and a
 * round trip is saved.  Should the request be denied, the data is dropped with the channel. */
static void write_ahead(struct channel *c)
{
    const char *bytes;
    size_t n = c->x && !c->ahead ? exchange_input(c->x, &bytes) : 0;

    c->ahead = true;
    if (!n)
        return;
    ssize_t done = libssh2_channel_write_ex(c->ssh, 0, bytes, n < WRITE_BYTES ? n : WRITE_BYTES);
    if (done > 0)
        exchange_sent(c->x, (size_t)done);
}

static bool channel_exec(struct link *link, struct channel *c)
{
    int rc = libssh2_channel_process_startup(c->ssh, "exec", 4, c->command,
                                             (unsigned)strlen(c->command));

    if (rc == LIBSSH2_ERROR_EAGAIN) {
        write_ahead(c);
        return false;
    }
    link->turn = NULL;
    if (rc == 0) {
        c->state = c->x ? CHANNEL_RUNNING : CHANNEL_ENDING;
    } else if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED && !wire_trouble(link->wire)) {
        c->state = CHANNEL_ENDING;
        if (c->x)
            c->x->sent = false; /* the server says that it did not run */
        channel_fail(c, arena_printf(&link->arena, "%s refuses to run a command for %s",
                                     place(link), text_shown(&link->arena, link->user)));
    } else {
        lost(link);
    }
    return true;
}

/* Gives the exchange what came on one stream; false when the link died. */
static bool channel_read(struct link *link, struct channel *c, int stream, bool *moved)
{
    char bytes[PACKET_BYTES];

    for (int i = 0; i < ROUNDS && c->x; i++) {
        ssize_t n = libssh2_channel_read_ex(c->ssh, stream == 2 ? SSH_EXTENDED_DATA_STDERR : 0,
                                            bytes, sizeof bytes);
        if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
            return true;
        if (n < 0) {
            if (!is_channel_trouble((int)n))
                lost(link);
            return is_channel_trouble((int)n);
        }
        *moved = true;
        exchange_output(c->x, stream, bytes, (size_t)n);
    }
    return true;
}

static void channel_write(struct link *link, struct channel *c, bool *moved)
{
    const char *bytes;

    while (c->x && !c->input_over && wire_pending(link->wire) < PENDING_BYTES) {
        size_t n = exchange_input(c->x, &bytes);
        ssize_t done;

        if (n) {
            done = libssh2_channel_write_ex(c->ssh, 0, bytes, n < WRITE_BYTES ? n : WRITE_BYTES);
        } else if (exchange_input_is_over(c->x)) {
            done = libssh2_channel_send_eof(c->ssh);
            c->input_over = done == 0;
        } else {
            return;
        }
        /* 0 is what the library says of a window that is full. */
        if (done == LIBSSH2_ERROR_EAGAIN || (n && done == 0))
            return;
        if (done < 0) {
            c->input_over = true;
            if (!is_channel_trouble((int)done))
                lost(link);
            return;
        }
        *moved = true;
        if (n)
            exchange_sent(c->x, (size_t)done);
    }
}

/* A name that the host made up: letters, digits and what else RFC 4254 has in them. */
static void signal_name(char *ret, size_t size, const char *name)
{
    size_t n = 0;

    for (; *name && n + 1 < size; name++)
        ret[n++] = isalnum((unsigned char)*name) || strchr("@.-", *name) ? *name : '?';
    ret[n] = '\0';
}

static void channel_exit(struct link *link, struct channel *c)
{
    char *given = NULL;
    size_t len = 0;
    char signal[32] = "";
    int status = libssh2_channel_get_exit_status(c->ssh);

    libssh2_channel_get_exit_signal(c->ssh, &given, &len, NULL, NULL, NULL, NULL);
    if (given) {
        signal_name(signal, sizeof signal, given);
        libssh2_free(link->ssh, given);
    }
    c->state = CHANNEL_ENDING;
    struct exchange *x = channel_release(c);
    if (x)
        exchange_exit(x, status, given ? signal : NULL);
}

static bool channel_run(struct link *link, struct channel *c)
{
    bool moved = false;

    if (!channel_read(link, c, 1, &moved) || !channel_read(link, c, 2, &moved))
        return true;
    channel_write(link, c, &moved);
    if (link->state == LINK_DEAD)
        return true;
    if (!c->x) {
        c->state = CHANNEL_ENDING;
        return true;
    }
    /* The end is the server's close, not its end of file: the exit status comes in between. */
    if (libssh2_channel_eof(c->ssh) == 1) {
        int rc = libssh2_channel_wait_closed(c->ssh);
        if (rc == 0)
            channel_exit(link, c);
        else if (rc != LIBSSH2_ERROR_EAGAIN)
            lost(link);
        return rc != LIBSSH2_ERROR_EAGAIN || moved;
    }
    return moved;
}

static bool step_channel(struct link *link, struct channel *c)
{
    switch (c->state) {
    case CHANNEL_WAITING:
        if (!c->x) {
            c->state = CHANNEL_GONE;
            return true;
        }
        if (link->turn)
            return false;
        link->turn = c;
        link->turn_ms = loop_now();
        c->state = CHANNEL_OPENING;
        return true;
    case CHANNEL_OPENING:
        return channel_open(link, c);
    case CHANNEL_EXEC:
        return channel_exec(link, c);
    case CHANNEL_RUNNING:
        return channel_run(link, c);
    case CHANNEL_ENDING:
        /* The first call sends the close, the second does not wait for the server's. */
        if (libssh2_channel_free(c->ssh) == LIBSSH2_ERROR_EAGAIN &&
            libssh2_channel_free(c->ssh) == LIBSSH2_ERROR_EAGAIN)
            return false;
        c->ssh = NULL;
        c->state = CHANNEL_GONE;
        return true;
    case CHANNEL_GONE:
        return false;
    }
    return false;
}

static bool step_channels(struct link *link)
{
    bool moved = false;

    for (struct channel *c = link->channels; c && link->state == LINK_READY; c = c->next)
        moved = step_channel(link, c) || moved;
    return moved;
}

static void sweep_channels(struct link *link)
{
    struct channel **at = &link->channels;

    while (*at) {
        struct channel *c = *at;
        if (c->state != CHANNEL_GONE) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free(c->command);
        free(c);
    }
}

/* Tells everybody, and is ready for another connection when this one had been up. */
static void bury(struct link *link)
{
    session_end(link, false);
    slot_release(link);
    dial_close(link->dial);
    link->dial = NULL;
    say(link, "%s", link->why);
    for (struct channel *c = link->channels; c; c = c->next) {
        c->state = CHANNEL_GONE;
        channel_fail(c, link->why);
    }
    sweep_channels(link);
    if (link->was_ready) {
        link->was_ready = false;
        link->state = LINK_IDLE;
    }
}

/* Clocks */

static const char *seconds(struct link *link, long long ms)
{
    return text_span(&link->arena, ms);
}

static void connecting_is_late(struct link *link)
{
    const char *limit = seconds(link, link->connect_ms);
    bool silent = !link->wire || !wire_first(link->wire)->len;

    if (link->state == LINK_LOGIN)
        die(link, "cannot log in to %s: not finished within %s", place(link), limit);
    else if (link->state == LINK_DIALING && dial_state(link->dial) == DIAL_RESOLVING)
        die(link, "cannot connect to %s: the name was not found within %s", place(link), limit);
    else if (link->state == LINK_HANDSHAKE)
        die(link, "cannot connect to %s: %s within %s", place(link),
            silent ? "no SSH banner" : "key exchange not finished", limit);
    else if (link->state == LINK_PAUSED)
        die(link, "cannot connect to %s: the server kept hanging up before its banner for %s",
            place(link), limit);
    else
        die(link, "cannot connect to %s: no answer within %s", place(link), limit);
}

static void look_alive(struct link *link, long long now)
{
    long long last = wire_last_byte_ms(link->wire);
    int next = 0;

    if (last >= link->asked_ms)
        link->asked_ms = 0;
    if (link->asked_ms && now - link->asked_ms >= (ALIVE_INTERVALS - 1) * link->alive_ms) {
        die(link, "no answer from %s for %s", place(link),
            seconds(link, ALIVE_INTERVALS * link->alive_ms));
        return;
    }
    if (link->turn && now - link->turn_ms >= REQUEST_MS) {
        die(link, "%s does not answer the request for a session", place(link));
        return;
    }
    if (link->pinged_ms > last)
        last = link->pinged_ms;
    if (now - last < link->alive_ms)
        return;
    link->pinged_ms = now;
    if (!link->asked_ms)
        link->asked_ms = now;
    int rc = libssh2_keepalive_send(link->ssh, &next);
    if (rc != 0 && rc != LIBSSH2_ERROR_EAGAIN)
        lost(link);
}

static void look_at_clocks(struct link *link)
{
    long long now = loop_now();

    switch (link->state) {
    case LINK_DIALING:
    case LINK_PAUSED:
    case LINK_HANDSHAKE:
    case LINK_LOGIN:
        if (now >= link->deadline_ms)
            connecting_is_late(link);
        return;
    case LINK_READY:
        look_alive(link, now);
        return;
    case LINK_IDLE:
    case LINK_QUEUED:
    case LINK_DEAD:
        return;
    }
}

static void arm_timer(struct link *link, bool at_once)
{
    long long now = loop_now();
    long long next = link->deadline_ms;

    switch (link->state) {
    case LINK_IDLE:
    case LINK_QUEUED:
    case LINK_DEAD:
        if (!at_once)
            return;
        break;
    case LINK_PAUSED:
        if (link->retry_ms < next)
            next = link->retry_ms;
        break;
    case LINK_READY:
        next = now + link->alive_ms / 2 + 1;
        break;
    case LINK_DIALING:
    case LINK_HANDSHAKE:
    case LINK_LOGIN:
        break;
    }
    uv_update_time(link->uv);
    uv_timer_start(link->timer, on_timer, at_once || next <= now ? 0 : (uint64_t)(next - now), 0);
}

static bool step(struct link *link)
{
    enum link_state before = link->state;

    switch (link->state) {
    case LINK_IDLE:
        step_idle(link);
        break;
    case LINK_DIALING:
        step_dialing(link);
        break;
    case LINK_QUEUED:
        try_connect(link);
        break;
    case LINK_PAUSED:
        if (loop_now() >= link->retry_ms)
            try_connect(link);
        break;
    case LINK_HANDSHAKE:
        return step_handshake(link);
    case LINK_LOGIN:
        return step_login(link);
    case LINK_READY:
        return step_channels(link);
    case LINK_DEAD:
        break;
    }
    return link->state != before;
}

static void link_free(struct link *link);

/* Nobody reads for the library when there is no channel. */
static void soak_if_idle(struct link *link)
{
    if (link->state != LINK_READY || link->channels)
        return;
    wire_soak(link->wire);
    if (wire_trouble(link->wire))
        lost(link);
}

static void pump(struct link *link)
{
    bool moved = true;

    assert(!link->pumping);
    link->pumping = true;
    link->taken = 0;
    link->taken_all = false;
    if (link->wire)
        wire_flush(link->wire);
    for (int i = 0; i < ROUNDS && moved && !link->closing; i++) {
        size_t taken = link->taken;
        /* What was read for one stream or channel may have brought packets of another along, that
         * nobody will announce again. */
        moved = step(link) || link->taken != taken;
    }
    sweep_channels(link);
    soak_if_idle(link);
    look_at_clocks(link);
    if (link->state == LINK_DEAD)
        bury(link);
    if (link->wire)
        wire_flush(link->wire);
    link->pumping = false;
    if (link->closing)
        link_free(link);
    else
        arm_timer(link, moved || link->taken_all || (link->state == LINK_IDLE && link->channels));
}

/* The carrier */

static struct link *ssh_open(struct fleet *fleet, const struct fleet_host *host,
                             const struct fleet_options *options, struct loop *loop)
{
    struct link *link = xcalloc(1, sizeof *link);

    (void)fleet;
    if (!links && libssh2_init(0) != 0)
        abort();
    share_join();
    link->host = host;
    link->options = options;
    link->uv = loop_uv(loop);
    link->id = (struct known_host){host->address, host->port ? host->port : 22};
    link->connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS;
    link->alive_ms = options->alive_interval_ms ? options->alive_interval_ms : ALIVE_INTERVAL_MS;
    link->timer = xcalloc(1, sizeof *link->timer);
    link->timer->data = link;
    uv_timer_init(link->uv, link->timer);
    link->next = links;
    links = link;
    return link;
}

static void ssh_start(struct link *link, struct exchange *x)
{
    struct channel *c = xcalloc(1, sizeof *c);
    struct channel **at = &link->channels;
    size_t len = strlen(x->command);

    c->x = x;
    c->command = xcalloc(1, len + 1);
    memcpy(c->command, x->command, len);
    x->own = c;
    while (*at)
        at = &(*at)->next;
    *at = c;
    poke(link);
}

static void ssh_wake(struct link *link, struct exchange *x)
{
    (void)x;
    if (link->state == LINK_READY)
        poke(link);
}

static void ssh_cut(struct link *link, struct exchange *x)
{
    struct channel *c = x->own;

    if (!c)
        return;
    channel_release(c);
    if (c->state == CHANNEL_RUNNING)
        c->state = CHANNEL_ENDING;
    if (!link->pumping)
        poke(link);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void link_free(struct link *link)
{
    struct link **at = &links;

    for (struct channel *c = link->channels; c; c = c->next)
        channel_release(c);
    session_end(link, true);
    slot_release(link);
    dial_close(link->dial);
    for (struct channel *c = link->channels; c; c = c->next)
        c->state = CHANNEL_GONE;
    sweep_channels(link);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    uv_close((uv_handle_t *)link->timer, free_handle);
    arena_free(&link->arena);
    free(link);
    share_leave();
    if (!links)
        libssh2_exit();
}

static void ssh_close(struct link *link)
{
    if (link->pumping)
        link->closing = true;
    else
        link_free(link);
}

const struct carrier carrier_libssh2 = {
    .name = "libssh2",
    .open = ssh_open,
    .start = ssh_start,
    .wake = ssh_wake,
    .cut = ssh_cut,
    .close = ssh_close,
};
