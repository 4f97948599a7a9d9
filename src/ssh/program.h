/* program.h -- the ssh program as a transport of the fleet (fleet/carrier.h): for keys, logins and
 * servers that libssh2 cannot use.
 *
 *     struct fleet_options options = {.carriers = {[TRANSPORT_OPENSSH] = &carrier_openssh}};
 *
 * Each host has one master connection (ssh -M), and each script is a session of it. */
#ifndef CRELEASE_SSH_PROGRAM_H
#define CRELEASE_SSH_PROGRAM_H

#include "fleet/carrier.h"

extern const struct carrier carrier_openssh;

#endif
