/* connection.c -- the beginning and the end of a connection: libssh2's callbacks, the key exchange,
 * and the check of the host key.  carrier.c calls it when the TCP connection is there. */
#include "ssh/link.h"

#include "base/text.h"
#include "ssh/host_key.h"
#include "ssh/offer.h"

#include <errno.h>

enum {
    BEFORE_LOGIN_BYTES_MAX = 1024 * 1024,
    RETRY_FIRST_MS = 150,
    RETRY_MOST_MS = 2000,
};

static LIBSSH2_SEND_FUNC(on_send)
{
    struct link *link = *abstract;

    (void)socket;
    (void)flags;
    return wire_send(link->wire, buffer, length);
}

static LIBSSH2_RECV_FUNC(on_recv)
{
    struct link *link = *abstract;

    (void)socket;
    (void)flags;
    if (link->deaf)
        return 0;
    /* libssh2 keeps reading while there is data.  A host that never stops sending must neither
     * starve the other links, nor fill the memory before it has been authenticated. */
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
        link->goodbye = link_server_text(link, message, (size_t)message_len);
}

/* libssh2 1.11.1 deprecates the call that takes function pointers as object pointers. */
#if LIBSSH2_VERSION_NUM >= 0x010b01
static void set_callback(LIBSSH2_SESSION *ssh, int which, void (*function)(void))
{
    libssh2_session_callback_set2(ssh, which, function);
}
#else
static void set_callback(LIBSSH2_SESSION *ssh, int which, void (*function)(void))
{
    union {
        void (*function)(void);
        void *object;
    } u = {.function = function};

    libssh2_session_callback_set(ssh, which, u.object);
}
#endif

static void set_callbacks(LIBSSH2_SESSION *ssh)
{
    /* set_callback takes one type for all three; libssh2 casts each one back. */
    union {
        LIBSSH2_SEND_FUNC((*send));
        LIBSSH2_RECV_FUNC((*recv));
        LIBSSH2_DISCONNECT_FUNC((*disconnect));
        void (*any)(void);
    } u;

    u.send = on_send;
    set_callback(ssh, LIBSSH2_CALLBACK_SEND, u.any);
    u.recv = on_recv;
    set_callback(ssh, LIBSSH2_CALLBACK_RECV, u.any);
    u.disconnect = on_disconnect;
    set_callback(ssh, LIBSSH2_CALLBACK_DISCONNECT, u.any);
}

/* Whether HostKeyAlgorithms has this one. */
static bool type_is_allowed(const struct link *link, const char *name)
{
    const char *list = link->host->host_key_types;
    size_t len = strlen(name);

    for (const char *s = list; s && *s; s += strspn(s, ",")) {
        size_t n = strcspn(s, ",");
        if (n == len && strncmp(s, name, n) == 0)
            return true;
        s += n;
    }
    return !list;
}

/* Appends an algorithm that libssh2 supports.  libssh2 1.10 removes unknown names from a preference
 * list with an overlapping memcpy, so these must not get into it. */
static void add_algorithm(struct buf *b, const struct link *link, const char *name,
                          const char **supported, int n)
{
    for (int i = 0; i < n && type_is_allowed(link, name); i++)
        if (strcmp(supported[i], name) == 0)
            buf_printf(b, "%s%s", b->len ? "," : "", name);
}

static void add_type(struct buf *b, const struct link *link, const char *type)
{
    const char **supported = NULL;
    int n = libssh2_session_supported_algs(link->ssh, LIBSSH2_METHOD_HOSTKEY, &supported);

    if (n <= 0)
        return;
    /* An RSA key is only used with SHA-2 signatures, never with SHA-1. */
    if (strcmp(type, "ssh-rsa") == 0) {
        add_algorithm(b, link, "rsa-sha2-512", supported, n);
        add_algorithm(b, link, "rsa-sha2-256", supported, n);
    } else if (!strs_has(&link->seen, type)) {
        add_algorithm(b, link, type, supported, n);
    }
    libssh2_free(link->ssh, supported);
}

