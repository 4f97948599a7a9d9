/* keys.c -- reads key files, and the key of CRELEASE_SSH_KEY (see keys.h).  Called by login_list.c and
 * rsa_login.c. */
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

enum { KEY_BYTES_MAX = 64 * 1024 };

/* Reads a small file into the arena.  NULL, with errno set, if that fails. */
static char *read_small(struct arena *a, const char *path, size_t *ret_len, mode_t *ret_mode)
{
    struct stat st;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISREG(st.st_mode) ? EFBIG : ENOTSUP;
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

    key.label = text_shown(a, home_shorten(a, key.path));
    char *text = read_small(a, key.path, &len, &mode);
    if (!text) {
        key.form = errno == ENOENT || errno == ENOTDIR ? KEY_ABSENT : KEY_UNREADABLE;
        key.why = errno == ENOTSUP ? "not a regular file" : arena_strdup(a, strerror(errno));
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
    /* As it comes out of a field for one line, or unquoted out of a shell. */
    if (strchr(key.text, '\n') == key.text + key.text_len - 1) {
        key.form = KEY_UNKNOWN;
        key.why = "has lost its line breaks: store the key as a file or in base64 (base64 -w0)";
        return key;
    }
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
