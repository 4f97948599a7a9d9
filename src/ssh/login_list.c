/* login_list.c -- which keys to try on a host, in what order, and what became of each (see keys.h).
 * login.c walks through the list. */
#include "ssh/keys.h"

#include "base/text.h"
#include "ssh/host_key.h"

#include <unistd.h>

enum { STORY_BYTES_MAX = 2000, COMMENT_SHOWN_MAX = 60 };

/* Why libssh2 cannot use keys of this type, or NULL. */
static const char *type_trouble(struct arena *a, const char *type, const struct ssh_library *lib)
{
    if (!type)
        return NULL;
    if (strcmp(type, "ssh-rsa") == 0)
        return NULL;
    if (strncmp(type, "sk-", 3) == 0 && !lib->is_1_11)
        return arena_printf(a, "FIDO keys need libssh2 1.11 (this is %s)", lib->version);
    if (strncmp(type, "ssh-dss", 7) == 0)
        return "DSA keys are no longer supported";
    if (strstr(type, "-cert-v01") && strncmp(type, "ecdsa-", 6) != 0)
        return "libssh2 supports certificates of ECDSA keys only";
    return NULL;
}

/* Why this key file cannot be used, or NULL. */
static const char *file_trouble(struct arena *a, const struct ssh_key *key,
                                const struct ssh_library *lib)
{
    switch (key->form) {
    case KEY_ABSENT:
        return "no such file";
    case KEY_UNREADABLE:
    case KEY_UNKNOWN:
        return key->why;
    case KEY_PUBLIC:
        return "is a public key and the agent does not have its private key";
    case KEY_PRIVATE:
        break;
    }
    const char *trouble = type_trouble(a, key->type, lib);
    if (trouble || !key->encrypted)
        return trouble;
    if (!lib->is_1_11 && *key->cipher && key->type && strcmp(key->type, "ssh-rsa") == 0)
        return arena_printf(
            a,
            "is an encrypted RSA key in a format that libssh2 %s cannot use: load it "
            "with ssh-add, or convert it with ssh-keygen -p -m PEM -f %s",
            lib->version, key->label);
    if ((strstr(key->cipher, "-gcm") && !lib->is_1_11) || strstr(key->cipher, "chacha20"))
        return arena_printf(a,
                            "is encrypted with %s, which libssh2 %s cannot read: load it with "
                            "ssh-add, or re-encrypt it with ssh-keygen -p -Z aes256-ctr -f %s",
                            text_shown(a, key->cipher), lib->version, key->label);
    return NULL;
}

static bool same_blob(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a && b && a_len == b_len && memcmp(a, b, a_len) == 0;
}

static void add_key(struct login_list *list, const struct login_key *key, const char *trouble)
{
    struct login_key *k = &list->key[list->n++];

    *k = *key;
    k->fate = trouble ? KEY_PASSED_OVER : KEY_TO_TRY;
    k->why = trouble;
}

static void add_agent_key(struct arena *a, struct login_list *list, const struct agent_key *key,
                          const struct ssh_library *lib)
{
    const char *type = host_key_type(a, key->blob, key->blob_len);
    const char *comment =
        text_shown(a, arena_strndup(a, key->comment, strnlen(key->comment, COMMENT_SHOWN_MAX)));
    struct login_key k = {.agent_id = key->id,
                          .file = {.blob = key->blob, .blob_len = key->blob_len}};

    k.label =
        arena_printf(a, "agent key '%s' (%s)", comment, type ? host_key_kind(a, type) : "unknown");
    add_key(list, &k, type ? type_trouble(a, type, lib) : "has an unknown type");
}

static void add_file(struct arena *a, struct login_list *list, const struct ssh_key *file,
                     const struct ssh_library *lib)
{
    struct login_key k = {.label = file->label, .file = *file};

    add_key(list, &k, file_trouble(a, file, lib));
}

