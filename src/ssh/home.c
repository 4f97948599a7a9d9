/* home.c -- the home directory and the login name, from the user database (see home.h).  Called for
 * the paths of keys and known_hosts files, and by whatever needs to know who runs crelease. */
#include "ssh/home.h"

#include <pwd.h>
#include <unistd.h>

const char *home_dir(void)
{
    const char *home = getenv("HOME");

    if (home && home[0] == '/')
        return home;
    const struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_dir ? pw->pw_dir : "/";
}

bool home_differs(void)
{
    const struct passwd *pw = getpwuid(getuid());

    return pw && pw->pw_dir && strcmp(pw->pw_dir, home_dir()) != 0;
}

bool in_ci_job(void)
{
    const char *const names[] = {getenv("CI"), getenv("GITHUB_ACTIONS"), getenv("GITLAB_CI")};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i] && *names[i] && strcmp(names[i], "false") != 0)
            return true;
    return false;
}

const char *login_user(struct arena *a)
{
    const struct passwd *pw = getpwuid(getuid());

    return pw && pw->pw_name && *pw->pw_name ? arena_strdup(a, pw->pw_name) : NULL;
}

const char *home_expand(struct arena *a, const char *path)
{
    size_t len = strcspn(path, "/");

    if (path[0] != '~')
        return arena_strdup(a, path);
    const struct passwd *pw = len > 1 ? getpwnam(arena_strndup(a, path + 1, len - 1)) : NULL;
    const char *home = len == 1 ? home_dir() : pw ? pw->pw_dir : NULL;
    if (!home)
        return arena_strdup(a, path);
    /* The home directory can be the root directory itself. */
    return arena_printf(a, "%s%s", path[len] && strcmp(home, "/") == 0 ? "" : home, path + len);
}

const char *home_shorten(struct arena *a, const char *path)
{
    const char *home = home_dir();
    size_t len = strlen(home);

    if (len > 1 && strncmp(path, home, len) == 0 && path[len] == '/')
        return arena_printf(a, "~%s", path + len);
    return arena_strdup(a, path);
}
