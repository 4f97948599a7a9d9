/* groups.h -- output of stages in the log of a CI job: folded when the stage went well, open when it
 * failed.  For plain.c.
 *
 * Neither GitHub nor GitLab can unfold what was printed folded, so the lines of a stage are held back until
 * it has ended.  Meanwhile plain.c says once a minute what is running. */
#ifndef CRELEASE_UI_GROUPS_H
#define CRELEASE_UI_GROUPS_H

#include "ui/ui.h"

struct groups;

struct groups *groups_open(enum ui_ci ci, FILE *out);
void groups_close(struct groups *g); /* accepts NULL */

/* Keeps a line of the stage, which has no control characters.  What is held of another stage, or is too
 * much, is printed first, folded. */
void groups_hold(struct groups *g, const char *stage, long long unix_ms, const char *line);

/* Prints what is held, folded under `title`, or open and without it.  False if nothing was held. */
bool groups_print(struct groups *g, const char *title, bool folded, long long unix_ms);

/* The last line that is held of the stage, or NULL. */
const char *groups_last(const struct groups *g, const char *stage);

/* Prints a line so that the CI system reads no command in it. */
void groups_put(FILE *out, enum ui_ci ci, const char *line);

/* Prints an annotation, "error" or "warning"; nothing unless the CI system has them. */
bool groups_annotate(FILE *out, enum ui_ci ci, const char *kind, const char *title,
                     const char *text);

#endif
