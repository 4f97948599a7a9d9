/* site_ask.c -- questions about a site that was parsed (site.h): marks, releases, the last run, and what is
 * recorded about each database.  Called by the engine, the stages and the commands. */
#include "host/site.h"

#include <string.h>

const char *site_mark(const struct site *s, const char *step)
{
    for (size_t i = s->n_marks; i-- > 0;)
        if (strcmp(s->marks[i].step, step) == 0)
            return s->marks[i].state;
    return NULL;
}

bool site_is_marked(const struct site *s, const char *step, const char *state)
{
    const char *is = site_mark(s, step);

    return is && strcmp(is, state) == 0;
}

void site_forget_run(struct site *s, const char *release)
{
    size_t n = 0;

    memset(&s->lock, 0, sizeof s->lock);
    s->plan = s->recipe = s->last_error = NULL;
    s->living = (struct strs){0};
    for (size_t i = 0; i < s->n_databases; i++)
        s->databases[i].to_migrate = (struct strs){0};
    s->n_marks = 0;
    for (size_t i = 0; i < s->n_releases; i++)
        if (strcmp(s->releases[i].name, release) != 0)
            s->releases[n++] = s->releases[i];
    s->n_releases = n;
}

const struct release *site_release(const struct site *s, const char *name)
{
    for (size_t i = 0; i < s->n_releases; i++)
        if (strcmp(s->releases[i].name, name) == 0)
            return &s->releases[i];
    return NULL;
}

bool site_has_ended(const struct site *s, const char *run)
{
    size_t len = strlen(run);

    /* The record is written before the lock is released, so a lock that is still there must be
     * released. */
    if (s->lock.held && strcmp(s->lock.run, run) == 0)
        return false;
    return s->last_run && strncmp(s->last_run, run, len) == 0 && s->last_run[len] == ' ';
}

const struct site_database *site_database(const struct site *s, const char *name)
{
    static const struct site_database none = {.name = ""};

    for (size_t i = 0; i < s->n_databases; i++)
        if (strcmp(s->databases[i].name, name ? name : "") == 0)
            return &s->databases[i];
    return &none;
}
