/* carrier.h -- SSH through libssh2 as a transport of the fleet (fleet/carrier.h).
 *
 *     struct fleet_options options = {.carriers = {[TRANSPORT_LIBSSH2] = &carrier_libssh2}}; */
#ifndef CRELEASE_SSH_CARRIER_H
#define CRELEASE_SSH_CARRIER_H

#include "fleet/carrier.h"

extern const struct carrier carrier_libssh2;

#endif
