/* trust.c -- checks who could have written a recipe that was found by searching (see trust.h).
 * recipe.c calls it.  Only folders that contain the file, or a link to it, are checked, not those
 * above: someone who can write to one of these can replace a folder, but cannot create a file that
 * belongs to the user. */
#include "recipe/trust.h"

#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "recipe/find.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

/* With sudo, root acts for the user who called it. */
static bool is_ours(uid_t uid)
{
    const char *sudo = geteuid() == 0 ? getenv("SUDO_UID") : NULL;

    return uid == 0 || uid == geteuid() ||
           (sudo && number_or(sudo, UINT_MAX - 1, -1) == (long long)uid);
}

/* Debian gives each user a group of the same name, which makes a umask of 002 safe. */
static bool is_private(gid_t gid, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    const struct group *group = getgrgid(gid);

    if (!user || !group || user->pw_gid != gid || strcmp(user->pw_name, group->gr_name) != 0)
        return false;
    for (char **member = group->gr_mem; *member; member++)
        if (strcmp(*member, user->pw_name) != 0)
            return false;
    return true;
}

static const char *owner_name(struct arena *a, uid_t uid)
{
    const struct passwd *user = getpwuid(uid);

    return user ? arena_printf(a, "'%s'", text_shown(a, user->pw_name))
                : arena_printf(a, "uid %lld", (long long)uid);
}

static const char *group_name(struct arena *a, gid_t gid)
{
    const struct group *group = getgrgid(gid);

    return group ? arena_printf(a, "group '%s'", text_shown(a, group->gr_name))
                 : arena_printf(a, "gid %lld", (long long)gid);
}

/* Why others can modify it, or NULL if they cannot. */
static const char *flaw(struct arena *a, const struct stat *st)
{
    if (!is_ours(st->st_uid))
        return arena_printf(a, "is owned by %s, not by %sroot", owner_name(a, st->st_uid),
                            geteuid() == 0 ? "" : "you or ");
    /* In a sticky folder nobody can replace another user's files. */
    if (S_ISLNK(st->st_mode) || (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX)))
        return NULL;
    if (st->st_mode & S_IWOTH)
        return "is writable by others";
    if ((st->st_mode & S_IWGRP) && !is_private(st->st_gid, st->st_uid) &&
        !is_private(st->st_gid, geteuid()))
        return arena_printf(a, "is writable by %s", group_name(a, st->st_gid));
    return NULL;
}

static const char *kind_of(const struct stat *st)
{
    return S_ISLNK(st->st_mode) ? "link" : S_ISDIR(st->st_mode) ? "folder" : "file";
}

static const char *folder_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return ".";
    return slash == path ? "/" : arena_strndup(a, path, (size_t)(slash - path));
}

/* Absolute, because "folder '..'" would not tell anyone which folder is meant. */
static const char *shown(struct arena *a, const char *path)
{
    struct err ignored = {.arena = a};
    const char *absolute;

    return text_shown(a, recipe_absolute(a, path, &absolute, &ignored) ? absolute : path);
}

static const char *folder_flaw(struct arena *a, const char *path)
{
    struct stat st;
    const char *why = stat(folder_of(a, path), &st) == 0 ? flaw(a, &st) : strerror(errno);

    return why ? arena_printf(a, "folder '%s' %s", folder_of(a, shown(a, path)), why) : NULL;
}

/* Checks a file or folder, the folder that contains it, and the same for every symbolic link on the
 * way.  Returns what is wrong, or NULL. */
static const char *entry_flaw(struct arena *a, const char *path)
{
    char target[PATH_MAX];
    struct stat st;

    for (int links = 0; links < LINKS_MAX; links++) {
        const char *why = folder_flaw(a, path);
        if (why)
            return why;
        if (lstat(path, &st) != 0)
            return arena_printf(a, "'%s': %s", shown(a, path), strerror(errno));
        why = flaw(a, &st);
        if (why)
            return arena_printf(a, "%s '%s' %s", kind_of(&st), shown(a, path), why);
        if (!S_ISLNK(st.st_mode))
            return NULL;
        ssize_t len = readlink(path, target, sizeof target);
        if (len <= 0)
            return arena_printf(a, "link '%s': %s", shown(a, path), strerror(errno));
        while (len > 1 && target[len - 1] == '/')
            len--;
        const char *to = arena_strndup(a, target, (size_t)len);
        path = *to == '/' ? to : arena_printf(a, "%s/%s", folder_of(a, path), to);
    }
    return arena_printf(a, "'%s': %s", shown(a, path), strerror(ELOOP));
}

static const char *typed(struct arena *a, const char *path)
{
    struct buf b = buf_make(strlen(path) * 8 + 3);

    quote_typed(&b, text_shown(a, path));
    const char *word = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return word;
}

bool recipe_trusted(struct arena *a, const char *path, const struct stat *opened, struct err *err)
{
    const char *folder = folder_of(a, path);
    const char *name = strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder;
    const char *why = flaw(a, opened);

    if (why)
        why = arena_printf(a, "file '%s' %s", shown(a, path), why);
    /* The search also looks into config/, which may itself be a link. */
    if (!why && *name != '.')
        why = entry_flaw(a, folder);
    if (!why)
        why = entry_flaw(a, path);
    return !why ||
           err_set(err, ERR_USAGE, "recipe '%s' is not trusted: %s; to use it anyway, add '-f %s'",
                   text_shown(a, path), why, typed(a, path));
}
