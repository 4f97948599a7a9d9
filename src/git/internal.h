/* repo_git.h -- a repository of libgit2, for repo.c and the sources beside it, and nobody else:
 * repo_fetch.c (mirrors), repo_revision.c (refs and differences), repo_export.c (the bytes to
 * send), repo_notes.c (what to say of them). */
#ifndef CRELEASE_REPO_GIT_H
#define CRELEASE_REPO_GIT_H

#include "git/repo.h"
#include "git/url.h"

#include <git2.h>
/* Since libgit2 1.9, git_error_set_str is declared here. */
#if __has_include(<git2/sys/errors.h>)
#include <git2/sys/errors.h>
#endif

struct repo {
    struct arena arena;
    git_repository *git;
    bool is_mirror;     /* of a URL, made here */
    const char *recipe; /* as in repo_options, its own copy */
    const char *shown;  /* as it was asked for, without a password */
    bool (*stop)(void *arg);
    void *arg;
};

/* What libgit2 says about its latest failure; it does not always say something. */
const char *repo_git_why(void);

/* Whether whoever uses the repository wants an end of it; and that as an error. */
bool repo_is_stopped(const struct repo *r);
bool repo_stopped(struct err *err);

/* Opens as git_repository_open_ext does, with libgit2's statuses. */
int repo_open_as(git_repository **ret, const char *path, unsigned flags);

/* What is wrong with the format of a repository, from what libgit2 says of it: "has SHA-256 object
 * names, ..."; NULL when it is something else. */
const char *repo_format(struct arena *a, const char *why);

/* Says why that could not be opened; false. */
bool repo_open_failed(const char *path, int rc, struct err *err);

/* The mirror of the URL, brought up to date. */
bool repo_open_mirror(struct repo *r, const struct url *url, const struct repo_options *options,
                      struct err *err) MUST_CHECK;

/* Both are the caller's to free. */
int repo_commit(struct repo *r, const char *sha, git_commit **ret);
bool repo_tree(struct repo *r, const char *sha, git_commit **ret_commit, git_tree **ret_tree,
               struct err *err) MUST_CHECK;

#endif
