/* between.c -- the commits between the live revision and the new one, for reports (repo.h).  Relies on
 * the repository as it was fetched for the deploy: nothing more is fetched. */
#include "git/internal.h"

enum { WALK_MAX = 10000 }; /* commits that are counted */

static struct commit read_commit(struct arena *a, git_commit *commit)
{
    const git_signature *author = git_commit_author(commit);
    const char *message = git_commit_message(commit);
    char sha[GIT_OID_HEXSZ + 1];

    git_oid_tostr(sha, sizeof sha, git_commit_id(commit));
    return (struct commit){
        .sha = arena_strdup(a, sha),
        .author = arena_strdup(a, author && author->name ? author->name : ""),
        .subject = repo_subject(a, message ? message : ""),
    };
}

/* The commits that `in` contains and `out` does not.  False if the history could not be read. */
static bool walk(struct repo *r, struct arena *a, const git_oid *in, const git_oid *out,
                 struct commits *ret)
{
    git_revwalk *walk = NULL;
    git_oid id;
    int rc = git_revwalk_new(&walk, r->git);

    if (rc == 0) {
        git_revwalk_sorting(walk, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
        rc = git_revwalk_push(walk, in);
    }
    if (rc == 0)
        rc = git_revwalk_hide(walk, out);
    ret->v = arena_array(a, CHANGES_MAX, sizeof *ret->v);
    while (rc == 0 && ret->n + ret->more < WALK_MAX) {
        git_commit *commit = NULL;
        rc = git_revwalk_next(&id, walk);
        if (rc == 0 && ret->n == CHANGES_MAX)
            ret->more++;
        else if (rc == 0 && (rc = git_commit_lookup(&commit, r->git, &id)) == 0)
            ret->v[ret->n++] = read_commit(a, commit);
        git_commit_free(commit);
    }
    git_revwalk_free(walk);
    return rc == 0 || rc == GIT_ITEROVER;
}

/* In a shallow clone two commits may look unrelated although one descends from the other. */
static bool are_related(struct repo *r, const git_oid *x, const git_oid *y)
{
    return git_repository_is_shallow(r->git) == 0 || git_graph_descendant_of(r->git, x, y) == 1 ||
           git_graph_descendant_of(r->git, y, x) == 1;
}

void repo_commits(struct repo *r, struct arena *a, const char *from, const char *to,
                  struct changes *ret)
{
    git_commit *commits[2] = {0};
    git_oid x;
    git_oid y;

    *ret = (struct changes){.from = from, .files = -1};
    if (repo_commit(r, from, &commits[0]) == 0 && repo_commit(r, to, &commits[1]) == 0) {
        git_oid_cpy(&x, git_commit_id(commits[0]));
        git_oid_cpy(&y, git_commit_id(commits[1]));
        ret->known = are_related(r, &x, &y) && walk(r, a, &y, &x, &ret->added) &&
                     walk(r, a, &x, &y, &ret->removed);
    }
    if (!ret->known)
        ret->added = ret->removed = (struct commits){0};
    git_commit_free(commits[0]);
    git_commit_free(commits[1]);
}
