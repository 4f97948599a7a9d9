/* gzip.c -- compresses what is sent to hosts that have gzip but not zstd (see gzip.h); the only file that includes
 * zlib.  Level 1: about as quick as a network of one gigabit, which a higher level would hold up. */
#include "edge/gzip.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

enum { LEVEL = 1, WINDOW_AND_HEADER = 15 + 16, MEMORY = 8, BLOCK = 64 * 1024 };

/* Writes what the compressor has ready; at the end, until it has given everything. */
static bool flow(z_stream *z, int how, FILE *to)
{
    static unsigned char out[BLOCK];

    do {
        z->next_out = out;
        z->avail_out = sizeof out;
        (void)deflate(z, how);
        size_t n = sizeof out - z->avail_out;
        if (fwrite(out, 1, n, to) != n)
            return false;
    } while (z->avail_out == 0);
    return true;
}

bool gzip_pack(int from, off_t at, off_t size, FILE *to, bool (*go_on)(void *arg), void *arg)
{
    static unsigned char in[BLOCK];
    z_stream z = {0};
    bool ok = true;

    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW_AND_HEADER, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        errno = ENOMEM;
        return false;
    }
    for (off_t done = 0; ok && done < size;) {
        off_t left = size - done;
        ssize_t n = pread(from, in, (size_t)(left < BLOCK ? left : BLOCK), at + done);
        bool stopped = !go_on(arg);
        if (n == 0 || stopped)
            errno = stopped ? ECANCELED : EIO;
        z.next_in = in;
        z.avail_in = n > 0 ? (uInt)n : 0;
        ok = !stopped && n > 0 && flow(&z, Z_NO_FLUSH, to);
        done += n > 0 ? n : 0;
    }
    z.avail_in = 0;
    ok = ok && flow(&z, Z_FINISH, to);
    int why = errno;
    (void)deflateEnd(&z);
    errno = why;
    return ok;
}

struct library gzip_library(struct arena *a)
{
    return (struct library){
        .name = "zlib", .version = arena_strdup(a, zlibVersion()), .built_with = ZLIB_VERSION};
}
