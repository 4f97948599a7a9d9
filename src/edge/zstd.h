/* zstd.h -- compresses as the zstd program does, with libzstd: a file, or what one text has that another one lacks. */
#ifndef CRELEASE_ZSTD_H
#define CRELEASE_ZSTD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/library.h"

#include <stdio.h>
#include <sys/types.h>

/* Compresses `size` bytes of the descriptor, read with pread from `at`, to the end of a file.  The same bytes always
 * give the same result.  go_on is called often; false ends it, with ECANCELED.  False with errno set if something could
 * not be read or written. */
bool zstd_pack(int from, off_t at, off_t size, FILE *to, bool (*go_on)(void *arg), void *arg);

/* The most bytes of a text and of its base that `zstd -d --patch-from` accepts without --long. */
enum { ZSTD_PATCH_MAX = 64 * 1024 * 1024 };

/* Appends to ret what makes the text from the base: `zstd -d --patch-from=BASE`.  False if there is not enough memory. */
bool zstd_patch(const char *base, size_t base_len, const char *text, size_t len, struct buf *ret);

/* libzstd, its version. */
struct library zstd_library(struct arena *a);

#endif
