/* git.c -- targets: addresses of repositories, what a repository contains, and the archive that is
 * made of it. */
#include "git/url.h"

#include "base/text.h"
#include "fuzz_targets.h"
#include "git/attributes.h"
#include "git/gitmodules.h"
#include "git/lfs.h"
#include "git/pack.h"
#include "git/subst.h"

#include <unistd.h>

void fuzz_url(const struct input *in)
{
    struct url u;
    struct err err = {.arena = in->arena};

    url_has_secret(in->arena, in->text);
    if (!url_parse(&u, in->arena, in->text, &err)) {
        holds_err(&err);
        return;
    }
    HOLDS(is_shown(u.shown));
    HOLDS(strlen(u.name) <= 40 && !strchr(u.name, '/') && strcmp(u.name, "..") != 0);
    HOLDS(u.kind != URL_SSH || (*u.host && *u.host != '-' && u.port > 0 && u.port <= 65535));
    HOLDS(u.kind != URL_SSH || !u.user || *u.user != '-');
    const char *bare = url_bare(&u, in->arena);
    HOLDS(u.kind != URL_SSH || strstr(in->text, "://") || !u.password);
    struct url again;
    if (u.userinfo && url_parse(&again, in->arena, bare, &err))
        HOLDS(!again.userinfo && !again.password);
    HOLDS(is_shown(url_clean(&u, in->arena, in->text)));
}

/* The parts: the file, and the address of its repository. */
void fuzz_gitmodules(const struct input *in)
{
    struct gitmodules m;
    struct err err = {.arena = in->arena};
    const char *at = in->text;
    const char *text = next_part(in, &at);
    const char *base = next_part(in, &at);

    if (!gitmodules_read(&m, in->arena, text, strlen(text), &err)) {
        holds_err(&err);
        return;
    }
    for (size_t i = 0; i < m.n; i++) {
        const char *path = m.v[i].path;
        if (path)
            HOLDS(*path != '/' && strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0 &&
                  !strstr(path, "/../") && gitmodules_find(&m, path));
        if (!m.v[i].url)
            continue;
        HOLDS(*m.v[i].url != '-' && strncmp(m.v[i].url, "ext::", 5) != 0);
        struct err why = {.arena = in->arena};
        const char *url =
            gitmodules_url(in->arena, base ? base : "/srv/shop.git", m.v[i].url, &why);
        if (!url)
            holds_err(&why);
    }
}

/* The parts: rules of the root, rules of a folder, paths. */
void fuzz_attributes(const struct input *in)
{
    struct attributes rules = {0};
    const char *at = in->text;
    const char *root = next_part(in, &at);
    const char *folder = next_part(in, &at);
    const char *path = next_part(in, &at);

    attributes_read(&rules, root, strlen(root), "", ATTRIBUTES_OF_FOLDER);
    path = path && *path ? path : "app/models/x.rb";
    bool before = attributes_has(&rules, path, false, EXPORT_IGNORE);
    size_t mark = attributes_mark(&rules);
    if (folder)
        attributes_read(&rules, folder, strlen(folder), "app", ATTRIBUTES_OF_FOLDER);
    attributes_has(&rules, path, true, EXPORT_SUBST);
    attributes_drop(&rules, mark);
    HOLDS(attributes_has(&rules, path, false, EXPORT_IGNORE) == before);
    attributes_close(&rules);
}

void fuzz_lfs(const struct input *in)
{
    struct lfs_pointer p;

    if (lfs_kind(in->bytes, in->len, &p) == LFS_POINTER)
        HOLDS(strlen(p.oid) == 64 && strspn(p.oid, "0123456789abcdef") == 64);
}