/* Adds a key file as a spare, for a key that is already on the list from the agent. */
static void add_spare(struct arena *a, struct login_list *list, const struct ssh_key *file,
                      const struct ssh_library *lib)
{
    add_file(a, list, file, lib);
    list->key[list->n - 1].fate = KEY_SPARE;
}

static bool has_from_agent(const struct login_list *list, const struct ssh_key *file)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->key[i].agent_id && same_blob(file->blob, file->blob_len, list->key[i].file.blob,
                                               list->key[i].file.blob_len))
            return true;
    return false;
}

static const char *const usual[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};
enum { USUAL = sizeof usual / sizeof *usual };

/* Adds only this key, like IdentitiesOnly of ssh. */
static void list_identity(struct arena *a, struct login_list *list, const struct agent_key *agent,
                          size_t n_agent, const struct ssh_library *lib)
{
    struct ssh_key file = ssh_key_read(a, list->identity);

    size_t before = list->n;
    for (size_t i = 0; i < n_agent; i++)
        if (same_blob(file.blob, file.blob_len, agent[i].blob, agent[i].blob_len))
            add_agent_key(a, list, &agent[i], lib);
    if (list->n == before)
        add_file(a, list, &file, lib);
    else if (file.form == KEY_PRIVATE)
        add_spare(a, list, &file, lib);
    list->identity = file.label;
}

static void list_usual(struct arena *a, struct login_list *list, const struct agent_key *agent,
                       size_t n_agent, const struct ssh_library *lib)
{
    struct ssh_key file[USUAL];

    for (size_t i = 0; i < n_agent; i++)
        add_agent_key(a, list, &agent[i], lib);
    for (size_t i = 0; i < USUAL; i++) {
        file[i] = ssh_key_read(a, usual[i]);
        if (!has_from_agent(list, &file[i]))
            continue;
        add_spare(a, list, &file[i], lib);
        file[i].form = KEY_ABSENT;
    }
    /* Keys without a passphrase first. */
    for (int encrypted = 0; encrypted < 2; encrypted++)
        for (size_t i = 0; i < USUAL; i++)
            if (file[i].form != KEY_ABSENT && file[i].encrypted == (encrypted == 1))
                add_file(a, list, &file[i], lib);
}

/* Adds the keys that the ssh configuration names: from the agent if it has them, else from their
 * files, encrypted ones last.  Then the agent's other keys, unless they are not to be tried. */
static void list_configured(struct arena *a, struct login_list *list, const struct agent_key *agent,
                            size_t n_agent, const struct login_wish *wish)
{
    const struct strs *paths = &wish->configured;
    struct ssh_key *file = arena_array(a, paths->n, sizeof *file);

    for (size_t i = 0; i < paths->n; i++) {
        file[i] = ssh_key_read(a, paths->v[i]);
        for (size_t k = 0; k < n_agent; k++)
            if (!has_from_agent(list, &file[i]) &&
                same_blob(file[i].blob, file[i].blob_len, agent[k].blob, agent[k].blob_len))
                add_agent_key(a, list, &agent[k], wish->library);
    }
    for (int encrypted = 0; encrypted < 2; encrypted++)
        for (size_t i = 0; i < paths->n; i++)
            if (!has_from_agent(list, &file[i]) && file[i].encrypted == (encrypted == 1))
                add_file(a, list, &file[i], wish->library);
    for (size_t i = 0; i < paths->n; i++)
        if (has_from_agent(list, &file[i]) && file[i].form == KEY_PRIVATE)
            add_spare(a, list, &file[i], wish->library);
    for (size_t k = 0; k < n_agent && !wish->configured_only; k++) {
        struct ssh_key key = {.blob = agent[k].blob, .blob_len = agent[k].blob_len};
        if (!has_from_agent(list, &key))
            add_agent_key(a, list, &agent[k], wish->library);
    }
}

