/* encoding.h -- strings and numbers as the SSH protocols encode them (RFC 4251, section 5).
 *
 * A uint32 is four bytes, most significant first; a string is its length as a uint32 and its bytes.
 * Key files, the agent protocol and SSH itself all use these. */
#ifndef CRELEASE_SSH_ENCODING_H
#define CRELEASE_SSH_ENCODING_H

#include "base/buf.h"

/* The rest of a message that is being decoded. */
struct decoder {
    const unsigned char *p;
    size_t left;
};

/* Decode the next item and skip it.  False if it is not complete; the message cannot be decoded
 * further then. A string stays in the message; it is not terminated. */
bool decode_u32(struct decoder *d, size_t *ret);
bool decode_string(struct decoder *d, const unsigned char **ret, size_t *ret_len);

/* Append an item to a message. */
void encode_u32(struct buf *b, size_t n);
void encode_string(struct buf *b, const void *bytes, size_t len);

/* Reads the signature algorithm out of the data that a login by public key signs (RFC 4252, 7):
 * session id, message type, user, service, "publickey", TRUE, algorithm, key.  For a certificate,
 * it is the algorithm of the certified key.  libssh2 chooses it and reports it nowhere else.  False
 * if the data is anything else, or the name does not fit into size bytes. */
bool userauth_algorithm(struct decoder data, char *ret, size_t size);

#endif
