/* unlock.c -- the stage 'unlock', and the end of an aborted run: writes the run's line to
 * revisions.log and to the history, then releases the lock (unlock.sh).  Called through
 * stages/table.c.  An aborted run gets no line in revisions.log. */
#include "stages/lock/lock.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"

EMBED(script_unlock, "stages/lock/unlock.sh");

enum { KEEP_RUNS = 10 };

enum outcome { OUTCOME_DONE, OUTCOME_ABORTED };
static const char *const outcome_words[] = {"done", "aborted"};

/* The same words as Capistrano's, since other programs read this file too. */
static const char *log_line(struct run *r)
{
    const struct what *w = &r->plan->what;

    if (w->command == COMMAND_ROLLBACK)
        return arena_printf(r->arena, "%s rolled back to release %s", w->user, w->release);
    return arena_printf(r->arena, "Branch %s (at %s) deployed as release %s by %s",
                        text_shown(r->arena, w->ref), w->revision, w->release, w->user);
}

static const char *assignments(struct run *r, enum outcome outcome, const struct step *after)
{
    const struct what *w = &r->plan->what;
    const char *times = outcome == OUTCOME_DONE ? times_text(r) : "";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "log_line", outcome == OUTCOME_DONE ? log_line(r) : "");
    quote_assign(&b, "outcome", outcome_words[outcome]);
    quote_assign(&b, "record",
                 arena_printf(r->arena, "%s %s %s %s %lld %s", command_word(w->command), w->release,
                              *w->revision ? w->revision : "-",
                              *w->ref ? text_word(r->arena, w->ref) : "-", w->since_unix, w->by));
    quote_assign(&b, "times", times);
    quote_assign(&b, "untimed", *times && after ? after->name : "");
    quote_assign(&b, "keep_runs", arena_printf(r->arena, "%d", KEEP_RUNS));
    const char *text = arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static struct trip trip_of(struct run *r, const struct step *s, enum outcome outcome,
                           const struct step *after)
{
    return (struct trip){.script = script_unlock,
                         .step = "unlock",
                         .verb = "run",
                         .assignments = assignments(r, outcome, after),
                         .about = s,
                         .payload = -1};
}

bool unlock_trip(struct run *r, const struct step *s, struct trip *ret)
{
    *ret = trip_of(r, s, OUTCOME_DONE, ret->after);
    return true;
}

static bool end_run(struct run *r, const struct step *s, enum outcome outcome, struct err *err)
{
    struct trip t = trip_of(r, s, outcome, NULL);
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    struct reply *replies = NULL;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (!run_is_through(r, s->hosts[i]))
            hosts[t.n_hosts++] = s->hosts[i];
    t.hosts = hosts;
    if (!run_scripts(r, &t, &replies, err))
        return false;
    for (size_t i = 0; i < t.n_hosts; i++)
        if (times_learn(r, replies[i].out))
            break;
    fleet_let_go(r->fleet);
    return true;
}

bool lock_undo(struct run *r, const struct step *s, struct err *err)
{
    return end_run(r, s, OUTCOME_ABORTED, err);
}

bool unlock_act(struct run *r, const struct step *s, struct step_result *ret, struct err *err)
{
    (void)ret;
    return end_run(r, s, OUTCOME_DONE, err);
}
