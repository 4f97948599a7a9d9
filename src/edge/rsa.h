/* rsa.h -- RSA private keys and signatures with SHA-512, from OpenSSL's libcrypto.
 *
 * libssh2 before 1.11 signs with SHA-1 only, which OpenSSH has refused since 8.8.  Everything here is
 * erased by rsa_close. */
#ifndef CRELEASE_RSA_H
#define CRELEASE_RSA_H

#include "base/arena.h"

struct rsa;

/* Unsigned numbers, most significant byte first, as in OpenSSH's own key format. */
struct rsa_number {
    const unsigned char *bytes;
    size_t len;
};
struct rsa_numbers {
    struct rsa_number n, e, d, iqmp, p, q;
};

/* Read a key: PEM text (PKCS #1 or PKCS #8; passphrase "" if it has none), or its numbers.  Return
 * NULL if it is no RSA key or the passphrase is wrong.  The caller closes it. */
struct rsa *rsa_read_pem(const char *pem, size_t len, const char *passphrase);
struct rsa *rsa_of_numbers(const struct rsa_numbers *numbers);
void rsa_close(struct rsa *rsa); /* accepts NULL */

/* The public numbers, allocated in the arena.  False if libcrypto fails. */
bool rsa_public(const struct rsa *rsa, struct arena *a, struct rsa_number *ret_n,
                struct rsa_number *ret_e);

/* Signs with SHA-512 (RFC 8332).  The signature is allocated in the arena. */
bool rsa_sign(const struct rsa *rsa, struct arena *a, const void *bytes, size_t len,
              unsigned char **ret, size_t *ret_len);

#endif
