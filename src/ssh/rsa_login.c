/* rsa_login.c -- RSA keys for logins with SHA-2 (see rsa_login.h).  login.c uses it with libssh2 before
 * 1.11. */
#include "ssh/rsa_login.h"

#include "base/buf.h"
#include "edge/digest.h"
#include "ssh/encoding.h"

enum { BLOB_BYTES_MAX = 16 * 1024 };

static const char ALGORITHM[] = "rsa-sha2-512";

static bool take(struct decoder *d, struct rsa_number *ret)
{
    return decode_string(d, &ret->bytes, &ret->len);
}

/* The private part of an OpenSSH key file without a passphrase (PROTOCOL.key): two equal check
 * numbers, then the type and n, e, d, iqmp, p and q. */
static struct rsa *of_private_part(const unsigned char *bytes, size_t len)
{
    struct decoder d = {bytes, len};
    struct rsa_numbers numbers;
    const unsigned char *type;
    size_t type_len;
    size_t check[2];

    if (!decode_u32(&d, &check[0]) || !decode_u32(&d, &check[1]) || check[0] != check[1] ||
        !decode_string(&d, &type, &type_len) || type_len != 7 || memcmp(type, "ssh-rsa", 7) != 0 ||
        !take(&d, &numbers.n) || !take(&d, &numbers.e) || !take(&d, &numbers.d) ||
        !take(&d, &numbers.iqmp) || !take(&d, &numbers.p) || !take(&d, &numbers.q))
        return NULL;
    return rsa_of_numbers(&numbers);
}

struct rsa *rsa_of_key(const struct ssh_key *key, const char *passphrase)
{
    struct arena a = {0};
    struct rsa *rsa = NULL;
    const unsigned char *private;
    size_t len;

    if (!strstr(key->text, "-----BEGIN OPENSSH PRIVATE"))
        return rsa_read_pem(key->text, key->text_len, passphrase);
    if (ssh_key_private_part(&a, key, &private, &len)) {
        rsa = of_private_part(private, len);
        explicit_bzero((void *)(uintptr_t) private, len);
    }
    arena_free(&a);
    return rsa;
}

/* An mpint (RFC 4251, 5): a number whose first bit is set gets a zero byte in front. */
static void encode_number(struct buf *b, const struct rsa_number *number)
{
    bool zero = number->len && (number->bytes[0] & 0x80);

    encode_u32(b, number->len + zero);
    if (zero)
        buf_add(b, "", 1);
    buf_add(b, number->bytes, number->len);
}

static struct rsa_offer copied(struct arena *a, struct buf *b)
{
    struct rsa_offer offer = {(unsigned char *)arena_strndup(a, b->text, b->len), b->len};

    if (b->full)
        offer = (struct rsa_offer){0};
    buf_free(b);
    return offer;
}

struct rsa_offer rsa_offer_of(struct arena *a, const struct rsa *rsa)
{
    struct buf b = buf_make(BLOB_BYTES_MAX);
    struct rsa_number n;
    struct rsa_number e;

    if (!rsa_public(rsa, a, &n, &e))
        return (struct rsa_offer){0};
    encode_string(&b, ALGORITHM, sizeof ALGORITHM - 1);
    encode_number(&b, &e);
    encode_number(&b, &n);
    return copied(a, &b);
}

struct rsa_offer rsa_offer_renamed(struct arena *a, const void *blob, size_t len)
{
    struct decoder d = {blob, len};
    struct buf b = buf_make(BLOB_BYTES_MAX);
    const unsigned char *type;
    size_t type_len;

    if (!decode_string(&d, &type, &type_len) || type_len != 7 || memcmp(type, "ssh-rsa", 7) != 0)
        return (struct rsa_offer){0};
    encode_string(&b, ALGORITHM, sizeof ALGORITHM - 1);
    buf_add(&b, d.p, d.left);
    return copied(a, &b);
}
