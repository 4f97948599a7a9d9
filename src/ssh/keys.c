/* keys.c -- reads key files and decides which keys to offer in a login, in what order (see keys.h).
 * Called by login.c. */
#include "ssh/keys.h"

#include "base/text.h"
#include "edge/digest.h"
#include "ssh/encoding.h"
#include "ssh/home.h"
#include "ssh/host_key.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 64 * 1024, STORY_BYTES_MAX = 2000, COMMENT_SHOWN_MAX = 60 };

/* Reads a small file into the arena.  NULL, with errno set, if that fails. */
static char *read_small(struct arena *a, const char *path, size_t *ret_len, mode_t *ret_mode)
{
    struct stat st;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EFBIG;
        if (S_ISREG(st.st_mode) && st.st_size <= KEY_BYTES_MAX) {
            text = arena_alloc(a, (size_t)st.st_size + 1);
            ssize_t n = read(fd, text, (size_t)st.st_size);
            *ret_len = n > 0 ? (size_t)n : 0;
            *ret_mode = st.st_mode;
            if (n < 0)
                text = NULL;
        }
    }
    int keep = errno;
    close(fd);
    errno = keep;
    return text;
}

/* Parses a line "ssh-ed25519 AAAA... comment". */
static bool read_public(struct arena *a, const char *text, struct ssh_key *key)
{
    unsigned char *blob;
    size_t len;
    size_t type = strcspn(text, " \t");
    const char *b64 = text + type + strspn(text + type, " \t");

    if (!type || type > 64 || !base64_decode(a, b64, strcspn(b64, " \t\r\n"), &blob, &len))
        return false;
    const char *told = host_key_type(a, blob, len);
    if (!told || strlen(told) != type || strncmp(told, text, type) != 0)
        return false;
    key->type = told;
    key->blob = blob;
    key->blob_len = len;
    return true;
}

/* Decodes the base64 between the BEGIN and END lines of a PEM file. */
static bool read_pem_body(struct arena *a, const char *text, unsigned char **ret, size_t *ret_len)
{
    const char *p = strstr(text, "-----\n");
    const char *end = p ? strstr(p + 6, "\n-----END") : NULL;
    struct buf b = buf_make(KEY_BYTES_MAX);
    bool ok = false;

    if (!p || !end) {
        p = strstr(text, "-----\r\n");
        end = p ? strstr(p + 6, "\n-----END") : NULL;
    }
    if (p && end) {
        for (p += 6; p < end; p++)
            if (!strchr(" \t\r\n", *p))
                buf_add(&b, p, 1);
        ok = base64_decode(a, b.text, b.len, ret, ret_len);
        explicit_bzero(b.text, b.len);
    }
    buf_free(&b);
    return ok;
}

/* The format (PROTOCOL.key of OpenSSH): "openssh-key-v1", NUL, cipher, KDF, KDF options, number of
 * keys, public key, private part. */
static const char magic[] = "openssh-key-v1";

static void read_openssh(struct arena *a, struct ssh_key *key)
{
    unsigned char *body;
    size_t len;
    struct decoder d;
    const unsigned char *s;
    size_t n;

    if (!read_pem_body(a, key->text, &body, &len))
        return;
    d = (struct decoder){.p = body + sizeof magic,
                         .left = len > sizeof magic ? len - sizeof magic : 0};
    if (d.left && memcmp(body, magic, sizeof magic) == 0 && decode_string(&d, &s, &n)) {
        key->cipher = arena_strndup(a, (const char *)s, n < 64 ? n : 64);
        key->encrypted = strcmp(key->cipher, "none") != 0;
        if (decode_string(&d, &s, &n) && decode_string(&d, &s, &n) && decode_u32(&d, &n) &&
            decode_string(&d, &s, &n)) {
            key->blob_len = n;
            key->blob = arena_strndup(a, (const char *)s, n);
            key->type = host_key_type(a, s, n);
        }
    }
    explicit_bzero(body, len);
}

