/* fit.c -- finds what a deploy would fail at before the lock is taken.  For check, plan and deploy; it
 * relies on the exported revision and on a survey of the hosts. */
#include "base/text.h"
#include "cli/linked.h"
#include "core/survey.h"

/* Room for this many releases, since builds and the next release need some, too. */
enum { ROOM_TIMES = 3 };

enum kind { KIND_NONE, KIND_FILE, KIND_LINK, KIND_FOLDER };

static bool is_below(const char *path, const char *folder, size_t len)
{
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* What the revision has at a path, given by its first len bytes. */
static enum kind kind_at(const struct export *x, const char *path, size_t len)
{
    size_t low = 0;
    size_t high = x->n;

    /* The first entry that is not before it, by bytes. */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int by = strncmp(x->entry[mid].path, path, len);
        if (by < 0)
            low = mid + 1;
        else
            high = mid;
    }
    /* Longer names, such as "a-b" for "a", are sorted before "a/b". */
    for (; low < x->n && strncmp(x->entry[low].path, path, len) == 0; low++) {
        const struct entry *e = &x->entry[low];
        if (!e->path[len])
            return e->kind == ENTRY_LINK ? KIND_LINK : KIND_FILE;
        if (e->path[len] == '/')
            return KIND_FOLDER;
        if (e->path[len] > '/')
            break;
    }
    return KIND_NONE;
}

/* Finds a file above a path that is to be touched, or also a link above one that is to be linked, since
 * it would lead out of the release. */
static void check_above(struct session *s, const char *path, bool links, struct strs *ret)
{
    const char *does = links ? "linked" : "touched";

    for (size_t len = strcspn(path, "/"); path[len]; len += 1 + strcspn(path + len + 1, "/")) {
        enum kind kind = kind_at(&s->export, path, len);
        if (kind == KIND_FILE || (kind == KIND_LINK && links)) {
            strs_add(s->arena, ret,
                     arena_printf(s->arena,
                                  "'%.*s' is a %s in the repository, so '%s' cannot be %s below it",
                                  (int)len, path, kind == KIND_LINK ? "symbolic link" : "file",
                                  path, does));
            return;
        }
    }
}

static bool is_linked_above(const struct recipe *r, const char *path)
{
    for (size_t i = 0; i < r->linked_dirs.n; i++)
        if (is_below(path, r->linked_dirs.v[i], strlen(r->linked_dirs.v[i])))
            return true;
    return false;
}

struct strs fit_revision(struct session *s)
{
    static const char *const own[] = {"REVISION", "REVISION_TIME"};
    const struct recipe *r = s->recipe;
    const struct strs *lists[] = {&r->linked_files, &r->linked_dirs};
    struct strs list = {0};

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            check_above(s, lists[k]->v[i], true, &list);
    if (r->restart.touch && !is_linked_above(r, r->restart.touch))
        check_above(s, r->restart.touch, false, &list);
    for (size_t i = 0; i < 2; i++) {
        if (kind_at(&s->export, own[i], strlen(own[i])) == KIND_FOLDER)
            strs_add(s->arena, &list,
                     arena_printf(s->arena,
                                  "'%s' is a folder in the repository, but crelease writes"
                                  " a file of that name into each release",
                                  own[i]));
        if (strs_has(&r->linked_files, own[i]) || strs_has(&r->linked_dirs, own[i]))
            strs_add(s->arena, &list,
                     arena_printf(s->arena,
                                  "'%s' cannot be linked: crelease writes a file of that"
                                  " name into each release",
                                  own[i]));
    }
    return list;
}

/* Files and the folders they are in, and the release's own. */
static unsigned long long entries_of(const struct export *x)
{
    unsigned long long n = x->n + 1;

    for (size_t i = 0; i < x->n; i++) {
        const char *path = x->entry[i].path;
        const char *before = i ? x->entry[i - 1].path : "";
        size_t same = 0;
        while (path[same] && path[same] == before[same])
            same++;
        for (const char *c = path + same; *c; c++)
            n += *c == '/';
    }
    return n;
}

const char *fit_room(struct session *s, const struct site *site, bool *ret_enough)
{
    unsigned long long bytes = (unsigned long long)(site->free_kb > 0 ? site->free_kb : 0) * 1024;
    unsigned long long entries = entries_of(&s->export);
    bool inodes =
        site->free_inodes >= 0 && (unsigned long long)site->free_inodes <= entries * ROOM_TIMES;

    if (site->free_kb < 0)
        return NULL;
    *ret_enough = !inodes && bytes > s->export.bytes * ROOM_TIMES;
    if (!s->export_open)
        return arena_printf(s->arena, "%s free", text_size(s->arena, bytes));
    if (!inodes)
        return arena_printf(s->arena, "%s free, a release takes %s", text_size(s->arena, bytes),
                            text_size(s->arena, s->export.bytes));
    return arena_printf(s->arena,
                        "%s free, a release takes %s; %lld inodes free, a release takes %llu",
                        text_size(s->arena, bytes), text_size(s->arena, s->export.bytes),
                        site->free_inodes, entries);
}

