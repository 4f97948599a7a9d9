/* revision.c -- resolves a ref to a revision, and compares revisions (see repo.h). */
#include "git/internal.h"

#include "base/number.h"
#include "base/text.h"

enum {
    SHORT_SHA = 7,
    SUBJECT_LEN = 200,
    REF_LEN = 1024,
    COMMIT_SHOWN = 12,
    COMMITS_MAX = 1000,       /* searched for a file */
    CONTENT_MAX = 1024 * 1024 /* larger files are not compared */
};

/* The branch or tag with the nearest name, for a suggestion. */
static const char *nearest_ref(struct repo *r, struct arena *a, const char *ref)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/remotes/origin/"};
    git_strarray all = {0};
    struct strs list = {0};

    if (git_reference_list(&all, r->git) < 0)
        return NULL;
    for (size_t i = 0; i < all.count; i++)
        for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
            if (strncmp(all.strings[i], prefixes[k], strlen(prefixes[k])) == 0 &&
                strcmp(all.strings[i], "refs/remotes/origin/HEAD") != 0)
                strs_add(a, &list, arena_strdup(a, all.strings[i] + strlen(prefixes[k])));
    strs_add(a, &list, NULL);
    git_strarray_dispose(&all);
    const char *found = text_nearest(ref, list.v);
    return found ? text_shown(a, found) : NULL;
}

static bool has_commits(struct repo *r)
{
    git_strarray all = {0};
    git_reference *head = NULL;
    bool any = git_reference_list(&all, r->git) == 0 && all.count > 0;

    git_strarray_dispose(&all);
    any = any || git_repository_head(&head, r->git) == 0;
    git_reference_free(head);
    return any;
}

