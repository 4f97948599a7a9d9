/* progress.c -- which of the marks of several hosts is the run's last one.  Used by commands that tell
 * people what a run of others does, or did when it died. */
#include "core/progress.h"

#include <string.h>

enum {
    /* Marks have whole seconds, and each shell on a host rounds on its own (tell_time in
     * host/prelude.sh), so that two that were written at once may differ by two. */
    SAME_S = 2,
};

/* A resumed run marks the lock again, which does not say how far it was. */
static const struct mark *last_mark(const struct site *site)
{
    for (size_t i = site->n_marks; i-- > 0;)
        if (strcmp(site->marks[i].step, "lock") != 0)
            return &site->marks[i];
    return &site->marks[site->n_marks - 1];
}

static bool takes_part(const struct site *site, bool reached)
{
    return reached && site->n_marks && site->lock.held;
}

static long long age(const struct site *site)
{
    return site->now_unix - last_mark(site)->unix_s;
}

bool progress_is_past(const struct mark *m)
{
    return strcmp(m->state, "done") == 0 || strcmp(m->state, "skipped") == 0;
}

size_t progress_place(const struct plan *p, const char *step)
{
    for (size_t i = 0; i < p->n_steps; i++)
        if (strcmp(p->steps[i].name, step) == 0)
            return i;
    return p->n_steps;
}

static bool is_further(const struct plan *p, const struct mark *m, const struct mark *than)
{
    if (progress_is_past(m) != progress_is_past(than))
        return progress_is_past(than);
    return progress_place(p, m->step) > progress_place(p, than->step);
}

const struct mark *progress_mark(const struct plan *p, const struct site *sites,
                                 const bool *reached, size_t n)
{
    const struct site *youngest = NULL;
    const struct mark *furthest = NULL;

    for (size_t h = 0; h < n; h++)
        if (takes_part(&sites[h], reached[h]) && (!youngest || age(&sites[h]) < age(youngest)))
            youngest = &sites[h];
    for (size_t h = 0; h < n; h++)
        if (takes_part(&sites[h], reached[h]) && age(&sites[h]) <= age(youngest) + SAME_S &&
            (!furthest || is_further(p, last_mark(&sites[h]), furthest)))
            furthest = last_mark(&sites[h]);
    return furthest;
}
