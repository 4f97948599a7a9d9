/* digest.c -- checksums and base64 (see digest.h); the only file that includes OpenSSL.  Called for
 * manifests, host keys, known_hosts and Git objects. */
#include "edge/digest.h"

#include "base/die.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct digest {
    EVP_MD_CTX *ctx;
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A digest fails only if memory runs out or libcrypto was built without it.  The program cannot
 * continue without checksums, so it ends. */
static void must(bool done)
{
    if (!done)
        die("libcrypto failed: it lacks SHA-256 or SHA-1, or memory ran out");
}

/* libcrypto 3.0 continues after some failed allocations and then uses a lock that is NULL.  These
 * functions end the process instead. */
static void *room(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size ? xrealloc(NULL, size) : NULL;
}

static void *more_room(void *p, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size)
        return xrealloc(p, size);
    free(p);
    return NULL;
}

static void no_room(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

void digest_begin(void)
{
    /* libcrypto refuses if it has allocated already; then it keeps its own functions. */
    (void)CRYPTO_set_mem_functions(room, more_room, no_room);
}

struct digest *digest_open(void)
{
    struct digest *d = xcalloc(1, sizeof *d);

    d->ctx = EVP_MD_CTX_new();
    must(d->ctx && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
    return d;
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
    must(EVP_DigestUpdate(d->ctx, bytes, len) == 1);
}

void digest_hex(struct digest *d, char ret[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    must(EVP_DigestFinal_ex(d->ctx, raw, &len) == 1 && len == 32);
    must(EVP_DigestInit_ex(d->ctx, NULL, NULL) == 1);
    for (size_t i = 0; i < 32; i++) {
        ret[2 * i] = digits[raw[i] >> 4];
        ret[2 * i + 1] = digits[raw[i] & 15];
    }
    ret[64] = '\0';
}

void digest_close(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_sha256(const void *bytes, size_t len, unsigned char ret[32])
{
    must(EVP_Digest(bytes, len, ret, NULL, EVP_sha256(), NULL) == 1);
}

void digest_hmac_sha1(const void *key, size_t key_len, const void *bytes, size_t len,
                      unsigned char ret[20])
{
    must(key_len <= INT32_MAX);
    must(HMAC(EVP_sha1(), key_len ? key : "", (int)key_len, bytes, len, ret, NULL) != NULL);
}

void digest_git_blob(const void *bytes, size_t len, unsigned char ret[20])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char head[32];
    int head_len = snprintf(head, sizeof head, "blob %zu", len);

    must(ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
         EVP_DigestUpdate(ctx, head, (size_t)head_len + 1) == 1 &&
         EVP_DigestUpdate(ctx, bytes, len) == 1 && EVP_DigestFinal_ex(ctx, ret, NULL) == 1);
    EVP_MD_CTX_free(ctx);
}

char *base64_encode(struct arena *a, const void *bytes, size_t len)
{
    const unsigned char *in = bytes;
    char *ret = arena_array(a, len / 3 + 2, 4);
    size_t k = 0;

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned v = (unsigned)in[i] << 16;
        if (n > 1)
            v |= (unsigned)in[i + 1] << 8;
        if (n > 2)
            v |= in[i + 2];
        ret[k++] = alphabet[v >> 18];
        ret[k++] = alphabet[v >> 12 & 63];
        ret[k++] = n > 1 ? alphabet[v >> 6 & 63] : '=';
        ret[k++] = n > 2 ? alphabet[v & 63] : '=';
    }
    return ret;
}

bool base64_decode(struct arena *a, const char *s, size_t len, unsigned char **ret, size_t *ret_len)
{
    size_t pad = 0;

    while (pad < 2 && pad < len && s[len - pad - 1] == '=')
        pad++;
    if (pad && len % 4)
        return false;
    len -= pad;
    if (len % 4 == 1 || (pad && len % 4 != 4 - pad))
        return false;
    unsigned char *out = arena_alloc(a, len / 4 * 3 + 3);
    size_t k = 0;
    unsigned v = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = s[i] ? strchr(alphabet, s[i]) : NULL;
        if (!at)
            return false;
        v = (v << 6 | (unsigned)(at - alphabet)) & 0xfff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[k++] = (unsigned char)(v >> bits);
        }
    }
    if (v & ((1u << bits) - 1)) /* trailing bits that belong to no byte */
        return false;
    *ret = out;
    *ret_len = k;
    return true;
}

struct library digest_library(struct arena *a)
{
    static const char *const names[] = {"sha1", "sha256", "sha512"};
    struct library l = {.name = "openssl",
                        .version = OpenSSL_version(OPENSSL_VERSION_STRING),
                        .built_with = OPENSSL_FULL_VERSION_STR};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EVP_MD *md = EVP_MD_fetch(NULL, names[i], NULL);
        if (md)
            strs_add(a, &l.features, names[i]);
        EVP_MD_free(md);
    }
    if (EVP_default_properties_is_fips_enabled(NULL))
        strs_add(a, &l.features, "fips");
    return l;
}
