/* ssh_offer.h -- what a server says in the clear before anything is agreed on: its banner and
 * the lists of algorithms it offers (RFC 4253, 4.2 and 7.1).  Only for telling people why a
 * handshake failed; the bytes are the server's and are not to be trusted. */
#ifndef CRELEASE_SSH_OFFER_H
#define CRELEASE_SSH_OFFER_H

#include "base/buf.h"

/* The lists of KEXINIT that matter, in their order there. */
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
    const char *banner; /* "SSH-2.0-OpenSSH_9.2p1", NULL when none came */
    const char *before; /* the first line, when that is no banner; else NULL */
    bool lists;         /* whether the lists were there, whole */
    const char *list[OFFER_LISTS];
};

/* Reads what came first from a server, at most one KEXINIT. */
struct offer offer_read(struct arena *a, const void *bytes, size_t len);

bool offer_has(const struct offer *o, enum offer_list list, const char *name);

/* "no host key algorithm in common: the server offers ..., this client ..." for the first list
 * in which nothing of ours (comma-separated) is offered; NULL when there is none such. */
const char *offer_gap(const struct offer *o, struct arena *a, const char *const ours[OFFER_LISTS]);

#endif
