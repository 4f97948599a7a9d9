/* repo.h -- a Git repository: resolves a ref to a revision, and a revision to the bytes to send.
 *
 *     struct repo *repo = NULL;
 *     repo_open(&repo, &options, err)                a work tree, a bare or shallow repository, or
 *                                                    a mirror of a URL, which is fetched now
 *     repo_resolve(repo, arena, "main", &rev, err)   once; all hosts get this revision
 *     repo_export(repo, arena, &rev, &export, err)   what `git archive` would contain, as a tar
 *     ...
 *     export_close(&export); repo_close(repo);
 */
#ifndef CRELEASE_REPO_H
#define CRELEASE_REPO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/library.h"
#include "git/changes.h"

#include <sys/types.h>

struct repo;

struct repo_options {
    const char *url;       /* a path, or file://, https://, git://, ssh://, user@host:path */
    const char *base_dir;  /* for relative paths: the recipe's folder */
    const char *recipe;    /* its file, not exported if it is in the tree; may be NULL */
    bool recipe_is_named;  /* by the user: its owner's repository is opened, whoever that is */
    const char *subtree;   /* only this folder is exported; NULL: all */
    bool submodules;       /* they are exported, too, and fetched for that */
    bool lfs;              /* the content of Git LFS pointers is exported, and fetched for that */
    const char *wanted;    /* a URL is not fetched if its mirror has this commit; may be NULL */
    const char *cache_dir; /* for mirrors; NULL: $XDG_CACHE_HOME or ~/.cache, then crelease */
    /* Arguments of the ssh program, which then carries what is fetched over SSH; NULL: libssh2, without
     * the ssh configuration. */
    const struct strs *ssh;
    /* Reports progress of a fetch: the address without its password, objects received and in total,
     * bytes; may be NULL. */
    void (*progress)(void *arg, const char *shown, unsigned received, unsigned total, size_t bytes);
    /* Called repeatedly while fetching and packing; true ends it with ERR_INTERRUPTED.  May be
     * NULL. */
    bool (*stop)(void *arg);
    /* Asks the user for a passphrase, user name or password; may be NULL. */
    bool (*ask)(void *arg, const char *prompt, char *ret, size_t size);
    void *arg;
};

struct revision {
    const char *sha;       /* 40 hex digits */
    const char *short_sha; /* 7 */
    const char *subject;   /* first line of the message, unmodified: untrusted */
    const char *ref;       /* as given to repo_resolve */
    long long time;        /* committer's time, unix seconds */
};

/* Some members of a tar: so many bytes from there. */
struct part {
    off_t at;
    off_t size;
};

enum entry_kind { ENTRY_FILE, ENTRY_PROGRAM, ENTRY_LINK };

struct entry {
    enum entry_kind kind;
    const char *path;   /* relative; may contain any byte but NUL */
    char sha256[65];    /* of the content as sent; empty for a link */
    const char *target; /* of a link, else NULL */
    unsigned long long size;
    unsigned char blob[20]; /* the name of the blob whose content this is, */
    bool filled;            /* except for its placeholders (export-subst) */
    struct part part;       /* where it is in the tar */
};

struct files {
    const struct entry *v; /* sorted by path, bytewise */
    size_t n;
};

/* A folder of the tar. */
struct folder_entry {
    const char *path;
    struct part part;
};

/* What a revision contains that deserves a note: of each kind the first paths, and the number. */
struct contents {
    struct strs submodules; /* folders that will be empty */
    size_t n_submodules;
    bool has_modules;     /* all other submodules are in the export */
    struct strs pointers; /* Git LFS pointers in place of the content */
    size_t n_pointers;
    bool has_lfs;     /* those are broken; */
    size_t n_lfs;     /* so many others are exported with their content */
    bool of_folder;   /* not a revision, but a folder of this machine */
    size_t n_ignored; /* excluded by export-ignore; a folder counts as one */
    size_t files;
};

/* A note for the person who deploys. */
struct repo_note {
    const char *about; /* branch, work tree, submodules, lfs, files */
    const char *text;  /* may contain names from the repository, unmodified: untrusted */
};

struct repo_notes {
    struct repo_note *v;
    size_t n;
};

/* A revision, packed for sending. */
struct export
{
    struct repo *repo;   /* where it comes from; NULL: from a folder of this machine */
    struct entry *entry; /* sorted by path, bytewise */
    size_t n;
    struct folder_entry *folder; /* sorted the same way */
    size_t n_folders;
    unsigned long long bytes;
    struct contents contents;
    int tar; /* an unlinked file, read with pread from 0; -1 when closed */
    off_t tar_size;
};

/* Opens the repository.  The caller closes *ret.  Fails with ERR_USAGE if there is no
 * repository. */
bool repo_open(struct repo **ret, const struct repo_options *options, struct err *err) MUST_CHECK;

/* Resolves a branch, tag (annotated too), full or abbreviated hash, HEAD~1 and the like.  In a
 * mirror, branches are the remote's.  Fails with ERR_USAGE if there is none, naming the nearest
 * branch or tag, or if the name is ambiguous, listing the full names. */
bool repo_resolve(struct repo *repo, struct arena *a, const char *ref, struct revision *ret,
                  struct err *err) MUST_CHECK;

