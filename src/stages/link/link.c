/* link.c -- the stage 'link': passes the recipe's shared files and folders to link.sh.  Called
 * through stages/table.c. */
#include "stages/link/link.h"

#include "base/embed.h"
#include "core/survey.h"

EMBED(script_link, "stages/link/link.sh");

void link_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    (void)s;
    (void)host;
    linked_assign(r, b);
}
