/* login.c -- logs in: with keys of the agent and from files, then with what the server asks for.
 * carrier.c calls it after the host key was verified.  Questions to the agent and to the user are
 * answered later (agent.h, loop_ask): until then a step makes no progress and is repeated when the
 * links are woken. */
#include "ssh/link.h"

#include "base/text.h"
#include "ssh/home.h"

static bool library_is_1_11(void)
{
    return libssh2_version(0x010b00) != NULL;
}

void login_begin(struct link *link)
{
    link->user = link->host->user;
    link->key = NULL;
    link->methods = NULL;
    link->step = LOGIN_AGENT;
    link->state = LINK_LOGIN;
}

/* Collects the keys, once the agent has answered. */
static bool step_agent(struct link *link)
{
    struct ssh_library library = {libssh2_version(0), library_is_1_11()};
    bool waits = !link->host->no_agent && agent_state(link->agent) == AGENT_WAITING;
    size_t n;

    link_waits(link, waits);
    if (waits)
        return false;
    const struct agent_key *keys = agent_keys(link->agent, &n);
    const char *variable = getenv("CRELEASE_SSH_KEY");
    struct login_wish wish = {.variable = variable && *variable ? variable : NULL,
                              .identity = link->host->identity,
                              .configured = link->host->identities,
                              .no_files = link->host->no_identities,
                              .configured_only = link->host->identities_only,
                              .library = &library};
    if (link->host->no_agent)
        n = 0;
    if (agent_why(link->agent) && !link->host->no_agent)
        link_say(link, "%s", agent_why(link->agent));
    link->list = login_list_make(&link->arena, &wish, keys, n);
    for (size_t i = 0; i < link->list.n; i++)
        if (link->list.key[i].file.text && link->list.key[i].file.loose)
            link_say(link, "%s is readable by other users", link->list.key[i].label);
    link->step = LOGIN_KEYS;
    return true;
}

/* What to do after no key was accepted. */
static const char *advice(struct link *link)
{
    const char *methods = link->methods ? link->methods : "";
    bool others = strstr(methods, "gssapi") || strstr(methods, "hostbased");

    if (login_list_wants_program(&link->list, &link->arena) ||
        (others && !strstr(methods, "publickey")))
        return "set 'transport: openssh' in the recipe to log in with the ssh program, which can use certificates, "
               "FIDO keys and Kerberos";
    const char *kerberos =
        strstr(methods, "gssapi") ? "; for Kerberos, set 'transport: openssh' in the recipe" : "";
    const char *keys =
        login_list_tried(&link->list)
            ? "add a public key to ~/.ssh/authorized_keys on the host, or set identity: to the right key"
        : agent_why(link->agent)
            ? "restart the agent, or change IdentityAgent or SSH_AUTH_SOCK, or set identity: in the recipe to a "
              "key file"
        : in_ci_job() ? "set CRELEASE_SSH_KEY to a private key, in a variable of the CI system"
                      : "load a key with ssh-add, or set identity: in the recipe to a key file";
    return arena_printf(&link->arena, "%s%s", keys, kerberos);
}

static void login_failed(struct link *link)
{
    const char *story = login_list_story(&link->list, &link->arena);
    /* Unless the trouble with the agent is already part of the story. */
    const char *agent = agent_why(link->agent) && !strstr(story, agent_why(link->agent))
                            ? arena_printf(&link->arena, "%s; ", agent_why(link->agent))
                            : "";
    const char *offers =
        link->methods ? arena_printf(&link->arena, "; the server offers %s", link->methods) : "";
    const char *ended =
        wire_trouble(link->wire) || link->goodbye
            ? arena_printf(&link->arena, "; the server closed the connection: %s", link_loss(link))
            : "";

    link_die(link, "cannot log in to %s as %s: %s%s%s%s; %s", link_place(link),
             text_shown(&link->arena, link->user), agent, story, offers, ended, advice(link));
}

static void login_done(struct link *link, const char *how)
{
    link_say(link, "logged in as %s with %s", text_shown(&link->arena, link->user), how);
    login_list_wipe(&link->list);
    /* libssh2 rounds one second up to two.  The actual rhythm is look_alive's. */
    libssh2_keepalive_config(link->ssh, 1, 2);
    link_leave_slot(link);
    dial_close(link->dial);
    link->dial = NULL;
    link->was_ready = true;
    link->state = LINK_READY;
}

