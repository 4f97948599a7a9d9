/* takeover.c -- takes over the unfinished run of the hosts, for resume and abort: finds it, asks
 * where its owner is alive, and makes its plan the session's.  What it reads on the hosts is judged
 * in unfinished.c. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "core/survey.h"
#include "edge/clock.h"

#include <poll.h>
#include <unistd.h>

enum { ASK_MS = 100 };

/* Reads a line from the terminal; "" if there is none.  A signal ends the question. */
static void ask_line(struct session *s, const char *prompt, char *ret, size_t size)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    ui_pause(s->ui);
    loop_quiet(s->loop, false);
    fputs(prompt, stderr);
    do
        loop_turn(s->loop, loop_now());
    while (!loop_signal(s->loop) && poll(&in, 1, ASK_MS) <= 0);
    if (loop_signal(s->loop) || !fgets(ret, (int)size, stdin))
        fputs("\n", stderr);
    loop_quiet(s->loop, session_draws(s));
}

static bool may_take_over(struct session *s, const struct survey *sv, long holder, struct err *err)
{
    const struct site *site = &sv->sites[holder];

    if (!site->lock.alive)
        return true;
    if (!s->options.takeover)
        return holder_refuse(s, sv, holder, err);
    if (s->options.force)
        return true;
    if (!s->run.interactive)
        return err_set(
            err, ERR_USAGE,
            "--takeover of a run that is alive needs --force if there is no terminal to ask on");
    char answer[8] = "";
    ask_line(
        s,
        arena_printf(
            s->arena,
            "run %s (%s) is alive; its own crelease would stop at the next step.  Type yes to take it over: ",
            site->lock.run, text_by(s->arena, site->lock.by)),
        answer, sizeof answer);
    if (run_is_stopped(&s->run, "at the question whether to take over the run", err))
        return false;
    return strcmp(answer, "yes\n") == 0 || err_set(err, ERR_LOCKED, "not taken over");
}

/* Whether a host still lacks the revision. */
static bool needs_export(const struct session *s)
{
    const struct plan *p = s->run.plan;

    for (size_t i = 0; i < p->n_steps; i++) {
        if (strcmp(p->steps[i].name, "checkout") != 0)
            continue;
        for (size_t k = 0; k < p->steps[i].n_hosts; k++) {
            const struct site *site = &s->run.sites[p->steps[i].hosts[k]];
            if (!site_is_marked(site, "checkout", "done") && !site_has_ended(site, p->what.run))
                return true;
        }
    }
    return false;
}

/* Decided by the mark of each database's migration, on its own host. */
static void note_skipped(struct run *r)
{
    r->guard->nothing_pending = r->no_migrate;
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        if (!s->stage->migrates || !s->stage->jobs || step_is_hook(s))
            continue;
        run_use(r, s->recipe);
        r->guard->nothing_pending =
            r->no_migrate || site_is_marked(&r->sites[s->hosts[0]], s->name, "skipped");
    }
    run_use(r, NULL);
}

/* The folder of `source` may have other files now, and some hosts may have the earlier ones. */
static bool has_same_files(struct session *s, const struct revision *rev, struct err *err)
{
    const struct what *w = &s->run.plan->what;
    const char *files;

    if (!session_files_digest(s, rev, &files, err))
        return false;
    if (strcmp(files, w->files_digest) == 0)
        return true;
    session_next(s, "'%s' deploys what it contains now", unfinished_instead(s, w->ref));
    if (!s->recipe->source || !*w->files_digest)
        return err_set(err, ERR_FAILED, "run %s was started %s 'source' in the recipe", w->run,
                       *w->files_digest ? "with" : "without");
    return err_set(err, ERR_FAILED, "'%s' has changed since run %s was started",
                   text_shown(s->arena, s->recipe->source), w->run);
}

/* Subject and date of the commit come from the repository: the plan is what hosts say. */
static bool fetch_revision(struct session *s, struct err *err)
{
    struct what *w = &s->run.plan->what;
    struct revision rev;

    if (!session_resolve(s, w->revision, &rev, err))
        return err_in(err, "cannot get the revision of run %s", w->run);
    if (strcmp(rev.sha, w->revision) != 0)
        return err_set(err, ERR_FAILED, "the revision of run %s, %.7s, is not a commit", w->run,
                       w->revision);
    w->subject = rev.subject;
    w->revision_unix = rev.time;
    return session_export(s, &rev, err) && has_same_files(s, &rev, err);
}

static bool read_run(struct session *s, const struct survey *sv, bool back, struct what *ret,
                     struct strs *ret_hosts, struct err *err)
{
    return unfinished_plan(s, sv, ret, err) && unfinished_recipe(s, sv, ret, back, err) &&
           unfinished_hosts(s, sv, ret, ret_hosts, err);
}

/* Whether all hosts of the unfinished run have noted that a backup ended it.  Who takes a run over
 * removes what was noted before. */
