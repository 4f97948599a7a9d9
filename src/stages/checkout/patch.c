/* patch.c -- makes patches with zstd (see patch.h).  Called by delivery.c for hosts that all have zstd.
 *
 * Each patch starts two processes on the host, so only large files get one, and only the first few. */
#include "stages/checkout/patch.h"

#include "edge/digest.h"
#include "edge/zstd.h"
#include "git/pack.h"

#include <errno.h>
#include <unistd.h>

enum { PATCHED_MIN = 128 * 1024, PATCHES_MAX = 16 };

static bool is_fit(const struct entry *e)
{
    return e && e->kind != ENTRY_LINK && e->size >= PATCHED_MIN && e->size <= ZSTD_PATCH_MAX &&
           !strpbrk(e->path, "\n\\");
}

/* The content of the base's file; false if it is not what the manifest has, as with a Git LFS pointer. */
static bool read_base(const struct export *x, const struct entry *e, struct buf *ret)
{
    unsigned char sum[32];
    char hex[65];

    if (!repo_blob(x->repo, e->blob, ZSTD_PATCH_MAX, ret))
        return false;
    digest_sha256(ret->text, ret->len, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    return strcmp(hex, e->sha256) == 0;
}

static bool read_at(int fd, off_t at, size_t size, struct buf *ret)
{
    static char block[64 * 1024];

    while (size) {
        ssize_t n = pread(fd, block, size < sizeof block ? size : sizeof block, at);
        if (n <= 0)
            return false;
        buf_add(ret, block, (size_t)n);
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static size_t to_blocks(size_t size)
{
    return (size + PACK_BLOCK - 1) / PACK_BLOCK * PACK_BLOCK;
}

bool patch_pack(struct patches *p, const struct export *x, const struct entry *e, FILE *to)
{
    static const char zeros[PACK_BLOCK];
    const struct entry *base =
        p->base && p->paths.n < PATCHES_MAX && is_fit(e) ? files_find(p->base, e->path) : NULL;

    if (!is_fit(base))
        return false;
    size_t head_size = (size_t)e->part.size - to_blocks((size_t)e->size);
    struct buf old = buf_make(ZSTD_PATCH_MAX);
    struct buf member = buf_make(SIZE_MAX);
    struct buf patch = buf_make(SIZE_MAX);
    bool ok = read_base(x, base, &old) &&
              read_at(x->tar, e->part.at, head_size + (size_t)e->size, &member) &&
              zstd_patch(old.text, old.len, member.text + head_size, (size_t)e->size, &patch) &&
              patch.len < e->size / 2;
    if (ok) {
        pack_resize(member.text + head_size - PACK_BLOCK, patch.len);
        ok = fwrite(member.text, 1, head_size, to) == head_size &&
             fwrite(patch.text, 1, patch.len, to) == patch.len &&
             fwrite(zeros, 1, to_blocks(patch.len) - patch.len, to) ==
                 to_blocks(patch.len) - patch.len;
        strs_add(p->arena, &p->paths, arena_printf(p->arena, "./%s", e->path));
    }
    buf_free(&old);
    buf_free(&member);
    buf_free(&patch);
    return ok;
}
