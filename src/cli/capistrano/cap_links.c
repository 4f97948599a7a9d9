/* cap_links.c -- linked_files and linked_dirs of Capistrano (see cap_site.h).  A recipe cannot link a path twice,
 * nor one below another, which Capistrano allows. */
#include "cli/capistrano/cap_site.h"

#include "base/buf.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

enum { RECIPE_LINKS_MAX = 512 * 1024 };

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* The entries that a recipe can have, tidied. */
static void read_list(struct arena *a, struct cap_site *site, bool dirs, struct strs *ret)
{
    const char *name = dirs ? "linked_dirs" : "linked_files";
    const struct ruby_value *v = cap_value(site, name);

    if (v && v->kind != RUBY_LIST)
        cap_spoilt(site, name, "expected a list");
    for (size_t i = 0; v && v->kind == RUBY_LIST && i < v->n; i++) {
        const char *entry = v->items[i].kind == RUBY_TEXT ? v->items[i].text : "";
        const char *expected = !yaml_fits(entry) ? "text of one line"
                               : dirs            ? check_linked_dir(a, &entry)
                                                 : check_linked_file(a, &entry);
        if (expected)
            cap_spoilt(site, name, arena_printf(a, "expected %s", expected));
        else
            strs_add(a, ret, entry);
    }
}

/* Whether the entry k of list l is not linked by another one. */
static bool is_needed(const struct strs lists[2], size_t l, size_t k)
{
    const char *path = lists[l].v[k];

    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i].n; j++) {
            bool earlier = i < l || (i == l && j < k);
            if (is_below(path, lists[i].v[j]) || (earlier && strcmp(path, lists[i].v[j]) == 0))
                return false;
        }
    return true;
}

/* A list of one line: [] if it has no entry, since a preset may have some. */
static const char *list_text(struct arena *a, const struct strs *list)
{
    struct buf b = buf_make(RECIPE_LINKS_MAX);

    for (size_t i = 0; i < list->n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", yaml_scalar(a, list->v[i]));
    const char *text = arena_printf(a, "[%s]", b.len ? b.text : "");
    buf_free(&b);
    return text;
}

void cap_links(struct arena *a, struct cap_site *site, const struct strs *more, const char *ret[2])
{
    struct strs lists[2] = {0};

    read_list(a, site, false, &lists[0]);
    read_list(a, site, true, &lists[1]);
    for (size_t i = 0; i < more->n; i++)
        strs_add(a, &lists[1], more->v[i]);
    for (size_t l = 0; l < 2; l++) {
        struct strs kept = {0};
        for (size_t k = 0; k < lists[l].n; k++)
            if (is_needed(lists, l, k))
                strs_add(a, &kept, lists[l].v[k]);
        struct cap_setting *set = cap_find(site, l ? "linked_dirs" : "linked_files");
        ret[l] = cap_commented(a, list_text(a, &kept), set ? &set->value : NULL);
    }
}
