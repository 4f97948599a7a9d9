/* find.c -- searches for the recipe file (see find.h).  Called by recipe_read. */
#include "recipe/find.h"

#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"crelease.yml", "config/crelease.yml"};

/* An unreadable file counts as found; the reader then says why it cannot be read. */
static bool is_there(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static bool working_directory(struct arena *a, char **ret, struct err *err)
{
    char dir[PATH_MAX];

    if (!getcwd(dir, sizeof dir))
        return err_set(err, ERR_USAGE, "the working directory: %s", strerror(errno));
    *ret = arena_strdup(a, dir);
    return true;
}

bool recipe_find(struct arena *a, const char *given, const char **ret, struct err *err)
{
    char *dir;
    const char *up = "";

    if (given) {
        if (!is_there(given))
            return err_set(err, ERR_USAGE, "there is no recipe '%s'", text_shown(a, given));
        *ret = given;
        return true;
    }
    if (!working_directory(a, &dir, err))
        return false;
    const char *first = arena_strdup(a, dir);
    for (;;) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            const char *path = arena_printf(a, "%s%s", up, names[i]);
            if (is_there(path)) {
                *ret = path;
                return true;
            }
        }
        char *slash = strrchr(dir, '/');
        if (is_there(arena_printf(a, "%s.git", up)) || !slash || !slash[1])
            break;
        slash[slash == dir] = '\0';
        up = arena_printf(a, "../%s", up);
    }
    if (strcmp(first, dir) == 0)
        return err_set(err, ERR_USAGE,
                       "there is no recipe: looked for crelease.yml and config/crelease.yml in '%s'"
                       " ('crelease init' writes one)",
                       text_shown(a, first));
    return err_set(
        err, ERR_USAGE,
        "there is no recipe: looked for crelease.yml and config/crelease.yml in '%s' and "
        "each folder above it up to '%s' ('crelease init' writes one)",
        text_shown(a, first), text_shown(a, dir));
}

bool recipe_absolute(struct arena *a, const char *path, const char **ret, struct err *err)
{
    char *dir;

    if (*path == '/') {
        *ret = arena_strdup(a, path);
        return true;
    }
    if (!working_directory(a, &dir, err))
        return false;
    for (;;) {
        if (strncmp(path, "./", 2) == 0) {
            path += 2;
        } else if (strncmp(path, "../", 3) == 0) {
            char *slash = strrchr(dir, '/');
            slash[slash == dir] = '\0';
            path += 3;
        } else {
            break;
        }
        path += strspn(path, "/");
    }
    *ret = arena_printf(a, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, path);
    return true;
}
