/* host_key.h -- host keys as blobs of the SSH protocol, and pins of them in the recipe.
 *
 * A blob is a string with the type of the key, then the rest (RFC 4253, 6.6). */
#ifndef CRELEASE_SSH_HOST_KEY_H
#define CRELEASE_SSH_HOST_KEY_H

#include "base/arena.h"

/* Returns the type in a key blob, in the arena: letters, digits, "@", ".", "_" and "-".  NULL if it is not
 * a valid blob. */
const char *host_key_type(struct arena *a, const void *key, size_t len);

/* Returns "ED25519", "ECDSA", "RSA" or "DSA", else the type itself, safe to show. */
const char *host_key_kind(struct arena *a, const char *type);

/* Returns "SHA256:" and base64 without padding, as ssh prints it. */
const char *host_key_fingerprint(struct arena *a, const void *key, size_t len);

/* Whether a pin is valid, and whether it matches a key.  A pin is "SHA256:..." or a public key
 * line, "ssh-ed25519 AAAA... comment". */
bool host_key_pin_is_valid(const char *pin);
bool host_key_pin_matches(const char *pin, const void *key, size_t len);

/* Returns the type of a pin that is a public key line, else NULL. */
const char *host_key_pin_type(struct arena *a, const char *pin);

#endif