bool ssh_key_private_part(struct arena *a, const struct ssh_key *key, const unsigned char **ret,
                          size_t *ret_len)
{
    unsigned char *body;
    size_t len;
    const unsigned char *s;
    size_t n;

    if (key->encrypted || !key->text || !read_pem_body(a, key->text, &body, &len))
        return false;
    struct decoder d = {.p = body + sizeof magic,
                        .left = len > sizeof magic ? len - sizeof magic : 0};
    /* Cipher, KDF, its options, the number of keys, the public key. */
    if (d.left && memcmp(body, magic, sizeof magic) == 0 && decode_string(&d, &s, &n) &&
        decode_string(&d, &s, &n) && decode_string(&d, &s, &n) && decode_u32(&d, &n) && n == 1 &&
        decode_string(&d, &s, &n) && decode_string(&d, ret, ret_len))
        return true;
    explicit_bzero(body, len);
    return false;
}

/* Unencrypted PKCS #8 names the type of the key by an object identifier. */
static void read_pkcs8(struct arena *a, struct ssh_key *key)
{
    static const struct {
        const char *type;
        unsigned char oid[9];
        size_t len;
    } kinds[] = {
        {"ssh-rsa", {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01}, 9},
        {"ecdsa-sha2-nistp", {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01}, 7},
        {"ssh-ed25519", {0x2b, 0x65, 0x70}, 3},
        {"ssh-dss", {0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01}, 7},
    };
    unsigned char *body;
    size_t len;

    if (!read_pem_body(a, key->text, &body, &len))
        return;
    /* It is near the beginning: SEQUENCE, version, SEQUENCE, OBJECT IDENTIFIER. */
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i + kinds[k].len < len && i < 24 && !key->type; i++)
            if (memcmp(body + i, kinds[k].oid, kinds[k].len) == 0)
                key->type = kinds[k].type;
    explicit_bzero(body, len);
}

static void read_private(struct arena *a, struct ssh_key *key)
{
    const char *begin = strstr(key->text, "-----BEGIN ");

    key->form = KEY_PRIVATE;
    if (!begin) {
        key->form = KEY_UNKNOWN;
        key->why = strncmp(key->text, "PuTTY-User-Key-File", 19) == 0
                       ? "is a PuTTY key: export it as an OpenSSH key with puttygen"
                       : "is not a private key";
        return;
    }
    begin += 11;
    if (strncmp(begin, "OPENSSH PRIVATE", 15) == 0) {
        read_openssh(a, key);
    } else if (strncmp(begin, "ENCRYPTED PRIVATE", 17) == 0) {
        key->encrypted = true;
        key->cipher = "";
    } else if (strncmp(begin, "PRIVATE", 7) == 0) {
        read_pkcs8(a, key);
    } else if (strncmp(begin, "RSA PRIVATE", 11) == 0) {
        key->type = "ssh-rsa";
    } else if (strncmp(begin, "EC PRIVATE", 10) == 0) {
        key->type = "ecdsa-sha2-nistp";
    } else if (strncmp(begin, "DSA PRIVATE", 11) == 0) {
        key->type = "ssh-dss";
    } else {
        key->form = KEY_UNKNOWN;
        key->why = "is not a private key";
    }
    if (strstr(key->text, "Proc-Type: 4,ENCRYPTED")) {
        key->encrypted = true;
        key->cipher = "";
    }
}

struct ssh_key ssh_key_read(struct arena *a, const char *path)
{
    struct ssh_key key = {.path = home_expand(a, path)};
    mode_t mode = 0;
    mode_t pub_mode = 0;
    size_t len = 0;