/* Returns a digest that changes whenever anything under one of the paths changes, which may be patterns
 * (attributes_glob); also if a pattern matches something new.  A missing path counts as empty; "" if all of them are missing, which is more likely a mistake than a reason to
 * take the migrations for unchanged. */
bool repo_digest(struct repo *repo, struct arena *a, const struct revision *rev,
                 const struct strs *paths, const char **ret, struct err *err) MUST_CHECK;

/* Returns the number of files that differ between two revisions, or -1 if the first one is not in
 * this repository. */
long repo_changes(struct repo *repo, const char *sha, const struct revision *rev);

/* Whether the commit `later` descends from rev.  Unknown if the repository lacks commits, as a shallow
 * clone does. */
enum repo_answer { REPO_NO, REPO_YES, REPO_UNKNOWN };
enum repo_answer repo_is_ancestor(struct repo *repo, const struct revision *rev, const char *later);

/* The commits between two, given with 40 digits: those that only one of them contains.  Not known if the
 * repository lacks one of them or, as a shallow clone does, the history between them. */
void repo_commits(struct repo *repo, struct arena *a, const char *from, const char *to,
                  struct changes *ret);

/* Fills in the files that differ between ret->from and `to`, in the subtree if there is one, and those under
 * these paths (as in repo_digest), which are migrations. */
void repo_files(struct repo *repo, struct arena *a, const char *to, const struct strs *paths,
                struct changes *ret);

/* The text of a file of the revision, in its subtree if there is one; NULL if there is none, or it is no text, larger
 * than 64 KiB, or a link. */
const char *repo_text(struct repo *repo, struct arena *a, const struct revision *rev,
                      const char *path);

/* Appends the content of a blob; false if the repository lacks it, or it has more bytes than that. */
bool repo_blob(struct repo *repo, const unsigned char blob[static 20], size_t max, struct buf *ret);

/* Searches the history of a file of the work tree, newest commits first, from HEAD and from the
 * commit `also` if it exists, for content that is_it accepts.  Returns "COMMIT:PATH" for git show,
 * or NULL. */
const char *repo_find_file(struct repo *repo, struct arena *a, const char *file, const char *also,
                           bool (*is_it)(void *arg, const char *bytes, size_t len), void *arg);

/* Whether the revision has the subtree.  ERR_USAGE if not. */
bool repo_has_subtree(struct repo *repo, const struct revision *rev, struct err *err) MUST_CHECK;

/* Packs the tree, or its subtree, except the recipe (unless .gitattributes sets -export-ignore or
 * !export-ignore for it).  Applies export-ignore and export-subst; modes are 644 and 755; times are
 * the commit's; without `submodules`, a submodule becomes an empty folder.  Fails if a path has a ".." or ".git"
 * component, is absolute, or passes through a symbolic link of the tree. */
bool repo_export(struct repo *repo, struct arena *a, const struct revision *rev, struct export *ret,
                 struct err *err) MUST_CHECK;

/* Packs a folder of this machine, without .git and recipes.  Fails if it has no files, if something in it
 * changes meanwhile, and for anything but files, folders, and links to something inside. */
bool repo_export_folder(struct repo *repo, struct arena *a, const struct revision *rev,
                        const char *dir, struct export *ret, struct err *err) MUST_CHECK;

/* Lists the files of another commit as repo_export would pack them, without its links.  What is the same in
 * `like` is not read again.  Fails if the repository lacks the commit, as a shallow clone may. */
bool repo_list(struct repo *repo, struct arena *a, const char *sha, const struct export *like,
               struct files *ret, struct err *err) MUST_CHECK;

/* "9 files, 2.2 kB", and how many of them come from Git LFS. */
const char *export_text(struct arena *a, const struct export *x);

/* The file with this path, in a list or in an export; NULL if there is none. */
const struct entry *files_find(const struct files *files, const char *path);
const struct entry *export_find(const struct export *x, const char *path);

/* Counts what repo_export would find, without reading the content of large files. */
bool repo_look(struct repo *repo, struct arena *a, const struct revision *rev, struct contents *ret,
               struct err *err) MUST_CHECK;

/* Appends a note of the caller's. */
void repo_note_add(struct arena *a, struct repo_notes *ret, const char *about, const char *text);

/* Appends notes about the contents. */
void repo_content_notes(struct arena *a, const struct contents *c, struct repo_notes *ret);

/* Appends notes about the resolved ref of a local repository: a branch that is behind its upstream,
 * unpushed commits, uncommitted changes.  Of a URL: commits of the recipe's own clone that it lacks.  `recipe` is a file that is used from the work tree and
 * therefore does not count as changed.  Takes a few seconds at most; a note says if that was not
 * enough. */
void repo_ref_notes(struct repo *repo, struct arena *a, const struct revision *rev,
                    const char *recipe, struct repo_notes *ret);

/* What a repository says about itself, without passwords; NULL where unknown. */
struct repo_about {
    const char *origin; /* URL of the remote `origin`, or of the only remote */
    const char *branch; /* checked out */
    const char *main;   /* the default branch of `origin`, as far as it is known here */
};

/* Reads this from the repository around a folder. */
void repo_about(struct arena *a, const char *dir, struct repo_about *ret);

void export_close(struct export *x); /* accepts one with tar = -1 */
void repo_close(struct repo *repo);  /* accepts NULL */

/* libgit2, its version and features. */
struct library repo_library(struct arena *a);

#endif
