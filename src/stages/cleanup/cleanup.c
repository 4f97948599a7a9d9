/* cleanup.c -- the stage 'cleanup': passes to cleanup.sh how many releases the recipe keeps.
 * Called through stages/table.c.  Which releases are removed is decided on the host. */
#include "stages/cleanup/cleanup.h"

#include "base/embed.h"
#include "base/quote.h"
#include "core/run.h"

EMBED(script_cleanup, "stages/cleanup/cleanup.sh");

void cleanup_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    char keep[32];
    const struct site *site = &r->sites[host];
    struct strs finished = {0};

    (void)s;
    snprintf(keep, sizeof keep, "%ld", r->recipe->keep_releases);
    quote_assign(b, "keep", keep);
    for (size_t i = 0; i < site->n_releases; i++)
        if (site->releases[i].finished)
            strs_add(r->arena, &finished, site->releases[i].name);
    if (site->has_deploy && !finished.n)
        strs_add(r->arena, &finished, "-");
    quote_assign(b, "finished", strs_joined(r->arena, &finished, "\n"));
}