enum opened { KEY_OPEN, KEY_WAITS, KEY_CLOSED };

/* Whether the key can be used now; one that cannot be opened is passed over. */
static enum opened key_is_open(struct link *link, struct login_key *key)
{
    if (key->agent_id || !key->file.encrypted || link->secret)
        return KEY_OPEN;
    if (!link->options->ask) {
        key->fate = KEY_PASSED_OVER;
        key->why = "is encrypted and there is no terminal to ask for its passphrase: use ssh-agent";
        return KEY_CLOSED;
    }
    struct secret *s = link_ask(
        link, key->file.path,
        arena_printf(&link->arena, "passphrase for '%s'", text_shown(&link->arena, key->label)));
    switch (s->state) {
    case SECRET_UNKNOWN:
    case SECRET_ASKED:
        return KEY_WAITS;
    case SECRET_GIVEN:
        link->secret = s;
        return KEY_OPEN;
    case SECRET_REFUSED:
        break;
    }
    key->fate = KEY_PASSED_OVER;
    key->why = s->wrong ? "the passphrase was wrong" : "is encrypted and no passphrase was given";
    return KEY_CLOSED;
}

static void key_failed(struct link *link, int rc)
{
    struct login_key *key = link->key;
    bool answered = rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED;

    /* libssh2 reports a wrong passphrase and an unknown format alike, but keys.c has already
     * checked the format. */
    if (!answered && !key->agent_id && key->file.encrypted && !link->secret->proven &&
        rc != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED && !wire_trouble(link->wire)) {
        share_wrong(link->secret);
        link->secret = NULL;
        return; /* try the same key again with another passphrase, or give it up */
    }
    if (link->sign && agent_sign_state(link->sign) == SIGN_FAILED) {
        login_list_unsigned(&link->list, key,
                            arena_strdup(&link->arena, agent_sign_why(link->sign)));
    } else {
        if (link->secret)
            link->secret->proven = true;
        key->fate = KEY_REFUSED;
        key->why = answered ? "rejected by the server" : link_error_text(link);
    }
    link_say(link, "%s: %s", key->label, key->why);
    agent_sign_free(link->sign);
    link->sign = NULL;
    link->secret = NULL;
    link->key = NULL;
}

/* libssh2 calls this repeatedly until the agent has answered; it frees the signature. */
static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(on_sign)
{
    struct link *link = *abstract;
    size_t len;

    (void)session;
    if (!link->sign)
        link->sign = agent_sign_begin(link->agent, link->key->agent_id, data, data_len);
    switch (agent_sign_state(link->sign)) {
    case SIGN_WAITING:
        link_waits(link, true);
        return LIBSSH2_ERROR_EAGAIN;
    case SIGN_FAILED:
        return LIBSSH2_ERROR_AGENT_PROTOCOL;
    case SIGN_DONE:
        break;
    }
    const unsigned char *bytes = agent_sign_bytes(link->sign, &len);
    *sig = xcalloc(1, len + 1);
    memcpy(*sig, bytes, len);
    *sig_len = len;
    return 0;
}

/* Whether RSA keys have to be offered under the name of their signature algorithm.  Only OpenSSH is
 * known to accept that; other servers of its age accept SHA-1. */
static bool rsa_is_renamed(struct link *link)
{
    const char *banner = libssh2_session_banner_get(link->ssh);

    return !library_is_1_11() && banner && strncmp(banner, "SSH-2.0-OpenSSH_", 16) == 0;
}

static int try_agent_key(struct link *link, const struct agent_key *key)
{
    void *abstract = link;
    struct rsa_offer offer = {0};

    if (rsa_is_renamed(link))
        offer = rsa_offer_renamed(&link->arena, key->blob, key->blob_len);
    if (!offer.blob)
        offer = (struct rsa_offer){key->blob, key->blob_len};
    return libssh2_userauth_publickey(link->ssh, link->user, offer.blob, offer.len, on_sign,
                                      &abstract);
}