/* Returns the types of host keys in order of preference.  Types with a known key come first,
 * because a server with several keys would otherwise present one that is not known here. */
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
        known_hosts_types(share_known_hosts(link_known_hosts(link)), &link->id, &link->arena,
                          &known);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < USUAL; i++)
            if (strs_has(&known, usual[i]) == (pass == 0))
                add_type(&b, link, usual[i]);
    const char *order = arena_strdup(&link->arena, b.text);
    buf_free(&b);
    return order;
}

void connection_begin(struct link *link, int fd)
{
    link->wire = wire_open(link->uv, fd, (long)(link->alive_ms * link->alive_max),
                           (struct wire_watch){link_on_change, link});
    link->ssh = libssh2_session_init_ex(NULL, NULL, NULL, link);
    if (!link->ssh) {
        link_die(link, "cannot connect to %s: libssh2 could not create a session",
                 link_place(link));
        return;
    }
    libssh2_session_set_blocking(link->ssh, 0);
    set_callbacks(link->ssh);
    const char *order = host_key_order(link);
    if (!*order && link->host->host_key_types && !link->seen.n) {
        link_die(link,
                 "cannot negotiate with %s: libssh2 %s supports none of HostKeyAlgorithms of the "
                 "ssh configuration; 'transport: openssh' in the recipe uses the ssh program",
                 link_place(link), libssh2_version(0));
        return;
    }
    libssh2_session_method_pref(link->ssh, LIBSSH2_METHOD_HOSTKEY, order);
    link->received = 0;
    link->state = LINK_HANDSHAKE;
}

/* The jitter comes from the link's address in memory, which differs between links. */
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

/* The algorithms that libssh2 supports here, as the lists of a KEXINIT message. */
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
                        "%s has the host key %s, not the one in host_key: of the recipe: if the "
                        "host's key was changed on purpose, update host_key:",
                        link_place(link), link->seen.v[link->seen.n - 1]);
}

static void handshake_failed(struct link *link)
{
    const struct buf *first = wire_first(link->wire);
    struct offer offer = offer_read(&link->arena, first->text, first->len);
    const char *ours[OFFER_LISTS];

    our_lists(link, ours);
    const char *gap = offer_gap(&offer, &link->arena, ours);
    if (wire_trouble(link->wire) && server_was_busy(&offer) && !link->proxy &&
        loop_now() + back_off(link) < link->deadline_ms) {
        link_say(link, "the server closed the connection before its banner%s%s: trying again",
                 offer.before ? ": " : "", offer.before ? offer.before : "");
        link_pause(link, back_off(link));
        link->retries++;
    } else if (link->seen.n) {
        link_die(link, "%s", wrong_pin(link));
    } else if (gap) {
        link_die(
            link,
            "cannot negotiate with %s: %s (this is libssh2 %s); 'transport: openssh' in the recipe "
            "uses the ssh program, which supports more",
            link_place(link), gap, libssh2_version(0));
    } else if (!offer.banner && offer.before && *offer.before) {
        link_die(link, "cannot connect to %s: not an SSH server: it sent '%s'", link_place(link),
                 offer.before);
    } else if (!offer.banner) {
        link_die(link, "cannot connect to %s: no SSH banner: %s", link_place(link),
                 link_loss(link));
    } else {
        link_die(link, "cannot connect to %s: key exchange: %s", link_place(link), link_loss(link));
    }
}

static bool pinned_key_is_right(struct link *link, const char *key, size_t len)
{
    const char *type = host_key_type(&link->arena, key, len);

    if (!host_key_pin_is_valid(link->host->host_key)) {
        link_die(link, "the host_key: given for %s is neither 'SHA256:...' nor a public key line",
                 link_place(link));
        return false;
    }
    if (host_key_pin_matches(link->host->host_key, key, len)) {
        link_say(link, "host key %s %s matches the pinned one",
                 host_key_kind(&link->arena, type ? type : "?"),
                 host_key_fingerprint(&link->arena, key, len));
        return true;
    }
    const char *seen =
        arena_printf(&link->arena, "%s %s", host_key_kind(&link->arena, type ? type : "?"),
                     host_key_fingerprint(&link->arena, key, len));
    /* A fingerprint does not include the key's type, so the server may have the pinned key as
     * well. */
    if (type && !host_key_pin_type(&link->arena, link->host->host_key) &&
        !strs_has(&link->seen, type) && strncmp(type, "ssh-rsa", 7) != 0) {
        strs_add(&link->arena, &link->seen, type);
        strs_add(&link->arena, &link->seen, seen);
        link_say(link, "host key %s is not the pinned one: asking for another type", seen);
        link_pause(link, 0);
        return false;
    }
    strs_add(&link->arena, &link->seen, seen);
    link_die(link, "%s", wrong_pin(link));
    return false;
}

