/* report.c -- drives the plan of the session forward or back, and tells how that ended: with a
 * failure, what to type next. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/ending.h"
#include "core/engine.h"

void session_next(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strs_add(s->arena, &s->run.failure.next, arena_vprintf(s->arena, fmt, ap));
    va_end(ap);
}

/* A command of the recipe mostly fails because of the commit, which resume would not change.  If the
 * commit is live on other hosts the run has to be finished with it. */
static void next_after_failure(struct session *s)
{
    struct run *r = &s->run;

    if (!r->failure.command || r->left_out.reached_end ||
        r->plan->what.command == COMMAND_ROLLBACK) {
        session_next(s, "fix it, then run '%s', or '%s' to give up the run",
                     run_hint(r, "resume", NULL), run_hint(r, "abort", NULL));
        return;
    }
    if (replace_is_sure(s))
        session_next(s, "commit a fix, then run '%s': it replaces this run",
                     unfinished_again(s, r->plan->what.ref));
    else
        session_next(s, "commit a fix, then run '%s'", unfinished_instead(s, r->plan->what.ref));
    session_next(s, "or, if the cause is not in the commit, fix it, then run '%s'",
                 run_hint(r, "resume", NULL));
}

/* The lines to type next, unless the stage that failed has given its own. */
static void next_after(struct session *s, const struct err *err)
{
    struct run *r = &s->run;
    struct failure *f = &r->failure;
    bool noted = r->begun;

    switch (err->code) {
    case ERR_FAILED:
        if (r->rolled_back && r->left_out.n) {
            session_next(s, "run '%s' to give up the run on the %s left out; fix it, then run '%s'",
                         run_hint(r, "abort", NULL), text_count(s->arena, r->left_out.n, "host"),
                         run_hint(r, "deploy", NULL));
            break;
        }
        if (r->rolled_back) {
            session_next(s, "fix it, then run '%s'", run_hint(r, "deploy", NULL));
            break;
        }
        if (noted && !f->next.n)
            next_after_failure(s);
        break;
    case ERR_UNFINISHED:
        if (f->next.n)
            break;
        session_next(s, "'%s' shows the run", run_hint(r, "status", NULL));
        session_next(s, "'%s' continues it", run_hint(r, "resume", NULL));
        session_next(s, "'%s' gives it up", run_hint(r, "abort", NULL));
        break;
    case ERR_LOCKED:
        session_next(s, "'%s' shows the run", run_hint(r, "status", NULL));
        if (s->command->run == cmd_abort)
            session_next(s, "'%s' ends it although it is alive",
                         run_hint(r, "abort", "--takeover"));
        else if (s->command->run == cmd_resume)
            session_next(s, "'%s' takes it over although it is alive",
                         run_hint(r, "resume", "--takeover"));
        if (s->command->run != cmd_abort)
            session_next(s, "--wait-lock 10m waits for its end");
        break;
    case ERR_BACKUP:
        if (!noted || f->next.n)
            break;
        session_next(s, "run '%s' when the backup has ended, or '%s' to stop it",
                     run_hint(r, "resume", NULL), run_hint(r, "resume", "--on-backup=kill"));
        break;
    case ERR_UNCERTAIN:
    case ERR_INTERRUPTED:
    case ERR_TERMINATED:
        if (noted && !f->next.n)
            session_next(s, "run '%s' to check and continue, or '%s' to give up the run",
                         run_hint(r, "resume", NULL), run_hint(r, "abort", NULL));
        break;
    case ERR_FROZEN:
        if (s->options.if_waiting)
            session_next(s, "try again later, or run '%s' to continue nevertheless",
                         run_hint(r, "resume", NULL));
        else
            session_next(s, "try again later, or run '%s' to deploy nevertheless",
                         run_hint(r, "deploy", "--force"));
        break;
    case ERR_UNREACHABLE:
        strs_add(s->arena, &f->now, "nothing was changed");
        session_next(s, "fix it, then run '%s'", run_hint(r, "check", NULL));
        break;
    default:
        break;
    }
}