static bool is_waiting(const struct session *s, const struct survey *sv)
{
    const char *word = err_word(ERR_BACKUP);
    size_t len = strlen(word);

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        const char *error = site->last_error ? site->last_error : "";
        if (site->lock.held && (strncmp(error, word, len) != 0 || error[len] != ' '))
            return false;
    }
    return true;
}

/* --if-waiting: nobody is there to decide what becomes of a run that is alive, or that ended for another
 * reason than a backup. */
static const char *not_waiting(struct session *s, const struct survey *sv, long holder)
{
    const struct site *site = &sv->sites[holder];
    const char *stage = holder_stage(s, sv);
    const char *at = stage ? arena_printf(s->arena, " at stage '%s'", stage) : "";
    const char *by = text_by(s->arena, site->lock.by);
    const char *since = clock_date(s->arena, site->lock.since_unix * 1000);

    if (site->lock.alive)
        return arena_printf(s->arena, "nothing to do: run %s (%s, %s) is alive%s", site->lock.run,
                            by, since, at);
    if (is_waiting(s, sv))
        return NULL;
    return arena_printf(
        s->arena,
        "nothing to do: run %s (%s, %s) %s%s, but not because of a backup; a person has to run '%s' or"
        " '%s'",
        site->lock.run, by, since, holder_ended(s, sv), at, run_hint(&s->run, "resume", NULL),
        run_hint(&s->run, "abort", NULL));
}

/* Whether resume may continue during a freeze: a person may, a scheduler may not. */
static bool is_frozen(struct session *s, const struct survey *sv, struct err *err)
{
    struct strs why = frozen_reasons(s, sv);

    if (!s->options.if_waiting || s->options.force || !why.n) {
        frozen_warn(s, sv);
        return false;
    }
    err_set(err, ERR_FROZEN, "%s", why.v[0]);
    return true;
}

bool unfinished_open(struct session *s, bool back, const char **ret_nothing, struct err *err)
{
    struct survey sv;
    struct what what;
    struct strs hosts = {0};
    long holder;

    *ret_nothing = NULL;
    if (!holder_wait(s, &sv, &holder, err))
        return false;
    if (holder < 0)
        *ret_nothing = arena_printf(s->arena, "nothing to do: %s has no unfinished run",
                                    s->recipe->environment);
    else if (s->options.if_waiting)
        *ret_nothing = not_waiting(s, &sv, holder);
    if (*ret_nothing)
        return true;
    if (is_frozen(s, &sv, err))
        return false;
    if (!may_take_over(s, &sv, holder, err) || !read_run(s, &sv, back, &what, &hosts, err))
        return false;
    if (hosts.n != s->recipe->n_hosts &&
        (!session_narrow(s, &hosts, err) || !session_survey(s, false, &sv, err)))
        return false;
    return unfinished_take(s, &sv, back, &what, err);
}

/* The database's host has no record of the run yet, and has other databases by now. */
static bool has_same_databases(struct session *s, const struct what *w, struct err *err)
{
    struct strs now = {0};

    if (!recipe_may_have_several(s->recipe))
        return true;
    for (size_t i = 0; s->recipe->several && i < s->recipe->n_databases; i++)
        strs_add(s->arena, &now, s->recipe->databases[i].name);
    const char *names = strs_joined(s->arena, &now, ", ");
    const char *were = strs_joined(s->arena, &w->databases, ", ");
    if (strcmp(names, were) == 0)
        return true;
    session_next(s, "'%s' gives it up", run_hint(&s->run, "abort", NULL));
    return err_set(err, ERR_UNFINISHED,
                   "run %s was started for %s, but config/database.yml now has %s", w->run,
                   w->databases.n
                       ? arena_printf(s->arena, "the databases %s", text_shown(s->arena, were))
                       : "one database",
                   now.n ? names : "only one");
}

bool unfinished_take(struct session *s, const struct survey *sv, bool back, const struct what *what,
                     struct err *err)
{
    struct what w = *what;

    if (!back && w.command == COMMAND_DEPLOY && !has_same_databases(s, &w, err))
        return false;
    if (!unfinished_epoch(s, sv, w.run, &s->run.epoch, err))
        return false;
    /* Taking the lock again with a higher epoch fences off its former owner. */
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        site_set_mark(s->arena, &sv->sites[h], "lock", "begun");
    const char *text = plan_text(s->arena, &w, &s->recipe->secrets);
    w.application = s->recipe->application;
    w.environment = s->recipe->environment;
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &w);
    s->run.plan->text = text;
    note_skipped(&s->run);
    s->run.resumed = true;
    s->run.takeover = true;
    if (back || engine_is_turning_back(&s->run))
        return true;
    bool needed = needs_export(s);
    return unfinished_revision(s, sv, needed, err) && (!needed || fetch_revision(s, err));
}