/* Where the recipe says that the linked file comes from; NULL: nowhere. */
static const char *source_of(const struct recipe *r, const char *path)
{
    for (size_t i = 0; i < r->linked_files.n; i++)
        if (strcmp(r->linked_files.v[i], path) == 0)
            return r->linked_from.v[i];
    return NULL;
}

struct strs fit_links(struct session *s, size_t host, const struct site *site)
{
    struct strs list = {0};

    for (size_t i = 0; i < site->unlinkable.n; i++)
        strs_add(s->arena, &list, site->unlinkable.v[i]);
    for (size_t i = 0; i < site->missing.n; i++) {
        const char *path = site->missing.v[i];
        const char *from = source_of(s->recipe, path);
        const char *source = from ? from : path;
        const char *lacking = linked_is_here(s, source) ? "" : ", where it does not exist yet";
        strs_add(s->arena, &list,
                 arena_printf(s->arena,
                              "the linked file '%s/shared/%s' is missing; '%s' copies it there from"
                              " '%s' of this machine%s",
                              s->recipe->hosts[host].deploy_to, path, linked_hint(s, path, from),
                              source, lacking));
    }
    return list;
}

bool fit_hosts(struct session *s, const struct survey *sv, struct err *err)
{
    struct strs list = fit_revision(s);

    if (list.n)
        return err_set(err, ERR_FAILED, "%s", list.v[0]);
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        const struct host *host = &s->recipe->hosts[h];
        s->run.failure.host = host->name;
        if (site->current_kind == CURRENT_FOLDER)
            return err_set(err, ERR_FAILED,
                           "%s: %s/current is a folder, not a link; move it away by hand",
                           host->name, host->deploy_to);
        if (!site->writable)
            return err_set(err, ERR_FAILED,
                           "%s: cannot write to %s: no permission, or it is mounted read-only",
                           host->name, site->writable_at ? site->writable_at : host->deploy_to);
        list = fit_links(s, h, site);
        for (size_t i = 0; i < site->unfit.n; i++)
            strs_add(s->arena, &list, site->unfit.v[i]);
        if (list.n)
            return err_set(err, ERR_FAILED, "%s: %s", host->name, text_shown(s->arena, list.v[0]));
    }
    s->run.failure.host = NULL;
    return true;
}

const char *fit_path(struct session *s, const struct site *site)
{
    return arena_printf(
        s->arena,
        "commands do not find %s with the PATH of the recipe's 'env'; add the host's PATH to it"
        " as '$PATH'",
        site->path_lacks);
}

struct strs fit_notes(struct session *s, const struct survey *sv)
{
    struct strs list = {0};

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        const char *name = s->recipe->hosts[h].name;
        bool enough = true;
        const char *room = s->export_open ? fit_room(s, site, &enough) : NULL;
        if (room && !enough)
            strs_add(s->arena, &list, arena_printf(s->arena, "%s: disk: %s", name, room));
        for (size_t i = 0; i < site->unreadable.n; i++)
            strs_add(s->arena, &list,
                     arena_printf(s->arena, "%s: the login user cannot read the linked file '%s'",
                                  name, site->unreadable.v[i]));
        if (site->path_lacks)
            strs_add(s->arena, &list, arena_printf(s->arena, "%s: %s", name, fit_path(s, site)));
        for (size_t i = 0; i < site->no_tools.n; i++)
            strs_add(s->arena, &list,
                     arena_printf(s->arena, "%s: '%s' is missing", name, site->no_tools.v[i]));
    }
    return list;
}

const char *fit_places(struct session *s, const struct survey *sv)
{
    const struct recipe *r = s->recipe;

    for (size_t a = 0; a < r->n_hosts; a++)
        for (size_t b = a + 1; b < r->n_hosts; b++) {
            const char *place = sv->reached[a] ? sv->sites[a].place : NULL;
            const char *other = sv->reached[b] ? sv->sites[b].place : NULL;
            if (place && other && strcmp(place, other) == 0)
                return arena_printf(s->arena,
                                    "hosts '%s' and '%s' are the same machine with the same"
                                    " deploy_to, '%s'; list it once in the recipe",
                                    r->hosts[a].name, r->hosts[b].name, r->hosts[a].deploy_to);
        }
    return NULL;
}
