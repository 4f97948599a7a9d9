/* squeeze.h -- compresses what is sent to the hosts, once for all of them, if they can expand it and it pays. */
#ifndef CRELEASE_SQUEEZE_H
#define CRELEASE_SQUEEZE_H

#include "core/run.h"

#include <stdio.h>

/* By the name of the program that expands it. */
enum squeezer { SQUEEZE_NOT, SQUEEZE_GZIP, SQUEEZE_ZSTD };

/* The best one that all these hosts have; none on this machine, to which nothing is sent. */
enum squeezer squeezer_of(const struct run *r, const size_t *hosts, size_t n);

/* "gzip", "zstd", or "". */
const char *squeezer_name(enum squeezer how);

/* Compresses the first bytes of a file into one without a name, which the caller closes.  False if it would not become
 * clearly smaller, or something fails: then it is sent as it is.  The locks are kept meanwhile. */
bool squeeze(struct run *r, enum squeezer how, int from, off_t size, FILE **ret, off_t *ret_size);

#endif
