/* changes.h -- what a deploy brings live, for people and as JSON. */
#ifndef CRELEASE_UI_CHANGES_H
#define CRELEASE_UI_CHANGES_H

#include "edge/json.h"
#include "git/changes.h"

/* Lines such as "3 commits since 1a2b3c4, by Ann and Bob; 5 files changed, 1 of them a migration", then at most ten
 * commits and ten migrations, indented.  Safe to show on a terminal. */
struct strs changes_lines(struct arena *a, const struct changes *c);

/* "13 commits since 8fdc7d2; 20 files changed, 3 of them migrations", for the end of a deploy. */
const char *changes_summary(struct arena *a, const struct changes *c);

/* The member "changes", as in the event "run". */
void changes_put_json(struct json *o, const struct changes *c);

#endif