    key.label = home_shorten(a, key.path);
    char *text = read_small(a, key.path, &len, &mode);
    if (!text) {
        key.form = errno == ENOENT || errno == ENOTDIR ? KEY_ABSENT : KEY_UNREADABLE;
        key.why = arena_strdup(a, strerror(errno));
        return key;
    }
    key.loose = (mode & 077) != 0;
    if (read_public(a, text, &key)) {
        key.form = KEY_PUBLIC;
        return key;
    }
    key.text = text;
    key.text_len = len;
    read_private(a, &key);
    if (key.form == KEY_PRIVATE && !key.blob) {
        char *pub = read_small(a, arena_printf(a, "%s.pub", key.path), &len, &pub_mode);
        struct ssh_key half = {0};
        if (pub && read_public(a, pub, &half)) {
            key.blob = half.blob;
            key.blob_len = half.blob_len;
            key.type = half.type;
        }
    }
    return key;
}

/* Returns the value as a key file has it, or NULL if it is no key. */
static char *repaired(struct arena *a, const char *value)
{
    bool one_line = !strchr(value, '\n');
    char *text = arena_alloc(a, strlen(value) + 2);
    char *to = text;

    for (const char *s = value; *s; s++) {
        if (*s == '\r')
            continue;
        if (one_line && s[0] == '\\' && s[1] == 'n')
            *to++ = '\n', s++;
        else
            *to++ = *s;
    }
    if (to > text && to[-1] != '\n')
        *to++ = '\n';
    return strstr(text, "-----BEGIN ") ? text : NULL;
}

/* The same for a value that is the key file in base64, with or without line breaks. */
static char *decoded(struct arena *a, const char *value)
{
    struct buf b = buf_make(KEY_BYTES_MAX);
    unsigned char *bytes;
    size_t len;
    char *text = NULL;

    for (const char *s = value; *s; s++)
        if (!strchr(" \t\r\n", *s))
            buf_add(&b, s, 1);
    if (!b.full && base64_decode(a, b.text, b.len, &bytes, &len)) {
        text = repaired(a, arena_strndup(a, (const char *)bytes, len));
        explicit_bzero(bytes, len);
    }
    explicit_bzero(b.text, b.len);
    buf_free(&b);
    return text;
}

struct ssh_key ssh_key_of_variable(struct arena *a, const char *value)
{
    static const char name[] = "CRELEASE_SSH_KEY";
    struct ssh_key key = {.path = name, .label = name};
    bool is_path = (value[0] == '/' || value[0] == '~') && !strchr(value, '\n');

    if (is_path && strlen(value) < 4096) {
        key = ssh_key_read(a, value);
        key.label = arena_printf(a, "%s (%s)", name, key.label);
        return key;
    }
    key.text = repaired(a, value);
    if (!key.text)
        key.text = decoded(a, value);
    if (!key.text) {
        key.form = KEY_UNKNOWN;
        key.why = "is neither a private key, nor one in base64, nor the path of one";
        return key;
    }
    key.text_len = strlen(key.text);
    read_private(a, &key);
    return key;
}

void ssh_key_wipe(struct ssh_key *key)
{
    if (key->text)
        explicit_bzero(key->text, key->text_len);
    key->text = NULL;
    key->text_len = 0;
}

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
    struct login_list list = {.identity = wish->identity};
    struct login_wish own = *wish;

    /* IdentitiesOnly without an IdentityFile means the usual files, also if the agent has them. */
    for (size_t i = 0; i < USUAL && wish->configured_only && !wish->configured.n; i++)
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
    else if (wish->configured.n)
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

const char *login_list_story(const struct login_list *list, struct arena *a)
{
    struct buf b = buf_make(STORY_BYTES_MAX);
    size_t told = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct login_key *k = &list->key[i];
        if (k->fate == KEY_REFUSED || k->fate == KEY_PASSED_OVER)
            buf_printf(&b, "%s%s: %s", told++ ? "; " : "", k->label, k->why);
    }
    if (!told)
        buf_puts(&b, "no key in the agent, and no ~/.ssh/id_ed25519 or ~/.ssh/id_ecdsa");
    else if (b.full)
        buf_puts(&b, "; ...");
    const char *story = arena_strdup(a, b.text);
    buf_free(&b);
    return story;
}