struct login_list login_list_make(struct arena *a, const struct login_wish *wish,
                                  const struct agent_key *agent, size_t n_agent)
{
    struct login_list list = {.identity = wish->identity, .no_files = wish->no_files};
    struct login_wish own = *wish;

    /* IdentitiesOnly without an IdentityFile means the usual files, also if the agent has them. */
    bool usual_only = wish->configured_only && !wish->configured.n && !wish->no_files;
    for (size_t i = 0; i < USUAL && usual_only; i++)
        if (ssh_key_read(a, usual[i]).form != KEY_ABSENT)
            strs_add(a, &own.configured, usual[i]);
    wish = &own;
    list.key = arena_array(a, n_agent + 2 * wish->configured.n + 5, sizeof *list.key);
    if (wish->variable) {
        struct ssh_key key = ssh_key_of_variable(a, wish->variable);
        add_file(a, &list, &key, wish->library);
    }
    if (wish->identity)
        list_identity(a, &list, agent, n_agent, wish->library);
    else if (wish->configured.n || wish->no_files)
        list_configured(a, &list, agent, n_agent, wish);
    else
        list_usual(a, &list, agent, wish->configured_only ? 0 : n_agent, wish->library);
    return list;
}

void login_list_wipe(struct login_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        ssh_key_wipe(&list->key[i].file);
}

void login_list_unsigned(struct login_list *list, struct login_key *key, const char *why)
{
    key->fate = KEY_PASSED_OVER;
    key->why = why;
    for (size_t i = 0; i < list->n; i++)
        if (list->key[i].fate == KEY_SPARE &&
            same_blob(key->file.blob, key->file.blob_len, list->key[i].file.blob,
                      list->key[i].file.blob_len))
            list->key[i].fate = list->key[i].why ? KEY_PASSED_OVER : KEY_TO_TRY;
}

size_t login_list_tried(const struct login_list *list)
{
    size_t tried = 0;

    for (size_t i = 0; i < list->n; i++)
        tried += list->key[i].fate == KEY_REFUSED;
    return tried;
}

struct login_key *login_list_next(struct login_list *list)
{
    size_t tried = login_list_tried(list);

    for (size_t i = 0; i < list->n; i++) {
        struct login_key *k = &list->key[i];
        if (k->fate != KEY_TO_TRY)
            continue;
        if (tried < LOGIN_TRIES_MAX)
            return k;
        k->fate = KEY_PASSED_OVER;
        k->why =
            "not tried: servers disconnect after too many keys; set identity: to the right one";
    }
    return NULL;
}

bool login_list_wants_program(const struct login_list *list, struct arena *a)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct ssh_key *file = &list->key[i].file;
        const char *type = file->type              ? file->type
                           : list->key[i].agent_id ? host_key_type(a, file->blob, file->blob_len)
                                                   : NULL;
        if (list->key[i].fate == KEY_PASSED_OVER && type &&
            (strncmp(type, "sk-", 3) == 0 || strstr(type, "-cert-v01")))
            return true;
        if (file->path && access(arena_printf(a, "%s-cert.pub", file->path), R_OK) == 0)
            return true;
    }
    return false;
}

const char *login_list_story(const struct login_list *list, struct arena *a)
{
    struct buf b = buf_make(STORY_BYTES_MAX);
    size_t told = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct login_key *k = &list->key[i];
        if (k->fate == KEY_REFUSED || k->fate == KEY_PASSED_OVER)
            buf_printf(&b, "%s%s: %s", told++ ? "; " : "", k->label, k->why);
    }
    if (!told && list->no_files)
        buf_puts(&b, "no key in the agent, and IdentityFile of the ssh configuration is none");
    else if (!told)
        buf_puts(&b, "no key in the agent, and no ~/.ssh/id_ed25519 or ~/.ssh/id_ecdsa");
    else if (b.full)
        buf_puts(&b, "; ...");
    const char *story = arena_strdup(a, b.text);
    buf_free(&b);
    return story;
}
