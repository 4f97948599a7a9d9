/* ssh_login.c -- who we are: keys of the agent and of files, then what the server asks a person
 * for. */
#include "edge/ssh_link.h"

#include "base/text.h"

enum { PASSPHRASE_TRIES = 3 };

static bool library_is_1_11(void)
{
    return libssh2_version(0x010b00) != NULL;
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
        link_say(link, "the agent at $SSH_AUTH_SOCK does not answer");
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

void login_begin(struct link *link)
{
    struct ssh_library library = {libssh2_version(0), library_is_1_11()};
    size_t n;
    struct agent_key *agent = agent_keys(link, &n);

    link->user = link->host->user;
    link->list = login_list_make(&link->arena, link->host->identity, agent, n, &library);
    for (size_t i = 0; i < link->list.n; i++)
        if (link->list.key[i].file.text && link->list.key[i].file.loose)
            link_say(link, "%s can be read by others than its owner", link->list.key[i].label);
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
    const char *ended =
        wire_trouble(link->wire) || link->goodbye
            ? arena_printf(&link->arena, "; the server hung up: %s", link_loss(link))
            : "";

    link_die(link, "cannot log in to %s as %s: %s%s%s; %s", link_place(link),
             text_shown(&link->arena, link->user), story, offers, ended,
             login_list_tried(&link->list)
                 ? "add a public key to its ~/.ssh/authorized_keys there, or name the right key as "
                   "identity:"
                 : "load a key with ssh-add, or name one as identity: in the recipe");
}

static void login_done(struct link *link, const char *how)
{
    link_say(link, "logged in as %s with %s", text_shown(&link->arena, link->user), how);
    login_list_wipe(&link->list);
    if (link->agent) {
        libssh2_agent_disconnect(link->agent);
        libssh2_agent_free(link->agent);
        link->agent = NULL;
    }
    /* The library rounds one second up to two; the rhythm is ours. */
    libssh2_keepalive_config(link->ssh, 1, 2);
    link_leave_slot(link);
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
    link->secret = link_ask(link, key->file.path,
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
        key->why = answered ? "not accepted" : link_error_text(link);
    }
    link_say(link, "%s: %s", key->label, key->why);
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
    link->methods = link_server_text(link, methods, strlen(methods));
    bool password = methods_have(link, "password");
    if (link->options->ask && (password || methods_have(link, "keyboard-interactive"))) {
        const char *who =
            arena_printf(&link->arena, "password for %s@%s: ", text_shown(&link->arena, link->user),
                         text_shown(&link->arena, link->id.name));
        link->secret = link_ask(link, arena_printf(&link->arena, "%s%d", who, link->id.port), who);
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

bool login_step(struct link *link)
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
