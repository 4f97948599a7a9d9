/* walk.h -- the walk over the tree of a revision, private to this folder.
 *
 * export.c calls walk_revision.  walk.c goes through the folders, checks every path and applies
 * export-ignore; what it finds goes to export_file and export_link (export.c).  A submodule is a
 * layer of its own: another repository, with its own commit and attributes (submodule.c). */
#ifndef CRELEASE_GIT_WALK_H
#define CRELEASE_GIT_WALK_H

#include "git/internal.h"

#include "git/gitmodules.h"
#include "git/lfs.h"
#include "git/pack.h"

#include "edge/digest.h"

enum {
    NAME_LEN = 255, /* of one path component, the limit of common file systems */
    PATH_LEN = 4000,
    FILES_MAX = 2000000, /* a small repository can describe far more files than fit on a disk */
};

/* A repository of the walk: that of the recipe, or that of a submodule. */
struct layer {
    struct layer *up; /* the repository that contains the submodule; NULL for the recipe's */
    struct repo *repo;
    git_commit *commit;
    git_tree *tree;
    git_odb *odb;
    struct attributes rules;
    struct subst_commit about;  /* sha is NULL until a file needs export-subst */
    struct gitmodules *modules; /* NULL until it is needed */
    struct lfs_source lfs;
    size_t at; /* where paths of this repository begin in the walk's path */
};

/* A folder that is being walked.  As with git archive, it is written once a member is found that is
 * not a folder, even if that member is ignored. */
struct folder {
    struct folder *up;
    size_t len; /* length of its path */
    bool written;
};

struct walk {
    struct repo *repo;
    struct arena *arena; /* for the result */
    struct arena scratch;
    const struct revision *rev;
    const char *shown; /* what is walked, for messages: "revision 3f2a91c" */
    struct layer *in;  /* NULL in a folder of this machine */
    struct pack *pack; /* NULL: nothing is packed; */
    /* without it, only counts */
    const struct export *like; /* the files are listed; what is the same there is not read */
    struct digest *digest;
    struct contents contents;
    struct entry *entry;
    size_t n;
    size_t room;
    struct folder_entry *folder;
    size_t n_folders;
    size_t folder_room;
    unsigned long long bytes;
    char path[PATH_LEN + 1]; /* from the top of the recipe's repository */
    size_t len;
    size_t strip;          /* where paths of the release begin in it */
    struct opened *opened; /* submodule.c */
    size_t n_submodules;
};

struct walk *walk_open(struct repo *r, struct arena *a, const struct revision *rev);
void walk_close(struct walk *w);

/* Opens a commit of l->repo, with the attributes that apply to all of it; the caller closes the
 * layer, also after a failure. */
bool layer_open(struct walk *w, struct layer *l, const char *sha, struct err *err) MUST_CHECK;
void layer_close(struct layer *l);

/* Walks a tree at the current path. */
bool walk_tree(struct walk *w, const git_tree *tree, struct folder *folder,
               struct err *err) MUST_CHECK;

/* submodule.c: walks the commit of the submodule at the current path, which is fetched if
 * necessary. */
bool submodule_walk(struct walk *w, const git_oid *id, struct folder *up,
                    struct err *err) MUST_CHECK;
void submodules_close(struct walk *w);

/* Walks the revision.  With ret NULL, only fills w->contents. */
bool walk_revision(struct walk *w, struct export *ret, struct err *err) MUST_CHECK;

/* Copies what was found to the result, whose repository and tar are the caller's. */
void walk_result(const struct walk *w, struct export *ret);

/* The current path from the top of its own repository, and from the top of the release. */
const char *walk_in_layer(const struct walk *w);
const char *walk_in_release(const struct walk *w);

/* Fails because of the current path; returns false. */
bool walk_refuse(struct walk *w, const char *why, struct err *err);

/* Appends a name to the path, if later steps can handle it; and cuts the path to len bytes. */
bool walk_enter(struct walk *w, const char *name, struct err *err) MUST_CHECK;
void walk_leave(struct walk *w, size_t len);

/* Reads a blob of the current layer; the caller frees it. */
bool walk_read_blob(struct walk *w, const git_oid *id, git_odb_object **ret,
                    struct err *err) MUST_CHECK;

/* Counts the current path; the first ones are kept by name. */
void walk_keep_path(struct walk *w, struct strs *list, size_t *count);

/* Packs a folder. */
bool walk_add_folder(struct walk *w, const char *path, struct err *err) MUST_CHECK;

/* Appends an entry for the current path; NULL after a failure. */
struct entry *walk_add_entry(struct walk *w, struct err *err);

/* Packs the content of an open file of e->size bytes, and fills the entry.  Fails if the file has another
 * size meanwhile. */
bool walk_pack_file(struct walk *w, struct entry *e, int fd, struct err *err) MUST_CHECK;

/* export.c: pack a file or a link; only list a file, or look at it. */
bool export_file(struct walk *w, const git_oid *id, bool program, struct err *err) MUST_CHECK;
bool export_link(struct walk *w, const git_oid *id, struct err *err) MUST_CHECK;
bool export_list(struct walk *w, const git_oid *id, bool program, struct err *err) MUST_CHECK;
bool export_look(struct walk *w, const git_oid *id, struct err *err) MUST_CHECK;

#endif
