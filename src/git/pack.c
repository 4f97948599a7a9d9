/* pack.c -- writes a tar with libarchive; the only file that includes it (see pack.h).  Called by
 * export.c. */
#define _GNU_SOURCE /* O_TMPFILE */
#include "git/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES = 256 * 1024 };

struct pack {
    struct archive *archive;
    struct archive_entry *entry; /* one, for all members */
    time_t time;
    int fd;
    char *dir; /* where the file is, for messages */
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

/* Prefers errno, since libarchive's messages are capitalised and may be missing. */
static bool fail(const struct pack *p, struct err *err)
{
    int why = archive_errno(p->archive);
    const char *text = archive_error_string(p->archive);

    return err_set(err, ERR_FAILED, "cannot write the archive in '%s': %s", p->dir,
                   why > 0 ? strerror(why)
                   : text  ? text
                           : "unknown error");
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
    p->time = (time_t)time;
    p->archive = archive_write_new();
    p->entry = archive_entry_new();
    p->fd = open_unnamed(dir);
    if (p->fd < 0) {
        err_set(err, ERR_FAILED, "cannot create a file in '%s': %s", dir, strerror(errno));
        goto out;
    }
    if (!p->archive || !p->entry) {
        err_set(err, ERR_FAILED, "%s", strerror(ENOMEM));
        goto out;
    }
    if (archive_write_set_format_gnutar(p->archive) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(p->archive, WRITE_BYTES) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(p->archive, 1) != ARCHIVE_OK ||
        archive_write_open_fd(p->archive, p->fd) != ARCHIVE_OK) {
        fail(p, err);
        goto out;
    }
    *ret = p;
    return true;
out:
    pack_close(p);
    return false;
}

static void member(struct pack *p, const char *path, unsigned type, unsigned mode)
{
    archive_entry_clear(p->entry);
    archive_entry_set_pathname(p->entry, path);
    archive_entry_set_filetype(p->entry, type);
    archive_entry_set_perm(p->entry, mode);
    archive_entry_set_mtime(p->entry, p->time, 0);
    archive_entry_set_uid(p->entry, 0);
    archive_entry_set_gid(p->entry, 0);
    archive_entry_set_size(p->entry, 0);
}

bool pack_dir(struct pack *p, const char *path, struct err *err)
{
    member(p, path, AE_IFDIR, 0755);
    return archive_write_header(p->archive, p->entry) == ARCHIVE_OK || fail(p, err);
}

bool pack_file(struct pack *p, const char *path, bool program, const void *bytes, size_t len,
               struct err *err)
{
    member(p, path, AE_IFREG, program ? 0755 : 0644);
    archive_entry_set_size(p->entry, (la_int64_t)len);
    if (archive_write_header(p->archive, p->entry) != ARCHIVE_OK)
        return fail(p, err);
    return !len || archive_write_data(p->archive, bytes, len) == (la_ssize_t)len || fail(p, err);
}

bool pack_link(struct pack *p, const char *path, const char *target, struct err *err)
{
    member(p, path, AE_IFLNK, 0777);
    archive_entry_set_symlink(p->entry, target);
    return archive_write_header(p->archive, p->entry) == ARCHIVE_OK || fail(p, err);
}

bool pack_finish(struct pack *p, int *ret_fd, off_t *ret_size, struct err *err)
{
    struct stat st;

    if (archive_write_close(p->archive) != ARCHIVE_OK)
        return fail(p, err);
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
    archive_entry_free(p->entry);
    if (p->archive)
        archive_write_free(p->archive);
    if (p->fd >= 0)
        close(p->fd);
    free(p->dir);
    free(p);
}
