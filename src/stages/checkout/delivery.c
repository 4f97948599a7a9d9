/* delivery.c -- decides what each host gets of a revision (see delivery.h).  Called by checkout.c; relies on
 * the list of an earlier release's files from git, since the hosts do not send theirs: the digest of the
 * manifest proves that both are the same. */
#include "stages/checkout/delivery.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "edge/digest.h"
#include "stages/checkout/patch.h"

#include <errno.h>
#include <unistd.h>

EMBED(script_difference, "stages/checkout/difference.sh");

enum {
    COPY_BYTES = 64 * 1024,
    KEPT_MIN = 1000 * 1000 /* less is sent again if it is interrupted */
};

/* The release of the host that the new one is likely to differ least from: the live one, or else the newest. */
static const struct release *base_on(const struct run *r, size_t host)
{
    const struct site *site = r->sites ? &r->sites[host] : NULL;
    const struct release *best = NULL;

    for (size_t i = 0; site && site->has_awk && i < site->n_releases; i++) {
        const struct release *one = &site->releases[i];
        bool good = one->indexed && one->revision && is_revision(one->revision) &&
                    strcmp(one->name, r->plan->what.release) != 0;
        bool is_live = site->live && strcmp(one->name, site->live) == 0;
        if (good && (is_live || !best || !site->live || strcmp(best->name, site->live) != 0))
            best = one;
    }
    return best;
}

static bool copy_part(int from, const struct part *part, FILE *to)
{
    char bytes[COPY_BYTES];

    for (off_t at = 0; at < part->size;) {
        off_t left = part->size - at;
        ssize_t n =
            pread(from, bytes, (size_t)(left < COPY_BYTES ? left : COPY_BYTES), part->at + at);
        if (n <= 0 || fwrite(bytes, 1, (size_t)n, to) != (size_t)n)
            return false;
        at += n;
    }
    return true;
}

/* Whether no file is in the folder, so that only its own member makes it. */
static bool is_empty_folder(const struct export *x, const char *path)
{
    size_t len = strlen(path);
    size_t low = 0;
    size_t high = x->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(x->entry[mid].path, path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    /* Names between "a" and "a/" sort before what is in the folder: "a-b". */
    while (low < x->n && strncmp(x->entry[low].path, path, len) == 0) {
        if (x->entry[low].path[len] == '/')
            return false;
        low++;
    }
    return true;
}

/* Packs the entries that are not `kept`, and the empty folders. */
static bool pack_some(struct run *r, const bool *kept, struct parcel *p, struct patches *patches,
                      struct err *err)
{
    static const char end[2 * MANIFEST_BLOCK];
    const struct export *x = r->export;
    bool ok;

    p->tar = tmpfile();
    if (!p->tar)
        return err_set(err, ERR_FAILED, "cannot create a temporary file: %s", strerror(errno));
    errno = 0;
    ok = true;
    for (size_t i = 0; ok && i < x->n_folders; i++)
        ok =
            !is_empty_folder(x, x->folder[i].path) || copy_part(x->tar, &x->folder[i].part, p->tar);
    for (size_t i = 0; ok && i < x->n; i++) {
        if (kept[i])
            continue;
        if (patch_pack(patches, x, &x->entry[i], p->tar))
            (void)fleet_wait(r->fleet, 1); /* the locks are kept meanwhile */
        else
            ok = copy_part(x->tar, &x->entry[i].part, p->tar);
    }
    ok = ok && fwrite(end, 1, sizeof end, p->tar) == sizeof end && fflush(p->tar) == 0;
    p->tar_size = ok ? ftello(p->tar) : 0;
    return ok || err_set(err, ERR_FAILED, "cannot write a temporary file: %s",
                         strerror(errno ? errno : EIO));
}

/* By entry, whether it is replaced by a link to shared, so that the base has lost it. */
static bool *linked_entries(struct run *r)
{
    const struct export *x = r->export;
    const struct strs *lists[] = {&r->recipe->linked_files, &r->recipe->linked_dirs};
    bool *ret = arena_array(r->arena, x->n + 1, sizeof *ret);

    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < 2 && !ret[i]; k++)
            for (size_t j = 0; j < lists[k]->n && !ret[i]; j++) {
                size_t len = strlen(lists[k]->v[j]);
                const char *path = x->entry[i].path;
                ret[i] =
                    strncmp(path, lists[k]->v[j], len) == 0 && (!path[len] || path[len] == '/');
            }
    return ret;
}

static bool open_difference(struct run *r, const struct delivery *d, const char *base,
                            struct parcel *p, struct err *err)
{
    const struct export *x = r->export;
    struct files files;
    struct err lacking = {.arena = r->arena};
    struct patches patches = {.base = d->squeezer == SQUEEZE_ZSTD ? &files : NULL,
                              .arena = r->arena};