static bool ref_failed(struct repo *r, const char *ref, int rc, struct err *err)
{
    const char *shown = text_shown(err->arena, ref);
    const char *why = text_shown(err->arena, repo_git_why());

    if (!has_commits(r))
        return err_set(err, ERR_USAGE, "repository '%s' is empty: there is nothing to deploy yet",
                       r->shown);
    if (rc == GIT_EAMBIGUOUS)
        return err_set(err, ERR_USAGE,
                       "'%s' is an abbreviation of more than one object in repository '%s'", shown,
                       r->shown);
    const char *near = nearest_ref(r, err->arena, ref);
    err_set(err, ERR_USAGE, "no branch, tag or commit '%s' in repository '%s'%s%s%s", shown,
            r->shown, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    if (git_repository_is_shallow(r->git))
        err->msg = arena_printf(err->arena, "%s (a shallow clone: it has only what was fetched)",
                                err->msg);
    else if (rc != GIT_ENOTFOUND && rc != GIT_EINVALIDSPEC)
        err->msg = arena_printf(err->arena, "%s (%s)", err->msg, why);
    return false;
}

/* Where Git looks for a name, in this order. */
static const struct {
    const char *before;
    const char *after;
    const char *what;
} places[] = {
    {"refs/", "", "a ref"},
    {"refs/tags/", "", "a tag"},
    {"refs/heads/", "", "a branch"},
    {"refs/remotes/", "", "a branch of a remote"},
    {"refs/remotes/", "/HEAD", "a remote"},
};

enum { PLACES = sizeof places / sizeof *places };

static bool ref_is_there(struct repo *r, const char *full, git_oid *ret_commit)
{
    git_reference *ref = NULL;
    git_object *object = NULL;
    bool there = git_reference_lookup(&ref, r->git, full) == 0;

    if (there && git_reference_peel(&object, ref, GIT_OBJECT_COMMIT) == 0)
        git_oid_cpy(ret_commit, git_object_id(object));
    git_object_free(object);
    git_reference_free(ref);
    return there;
}

/* Cuts "main~2", "main^{commit}" or "main@{1}" down to "main". */
static const char *base_name(struct arena *a, const char *ref)
{
    size_t len = strcspn(ref, "^~:");
    const char *at = strstr(ref, "@{");

    return arena_strndup(a, ref, at && (size_t)(at - ref) < len ? (size_t)(at - ref) : len);
}

static bool is_ambiguous(struct err *err, struct repo *r, const char *name, const char *what,
                         const char *spellings)
{
    err_set(err, ERR_USAGE, "'%s' is ambiguous in repository '%s': it is %s; write %s",
            text_shown(err->arena, name), r->shown, what, spellings);
    return false;
}

/* A few hexadecimal digits may be a branch and an abbreviated hash as well.  All 40 digits always
 * mean the commit. */
static bool hex_is_clear(struct repo *r, struct arena *a, const char *name, const char *full,
                         const git_oid *commit, struct err *err)
{
    git_object *object = NULL;
    size_t len = strlen(name);
    git_oid id;

    if (len < GIT_OID_MINPREFIXLEN || len >= GIT_OID_HEXSZ ||
        strspn(name, "0123456789abcdefABCDEF") != len || git_oid_fromstrn(&id, name, len) < 0 ||
        git_object_lookup_prefix(&object, r->git, &id, len, GIT_OBJECT_COMMIT) < 0)
        return true;
    bool clear = git_oid_equal(git_object_id(object), commit);
    if (!clear)
        is_ambiguous(err, r, name, "a branch or tag, and an abbreviated commit hash",
                     arena_printf(a, "'%s' or '%s'", text_shown(a, full),
                                  git_oid_tostr_s(git_object_id(object))));
    git_object_free(object);
    return clear;
}

/* If several refs have the same name, Git takes the first and prints a warning.  Here that could
 * bring the wrong revision live.  It is an error even while all of them point to the same commit;
 * otherwise a deploy that has worked for months would fail on the day one of them moves. */
static bool name_is_clear(struct repo *r, struct arena *a, const char *ref, struct err *err)
{
    const char *name = base_name(a, ref);
    const char *what = "";
    const char *spellings = "";
    const char *full = NULL;
    git_oid commit = {{0}};
    git_oid ignored;
    size_t n = 0;

    if (!*name || strcmp(name, "@") == 0 || ref_is_there(r, name, &ignored))
        return true;
    for (size_t i = 0; i < PLACES; i++) {
        const char *one = arena_printf(a, "%s%s%s", places[i].before, name, places[i].after);
        if (!ref_is_there(r, one, &commit))
            continue;
        what = arena_printf(a, "%s%s%s", what, n ? " and " : "", places[i].what);
        spellings = arena_printf(a, "%s%s'%s'", spellings, n ? " or " : "", text_shown(a, one));
        full = one;
        n++;
    }
    if (n > 1)
        return is_ambiguous(err, r, name, what, spellings);
    if (!full)
        full = arena_printf(a, "refs/remotes/origin/%s", name);
    return (!n && !ref_is_there(r, full, &commit)) || hex_is_clear(r, a, name, full, &commit, err);
}

/* Resolves a ref as git does.  If only a remote branch has that name, it is used (CI runners check
 * out a commit, not a branch): that of `origin`, else of the only remote. */
static int find_commit(struct repo *r, struct arena *a, const char *ref, git_commit **ret)
{
    git_object *object = NULL;
    git_object *commit = NULL;
    git_strarray remotes = {0};
    int rc = git_revparse_single(&object, r->git, ref);

    if (rc == GIT_ENOTFOUND)
        rc = git_revparse_single(&object, r->git, arena_printf(a, "refs/remotes/origin/%s", ref));
    if (rc == GIT_ENOTFOUND && git_remote_list(&remotes, r->git) == 0 && remotes.count == 1)
        rc = git_revparse_single(&object, r->git,
                                 arena_printf(a, "refs/remotes/%s/%s", remotes.strings[0], ref));
    if (rc == 0)
        rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (rc == 0)
        *ret = (git_commit *)(void *)commit;
    git_object_free(object);
    git_strarray_dispose(&remotes);
    return rc;
}

const char *repo_subject(struct arena *a, const char *message)
{
    message += strspn(message, "\r\n");
    size_t len = strcspn(message, "\r\n");
    if (len > SUBJECT_LEN) {
        len = SUBJECT_LEN;
        while (len > SUBJECT_LEN - 4 && ((unsigned char)message[len] & 0xc0) == 0x80)
            len--; /* keep characters whole */
    }
    return arena_strndup(a, message, len);
}

/* A commit can have any date.  Times are limited to a range that number.h reads back. */
static long long time_of(const git_commit *commit)
{
    long long t = git_commit_time(commit);

    return t < 0 ? 0 : t > NUMBER_UNIX_MAX ? NUMBER_UNIX_MAX : t;
}

bool repo_resolve(struct repo *r, struct arena *a, const char *ref, struct revision *ret,
                  struct err *err)
{
    git_commit *commit = NULL;
    bool sane = *ref && *ref != '-' && strlen(ref) <= REF_LEN;

    for (const char *c = ref; *c; c++)
        sane = sane && (unsigned char)*c >= ' ' && *c != 0x7f;
    if (!sane)
        return err_set(err, ERR_USAGE, "'%.*s' cannot be the name of a branch, tag or commit",
                       REF_LEN, text_shown(err->arena, ref));
    if (!name_is_clear(r, a, ref, err))
        return false;
    int rc = find_commit(r, a, ref, &commit);
    if (rc < 0)
        return ref_failed(r, ref, rc, err);
    char sha[GIT_OID_HEXSZ + 1];
    git_oid_tostr(sha, sizeof sha, git_commit_id(commit));
    *ret = (struct revision){
        .sha = arena_strdup(a, sha),
        .short_sha = arena_strndup(a, sha, SHORT_SHA),
        .subject = repo_subject(a, git_commit_message(commit)),
        .ref = arena_strdup(a, ref),
        .time = time_of(commit),
    };
    git_commit_free(commit);
    return true;
}

int repo_commit(struct repo *r, const char *sha, git_commit **ret)
{
    git_oid id;

    if (strlen(sha) != GIT_OID_HEXSZ || git_oid_fromstr(&id, sha) < 0)
        return GIT_EINVALIDSPEC;
    return git_commit_lookup(ret, r->git, &id);
}

bool repo_tree(struct repo *r, const char *sha, git_commit **ret_commit, git_tree **ret_tree,
               struct err *err)
{
    if (repo_commit(r, sha, ret_commit) == 0 && git_commit_tree(ret_tree, *ret_commit) == 0)
        return true;
    return err_set(err, ERR_FAILED, "cannot read revision '%.12s' of repository '%s': %s",
                   text_shown(err->arena, sha), r->shown, text_shown(err->arena, repo_git_why()));
}

bool repo_subtree(struct repo *r, const git_tree *tree, const char *short_sha, git_tree **ret,
                  struct err *err)
{
    const char *path = r->options.subtree;
    const char *shown = text_shown(err->arena, path);
    git_tree_entry *e = NULL;
    int rc = git_tree_entry_bypath(&e, tree, path);
    git_filemode_t mode = rc == 0 ? git_tree_entry_filemode(e) : GIT_FILEMODE_UNREADABLE;
    bool ok = false;

    if (rc == GIT_ENOTFOUND)
        err_set(err, ERR_USAGE,
                "revision %s of repository '%s' has no folder '%s', which 'subtree' names",
                short_sha, r->shown, shown);
    else if (rc == 0 && mode != GIT_FILEMODE_TREE)
        err_set(err, ERR_USAGE, "'%s', which 'subtree' names, is %s in revision %s, not a folder",
                shown,
                mode == GIT_FILEMODE_COMMIT ? "a submodule"
                : mode == GIT_FILEMODE_LINK ? "a symbolic link"
                                            : "a file",
                short_sha);
    else if (rc < 0 || git_tree_lookup(ret, r->git, git_tree_entry_id(e)) < 0)
        err_set(err, ERR_FAILED, "cannot read '%s' in revision %s: %s", shown, short_sha,
                text_shown(err->arena, repo_git_why()));
    else
        ok = true;
    git_tree_entry_free(e);
    return ok;
}

bool repo_has_subtree(struct repo *r, const struct revision *rev, struct err *err)
{
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_tree *subtree = NULL;
    bool ok = !r->options.subtree || (repo_tree(r, rev->sha, &commit, &tree, err) &&
                                      repo_subtree(r, tree, rev->short_sha, &subtree, err));

    git_tree_free(subtree);
    git_tree_free(tree);
    git_commit_free(commit);
    return ok;
}

long repo_changes(struct repo *r, const char *sha, const struct revision *rev)
{
    git_commit *commits[2] = {0};
    git_tree *trees[2] = {0};
    git_diff *diff = NULL;
    git_diff_options o;
    long n = -1;

    git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION);
    o.flags = GIT_DIFF_SKIP_BINARY_CHECK | GIT_DIFF_INCLUDE_TYPECHANGE;
    if (repo_commit(r, sha, &commits[0]) == 0 && repo_commit(r, rev->sha, &commits[1]) == 0 &&
        git_commit_tree(&trees[0], commits[0]) == 0 &&
        git_commit_tree(&trees[1], commits[1]) == 0 &&
        git_diff_tree_to_tree(&diff, r->git, trees[0], trees[1], &o) == 0)
        n = (long)git_diff_num_deltas(diff);
    git_diff_free(diff);
    for (size_t i = 0; i < 2; i++) {
        git_tree_free(trees[i]);
        git_commit_free(commits[i]);
    }
    return n;
}

