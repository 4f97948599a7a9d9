/* pack.h -- writes a tar into an unlinked temporary file.
 *
 *     struct pack *pack = NULL;
 *     pack_open(&pack, time_of_the_commit, err)
 *     pack_dir(pack, "bin", err)                        a folder before what is in it
 *     pack_file(pack, "bin/x", true, bytes, len, err)
 *     pack_finish(pack, &fd, &size, err)                from now on the caller owns the file
 *     pack_close(pack)
 *
 * The format is GNU tar's, which GNU tar, busybox and bsdtar all read with names of any length and
 * any bytes.  The owner is 0:0 without names, modes are 755 and 644, and all members have the same
 * time. */
#ifndef CRELEASE_PACK_H
#define CRELEASE_PACK_H

#include "base/err.h"

#include <sys/types.h>

struct pack;

/* Creates the file in $TMPDIR or /tmp.  `time` is the time of all members.  The caller closes
 * *ret. */
bool pack_open(struct pack **ret, long long time, struct err *err) MUST_CHECK;

/* Append a folder, a file or a symbolic link. */
bool pack_dir(struct pack *p, const char *path, struct err *err) MUST_CHECK;
bool pack_file(struct pack *p, const char *path, bool program, const void *bytes, size_t len,
               struct err *err) MUST_CHECK;
/* The same for a file whose bytes come in pieces, which together have the size. */
bool pack_begin(struct pack *p, const char *path, bool program, unsigned long long size,
                struct err *err) MUST_CHECK;
bool pack_add(struct pack *p, const void *bytes, size_t len, struct err *err) MUST_CHECK;
bool pack_end(struct pack *p, struct err *err) MUST_CHECK;

bool pack_link(struct pack *p, const char *path, const char *target, struct err *err) MUST_CHECK;

/* Where in the archive the next member begins: what is from one member's beginning to the next one's is a part that can
 * be sent alone. */
off_t pack_at(const struct pack *p);

/* Changes the size in a member's header, a block of 512 bytes that is followed by the content. */
enum { PACK_BLOCK = 512 };
void pack_resize(char header[static PACK_BLOCK], unsigned long long size);

/* Completes the archive and hands the file over, to be read from 0 with pread.  Call it only
 * once. */
bool pack_finish(struct pack *p, int *ret_fd, off_t *ret_size, struct err *err) MUST_CHECK;

void pack_close(struct pack *p); /* accepts NULL; what was not finished is gone */

#endif