    /* What is in a folder of this machine now does not tell what was in it then. */
    if (!x->repo)
        return true;
    if (!repo_list(x->repo, r->arena, base, x, &files, &lacking)) {
        bool stopped = lacking.code == ERR_INTERRUPTED || lacking.code == ERR_TERMINATED;
        return !stopped || err_set(err, lacking.code, "%s", lacking.msg);
    }
    if (!manifest_write_difference(x, r->plan->what.revision, &files, linked_entries(r),
                                   &p->manifest, err) ||
        !pack_some(r, p->manifest.kept, p, &patches, err))
        return false;
    p->patched = strs_joined(r->arena, &patches.paths, "\n");
    /* When most has to be sent, unpacking everything is quicker for the host. */
    if (p->tar_size < x->tar_size - x->tar_size / 4)
        p->base = base;
    return true;
}

static void name_stream(struct parcel *p)
{
    struct digest *digest = digest_open();
    char bytes[COPY_BYTES];
    char hex[65];
    off_t at = 0;

    while (at < p->stream_size) {
        off_t left = p->stream_size - at;
        ssize_t n = pread(p->stream, bytes, (size_t)(left < COPY_BYTES ? left : COPY_BYTES), at);
        if (n <= 0)
            break;
        digest_add(digest, bytes, (size_t)n);
        at += n;
    }
    digest_hex(digest, hex);
    digest_close(digest);
    if (at == p->stream_size)
        snprintf(p->name, sizeof p->name, "%.*s", UPLOAD_NAME, hex);
}

/* Compresses the tar, and names what may have to be continued later, if the same bytes are sent again. */
static void make_stream(struct run *r, const struct delivery *d, struct parcel *p)
{
    int tar = p->tar ? fileno(p->tar) : r->export->tar;
    off_t tar_size = p->tar ? p->tar_size : r->export->tar_size;
    bool is_squeezed = squeeze(r, d->squeezer, tar, tar_size, &p->squeezed, &p->stream_size);

    p->stream = is_squeezed ? fileno(p->squeezed) : tar;
    p->stream_size = is_squeezed ? p->stream_size : tar_size;
    if (p->stream_size >= KEPT_MIN && !d->is_second)
        name_stream(p);
}

static struct parcel *add_parcel(struct delivery *d)
{
    return &d->parcels[d->n_parcels++];
}

static void parcel_close(struct parcel *p)
{
    manifest_close(&p->manifest);
    if (p->tar)
        fclose(p->tar);
    if (p->squeezed)
        fclose(p->squeezed);
    *p = (struct parcel){0};
}

/* The parcel with the difference to that revision, or with everything. */
static struct parcel *parcel_for(struct run *r, struct delivery *d, const char *base,
                                 struct err *err)
{
    struct parcel *all = NULL;

    for (size_t i = 0; i < d->n_parcels; i++) {
        struct parcel *p = &d->parcels[i];
        if (base && p->base && strcmp(p->base, base) == 0)
            return p;
        if (p->whole)
            all = p;
    }
    /* One place is for the parcel with everything. */
    if (base && d->n_parcels + 1 + !all <= PARCELS_MAX) {
        struct parcel *p = add_parcel(d);
        if (!open_difference(r, d, base, p, err))
            return NULL;
        if (p->base) {
            make_stream(r, d, p);
            return p;
        }
        parcel_close(p);
        d->n_parcels--;
    }
    if (all)
        return all;
    all = add_parcel(d);
    all->whole = true;
    if (!manifest_write(r->export, r->plan->what.revision, &all->manifest, err))
        return NULL;
    make_stream(r, d, all);
    return all;
}

/* What the host has already of the parcel, from an upload of this run that was interrupted; at least one byte is sent. */
static off_t bytes_there(const struct run *r, size_t host, const struct parcel *p)
{
    const struct site *site = r->sites ? &r->sites[host] : NULL;

    if (!site || !*p->name || !site->upload.name || !r->resumed ||
        strcmp(site->upload.name, p->name) != 0)
        return 0;
    return site->upload.size < (unsigned long long)p->stream_size ? (off_t)site->upload.size
                                                                  : p->stream_size - 1;
}

