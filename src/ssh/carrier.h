/* carrier.h -- SSH through libssh2 as a transport of the fleet (fleet/carrier.h).
 *
 *     struct fleet_options options = {.carriers = {[TRANSPORT_LIBSSH2] = &carrier_libssh2}}; */
#ifndef CRELEASE_SSH_CARRIER_H
#define CRELEASE_SSH_CARRIER_H

#include "base/library.h"
#include "fleet/carrier.h"

extern const struct carrier carrier_libssh2;

/* libssh2, its version, and as features the engine that it uses for cryptography and the names of all
 * algorithms that it supports. */
struct library carrier_library(struct arena *a);

#endif
