/* lfs.h -- Git LFS: files that a repository stores as pointers to their content. */
#ifndef CRELEASE_LFS_H
#define CRELEASE_LFS_H

/* What is done about a pointer. */
enum lfs {
    LFS_WARN, /* it is sent as it is, and named */
    LFS_FETCH,
    LFS_IGNORE,
};

#endif
