/* rsa_login.h -- logging in with RSA keys and SHA-2 where libssh2 cannot (before 1.11).
 *
 * libssh2_userauth_publickey takes the signature algorithm from the first string of the public key.
 * A key whose first string is "rsa-sha2-512" makes it send that name, and OpenSSH takes such a key
 * for what it is (sshkey_from_blob maps the name to RSA).  The signature is made here or by the
 * agent. */
#ifndef CRELEASE_SSH_RSA_LOGIN_H
#define CRELEASE_SSH_RSA_LOGIN_H

#include "edge/rsa.h"
#include "ssh/keys.h"

/* A public key as it is offered to the server, allocated in the arena. */
struct rsa_offer {
    const unsigned char *blob; /* NULL: this is no RSA key */
    size_t len;
};

/* Opens the private key of a file.  NULL if the passphrase is wrong or the format is not known; the
 * caller closes it. */
struct rsa *rsa_of_key(const struct ssh_key *key, const char *passphrase);

/* The public key under the name "rsa-sha2-512", from the private one or from its usual form. */
struct rsa_offer rsa_offer_of(struct arena *a, const struct rsa *rsa);
struct rsa_offer rsa_offer_renamed(struct arena *a, const void *blob, size_t len);

#endif
