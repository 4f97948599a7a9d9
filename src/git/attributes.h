/* attributes.h -- what .gitattributes files say about export-ignore and export-subst.
 *
 *     struct attributes rules = {0};
 *     attributes_read(&rules, text, len, "", ATTRIBUTES_OVER_ALL);     $GIT_DIR/info/attributes
 *     size_t mark = attributes_mark(&rules);                           entering a folder:
 *     attributes_read(&rules, text, len, "app/models", ATTRIBUTES_OF_FOLDER);
 *     attributes_has(&rules, "app/models/x.rb", false, EXPORT_IGNORE)
 *     attributes_drop(&rules, mark);                                   leaving it
 *     attributes_close(&rules);
 *
 * By the rules of gitattributes(5), with macros; a folder inside wins over the one around it, a
 * later line over an earlier one.  libgit2's own lookup is not used: in version 1.5 it also reads
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
    struct attributes_name *name; /* every attribute that was met, the two above first */
    size_t names;
    struct arena arena;
};

/* dir is the folder that the file is in, "" for the root.  The text is copied. */
void attributes_read(struct attributes *a, const char *text, size_t len, const char *dir,
                     enum attributes_rank rank);

size_t attributes_mark(const struct attributes *a);
void attributes_drop(struct attributes *a, size_t mark);

/* Whether the path, relative to the root and without a trailing slash, has the attribute set. */
bool attributes_has(const struct attributes *a, const char *path, bool is_dir,
                    enum attribute which);

void attributes_close(struct attributes *a); /* accepts a zeroed one */

#endif