/* The parts: the file, the message, the refs. */
void fuzz_subst(const struct input *in)
{
    const char *at = in->text;
    const char *file = next_part(in, &at);
    const char *message = next_part(in, &at);
    const char *refs = next_part(in, &at);
    const struct subst_person ann = {"Ann", "ann@example.com", (long long)in->len * 86400000LL,
                                     -90};
    struct subst_commit c = {.sha = "3f2a91c0000000000000000000000000000000aa",
                             .tree = "00000000000000000000000000000000000000bb",
                             .author = ann,
                             .committer = ann,
                             .message = message ? message : "",
                             .refs = refs ? refs : ""};
    struct buf b = buf_make(1 << 20);

    strs_add(in->arena, &c.parents, c.sha);
    subst_fill(&b, file, strlen(file), &c);
    if (!strstr(file, "$Format:"))
        HOLDS(b.len == strlen(file) && memcmp(b.text, file, b.len) == 0);
    buf_free(&b);
}

/* ---- tar ---- */

struct member {
    char kind;
    const char *name;
    const char *target;
    const char *bytes;
    size_t len;
};

static size_t octal(const char *field, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && field[i] >= '0' && field[i] <= '7'; i++)
        n = n * 8 + (size_t)(field[i] - '0');
    return n;
}

static void holds_sum(const char *header)
{
    size_t sum = 0;

    for (size_t i = 0; i < 512; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)header[i];
    HOLDS(octal(header + 148, 8) == sum);
}

/* Reads one member, as GNU tar's format has it.  False at the end of the archive. */
static bool read_member(const struct input *in, const char **at, struct member *ret)
{
    *ret = (struct member){0};
    for (;;) {
        const char *header = *at;
        if (!*header)
            return false;
        holds_sum(header);
        size_t len = octal(header + 124, 12);
        const char *bytes = header + 512;
        *at = bytes + (len + 511) / 512 * 512;
        if (header[156] == 'L')
            ret->name = arena_strndup(in->arena, bytes, len - 1);
        else if (header[156] == 'K')
            ret->target = arena_strndup(in->arena, bytes, len - 1);
        else {
            ret->kind = header[156];
            ret->bytes = bytes;
            ret->len = len;
            if (!ret->name)
                ret->name = arena_strndup(in->arena, header, strnlen(header, 100));
            if (!ret->target)
                ret->target = arena_strndup(in->arena, header + 157, strnlen(header + 157, 100));
            return true;
        }
    }
}

/* Names and targets of any bytes and any length come back as they were.  The parts: name, target,
 * content. */
void fuzz_tar(const struct input *in)
{
    struct pack *pack = NULL;
    struct err err = {.arena = in->arena};
    const char *at = in->text;
    const char *name = next_part(in, &at);
    const char *target = next_part(in, &at);
    const char *bytes = next_part(in, &at);
    const size_t len = bytes ? strlen(bytes) : 0;
    struct member m;
    int fd;
    off_t size;

    if (!*name || !target || !*target || strlen(name) > 4000 || strlen(target) > 4000)
        return;
    HOLDS(pack_open(&pack, 1700000000, &err));
    HOLDS(pack_file(pack, name, true, bytes, len, &err));
    HOLDS(pack_link(pack, name, target, &err));
    HOLDS(pack_dir(pack, name, &err));
    HOLDS(pack_finish(pack, &fd, &size, &err) && size % 512 == 0);
    char *tar = arena_alloc(in->arena, (size_t)size + 1);
    HOLDS(pread(fd, tar, (size_t)size, 0) == size);
    close(fd);
    pack_close(pack);
    const char *next = tar;
    HOLDS(read_member(in, &next, &m) && m.kind == '0' && strcmp(m.name, name) == 0);
    HOLDS(m.len == len && memcmp(m.bytes, bytes ? bytes : "", len) == 0);
    HOLDS(read_member(in, &next, &m) && m.kind == '2' && strcmp(m.name, name) == 0);
    HOLDS(strcmp(m.target, target) == 0);
    HOLDS(read_member(in, &next, &m) && m.kind == '5');
    HOLDS(strncmp(m.name, name, strlen(name)) == 0);
    HOLDS(!read_member(in, &next, &m) && next < tar + size);
}
