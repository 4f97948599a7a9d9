/* host_key.c -- type, name and fingerprint of host keys, and pins of them (see host_key.h).  Called
 * by connection.c and known_hosts.c, and by the recipe's checks. */
#include "ssh/host_key.h"

#include "base/text.h"
#include "edge/digest.h"

/* All types that exist are made of these.  RFC 4251 allows more, such as quotes and "$", but a type is
 * written into known_hosts lines, YAML and arguments of programs. */
static const char TYPE_LETTERS[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._-";

const char *host_key_type(struct arena *a, const void *key, size_t len)
{
    const unsigned char *b = key;

    if (len < 4)
        return NULL;
    size_t n = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    if (n == 0 || n > 64 || n > len - 4)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (!b[4 + i] || !strchr(TYPE_LETTERS, b[4 + i]))
            return NULL;
    return arena_strndup(a, (const char *)b + 4, n);
}

const char *host_key_kind(struct arena *a, const char *type)
{
    if (strcmp(type, "ssh-ed25519") == 0)
        return "ED25519";
    if (strncmp(type, "ecdsa-sha2-", 11) == 0)
        return "ECDSA";
    if (strcmp(type, "ssh-rsa") == 0 || strncmp(type, "rsa-sha2-", 9) == 0)
        return "RSA";
    if (strcmp(type, "ssh-dss") == 0)
        return "DSA";
    return text_shown(a, type);
}

const char *host_key_fingerprint(struct arena *a, const void *key, size_t len)
{
    unsigned char sum[32];

    digest_sha256(key, len, sum);
    char *b64 = base64_encode(a, sum, sizeof sum);
    b64[strcspn(b64, "=")] = '\0';
    return arena_printf(a, "SHA256:%s", b64);
}
/* A parsed pin: the SHA-256 of a key, or the key itself if `type` is set. */
struct pin {
    unsigned char *bytes;
    size_t len;
    const char *type;
};

static bool read_pin(struct arena *a, const char *text, struct pin *ret)
{
    *ret = (struct pin){0};
    text += strspn(text, " \t\r\n");
    if (strncmp(text, "SHA256:", 7) == 0) {
        size_t len = strcspn(text + 7, " \t\r\n");
        return base64_decode(a, text + 7, len, &ret->bytes, &ret->len) && ret->len == 32;
    }
    size_t type_len = strcspn(text, " \t\r\n");
    const char *key = text + type_len + strspn(text + type_len, " \t");
    if (!type_len || !base64_decode(a, key, strcspn(key, " \t\r\n"), &ret->bytes, &ret->len))
        return false;
    ret->type = host_key_type(a, ret->bytes, ret->len);
    return ret->type && strlen(ret->type) == type_len && strncmp(ret->type, text, type_len) == 0;
}

bool host_key_pin_is_valid(const char *pin)
{
    struct arena a = {0};
    struct pin parsed;
    bool valid = read_pin(&a, pin, &parsed);

    arena_free(&a);
    return valid;
}

bool host_key_pin_matches(const char *pin, const void *key, size_t len)
{
    struct arena a = {0};
    struct pin parsed;
    unsigned char sum[32];
    bool yes = false;

    if (read_pin(&a, pin, &parsed)) {
        digest_sha256(key, len, sum);
        yes = parsed.type ? parsed.len == len && memcmp(parsed.bytes, key, len) == 0
                          : memcmp(parsed.bytes, sum, sizeof sum) == 0;
    }
    arena_free(&a);
    return yes;
}

const char *host_key_pin_type(struct arena *a, const char *pin)
{
    struct pin parsed;

    return read_pin(a, pin, &parsed) ? parsed.type : NULL;
}
