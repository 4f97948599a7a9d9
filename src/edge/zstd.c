/* zstd.c -- compresses what is sent to hosts that have zstd (see zstd.h); the only file that includes libzstd. */
#include "edge/zstd.h"

#include "base/die.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

enum { LEVEL = 3, BLOCK = 128 * 1024 };

static ZSTD_CCtx *compressor(void)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();

    if (!c)
        die("out of memory");
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    return c;
}

/* Takes all of the input, or writes the end. */
static bool flow(ZSTD_CCtx *c, ZSTD_inBuffer *in, ZSTD_EndDirective how, FILE *to)
{
    static char block[BLOCK];
    size_t left;

    do {
        ZSTD_outBuffer out = {.dst = block, .size = sizeof block};
        left = ZSTD_compressStream2(c, &out, in, how);
        if (ZSTD_isError(left)) {
            errno = ENOMEM;
            return false;
        }
        if (fwrite(block, 1, out.pos, to) != out.pos)
            return false;
    } while (how == ZSTD_e_end ? left > 0 : in->pos < in->size);
    return true;
}

bool zstd_pack(int from, off_t at, off_t size, FILE *to, bool (*go_on)(void *arg), void *arg)
{
    static char block[BLOCK];
    ZSTD_CCtx *c = compressor();
    ZSTD_inBuffer in = {.src = block};
    bool ok = true;

    for (off_t done = 0; ok && done < size;) {
        off_t left = size - done;
        ssize_t n = pread(from, block, (size_t)(left < BLOCK ? left : BLOCK), at + done);
        bool stopped = !go_on(arg);
        if (n == 0 || stopped)
            errno = stopped ? ECANCELED : EIO;
        in = (ZSTD_inBuffer){.src = block, .size = n > 0 ? (size_t)n : 0};
        ok = !stopped && n > 0 && flow(c, &in, ZSTD_e_continue, to);
        done += n > 0 ? n : 0;
    }
    in = (ZSTD_inBuffer){.src = block};
    ok = ok && flow(c, &in, ZSTD_e_end, to);
    int why = errno;
    ZSTD_freeCCtx(c);
    errno = why;
    return ok;
}

/* The base counts as text before the text, so the window has to contain both. */
static int window_for(size_t size)
{
    int log = 10;

    while (log < 27 && (size_t)1 << log < size)
        log++;
    return log;
}

bool zstd_patch(const char *base, size_t base_len, const char *text, size_t len, struct buf *ret)
{
    ZSTD_CCtx *c = compressor();
    size_t room = ZSTD_compressBound(len);
    char *bytes = malloc(room);

    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_enableLongDistanceMatching, 1);
    (void)ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_for(base_len + len));
    bool ok = bytes && !ZSTD_isError(ZSTD_CCtx_refPrefix(c, base, base_len));
    size_t n = ok ? ZSTD_compress2(c, bytes, room, text, len) : 0;
    ok = ok && !ZSTD_isError(n);
    if (ok)
        buf_add(ret, bytes, n);
    free(bytes);
    ZSTD_freeCCtx(c);
    return ok;
}

struct library zstd_library(struct arena *a)
{
    return (struct library){.name = "libzstd",
                            .version = arena_strdup(a, ZSTD_versionString()),
                            .built_with = ZSTD_VERSION_STRING};
}
