/* digest.h -- checksums, from OpenSSL's libcrypto. */
#ifndef CRELEASE_DIGEST_H
#define CRELEASE_DIGEST_H

#include "base/arena.h"

struct digest; /* a SHA-256 under way */

/* First of all in the process: from then on libcrypto, also when libssh2 uses it, ends with a
 * message when memory runs out, as everything else does. */
void digest_begin(void);

struct digest *digest_open(void);
void digest_add(struct digest *d, const void *bytes, size_t len);

/* 64 hex digits and a NUL; the digest begins anew. */
void digest_hex(struct digest *d, char ret[65]);
void digest_close(struct digest *d);

void digest_sha256(const void *bytes, size_t len, unsigned char ret[32]);
void digest_hmac_sha1(const void *key, size_t key_len, const void *bytes, size_t len,
                      unsigned char ret[20]);

/* The name Git gives a file's content: SHA-1 over "blob LENGTH" and the bytes. */
void digest_git_blob(const void *bytes, size_t len, unsigned char ret[20]);

/* Base64 with padding, in the arena. */
char *base64_encode(struct arena *a, const void *bytes, size_t len);

/* False when s is not base64 (white space is none); padding may be missing. */
bool base64_decode(struct arena *a, const char *s, size_t len, unsigned char **ret,
                   size_t *ret_len);

#endif