/* Returns the file's path relative to the work tree's root, or NULL if it is not in there. */
static const char *path_within(struct repo *r, struct arena *a, const char *file)
{
    const char *workdir = git_repository_workdir(r->git);
    char *root = workdir ? realpath(workdir, NULL) : NULL;
    char *full = realpath(file, NULL);
    size_t len = root ? strlen(root) : 0;
    const char *path = NULL;

    if (root && full && strncmp(full, root, len) == 0 && full[len] == '/')
        path = arena_strdup(a, full + len + 1);
    free(root);
    free(full);
    return path;
}

/* Whether the commit has the file with such content.  *last skips content that was checked
 * before. */
static bool has_content(struct repo *r, const git_oid *commit_id, const char *path, git_oid *last,
                        bool (*is_it)(void *arg, const char *bytes, size_t len), void *arg)
{
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_tree_entry *entry = NULL;
    git_blob *blob = NULL;
    bool is = false;

    if (git_commit_lookup(&commit, r->git, commit_id) == 0 && git_commit_tree(&tree, commit) == 0 &&
        git_tree_entry_bypath(&entry, tree, path) == 0 &&
        git_oid_cmp(git_tree_entry_id(entry), last) != 0) {
        git_oid_cpy(last, git_tree_entry_id(entry));
        if (git_blob_lookup(&blob, r->git, last) == 0 && git_blob_rawsize(blob) <= CONTENT_MAX)
            is = is_it(arg, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    }
    git_blob_free(blob);
    git_tree_entry_free(entry);
    git_tree_free(tree);
    git_commit_free(commit);
    return is;
}

const char *repo_find_file(struct repo *r, struct arena *a, const char *file, const char *also,
                           bool (*is_it)(void *arg, const char *bytes, size_t len), void *arg)
{
    const char *path = path_within(r, a, file);
    const char *found = NULL;
    git_commit *commit = NULL;
    git_revwalk *walk = NULL;
    git_oid last = {0};
    git_oid id;

    if (!path || git_revwalk_new(&walk, r->git) < 0)
        return NULL;
    git_revwalk_sorting(walk, GIT_SORT_TIME);
    bool any = git_revwalk_push_head(walk) == 0;
    if (repo_commit(r, also, &commit) == 0)
        any = git_revwalk_push(walk, git_commit_id(commit)) == 0 || any;
    for (size_t n = 0; any && !found && n < COMMITS_MAX && git_revwalk_next(&id, walk) == 0; n++)
        if (has_content(r, &id, path, &last, is_it, arg))
            found = arena_printf(a, "%.*s:%s", COMMIT_SHOWN, git_oid_tostr_s(&id), path);
    git_commit_free(commit);
    git_revwalk_free(walk);
    return found;
}

enum repo_answer repo_is_ancestor(struct repo *repo, const struct revision *rev, const char *later)
{
    git_oid here;
    git_oid there;
    git_commit *commit = NULL;
    enum repo_answer answer = REPO_UNKNOWN;

    if (git_oid_fromstr(&here, rev->sha) < 0 || git_oid_fromstr(&there, later) < 0 ||
        repo_commit(repo, later, &commit) < 0)
        goto out;
    int descends = git_graph_descendant_of(repo->git, &there, &here);
    if (descends == 1)
        answer = REPO_YES;
    else if (descends == 0)
        /* In a shallow clone the way from one to the other may be cut off. */
        answer = git_repository_is_shallow(repo->git) == 0 || git_oid_equal(&here, &there) ||
                         git_graph_descendant_of(repo->git, &here, &there) == 1
                     ? REPO_NO
                     : REPO_UNKNOWN;
out:
    git_commit_free(commit);
    return answer;
}
