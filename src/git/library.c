/* library.c -- libgit2's version and features, for --version --json. */
#include "git/internal.h"

struct library repo_library(struct arena *a)
{
    static const struct {
        int bit;
        const char *name;
    } all[] = {{GIT_FEATURE_THREADS, "threads"},
               {GIT_FEATURE_HTTPS, "https"},
               {GIT_FEATURE_SSH, "ssh"},
               {GIT_FEATURE_NSEC, "nsec"}};
    int major, minor, patch;
    struct library l = {.name = "libgit2", .built_with = LIBGIT2_VERSION};

    git_libgit2_version(&major, &minor, &patch);
    l.version = arena_printf(a, "%d.%d.%d", major, minor, patch);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (git_libgit2_features() & all[i].bit)
            strs_add(a, &l.features, all[i].name);
    return l;
}
