/* lfs.h -- the content of files that Git LFS keeps outside of the repository, for `lfs: fetch`.
 *
 *     struct lfs_pointer p;
 *     lfs_kind(bytes, len, &p) == LFS_POINTER        what the repository has is only a pointer
 *     lfs_open(repo, scratch, sha, &p, path, &fd, err)   its content, which is fetched if necessary
 *
 * The objects are where git-lfs keeps them, in lfs/objects of the repository or of its mirror.  The
 * program git-lfs fetches missing ones; it is started only for that. */
#ifndef CRELEASE_GIT_LFS_H
#define CRELEASE_GIT_LFS_H

#include "git/internal.h"

enum lfs_kind {
    LFS_NONE,   /* an ordinary file */
    LFS_BROKEN, /* begins like a pointer, but does not name an object */
    LFS_POINTER,
};

struct lfs_pointer {
    char oid[65]; /* the SHA-256 of the content, in hex */
    unsigned long long size;
};

enum { LFS_POINTER_BYTES_MAX = 1023 /* a pointer is shorter than 1,024 bytes */ };

/* What the content of a file is. *ret is filled for LFS_POINTER only. */
enum lfs_kind lfs_kind(const void *bytes, size_t len, struct lfs_pointer *ret);

/* Opens the object of the file at `path`.  If it is missing, all objects of the commit are fetched; the
 * layer remembers that.  The caller verifies the content and closes *ret_fd. */
struct lfs_source {
    struct repo *repo;
    const char *sha; /* the commit */
    bool fetched;    /* the program was started for it */
};
bool lfs_open(struct lfs_source *from, const struct lfs_pointer *p, const char *path, int *ret_fd,
              struct err *err) MUST_CHECK;

/* The file of the object. */
const char *lfs_file(struct arena *a, struct repo *r, const struct lfs_pointer *p);

#endif
