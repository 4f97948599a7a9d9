/* rsa.c -- RSA signatures with SHA-512 (see rsa.h).  ssh/login.c uses it where libssh2 cannot sign so. */
#include "edge/rsa.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

struct rsa {
    EVP_PKEY *key;
};

static struct rsa *wrap(EVP_PKEY *key)
{
    struct rsa *rsa;

    ERR_clear_error();
    if (!key)
        return NULL;
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        return NULL;
    }
    rsa = xcalloc(1, sizeof *rsa);
    rsa->key = key;
    return rsa;
}

/* Gives OpenSSL the passphrase; without this it would ask on the terminal. */
static int on_passphrase(char *ret, int size, int for_writing, void *arg)
{
    const char *passphrase = arg;
    size_t len = strlen(passphrase);

    (void)for_writing;
    if (size < 0 || len > (size_t)size)
        return -1;
    memcpy(ret, passphrase, len);
    return (int)len;
}

struct rsa *rsa_read_pem(const char *pem, size_t len, const char *passphrase)
{
    BIO *in = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = NULL;

    if (in)
        key = PEM_read_bio_PrivateKey(in, NULL, on_passphrase, (void *)(uintptr_t)passphrase);
    BIO_free(in);
    return wrap(key);
}

/* The two exponents that are derived from the others: d mod (p-1) and d mod (q-1). */
static bool derive(BIGNUM *ret, const BIGNUM *d, const BIGNUM *prime, BN_CTX *ctx)
{
    BIGNUM *less = BN_dup(prime);
    bool ok = less && BN_sub_word(less, 1) && !BN_is_zero(less) && BN_mod(ret, d, less, ctx);

    BN_clear_free(less);
    return ok;
}

enum { N, E, D, P, Q, DP, DQ, IQMP, NUMBERS };

static EVP_PKEY *build(BIGNUM *const number[NUMBERS])
{
    static const char *const names[NUMBERS] = {
        OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    OSSL_PARAM_BLD *list = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    bool ok = list && ctx;

    for (int i = 0; i < NUMBERS && ok; i++)
        ok = OSSL_PARAM_BLD_push_BN(list, names[i], number[i]) == 1;
    if (ok)
        params = OSSL_PARAM_BLD_to_param(list);
    if (params && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(list);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

struct rsa *rsa_of_numbers(const struct rsa_numbers *numbers)
{
    const struct rsa_number *given[NUMBERS] = {
        [N] = &numbers->n, [E] = &numbers->e, [D] = &numbers->d,
        [P] = &numbers->p, [Q] = &numbers->q, [IQMP] = &numbers->iqmp};
    BIGNUM *number[NUMBERS];
    BN_CTX *ctx = BN_CTX_new();
    EVP_PKEY *key = NULL;
    bool ok = ctx != NULL;

    for (int i = 0; i < NUMBERS; i++) {
        number[i] = BN_new();
        ok = ok && number[i];
        if (ok && given[i])
            ok = given[i]->len <= 4096 &&
                 BN_bin2bn(given[i]->bytes, (int)given[i]->len, number[i]) != NULL;
    }
    if (ok && derive(number[DP], number[D], number[P], ctx) &&
        derive(number[DQ], number[D], number[Q], ctx))
        key = build(number);
    for (int i = 0; i < NUMBERS; i++)
        BN_clear_free(number[i]);
    BN_CTX_free(ctx);
    return wrap(key);
}

void rsa_close(struct rsa *rsa)
{
    if (!rsa)
        return;
    EVP_PKEY_free(rsa->key);
    free(rsa);
}

static bool number_of(const struct rsa *rsa, const char *name, struct arena *a,
                      struct rsa_number *ret)
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(rsa->key, name, &number) == 1;

    if (ok) {
        int size = BN_num_bytes(number);
        unsigned char *bytes = arena_alloc(a, (size_t)size + 1);
        *ret = (struct rsa_number){bytes, (size_t)BN_bn2bin(number, bytes)};
    }
    BN_free(number);
    return ok;
}

bool rsa_public(const struct rsa *rsa, struct arena *a, struct rsa_number *ret_n,
                struct rsa_number *ret_e)
{
    return number_of(rsa, OSSL_PKEY_PARAM_RSA_N, a, ret_n) &&
           number_of(rsa, OSSL_PKEY_PARAM_RSA_E, a, ret_e);
}

bool rsa_sign(const struct rsa *rsa, struct arena *a, const void *bytes, size_t len,
              unsigned char **ret, size_t *ret_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha512(), NULL, rsa->key) == 1 &&
              EVP_DigestSign(ctx, NULL, ret_len, bytes, len) == 1;

    if (ok) {
        *ret = arena_alloc(a, *ret_len);
        ok = EVP_DigestSign(ctx, *ret, ret_len, bytes, len) == 1;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}
