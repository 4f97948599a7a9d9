/* digest.h -- SHA-256, HMAC-SHA-1, Git blob ids and base64, from OpenSSL's libcrypto.
 *
 *     struct digest *d = digest_open();
 *     digest_add(d, bytes, len);          (any number of times)
 *     digest_hex(d, hex);                 (d can be used for the next digest)
 *     digest_close(d); */
#ifndef CRELEASE_DIGEST_H
#define CRELEASE_DIGEST_H

#include "base/arena.h"
#include "base/library.h"

struct digest; /* a SHA-256 that is being computed */

/* Makes libcrypto end the process with a message when memory runs out, also when libssh2 uses it.
 * Must be called before any other use of libcrypto in the process. */
void digest_begin(void);

/* Starts a digest.  The caller closes it. */
struct digest *digest_open(void);
void digest_add(struct digest *d, const void *bytes, size_t len);

/* Writes 64 hex digits and a NUL, and starts over with an empty digest. */
void digest_hex(struct digest *d, char ret[65]);
/* Accepts NULL. */
void digest_close(struct digest *d);

/* Digests of one piece of memory. */
void digest_sha256(const void *bytes, size_t len, unsigned char ret[32]);
void digest_hmac_sha1(const void *key, size_t key_len, const void *bytes, size_t len,
                      unsigned char ret[20]);

/* Computes the object id that Git gives a file's content: SHA-1 over "blob LENGTH", a NUL and the
 * bytes. */
void digest_git_blob(const void *bytes, size_t len, unsigned char ret[20]);

/* Returns base64 with padding, allocated in the arena. */
char *base64_encode(struct arena *a, const void *bytes, size_t len);

/* Decodes base64 into memory of the arena.  False if s is not base64: white space is not allowed,
 * padding may be missing. */
bool base64_decode(struct arena *a, const char *s, size_t len, unsigned char **ret,
                   size_t *ret_len);

/* OpenSSL, its version and features. */
struct library digest_library(struct arena *a);

#endif