static const struct load *load_of(struct run *r, const struct delivery *d, const struct parcel *p,
                                  size_t host, const char *base, bool more)
{
    struct load *l = arena_alloc(r->arena, sizeof *l);
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    off_t there = bytes_there(r, host, p);

    quote_assign(&b, "base", base ? base : "");
    buf_puts(&b, base ? script_difference : "");
    quote_assign(&b, "more", more ? "yes" : "");
    quote_assign(&b, "hardlink", r->recipe->checkout == CHECKOUT_HARDLINK ? "yes" : "");
    quote_assign(&b, "digest", d->digest);
    quote_assign(&b, "patched", p->patched ? p->patched : "");
    quote_assign(&b, "squeezed", p->squeezed ? squeezer_name(d->squeezer) : "");
    quote_assign(&b, "upload", p->name);
    quote_assign(&b, "upload_size", arena_printf(r->arena, "%lld", (long long)p->stream_size));
    quote_assign(&b, "had", arena_printf(r->arena, "%lld", (long long)there));
    quote_assign(&b, "head", ""); /* unless they travel as values (core/trip.c) */
    quote_assign(&b, "payload", "");
    quote_assign(&b, "manifest_blocks",
                 arena_printf(r->arena, "%lld", (long long)(p->manifest.size / MANIFEST_BLOCK)));
    *l = (struct load){.assignments = arena_strndup(r->arena, b.text, b.len),
                       .head = p->manifest.file ? fileno(p->manifest.file) : -1,
                       .head_size = p->manifest.size,
                       .payload = p->stream,
                       .payload_at = there,
                       .payload_size = p->stream_size - there};
    buf_free(&b);
    return l;
}

static void add_host(struct run *r, struct delivery *d, size_t host, const struct parcel *p,
                     const char *base, bool more)
{
    const struct load *l = load_of(r, d, p, host, base, more);

    d->hosts[d->n_hosts] = host;
    d->loads[d->n_hosts++] = l;
    if (d->size < l->head_size + l->payload_size)
        d->size = l->head_size + l->payload_size;
}

static void delivery_begin(struct run *r, struct delivery *d, size_t n)
{
    d->hosts = arena_array(r->arena, n, sizeof *d->hosts);
    d->loads = arena_array(r->arena, n, sizeof *d->loads);
}

bool delivery_open(struct run *r, size_t *hosts, size_t n, struct delivery *ret, struct err *err)
{
    delivery_begin(r, ret, n);
    ret->squeezer = squeezer_of(r, hosts, n);
    if (!manifest_digest(r->export, r->plan->what.revision, ret->digest, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct release *base = base_on(r, hosts[i]);
        const struct parcel *p = parcel_for(r, ret, base ? base->revision : NULL, err);
        if (!p)
            return false;
        add_host(r, ret, hosts[i], p, p->base ? base->name : NULL, false);
    }
    return true;
}

/* Notes the files that the answer asks for in `kept`; false if it asks for everything. */
static bool read_lacking(struct run *r, const char *answer, bool *kept, bool *ret_any)
{
    const struct export *x = r->export;

    for (const char *at = answer; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (strncmp(at, "need ", 5) != 0)
            continue;
        const char *path = arena_strndup(r->arena, at + 5, strcspn(at + 5, "\n"));
        const struct entry *e = strncmp(path, "./", 2) == 0 ? export_find(x, path + 2) : NULL;
        *ret_any = true;
        if (!e)
            return false;
        kept[e - x->entry] = false;
    }
    return true;
}

/* Everybody gets all the files that some host lacks: they are few. */
bool delivery_more(struct run *r, const struct delivery *first, const struct reply *replies,
                   struct delivery *ret, struct err *err)
{
    const struct export *x = r->export;
    bool *kept = arena_array(r->arena, x->n + 1, sizeof *kept);
    bool *everything = arena_array(r->arena, first->n_hosts, sizeof *everything);
    bool *lacks = arena_array(r->arena, first->n_hosts, sizeof *lacks);
    bool any = false;

    delivery_begin(r, ret, first->n_hosts);
    memcpy(ret->digest, first->digest, sizeof ret->digest);
    ret->squeezer = first->squeezer;
    ret->is_second = true;
    memset(kept, true, x->n + 1);
    for (size_t i = 0; i < first->n_hosts; i++) {
        if (replies[i].kind == REPLY_EXIT && replies[i].status == SCRIPT_ASKS)
            everything[i] = !read_lacking(r, replies[i].out, kept, &lacks[i]);
        any = any || (lacks[i] && !everything[i]);
    }
    struct parcel *some = any ? add_parcel(ret) : NULL;
    struct patches none = {0};
    if (some && !pack_some(r, kept, some, &none, err))
        return false;
    if (some)
        make_stream(r, ret, some);
    for (size_t i = 0; i < first->n_hosts; i++) {
        const struct parcel *p = everything[i] ? parcel_for(r, ret, NULL, err) : some;
        if (!p && everything[i])
            return false;
        if (lacks[i])
            add_host(r, ret, first->hosts[i], p, NULL, !everything[i]);
    }
    return true;
}

void delivery_close(struct delivery *d)
{
    for (size_t i = 0; i < d->n_parcels; i++)
        parcel_close(&d->parcels[i]);
    d->n_parcels = 0;
}
