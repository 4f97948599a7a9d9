/* pack.c -- writes a tar (see pack.h).  Called by export.c.
 *
 * Not with libarchive: it brings ICU, libxml2 and ten more libraries along, and loading them took half of the
 * time in which every command starts. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "git/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512, WRITE_BYTES = 256 * 1024 };

/* One block.  Text is padded with NULs and need not be terminated.  Owner, group and device stay empty. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, target[100];
    char magic[8], rest[247];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct pack {
    unsigned long long time;
    int fd;
    char *dir;   /* where the file is, for messages */
    off_t put;   /* bytes so far, */
    size_t held; /* of which so many are not written yet */
    char bytes[WRITE_BYTES];
};

/* Opens a file without a name.  The second way is for file systems without O_TMPFILE. */
static int open_unnamed(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    size_t len = strlen(dir);
    char *name = xcalloc(len + 24, 1);
    memcpy(name, dir, len);
    memcpy(name + len, "/crelease-XXXXXX", 17);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    free(name);
    return fd;
}

bool pack_open(struct pack **ret, long long time, struct err *err)
{
    const char *dir = getenv("TMPDIR");
    struct pack *p = xcalloc(1, sizeof *p);

    if (!dir || *dir != '/')
        dir = "/tmp";
    size_t len = strlen(dir);
    p->dir = xcalloc(len + 1, 1);
    memcpy(p->dir, dir, len);
    p->time = time > 0 ? (unsigned long long)time : 0;
    p->fd = open_unnamed(dir);
    if (p->fd < 0) {
        err_set(err, ERR_FAILED, "cannot create a file in '%s': %s", dir, strerror(errno));
        pack_close(p);
        return false;
    }
    *ret = p;
    return true;
}

static bool write_all(struct pack *p, const char *bytes, size_t len, struct err *err)
{
    while (len) {
        ssize_t n = write(p->fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_FAILED, "cannot write the archive in '%s': %s", p->dir,
                           strerror(errno));
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool flush(struct pack *p, struct err *err)
{
    size_t len = p->held;

    p->held = 0;
    return write_all(p, p->bytes, len, err);
}

static bool put(struct pack *p, const void *bytes, size_t len, struct err *err)
{
    p->put += (off_t)len;
    if (len > WRITE_BYTES - p->held && !flush(p, err))
        return false;
    if (len > WRITE_BYTES)
        return write_all(p, bytes, len, err);
    if (len)
        memcpy(p->bytes + p->held, bytes, len);
    p->held += len;
    return true;
}

/* Puts the bytes, filled up to whole blocks. */
static bool put_blocks(struct pack *p, const void *bytes, size_t len, struct err *err)
{
    static const char zeros[BLOCK];

    return put(p, bytes, len, err) && put(p, zeros, (BLOCK - len % BLOCK) % BLOCK, err);
}

/* Octal digits; a number that does not fit in GNU tar's way: binary, with the first bit set. */
static void put_number(char *field, size_t digits, unsigned long long value)
{
    bool fits = value < 1ULL << 3 * digits;

    for (size_t i = fits ? digits : digits + 1; i--; value >>= fits ? 3 : 8)
        field[i] = (char)(fits ? '0' + (value & 7) : value & 0xff);
    if (!fits)
        field[0] = (char)(field[0] | 0x80);
}

static void set_checksum(struct header *h)
{
    unsigned sum = 0;

    /* The sum counts its own field as blanks. */
    memset(h->checksum, ' ', sizeof h->checksum);
    for (size_t i = 0; i < sizeof *h; i++)
        sum += ((const unsigned char *)h)[i];
    put_number(h->checksum, 6, sum);
    h->checksum[6] = '\0'; /* and the blank after it stays */
}

static bool put_header(struct pack *p, struct header *h, struct err *err)
{
    memcpy(h->magic, "ustar  ", 8);
    put_number(h->uid, 7, 0);
    put_number(h->gid, 7, 0);
    set_checksum(h);
    return put(p, h, sizeof *h, err);
}

void pack_resize(char header[static PACK_BLOCK], unsigned long long size)
{
    struct header h;

    memcpy(&h, header, sizeof h);
    memset(h.size, 0, sizeof h.size);
    put_number(h.size, 11, size);
    set_checksum(&h);
    memcpy(header, &h, sizeof h);
}

/* Fills the field; a text that is too long for it goes in front of the header, as a member of its own. */
static bool put_text(struct pack *p, char field[static 100], char type, const char *text,
                     size_t len, struct err *err)
{
    struct header h = {.name = "././@LongLink", .type = type};

    memcpy(field, text, len < 100 ? len : 100);
    if (len <= 100)
        return true;
    put_number(h.mode, 7, 0);
    put_number(h.mtime, 11, 0);
    put_number(h.size, 11, len + 1);
    return put_header(p, &h, err) && put_blocks(p, text, len + 1, err);
}

/* path: that of a folder ends in a slash. */
static bool put_member(struct pack *p, struct header h, const char *path, unsigned mode,
                       unsigned long long size, struct err *err)
{
    put_number(h.mode, 7, mode);
    put_number(h.size, 11, size);
    put_number(h.mtime, 11, p->time);
    return put_text(p, h.name, 'L', path, strlen(path), err) && put_header(p, &h, err);
}

bool pack_dir(struct pack *p, const char *path, struct err *err)
{
    size_t len = strlen(path);
    char *name = xcalloc(len + 2, 1);

    memcpy(name, path, len);
    name[len] = '/';
    bool ok = put_member(p, (struct header){.type = '5'}, name, 0755, 0, err);
    free(name);
    return ok;
}

bool pack_file(struct pack *p, const char *path, bool program, const void *bytes, size_t len,
               struct err *err)
{
    return put_member(p, (struct header){.type = '0'}, path, program ? 0755 : 0644, len, err) &&
           put_blocks(p, bytes, len, err);
}

bool pack_begin(struct pack *p, const char *path, bool program, unsigned long long size,
                struct err *err)
{
    return put_member(p, (struct header){.type = '0'}, path, program ? 0755 : 0644, size, err);
}

bool pack_add(struct pack *p, const void *bytes, size_t len, struct err *err)
{
    return put(p, bytes, len, err);
}

/* Each member begins at the beginning of a block. */
bool pack_end(struct pack *p, struct err *err)
{
    static const char zeros[BLOCK];

    return put(p, zeros, (size_t)((BLOCK - p->put % BLOCK) % BLOCK), err);
}

bool pack_link(struct pack *p, const char *path, const char *target, struct err *err)
{
    struct header h = {.type = '2'};

    return put_text(p, h.target, 'K', target, strlen(target), err) &&
           put_member(p, h, path, 0777, 0, err);
}

off_t pack_at(const struct pack *p)
{
    return p->put;
}

bool pack_finish(struct pack *p, int *ret_fd, off_t *ret_size, struct err *err)
{
    static const char end[2 * BLOCK];
    struct stat st;

    if (!put(p, end, sizeof end, err) || !flush(p, err))
        return false;
    if (fstat(p->fd, &st) < 0)
        return err_set(err, ERR_FAILED, "cannot read the size of the archive: %s", strerror(errno));
    *ret_fd = p->fd;
    *ret_size = st.st_size;
    p->fd = -1;
    return true;
}

void pack_close(struct pack *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    free(p->dir);
    free(p);
}
