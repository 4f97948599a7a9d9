/* internal.h -- a repository of libgit2, private to this folder; the only file that includes
 * <git2.h>. */
#ifndef CRELEASE_REPO_GIT_H
#define CRELEASE_REPO_GIT_H

#include "git/attributes.h"
#include "git/repo.h"
#include "git/subst.h"
#include "git/url.h"

#include <git2.h>
#include <git2/sys/alloc.h>
#include <git2/sys/transport.h>
/* Since libgit2 1.9, git_error_set_str is declared here. */
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h>
#endif

struct repo {
    struct arena arena;
    git_repository *git;
    bool is_mirror;     /* a mirror of a URL */
    const char *recipe; /* a copy of the one in repo_options */
    const char *shown;  /* the address as given, without a password */
    /* The address that relative URLs of submodules are relative to: as given for a URL; for a path,
     * that of its remote, or the path itself.  May contain a password. */
    const char *base;
    const char *dir; /* for a path: its folder, which a relative `base` is relative to; else NULL */
    const char *remote; /* for a path: the remote that `base` is of, which need not exist */
    struct repo_options options; /* with pointers of the caller */
    bool (*stop)(void *arg);
    void *arg;
};

/* library.c: starts libgit2; more often does no harm. */
void repo_library_init(void);

/* libgit2's message for its last failure, or "unknown error" if it has none. */
const char *repo_git_why(void);

/* Whether the caller wants to stop (repo_options), and the error for that case.  The latter returns
 * false. */
bool repo_is_stopped(const struct repo *r);
bool repo_stopped(struct err *err);

/* Like git_repository_open_ext, with libgit2's return values.  Honours safe.directory. */
int repo_open_as(git_repository **ret, const char *path, unsigned flags);

/* Explains an unsupported repository format, given libgit2's message: "has SHA-256 object names,
 * ...". NULL if the message is about something else. */
const char *repo_format(struct arena *a, const char *why);

/* Sets err for a failed repo_open_as; returns false. */
bool repo_open_failed(const char *path, int rc, struct err *err);

/* Fetches the URL into its mirror, which is created if necessary, and opens that as r->git. */
bool repo_open_mirror(struct repo *r, const struct url *url, const struct repo_options *options,
                      struct err *err) MUST_CHECK;

/* Fetches all branches and tags of the URL into git, pruning those that are gone. */
bool repo_fetch(struct repo *r, git_repository *git, const struct url *url,
                const struct repo_options *options, struct err *err) MUST_CHECK;

/* Look up a commit, and a commit with its tree.  The caller frees them, also after a failure. */
int repo_commit(struct repo *r, const char *sha, git_commit **ret);
bool repo_tree(struct repo *r, const char *sha, git_commit **ret_commit, git_tree **ret_tree,
               struct err *err) MUST_CHECK;

/* Finds the recipe's subtree in the tree of a revision; the caller frees it. */
bool repo_subtree(struct repo *r, const git_tree *tree, const char *short_sha, git_tree **ret,
                  struct err *err) MUST_CHECK;

/* The first line of a commit's message, shortened if it is very long. */
const char *repo_subject(struct arena *a, const char *message);

/* Reads what export-subst needs to know about a commit. */
struct subst_commit commit_describe(struct repo *r, struct arena *a, const git_commit *commit);

/* Reads the rules that apply to the whole tree: that recipes are not exported, and
 * $GIT_DIR/info/attributes. */
bool export_rules(struct repo *r, struct arena *scratch, struct attributes *rules,
                  struct err *err) MUST_CHECK;

/* The rules that leave out recipes with the usual names in that folder and its config. */
void export_usual_rules(struct attributes *rules, const char *dir);
#endif
