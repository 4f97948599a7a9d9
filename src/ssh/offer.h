/* offer.h -- what a server sends in the clear at the beginning: its banner and the lists of
 * algorithms that it offers (RFC 4253, 4.2 and 7.1).  Used only to explain why a handshake failed;
 * the bytes are not authenticated. */
#ifndef CRELEASE_SSH_OFFER_H
#define CRELEASE_SSH_OFFER_H

#include "base/buf.h"

/* The name lists of KEXINIT that matter, in the order of the message. */
enum offer_list {
    OFFER_KEX,
    OFFER_HOST_KEY,
    OFFER_CIPHER_TO, /* client to server */
    OFFER_CIPHER_FROM,
    OFFER_MAC_TO,
    OFFER_MAC_FROM,
    OFFER_LISTS
};

struct offer {
    const char *banner; /* "SSH-2.0-OpenSSH_9.2p1"; NULL if there was none */
    const char *before; /* the first line, if that is not the banner; else NULL */
    bool lists;         /* whether all the lists are there */
    const char *list[OFFER_LISTS];
};

/* Parses the first bytes from a server, at most one KEXINIT. */
struct offer offer_read(struct arena *a, const void *bytes, size_t len);

/* Whether the server offers that algorithm. */
bool offer_has(const struct offer *o, enum offer_list list, const char *name);

/* Compares with our own lists (comma-separated).  Returns "no host key algorithm in common: the
 * server offers ...; crelease supports ..." for the first list without a common member; NULL if
 * there is none. */
const char *offer_gap(const struct offer *o, struct arena *a, const char *const ours[OFFER_LISTS]);

#endif
