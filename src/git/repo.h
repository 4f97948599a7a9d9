/* repo.h -- a Git repository: from a ref to one revision, and from that to the bytes to send.
 *
 *     struct repo *repo = NULL;
 *     repo_open(&repo, &options, err)                the work tree, bare or shallow repository
 *                                                    itself, or a mirror of a URL, fetched now
 *     repo_resolve(repo, arena, "main", &rev, err)   once; every host gets this revision
 *     repo_export(repo, arena, &rev, &export, err)   what `git archive` would hold, as a tar
 *     ...
 *     export_close(&export); repo_close(repo);
 */
#ifndef CRELEASE_REPO_H
#define CRELEASE_REPO_H

#include "base/err.h"

#include <sys/types.h>

struct repo;

struct repo_options {
    const char *url;       /* a path, or file://, https://, git://, ssh://, user@host:path */
    const char *base_dir;  /* what a relative path is relative to: the recipe's folder */
    const char *recipe;    /* its file, left out of a release when it is in the tree; may be NULL */
    const char *cache_dir; /* mirrors of URLs; NULL: $XDG_CACHE_HOME or ~/.cache, then crelease */
    /* Told now and then while fetching: the address without its password, objects received of
     * total, bytes; may be NULL. */
    void (*progress)(void *arg, const char *shown, unsigned received, unsigned total, size_t bytes);
    /* Asked now and then while fetching and packing: true ends it with INTERRUPTED; may be NULL. */
    bool (*stop)(void *arg);
    /* For an encrypted key; may be NULL. */
    bool (*ask)(void *arg, const char *prompt, char *ret, size_t size);
    void *arg;
};

struct revision {
    const char *sha;       /* 40 hex digits */
    const char *short_sha; /* 7 */
    const char *subject;   /* first line of the message, as it stands there: untrusted */
    const char *ref;       /* as asked for */
    long long time;        /* committer's time, unix seconds */
};

enum entry_kind { ENTRY_FILE, ENTRY_PROGRAM, ENTRY_LINK };

struct entry {
    enum entry_kind kind;
    const char *path;   /* relative, no NUL; any other byte can be in it */
    char sha256[65];    /* of the content that is sent; empty for a link */
    const char *target; /* of a link, else NULL */
    unsigned long long size;
};

/* What a revision holds that is worth a word; of each list the first few, and how many there are.
 */
struct contents {
    struct strs submodules; /* paths: folders that arrive empty */
    size_t n_submodules;
    struct strs pointers; /* paths: what Git LFS left in place of the content */
    size_t n_pointers;
    size_t n_ignored; /* left out by export-ignore; a folder counts as one */
    size_t files;
};

/* What a person should know before a revision goes live. */
struct repo_note {
    const char *about; /* branch, work tree, submodules, lfs, files */
    const char *text;  /* with names out of the repository as they stand there: untrusted */
};

struct repo_notes {
    struct repo_note *v;
    size_t n;
};

/* One revision as it travels. */
struct export
{
    struct entry *entry; /* sorted by path, bytewise */
    size_t n;
    unsigned long long bytes;
    struct contents contents;
    int tar; /* an unlinked file, read with pread from 0; -1 when closed */
    off_t tar_size;
};

/* On success *ret is the caller's to close.  USAGE when there is no such repository. */
bool repo_open(struct repo **ret, const struct repo_options *options, struct err *err) MUST_CHECK;

/* A branch, tag (annotated too), full or short hash, HEAD~1...  In a mirror a branch is the
 * remote's.  USAGE when there is none, naming the nearest branches and tags, and when it is the
 * name of more than one of these, with the full name of each. */
bool repo_resolve(struct repo *repo, struct arena *a, const char *ref, struct revision *ret,
                  struct err *err) MUST_CHECK;

/* One line that changes whenever anything under one of the paths does; a path that
 * is not there counts as empty. */
bool repo_digest(struct repo *repo, struct arena *a, const struct revision *rev,
                 const struct strs *paths, const char **ret, struct err *err) MUST_CHECK;

/* How many files differ between two revisions; -1 when the other one is not in this repository. */
long repo_changes(struct repo *repo, const char *sha, const struct revision *rev);

/* Looks for that file of the work tree in its history, the newest commits first, from HEAD and from
 * the commit `also` (when there is such a one), for content of which is_it says yes:
 * "COMMIT:PATH" as git show takes it, or NULL. */
const char *repo_find_file(struct repo *repo, struct arena *a, const char *file, const char *also,
                           bool (*is_it)(void *arg, const char *bytes, size_t len), void *arg);

/* The whole tree but for the recipe (unless .gitattributes says -export-ignore of it, or
 * !export-ignore): export-ignore and export-subst done, modes 644 and 755, symbolic links, times of
 * the commit, an empty folder for a submodule.  A path with a ".." or ".git" member, an absolute
 * one, or one that would pass through a link of the same tree is refused. */
bool repo_export(struct repo *repo, struct arena *a, const struct revision *rev, struct export *ret,
                 struct err *err) MUST_CHECK;

/* What repo_export would find, without reading more of the files than their sizes. */
bool repo_look(struct repo *repo, struct arena *a, const struct revision *rev, struct contents *ret,
               struct err *err) MUST_CHECK;

/* Adds what is to be said of the contents. */
void repo_content_notes(struct arena *a, const struct contents *c, struct repo_notes *ret);

/* The same of the ref that was resolved, where the repository is on this machine: a branch that is
 * behind its upstream, commits that were not pushed, uncommitted changes.  recipe: a file that is
 * used as it is in the work tree, so that it does not count.  Takes at most a few seconds, and
 * says so when that was not enough. */
void repo_ref_notes(struct repo *repo, struct arena *a, const struct revision *rev,
                    const char *recipe, struct repo_notes *ret);

/* What the repository around a folder says of itself, without a password; NULL each where there is
 * none.  origin: the URL of the remote of that name, or of the only one. */
struct repo_about {
    const char *origin;
    const char *branch; /* that is checked out */
};

void repo_about(struct arena *a, const char *dir, struct repo_about *ret);

void export_close(struct export *x); /* accepts one that was never opened with tar = -1 */
void repo_close(struct repo *repo);  /* accepts NULL */

#endif
