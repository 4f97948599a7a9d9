/* library.c -- starts libgit2, and tells its version and features for --version --json.  Used by repo.c and main.c. */
#include "git/internal.h"

#include <stdlib.h>

/* ---- memory ----
 *
 * Like everything else here, libgit2 ends the process when memory runs out.  By itself it frees what it has not
 * allocated then (1.5: git_remote_list), or takes a part for the whole. */

static void *git_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return xrealloc(NULL, n ? n : 1);
}

static void *git_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return xrealloc(p, n ? n : 1);
}

#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7 /* since 1.7, three functions */
static void *git_calloc(size_t n, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return xcalloc(n ? n : 1, size ? size : 1);
}

static char *git_substrdup(const char *s, size_t len, const char *file, int line)
{
    char *copy = git_malloc(len + 1, file, line);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

static char *git_strndup(const char *s, size_t max, const char *file, int line)
{
    return git_substrdup(s, strnlen(s, max), file, line);
}

static char *git_strdup(const char *s, const char *file, int line)
{
    return git_substrdup(s, strlen(s), file, line);
}

static void *git_reallocarray(void *p, size_t n, size_t size, const char *file, int line)
{
    return git_realloc(p, size && n > SIZE_MAX / size ? SIZE_MAX : n * size, file, line);
}

static void *git_mallocarray(size_t n, size_t size, const char *file, int line)
{
    return git_reallocarray(NULL, n, size, file, line);
}
#endif

void repo_library_init(void)
{
    static git_allocator allocator = {
        .gmalloc = git_malloc,
        .grealloc = git_realloc,
        .gfree = free,
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7 /* since 1.7, three functions */
        .gcalloc = git_calloc,
        .gstrdup = git_strdup,
        .gstrndup = git_strndup,
        .gsubstrdup = git_substrdup,
        .greallocarray = git_reallocarray,
        .gmallocarray = git_mallocarray,
#endif
    };
    static bool done;

    if (!done)
        git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);
    done = true;
    git_libgit2_init();
}

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