/* Signs with the RSA key of a file; libssh2 frees the signature. */
static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(on_rsa_sign)
{
    struct link *link = *abstract;
    unsigned char *bytes;
    size_t len;

    (void)session;
    if (!rsa_sign(link->rsa, &link->arena, data, data_len, &bytes, &len))
        return LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    *sig = xcalloc(1, len + 1);
    memcpy(*sig, bytes, len);
    *sig_len = len;
    return 0;
}

static int try_rsa_file(struct link *link, const struct ssh_key *file)
{
    void *abstract = link;
    struct rsa_offer offer = {0};

    if (!link->rsa)
        link->rsa = rsa_of_key(file, link->secret ? link->secret->text : "");
    if (link->rsa)
        offer = rsa_offer_of(&link->arena, link->rsa);
    /* As libssh2 reports a key file that it cannot open. */
    if (!offer.blob)
        return LIBSSH2_ERROR_FILE;
    int rc = libssh2_userauth_publickey(link->ssh, link->user, offer.blob, offer.len, on_rsa_sign,
                                        &abstract);
    if (rc != LIBSSH2_ERROR_EAGAIN) {
        rsa_close(link->rsa);
        link->rsa = NULL;
    }
    return rc;
}

static int try_file(struct link *link, const struct ssh_key *file)
{
    bool rsa = file->type && strcmp(file->type, "ssh-rsa") == 0;

    /* An encrypted PKCS #8 file does not tell its type. */
    if (rsa_is_renamed(link) && !rsa && !file->type && !link->rsa)
        link->rsa = rsa_of_key(file, link->secret ? link->secret->text : "");
    if (rsa_is_renamed(link) && (rsa || link->rsa))
        return try_rsa_file(link, file);
    return libssh2_userauth_publickey_frommemory(
        link->ssh, link->user, (unsigned)strlen(link->user), NULL, 0, file->text, file->text_len,
        /* not NULL: 1.10 calls strlen on it */
        link->secret ? link->secret->text : "");
}

static bool step_keys(struct link *link)
{
    int rc;

    if (!link->key) {
        link->key = login_list_next(&link->list);
        if (!link->key) {
            /* Asking for the methods counts as one more try, and after so many it is one too
             * many. */
            if (login_list_tried(&link->list) < LOGIN_TRIES_MAX)
                link->step = LOGIN_METHODS;
            else
                login_failed(link);
            return true;
        }
    }
    struct login_key *key = link->key;
    enum opened opened = key_is_open(link, key);
    link_waits(link, opened == KEY_WAITS);
    if (opened == KEY_WAITS)
        return false;
    if (opened == KEY_CLOSED) {
        link_say(link, "%s: %s", key->label, key->why);
        link->key = NULL;
        return true;
    }
    rc = key->agent_id ? try_agent_key(link, key->agent_id) : try_file(link, &key->file);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc == 0) {
        key->fate = KEY_ACCEPTED;
        if (link->secret)
            link->secret->proven = true;
        link->secret = NULL;
        agent_sign_free(link->sign);
        link->sign = NULL;
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
            login_done(link, "no key: the server requires none");
        else
            login_failed(link);
        return true;
    }
    link->methods = link_server_text(link, methods, strlen(methods));
    bool password = methods_have(link, "password");
    if (link->options->ask && (password || methods_have(link, "keyboard-interactive")))
        link->step = password ? LOGIN_PASSWORD : LOGIN_DIALOGUE;
    else
        login_failed(link);
    return true;
}

/* Answers every question that is not echoed with the password; libssh2 frees the answers. */
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

    if (!link->secret) {
        const char *who =
            arena_printf(&link->arena, "password for %s@%s", text_shown(&link->arena, link->user),
                         text_shown(&link->arena, link->host->address));
        struct secret *s =
            link_ask(link, arena_printf(&link->arena, "%s port %d", who, link->port), who);
        bool waits = s->state == SECRET_UNKNOWN || s->state == SECRET_ASKED;
        link_waits(link, waits);
        if (waits)
            return false;
        if (s->state == SECRET_REFUSED) {
            login_failed(link);
            return true;
        }
        link->secret = s;
    }
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
            arena_printf(&link->arena, "%s; the server rejected the password", link->methods);
        login_failed(link);
    }
    return true;
}

bool login_step(struct link *link)
{
    switch (link->step) {
    case LOGIN_AGENT:
        return step_agent(link);
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
