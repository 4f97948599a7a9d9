/* gzip.h -- compresses a file as gzip does, with zlib. */
#ifndef CRELEASE_GZIP_H
#define CRELEASE_GZIP_H

#include "base/arena.h"
#include "base/library.h"

#include <stdio.h>
#include <sys/types.h>

/* Compresses `size` bytes of the descriptor, read with pread from `at`, to the end of a file.  The same bytes always
 * give the same result.  go_on is called often; false ends it, with ECANCELED.  False with errno set if something could
 * not be read or written. */
bool gzip_pack(int from, off_t at, off_t size, FILE *to, bool (*go_on)(void *arg), void *arg);

/* zlib, its version. */
struct library gzip_library(struct arena *a);

#endif