/* accept-new: the key is added to known_hosts, so that a later change is noticed. */
static bool new_key_is_added(struct link *link, const char *key, size_t len)
{
    const char *const *files = link_known_hosts(link);
    const char *file = files ? files[0] : "~/.ssh/known_hosts";
    const char *type = host_key_type(&link->arena, key, len);
    const char *why =
        known_hosts_add(&link->arena, file, &link->id, key, len, link->host->hash_names);

    if (why) {
        link_die(link, "cannot add the host key of %s to %s: %s", link_place(link),
                 text_shown(&link->arena, file), why);
        return false;
    }
    share_forget_known_hosts();
    if (link->options->tell)
        link->options->tell(link->options->tell_arg,
                            arena_printf(&link->arena, "added the %s key of %s, %s, to %s",
                                         host_key_kind(&link->arena, type ? type : "?"),
                                         link_place(link),
                                         host_key_fingerprint(&link->arena, key, len), file));
    return true;
}

static bool host_key_is_right(struct link *link)
{
    size_t len = 0;
    int type = 0;
    const char *key = libssh2_session_hostkey(link->ssh, &len, &type);

    if (!key || !len) {
        link_die(link, "%s presented no host key", link_place(link));
        return false;
    }
    if (link->host->scan) {
        link->options->scanned(link->options->scanned_arg, link->host, key, len);
        link_die(link, "only the host key was read");
        return false;
    }
    if (link->host->host_key)
        return pinned_key_is_right(link, key, len);
    const struct known_hosts *known = share_known_hosts(link_known_hosts(link));
    struct known_answer answer = known_hosts_check(known, &link->id, key, len);
    if (answer.known == KNOWN_UNKNOWN && link->host->accept_new_key)
        return new_key_is_added(link, key, len);
    if (answer.known != KNOWN_YES) {
        link_die(link, "%s", known_hosts_refusal(known, &link->arena, &answer));
        return false;
    }
    link_say(link, "host key %s %s found in %s:%u", host_key_kind(&link->arena, answer.type),
             host_key_fingerprint(&link->arena, key, len), answer.file, answer.line);
    return true;
}

bool connection_handshake(struct link *link)
{
    /* libssh2 insists on a valid descriptor, but all I/O goes through the callbacks. */
    int rc = libssh2_session_handshake(link->ssh, wire_fd(link->wire));

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc != 0) {
        handshake_failed(link);
        return true;
    }
    const char *banner = libssh2_session_banner_get(link->ssh);
    if (banner && strncmp(banner, "SSH-2.0-", 8) == 0)
        link_say(link, "server %s", link_server_text(link, banner + 8, strlen(banner + 8)));
    if (host_key_is_right(link))
        login_begin(link);
    return true;
}

/* Ends the connection, not the link.  `politely` sends a disconnect message. */
void connection_end(struct link *link, bool politely)
{
    login_list_wipe(&link->list);
    link->list = (struct login_list){0};
    link->key = NULL;
    link->secret = NULL;
    rsa_close(link->rsa);
    link->rsa = NULL;
    if (politely && link->ssh && link->state == LINK_READY)
        libssh2_session_disconnect(link->ssh, "done");
    link->deaf = true; /* from now on libssh2 reads end of file and does not wait */
    for (struct channel *c = link->channels; c; c = c->next) {
        c->ssh = NULL; /* freed with the session */
        if (!c->x && !c->tunnel)
            c->state = CHANNEL_GONE;
    }
    link->turn = NULL;
    link->sessions = 0;
    agent_sign_free(link->sign);
    link->sign = NULL;
    link_waits(link, false);
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
