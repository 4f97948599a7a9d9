/* export_rules.c -- the export attributes that come from outside the tree: recipes are left out,
 * and $GIT_DIR/info/attributes applies.  export.c calls it before it walks the tree. */
#include "git/internal.h"

#include "base/text.h"
#include "git/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTRIBUTES_BYTES_MAX = 4 * 1024 * 1024, PATH_LEN = 4000 };

/* Reads $GIT_DIR/info/attributes, which overrides every .gitattributes.  The configuration of a
 * user or a machine (core.attributesFile, /etc/gitattributes) is ignored on purpose: two machines
 * would make different releases of the same commit.  So are the work tree and the index: a
 * .gitattributes counts as it is in the commit. */
static bool read_info(struct repo *r, struct arena *scratch, struct attributes *rules,
                      struct err *err)
{
    const char *path =
        arena_printf(scratch, "%s/info/attributes", git_repository_commondir(r->git));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    bool ok = true;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ||
               err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                       strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > ATTRIBUTES_BYTES_MAX) {
        ok = err_set(err, ERR_FAILED, "'%s' is not a regular file of at most %d bytes",
                     text_shown(err->arena, path), ATTRIBUTES_BYTES_MAX);
    } else {
        char *text = arena_alloc(scratch, (size_t)st.st_size + 1);
        ssize_t len = read(fd, text, (size_t)st.st_size);
        if (len < 0)
            ok = err_set(err, ERR_FAILED, "cannot read '%s': %s", text_shown(err->arena, path),
                         strerror(errno));
        else
            attributes_read(rules, text, (size_t)len, "", ATTRIBUTES_OVER_ALL);
    }
    close(fd);
    return ok;
}

/* Returns the recipe's path from the root of its work tree, or NULL if that is not the
 * repository's. */
static const char *recipe_in_tree(struct repo *r, struct arena *a)
{
    char *real = r->recipe ? realpath(r->recipe, NULL) : NULL;
    const char *full = real ? arena_strdup(a, real) : NULL;
    const char *tree = r->is_mirror ? NULL : git_repository_workdir(r->git);

    free(real);
    if (!full)
        return NULL;
    if (tree)
        return strncmp(full, tree, strlen(tree)) == 0 ? full + strlen(tree) : NULL;
    /* With a bare repository or a mirror of a URL, the recipe is in some other clone. */
    for (size_t len = strlen(full); len > 0; len--)
        if (full[len - 1] == '/' && access(arena_printf(a, "%.*s.git", (int)len, full), F_OK) == 0)
            return full + len;
    return NULL;
}

/* Recipes name hosts, users and key files, which do not belong into the folder of a web server.
 * These rules have the lowest precedence, so that a .gitattributes can override them. */
static const char usual[] = "/crelease.y*ml export-ignore\n"
                            "/.crelease.y*ml export-ignore\n"
                            "/crelease[.-]*.y*ml export-ignore\n"
                            "/config/crelease.y*ml export-ignore\n"
                            "/config/.crelease.y*ml export-ignore\n"
                            "/config/crelease[.-]*.y*ml export-ignore\n";

void export_usual_rules(struct attributes *rules, const char *dir)
{
    attributes_read(rules, usual, sizeof usual - 1, dir, ATTRIBUTES_OF_FOLDER);
}

static void leave_recipe_out(struct repo *r, struct arena *scratch, struct attributes *rules)
{
    const char *path = recipe_in_tree(r, scratch);
    struct buf b = buf_make(sizeof usual + 10 * PATH_LEN);

    buf_puts(&b, usual);
    if (path) {
        /* A pattern in C quotes. */
        buf_puts(&b, "\"/");
        for (; *path; path++) {
            if (strchr("*?[\\", *path))
                buf_puts(&b, "\\\\");
            if (strchr("\"\\", *path))
                buf_puts(&b, "\\");
            buf_add(&b, path, 1);
        }
        buf_puts(&b, "\" export-ignore\n");
    }
    attributes_read(rules, b.text, b.len, "", ATTRIBUTES_OF_FOLDER);
    /* Also where they would be found from the subtree. */
    if (r->options.subtree)
        export_usual_rules(rules, r->options.subtree);
    buf_free(&b);
}

bool export_rules(struct repo *r, struct arena *scratch, struct attributes *rules, struct err *err)
{
    leave_recipe_out(r, scratch, rules);
    return read_info(r, scratch, rules, err);
}
