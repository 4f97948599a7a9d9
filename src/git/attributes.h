/* attributes.h -- export-ignore and export-subst, as set by .gitattributes files.
 *
 *     struct attributes rules = {0};
 *     attributes_read(&rules, text, len, "", ATTRIBUTES_OVER_ALL);     $GIT_DIR/info/attributes
 *     size_t mark = attributes_mark(&rules);                           entering a folder:
 *     attributes_read(&rules, text, len, "app/models", ATTRIBUTES_OF_FOLDER);
 *     attributes_has(&rules, "app/models/x.rb", false, EXPORT_IGNORE)
 *     attributes_drop(&rules, mark);                                   leaving it
 *     attributes_close(&rules);
 *
 * The rules are those of gitattributes(5), with macros: an inner folder overrides an outer one, and
 * a later line an earlier one.  libgit2's own lookup is not used, because version 1.5 also reads
 * the index, and never matches a pattern with a trailing slash. */
#ifndef CRELEASE_ATTRIBUTES_H
#define CRELEASE_ATTRIBUTES_H

#include "base/arena.h"

enum attribute { EXPORT_IGNORE, EXPORT_SUBST, ATTRIBUTES };

enum attributes_rank { ATTRIBUTES_OF_FOLDER, ATTRIBUTES_OVER_ALL };

struct attributes_rules {
    struct attributes_rule *v;
    size_t n;
    size_t room;
};

struct attributes {
    struct attributes_rules folder;
    struct attributes_rules over;
    struct attributes_name *name; /* all attributes seen so far, the two above first */
    size_t names;
    struct arena arena;
};

/* Reads the rules of a file in folder `dir`, "" for the root.  The text is copied. */
void attributes_read(struct attributes *a, const char *text, size_t len, const char *dir,
                     enum attributes_rank rank);

/* Returns a mark for the rules read so far, and removes the folder rules read since a mark. */
size_t attributes_mark(const struct attributes *a);
void attributes_drop(struct attributes *a, size_t mark);

/* Whether the attribute is set for a path, relative to the root and without a trailing slash. */
bool attributes_has(const struct attributes *a, const char *path, bool is_dir,
                    enum attribute which);

/* Whether a pattern of gitattributes(5) matches the path: a star does not match a slash, a double star
 * that is a whole component matches any number of folders. */
bool attributes_glob(const char *glob, const char *path);

void attributes_close(struct attributes *a); /* accepts a zeroed one */

#endif
