/* describe.c -- what export-subst needs to know about a commit: its people, dates and refs.
 * export.c calls it for the first file with the attribute. */
#include "git/internal.h"

#include "git/subst.h"

static struct subst_person person(struct arena *a, const git_signature *s)
{
    return (struct subst_person){arena_strdup(a, s->name), arena_strdup(a, s->email), s->when.time,
                                 s->when.offset};
}

static bool ref_points_at(struct repo *r, const char *name, const git_oid *id)
{
    git_reference *ref = NULL;
    git_object *object = NULL;
    bool found = git_reference_lookup(&ref, r->git, name) == 0 &&
                 git_reference_peel(&object, ref, GIT_OBJECT_COMMIT) == 0 &&
                 git_oid_equal(git_object_id(object), id);

    git_object_free(object);
    git_reference_free(ref);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns "HEAD -> main, tag: v1, origin/main", in git's order: the last name first. */
static const char *decoration(struct repo *r, struct arena *a, const git_oid *id)
{
    static const char *const prefixes[][2] = {
        {"refs/heads/", ""}, {"refs/tags/", "tag: "}, {"refs/remotes/", ""}};
    git_reference *head = NULL;
    git_strarray all = {0};
    const char *current = "";
    const char *text = "";

    if (ref_points_at(r, "HEAD", id)) {
        text = "HEAD";
        if (git_repository_head_detached(r->git) == 0 && git_repository_head(&head, r->git) == 0) {
            current = arena_strdup(a, git_reference_name(head));
            text = arena_printf(a, "HEAD -> %s", git_reference_shorthand(head));
        }
    }
    if (git_reference_list(&all, r->git) < 0)
        all.count = 0;
    qsort(all.strings, all.count, sizeof *all.strings, compare_names);
    for (size_t i = all.count; i-- > 0;) {
        const char *name = all.strings[i];
        const char *kind = "";
        if (strcmp(name, current) == 0 || !ref_points_at(r, name, id))
            continue;
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (strncmp(name, prefixes[k][0], strlen(prefixes[k][0])) == 0) {
                name += strlen(prefixes[k][0]);
                kind = prefixes[k][1];
                break;
            }
        text = arena_printf(a, "%s%s%s%s", text, *text ? ", " : "", kind, name);
    }
    git_strarray_dispose(&all);
    git_reference_free(head);
    return text;
}

struct subst_commit commit_describe(struct repo *r, struct arena *a, const git_commit *commit)
{
    const char *message = git_commit_message(commit);
    struct subst_commit c = {
        .sha = arena_strdup(a, git_oid_tostr_s(git_commit_id(commit))),
        .tree = arena_strdup(a, git_oid_tostr_s(git_commit_tree_id(commit))),
        .author = person(a, git_commit_author(commit)),
        .committer = person(a, git_commit_committer(commit)),
        .message = arena_strdup(a, message ? message : ""),
        .refs = decoration(r, a, git_commit_id(commit)),
    };

    for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
        strs_add(a, &c.parents, arena_strdup(a, git_oid_tostr_s(git_commit_parent_id(commit, i))));
    return c;
}
