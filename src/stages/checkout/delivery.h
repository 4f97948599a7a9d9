/* delivery.h -- what each host gets of a revision: its whole tree, or the difference to a release that it
 * has.
 *
 *     struct delivery d = {0}, more = {0};
 *     delivery_open(r, hosts, n, &d, err)           d.loads goes with the first trip
 *     delivery_more(r, &d, replies, &more, err)     and more.loads to the hosts that lack something
 *     ...
 *     delivery_close(&d); */
#ifndef CRELEASE_DELIVERY_H
#define CRELEASE_DELIVERY_H

#include "core/trip.h"
#include "stages/checkout/manifest.h"
#include "stages/checkout/squeeze.h"

/* What some of the hosts get. */
struct parcel {
    bool whole;          /* everything is sent; else */
    const char *base;    /* the revision of the release that they have */
    const char *patched; /* files of it that are patches (patch.h), one a line; NULL: none */
    struct manifest manifest;
    FILE *tar; /* NULL: that of the export */
    off_t tar_size;
    /* The tar as it is sent: */
    FILE *squeezed; /* NULL: not compressed */
    int stream;
    off_t stream_size;
    char name[UPLOAD_NAME + 1]; /* what is kept of it on a host if it is interrupted; "": nothing */
};

enum { PARCELS_MAX = 8 /* hosts with yet another base get everything */ };

struct delivery {
    size_t *hosts;
    size_t n_hosts;
    const struct load **loads; /* by these hosts */
    struct parcel parcels[PARCELS_MAX];
    size_t n_parcels;
    char digest[65]; /* of the manifest */
    enum squeezer squeezer;
    bool is_second; /* nothing of it is kept on the host */
    off_t size;     /* what the host gets that gets most */
};

/* Prepares the first trip.  The texts live in the run's arena, the files until the delivery is closed. */
bool delivery_open(struct run *r, size_t *hosts, size_t n, struct delivery *ret,
                   struct err *err) MUST_CHECK;

/* Prepares the second one, to the hosts whose answers ask for more; ret->n_hosts is 0 if there are none. */
bool delivery_more(struct run *r, const struct delivery *first, const struct reply *replies,
                   struct delivery *ret, struct err *err) MUST_CHECK;

void delivery_close(struct delivery *d); /* accepts one of zeros */

#endif