bool session_end(struct session *s, const char *message, struct err *err)
{
    const char *log = s->run.failure.log;

    next_after(s, err);
    if (log)
        session_next(s, "full output: '%s'", log);
    bool mine = err->code != ERR_LOCKED && err->code != ERR_UNFINISHED;
    ending_tell(&s->run, err,
                &(struct ending){.message = message,
                                 .changes = s->changes,
                                 .note = s->run.begun && mine && !s->run.rolled_back,
                                 .began_ms = s->began_ms});
    s->ended = true;
    const char *untidy = notifier_failure(s->notifier);
    return err->code == ERR_NONE &&
           (!untidy || err_set(err, ERR_UNTIDY, "%s", arena_strdup(s->arena, untidy)));
}

/* The commit that is live on the first host that has one. */
static const char *live_commit(const struct session *s)
{
    for (size_t h = 0; s->run.sites && h < s->recipe->n_hosts; h++) {
        const char *live = s->run.sites[h].live_revision;
        if (live && is_revision(live))
            return live;
    }
    return "";
}

static void hide_secrets(struct session *s, struct commits *c)
{
    for (size_t i = 0; i < c->n; i++) {
        c->v[i].author = run_redact(&s->run, c->v[i].author);
        c->v[i].subject = run_redact(&s->run, c->v[i].subject);
    }
}

const struct changes *session_changes(struct session *s)
{
    const struct what *w = &s->run.plan->what;
    const char *live = live_commit(s);
    struct changes *c = arena_alloc(s->arena, sizeof *c);

    if (!s->repo || w->command == COMMAND_ROLLBACK || !is_revision(w->revision))
        return NULL;
    if (*live)
        repo_commits(s->repo, s->arena, live, w->revision, c);
    else
        *c = (struct changes){.from = "", .known = true, .files = -1};
    if (*live)
        repo_files(s->repo, s->arena, w->revision, &s->recipe->migrate.paths, c);
    hide_secrets(s, &c->added);
    hide_secrets(s, &c->removed);
    return c;
}

/* The changes are told once, as those of the first host. */
static void warn_of_other_commits(struct session *s, const struct changes *changes)
{
    const char *others = NULL;
    const char *like = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const char *name = s->recipe->hosts[h].name;
        const char *live = s->run.sites[h].live_revision;
        bool is_known = live && is_revision(live);
        if (is_known && strcmp(live, changes->from) == 0)
            like = like ? like : name;
        else
            others =
                arena_printf(s->arena, "%s%s%s has %s", others ? others : "", others ? ", " : "",
                             name, is_known ? arena_printf(s->arena, "%.7s", live) : "none");
    }
    if (like && others)
        run_warn(&s->run, NULL,
                 "the hosts do not have the same revision live: %s; the changes are those since "
                 "%.7s on %s",
                 others, changes->from, like);
}

void session_begin(struct session *s, bool fresh)
{
    struct run_info info = run_info(&s->run);

    info.by = session_by(s->arena); /* who continues it, not who started it */
    const struct changes *changes = session_changes(s);
    struct strs upcoming = fresh ? session_upcoming(s, changes) : (struct strs){0};
    s->changes = fresh ? changes : NULL;
    s->run.begun = true;
    run_tell(&s->run, (struct event){.kind = EVENT_RUN,
                                     .run = &info,
                                     .fresh = fresh,
                                     .changes = changes,
                                     .upcoming = &upcoming});
    if (fresh && changes && *changes->from)
        warn_of_other_commits(s, changes);
}

/* A run that lost the race for the lock has left nothing behind that could be resumed. */
bool session_forward(struct session *s, bool fresh, struct err *err)
{
    session_begin(s, fresh);
    bool ok = engine_forward(&s->run, err);
    if (!ok && fresh && s->run.failure.stage && strcmp(s->run.failure.stage, "lock") == 0)
        s->run.begun = err->code == ERR_UNCERTAIN;
    outcome_of_deploy(s, err);
    return session_end(s, NULL, err) && ok;
}

bool session_back(struct session *s, struct err *err)
{
    notifier_is_aborting(s->notifier);
    session_begin(s, false);
    bool ok = engine_back(&s->run, err);
    const char *live = engine_ended_well(&s->run);
    outcome_of_abort(s, err);
    return session_end(s,
                       arena_printf(s->arena,
                                    "aborted: undid what can be undone, released the lock%s",
                                    *live ? arena_printf(s->arena, "; release %s stays live on %s",
                                                         s->run.plan->what.release, live)
                                          : ""),
                       err) &&
           ok;
}
