/* pack.h -- a tar being written, in a file that nobody else sees.
 *
 *     struct pack *pack = NULL;
 *     pack_open(&pack, time_of_the_commit, err)
 *     pack_dir(pack, "bin", err)                        a folder before what is in it
 *     pack_file(pack, "bin/x", true, bytes, len, err)
 *     pack_finish(pack, &fd, &size, err)                the file is the caller's now
 *     pack_close(pack)
 *
 * GNU format, which GNU tar, busybox and bsdtar read with names of any length and any bytes.
 * Owner 0:0 without names; modes 755 and 644; every member has the same time. */
#ifndef CRELEASE_PACK_H
#define CRELEASE_PACK_H

#include "base/err.h"

#include <sys/types.h>

struct pack;

bool pack_open(struct pack **ret, long long time, struct err *err) MUST_CHECK;
bool pack_dir(struct pack *p, const char *path, struct err *err) MUST_CHECK;
bool pack_file(struct pack *p, const char *path, bool program, const void *bytes, size_t len,
               struct err *err) MUST_CHECK;
bool pack_link(struct pack *p, const char *path, const char *target, struct err *err) MUST_CHECK;

/* The whole archive: an unlinked file, to be read from 0 with pread.  Only once. */
bool pack_finish(struct pack *p, int *ret_fd, off_t *ret_size, struct err *err) MUST_CHECK;

void pack_close(struct pack *p); /* accepts NULL; what was not finished is gone */

#endif
