/* mark.c -- sends host/mark.sh.  Used by stages that finish without a script of their own, and by
 * the engine, for the decision to roll back and for the look at what is live after a failure. */
#include "core/mark.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/trip.h"

EMBED(script_mark, "host/mark.sh");

const char *mark_assignments(struct run *r, const struct new_mark *m)
{
    const char *pending = m->pending ? strs_joined(r->arena, m->pending, "\n") : "";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "to", m->state ? m->state : "");
    quote_assign(&b, "error", m->error ? m->error : "");
    quote_assign(&b, "job", m->job ? m->job : "");
    quote_assign(&b, "migrated", m->migrated ? m->migrated : "");
    quote_assign(&b, "pending", run_redact(r, pending));
    quote_assign(&b, "of", r->recipe->db ? arena_printf(r->arena, "-%s", r->recipe->db) : "");
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

bool mark_put(struct run *r, const struct step *s, const struct new_mark *m, struct err *err)
{
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (!run_is_through(r, s->hosts[i]))
            hosts[n++] = s->hosts[i];
    const struct trip t = {.script = script_mark,
                           .step = s->name,
                           .verb = "run",
                           .assignments = mark_assignments(r, m),
                           .about = s,
                           .hosts = hosts,
                           .n_hosts = n,
                           .payload = -1};
    if (!t.assignments)
        return err_set(err, ERR_FAILED, "the mark of step '%s' is too large to send", s->name);
    if (!run_scripts(r, &t, NULL, err))
        return false;
    for (size_t i = 0; i < n; i++)
        run_set_mark(r, hosts[i], s->name, m->state);
    return true;
}
