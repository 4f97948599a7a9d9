#include "base/die.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "core/survey.h"
#include "edge/clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

enum { RUN_ID = 6, LOCK_POLL_MS = 2000, DYING_LOOKS = 6, DYING_MS = 250, ASK_MS = 100 };

static const char *new_run_id(struct arena *a)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none that look alike */
    unsigned char bytes[RUN_ID];
    char *id = arena_alloc(a, RUN_ID + 1);

    if (getrandom(bytes, sizeof bytes, 0) != RUN_ID)
        die_errno("cannot get random bytes", errno);
    for (size_t i = 0; i < RUN_ID; i++)
        id[i] = letters[bytes[i] % 32];
    return id;
}

/* A deploy made it, or it is live.  Other folders of such names were made by hand. */
static bool is_known(const struct site *site, const struct release *rel)
{
    return rel->finished || rel->manifest || (site->live && strcmp(site->live, rel->name) == 0);
}

static bool is_taken(const struct session *s, const struct survey *sv, const char *name)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (site_release(&sv->sites[h], name) || strs_has(&sv->sites[h].taken, name))
            return true;
    return false;
}

/* Newer than every release that was deployed, whatever this machine's clock says.  A folder that
 * was made by hand does not count, or one of the year 9999 would leave no name for any release. */
static bool new_release_name(struct session *s, const struct survey *sv, const char **ret,
                             struct err *err)
{
    long long t = clock_now_ms() / 1000;
    const char *newest = "";

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        for (size_t i = 0; i < site->n_releases; i++)
            if (is_known(site, &site->releases[i]) && strcmp(site->releases[i].name, newest) > 0)
                newest = site->releases[i].name;
    }
    if (clock_release_time(newest) >= t)
        t = clock_release_time(newest) + 1;
    *ret = clock_release_name(s->arena, t);
    while (is_taken(s, sv, *ret))
        *ret = clock_release_name(s->arena, ++t);
    if (clock_release_time(*ret) >= 0)
        return true;
    return *newest ? err_set(err, ERR_FAILED,
                             "no release can be newer than '%s': go back to an older one with"
                             " 'rollback --to', then remove it",
                             newest)
                   : err_set(err, ERR_FAILED, "the clock of this machine is wrong");
}

static bool is_live_everywhere(const struct session *s, const struct survey *sv, const char *sha)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        if (site->current_kind != CURRENT_LINK || !site->live_revision ||
            strcmp(site->live_revision, sha) != 0)
            return false;
    }
    return true;
}

static bool held_by_another(struct session *s, const struct survey *sv, long holder,
                            struct err *err)
{
    const struct site *site = &sv->sites[holder];
    const char *since = clock_date(s->arena, site->lock.since_unix * 1000);
    const char *by = text_shown(s->arena, site->lock.by ? site->lock.by : "somebody");

    const char *stage = session_stage(s, sv);

    if (site->lock.alive)
        return err_set(err, ERR_LOCKED, "run %s by %s is alive on these hosts, since %s%s%s",
                       site->lock.run, by, since, stage ? ", at stage " : "", stage ? stage : "");
    return err_set(err, ERR_UNFINISHED,
                   "run %s by %s, begun %s, is unfinished%s%s and nobody is working on it",
                   site->lock.run, by, since, stage ? " at stage " : "", stage ? stage : "");
}

/* Surveys, and looks again for a moment while the holder seems to be alive: of one that was killed
 * just now the host hears when the connection closes. */
static bool survey_settled(struct session *s, struct survey *sv, long *ret_holder, struct err *err)
{
    for (int looks = 1;; looks++) {
        if (!session_survey(s, s->options.dry_run, sv, err) ||
            !session_holder(s, sv, ret_holder, err))
            return false;
        if (*ret_holder < 0 || !sv->sites[*ret_holder].lock.alive || looks == DYING_LOOKS ||
            !loop_wait(s->loop, DYING_MS))
            return true;
    }
}

/* Who is waited for, and where that one is: told when it changes. */
static void tell_holder(struct session *s, const struct survey *sv, const struct site *site,
                        const char **told)
{
    const char *stage = session_stage(s, sv);
    struct arena *a = s->run.arena;
    const char *now = arena_printf(a, "waiting for run %s by %s%s%s", site->lock.run,
                                   text_shown(a, site->lock.by ? site->lock.by : "somebody"),
                                   stage ? ", at stage " : "", stage ? stage : "");

    if (*told && strcmp(*told, now) == 0)
        return;
    run_warn(&s->run, NULL, "%s", now);
    *told = arena_strdup(s->arena, now);
}

/* *ret_over: it is not to be looked again. */
static bool survey_turn(struct session *s, struct survey *sv, long *ret_holder, long long deadline,
                        const char **told, bool *ret_over, struct err *err)
{
    *ret_over = true;
    if (!survey_settled(s, sv, ret_holder, err))
        return false;
    if (*ret_holder < 0 || !sv->sites[*ret_holder].lock.alive || loop_now() >= deadline)
        return true;
    tell_holder(s, sv, &sv->sites[*ret_holder], told);
    loop_wait(s->loop, LOCK_POLL_MS);
    *ret_over = false;
    return !run_is_stopped(&s->run, "while waiting for another run", err);
}

/* Surveys, and waits while a living run holds the site, as long as --wait-lock says.  *ret_holder
 * is the host whose lock decides, -1 when there is none. */
static bool survey_waited(struct session *s, struct survey *sv, long *ret_holder, struct err *err)
{
    long long deadline = loop_now() + s->options.wait_lock_ms;
    const char *told = NULL;
    bool over = false;
    bool ok = true;

    while (ok && !over) {
        struct turn turn;
        run_turn_begin(&s->run, &turn);
        ok = survey_turn(s, sv, ret_holder, deadline, &told, &over, err);
        run_turn_end(&s->run, &turn, !ok || over);
    }
    return ok;
}

static bool survey_free(struct session *s, struct survey *sv, struct err *err)
{
    long holder;

    if (!survey_waited(s, sv, &holder, err))
        return false;
    const char *places = fit_places(s, sv);
    if (places)
        return err_set(err, ERR_FAILED, "%s", places);
    return holder < 0 || held_by_another(s, sv, holder, err);
}

static bool migration_has_its_host(struct session *s, struct err *err)
{
    if (!s->recipe->migrate.run || s->options.no_migrate || recipe_primary(s->recipe, "db") >= 0)
        return true;
    return err_set(
        err, ERR_USAGE,
        "the host with role db is not among --hosts or --roles: add it, or say --no-migrate");
}

static bool what_of_deploy(struct session *s, const struct revision *rev, const struct survey *sv,
                           struct what *ret, struct err *err)
{
    const char *digest = "";
    const char *release = NULL;

    if (!new_release_name(s, sv, &release, err))
        return false;
    if (s->recipe->migrate.paths.n &&
        !repo_digest(s->repo, s->arena, rev, &s->recipe->migrate.paths, &digest, err))
        return false;
    *ret = (struct what){
        .command = COMMAND_DEPLOY,
        .run = new_run_id(s->arena),
        .application = s->recipe->application,
        .environment = s->recipe->environment,
        .release = release,
        .revision = rev->sha,
        .revision_unix = rev->time,
        .ref = rev->ref,
        .subject = rev->subject,
        .by = session_by(s->arena),
        .user = session_user(s->arena),
        .since_unix = clock_now_ms() / 1000,
        .recipe_digest = s->recipe->digest,
        .migrate_digest = digest,
        .no_migrate = s->options.no_migrate,
    };
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        strs_add(s->arena, &ret->hosts, s->recipe->hosts[h].name);
    return true;
}

static void tell_begin(struct session *s, bool fresh)
{
    struct run_info info = run_info(&s->run);

    info.by = session_by(s->arena); /* who is at it now */
    s->run.begun = true;
    run_tell(&s->run, (struct event){.kind = EVENT_RUN, .run = &info, .fresh = fresh});
}

/* Losing the race for the lock leaves nothing behind, so there is no run to speak of. */
static bool go(struct session *s, bool fresh, struct err *err)
{
    tell_begin(s, fresh);
    bool ok = engine_forward(&s->run, err);
    if (!ok && fresh && s->run.failure.stage && strcmp(s->run.failure.stage, "lock") == 0)
        s->run.begun = err->code == ERR_UNCERTAIN;
    return session_end(s, NULL, err) && ok;
}

static void tell_notes(struct session *s)
{
    for (size_t i = 0; i < s->notes.n; i++)
        run_warn(&s->run, NULL, "%s", s->notes.v[i].text);
}

static bool deploy(struct session *s, struct err *err)
{
    struct revision rev;
    struct survey sv;
    struct what what;

    if (!migration_has_its_host(s, err) ||
        !session_resolve(s, s->options.ref ? s->options.ref : s->recipe->ref, &rev, err) ||
        !survey_free(s, &sv, err))
        return false;
    session_note_ref(s, &rev);
    if (!s->options.force && is_live_everywhere(s, &sv, rev.sha)) {
        /* What was meant may be in a commit that is not here, or not made. */
        if (session_streams(s) || !s->options.json)
            tell_notes(s);
        return session_end(s,
                           arena_printf(s->arena,
                                        "nothing to do: %s is live on %s%s (--force deploys it"
                                        " again)",
                                        rev.short_sha, s->recipe->n_hosts > 1 ? "all " : "",
                                        text_count(s->arena, s->recipe->n_hosts, "host")),
                           err);
    }
    if (!session_export(s, &rev, err) || !fit_hosts(s, &sv, err) ||
        !what_of_deploy(s, &rev, &sv, &what, err))
        return false;
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &what);
    if (!session_note_contents(s, &rev, err))
        return false;
    if (s->options.dry_run)
        return plan_print(s, s->run.plan, &sv, err);
    tell_notes(s);
    return go(s, true, err);
}

bool cmd_deploy(struct session *s, struct err *err)
{
    return deploy(s, err);
}

bool cmd_plan(struct session *s, struct err *err)
{
    s->options.dry_run = true;
    return deploy(s, err);
}

const char *release_before(struct session *s, const struct survey *sv)
{
    const struct site *first = &sv->sites[0];

    for (size_t i = first->n_releases; i-- > 0;) {
        const char *name = first->releases[i].name;
        bool fit = true;
        for (size_t h = 0; h < s->recipe->n_hosts; h++) {
            const struct site *site = &sv->sites[h];
            const struct release *rel = site_release(site, name);
            fit = fit && site->live && strcmp(name, site->live) < 0 && rel && rel->revision &&
                  !rel->left && (rel->finished || !site->has_log);
        }
        if (fit)
            return name;
    }
    return NULL;
}

static bool any_was_left(const struct session *s, const struct survey *sv)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        for (size_t i = 0; site->live && i < site->n_releases; i++)
            if (site->releases[i].left && strcmp(site->releases[i].name, site->live) < 0)
                return true;
    }
    return false;
}

/* One that a rollback of this host alone could go back to. */
static bool has_one_before(const struct site *site)
{
    for (size_t i = 0; site->live && i < site->n_releases; i++) {
        const struct release *rel = &site->releases[i];
        if (strcmp(rel->name, site->live) < 0 && rel->revision && !rel->left &&
            (rel->finished || !site->has_log))
            return true;
    }
    return false;
}

/* Which hosts keep all of them from going back, and what rolls back the others; "" when none can.
 */
static const char *why_none_before(struct session *s, const struct survey *sv)
{
    const char *without = "";
    const char *with = "";
    size_t n = s->recipe->n_hosts;

    for (size_t h = 0; h < n; h++) {
        const char **names = has_one_before(&sv->sites[h]) ? &with : &without;
        *names = arena_printf(s->arena, "%s%s%s", *names,
                              !**names         ? ""
                              : names == &with ? ","
                                               : ", ",
                              s->recipe->hosts[h].name);
    }
    if (!*with || n == 1)
        return "";
    if (!*without)
        return " on every host: each has another; name it with --to, and the hosts with --hosts";
    return arena_printf(
        s->arena, " on %s: '%s' goes back on the other%s", without,
        hint_on(s->arena, &s->options.called, "rollback", s->recipe->environment, with),
        strchr(with, ',') ? "s" : "");
}

static bool choose_release(struct session *s, const struct survey *sv, const char **ret,
                           struct err *err)
{
    const char *to = s->options.to;

    if (!to) {
        *ret = release_before(s, sv);
        const char *why = *ret ? "" : why_none_before(s, sv);
        if (!*ret)
            return err_set(err, ERR_FAILED,
                           "there is no finished release before the live one to go back to%s",
                           *why                  ? why
                           : any_was_left(s, sv) ? ", but such as were rolled back from: --to"
                                                   " RELEASE goes to one of these"
                                                 : "");
        return true;
    }
    if (clock_release_time(to) < 0)
        return err_set(err, ERR_USAGE, "--to is '%s', expected the name of a release (14 digits)",
                       text_shown(s->arena, to));
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct release *rel = site_release(&sv->sites[h], to);
        if (!rel || !rel->revision)
            return err_set(err, ERR_FAILED, "%s: release %s is %s", s->recipe->hosts[h].name, to,
                           rel ? "not complete" : "not there");
    }
    *ret = to;
    return true;
}

static bool is_release_live(const struct session *s, const struct survey *sv, const char *name)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (!sv->sites[h].live || strcmp(sv->sites[h].live, name) != 0)
            return false;
    return true;
}

/* What the database was last migrated for is on the host that migrates. */
static void tell_database(struct session *s, const struct survey *sv, const char *to)
{
    long db = recipe_primary(s->recipe, "db");

    if (!s->recipe->migrate.run || db < 0)
        return;
    const struct site *site = &sv->sites[db];
    if (!site->migrated_release)
        run_warn(&s->run, NULL,
                 "the database is not turned back: its migrations stay, "
                 "and it may be ahead of the code of %s",
                 to);
    else if (strcmp(site->migrated_release, to) > 0)
        run_warn(&s->run, NULL,
                 "the database is not turned back: it was last migrated for release %s%s%.7s,"
                 " which is newer than %s, and stays ahead of its code",
                 site->migrated_release, site->migrated_revision ? ", " : "",
                 site->migrated_revision ? text_shown(s->arena, site->migrated_revision) : "", to);
}

/* Only the hosts know it: what they do not say alike is not known. */
static const char *revision_of(struct session *s, const struct survey *sv, const char *release)
{
    const char *revision = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct release *rel = site_release(&sv->sites[h], release);
        if (!rel || !rel->revision || !is_revision(rel->revision))
            return "";
        if (revision && strcmp(revision, rel->revision) != 0) {
            run_warn(&s->run, NULL,
                     "the hosts do not agree on the revision of release %s: %s has %.7s, %s has"
                     " %.7s",
                     release, s->recipe->hosts[0].name, revision, s->recipe->hosts[h].name,
                     rel->revision);
            return "";
        }
        revision = rel->revision;
    }
    return revision ? revision : "";
}

bool cmd_rollback(struct session *s, struct err *err)
{
    struct survey sv;
    const char *to = NULL;

    if (!survey_free(s, &sv, err) || !choose_release(s, &sv, &to, err))
        return false;
    if (is_release_live(s, &sv, to))
        return session_end(s, arena_printf(s->arena, "nothing to do: release %s is live", to), err);
    struct what what = {.command = COMMAND_ROLLBACK,
                        .run = new_run_id(s->arena),
                        .application = s->recipe->application,
                        .environment = s->recipe->environment,
                        .release = to,
                        .revision = revision_of(s, &sv, to),
                        .ref = "",
                        .subject = "",
                        .by = session_by(s->arena),
                        .user = session_user(s->arena),
                        .since_unix = clock_now_ms() / 1000,
                        .recipe_digest = s->recipe->digest,
                        .migrate_digest = ""};
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        strs_add(s->arena, &what.hosts, s->recipe->hosts[h].name);
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &what);
    if (s->options.dry_run)
        return plan_print(s, s->run.plan, &sv, err);
    tell_database(s, &sv, to);
    return go(s, true, err);
}

/* A line that is typed on the terminal; "" when there is none.  A signal ends the question. */
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
        return held_by_another(s, sv, holder, err);
    if (s->options.force)
        return true;
    if (!s->run.interactive)
        return err_set(err, ERR_USAGE,
                       "--takeover of a living run needs --force without a terminal");
    char answer[8] = "";
    ask_line(s,
             arena_printf(s->arena,
                          "run %s by %s is alive. Take it over? Type yes: ", site->lock.run,
                          text_shown(s->arena, site->lock.by ? site->lock.by : "somebody")),
             answer, sizeof answer);
    if (run_is_stopped(&s->run, "when asked whether to take the run over", err))
        return false;
    return strcmp(answer, "yes\n") == 0 || err_set(err, ERR_LOCKED, "not taken over");
}

/* The revision is needed again only where a host has not got it yet. */
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

/* The migration's own mark says so for all that belongs to it; only its host is asked. */
static bool migration_was_skipped(const struct run *r)
{
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        if (strcmp(s->name, "migrate") == 0)
            return site_is_marked(&r->sites[s->hosts[0]], s->name, "skipped");
    }
    return false;
}

/* What is told and written of a commit comes from the repository, not from the plan. */
static bool fetch_revision(struct session *s, struct err *err)
{
    struct what *w = &s->run.plan->what;
    struct revision rev;

    if (!session_resolve(s, w->revision, &rev, err))
        return err_in(err, "the revision of run %s is needed again", w->run);
    if (strcmp(rev.sha, w->revision) != 0)
        return err_set(err, ERR_FAILED, "the revision of run %s is %.7s, which is no commit",
                       w->run, w->revision);
    w->subject = rev.subject;
    w->revision_unix = rev.time;
    return session_export(s, &rev, err);
}

/* Takes up the unfinished run of this environment.  *ret_none: there is none. */
static bool take_up(struct session *s, bool back, bool *ret_none, struct err *err)
{
    struct survey sv;
    struct what what;
    struct strs hosts = {0};
    long holder;

    *ret_none = false;
    if (!survey_waited(s, &sv, &holder, err))
        return false;
    if (holder < 0) {
        *ret_none = true;
        return true;
    }
    if (!may_take_over(s, &sv, holder, err) || !unfinished_plan(s, &sv, &what, err) ||
        !unfinished_recipe(s, &sv, &what, err) ||
        !unfinished_hosts(s, &sv, &what, back, &hosts, err))
        return false;
    if (hosts.n != s->recipe->n_hosts &&
        (!session_narrow(s, &hosts, err) || !session_survey(s, false, &sv, err)))
        return false;
    if (!unfinished_epoch(s, &sv, what.run, &s->run.epoch, err))
        return false;
    /* Whoever goes on takes the lock anew: the old holder is fenced out by that. */
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        site_set_mark(s->arena, &sv.sites[h], "lock", "begun");
    const char *text = plan_text(s->arena, &what, &s->recipe->secrets);
    what.application = s->recipe->application;
    what.environment = s->recipe->environment;
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &what);
    s->run.plan->text = text;
    s->run.guard->nothing_pending = s->run.no_migrate || migration_was_skipped(&s->run);
    s->run.resumed = true;
    s->run.takeover = true;
    if (back || engine_is_turning_back(&s->run))
        return true;
    bool needed = needs_export(s);
    return unfinished_revision(s, &sv, needed, err) && (!needed || fetch_revision(s, err));
}

static bool turn_back(struct session *s, struct err *err)
{
    tell_begin(s, false);
    bool ok = engine_back(&s->run, err);
    const char *live = engine_ended_well(&s->run);
    return session_end(
               s,
               arena_printf(s->arena,
                            "aborted: what could be put back is put back, the lock is free%s",
                            *live ? arena_printf(s->arena, "; release %s stays live on %s",
                                                 s->run.plan->what.release, live)
                                  : ""),
               err) &&
           ok;
}

static bool no_run(struct session *s, struct err *err)
{
    return session_end(
        s,
        arena_printf(s->arena, "nothing to do: no run is unfinished on %s", s->recipe->environment),
        err);
}

/* Without ENV: the one environment that has an unfinished run. */
static bool find_environment(struct session *s, const char **ret, struct err *err)
{
    struct strs all = s->recipe->environments;
    struct err unseen = {.arena = s->arena};

    *ret = NULL;
    for (size_t i = 0; i < all.n; i++) {
        struct survey sv;
        struct err one = {.arena = s->arena};
        long holder = -1;
        fleet_close(s->fleet);
        s->fleet = NULL;
        if (s->loop) {
            ui_close(s->ui);
            s->ui = NULL;
            loop_close(s->loop);
            s->loop = NULL;
        }
        if (!session_recipe(s, all.v[i], err))
            return false;
        session_open(s);
        if (!session_survey(s, false, &sv, &one) || !session_holder(s, &sv, &holder, &one)) {
            if (!s->options.quiet)
                fprintf(stderr, "crelease: %s: %s\n", all.v[i], text_shown(s->arena, one.msg));
            if (unseen.code == ERR_NONE)
                err_set(&unseen, one.code, "%s: %s", all.v[i], one.msg);
            continue;
        }
        if (holder < 0)
            continue;
        if (*ret)
            return err_set(err, ERR_USAGE, "both '%s' and '%s' have an unfinished run: say which",
                           *ret, all.v[i]);
        *ret = all.v[i];
    }
    if (!*ret && unseen.code != ERR_NONE)
        *err = unseen;
    return err->code == ERR_NONE;
}

bool cmd_resume(struct session *s, struct err *err)
{
    bool none;

    if (s->options.words.n < 2) {
        const char *env;
        if (!find_environment(s, &env, err))
            return false;
        if (!env)
            return session_end(s, "nothing to do: no environment has an unfinished run", err);
        if (strcmp(env, s->recipe->environment) != 0) {
            session_close(s);
            s->export_open = false;
            s->repo = NULL;
            if (!session_recipe(s, env, err))
                return false;
            session_open(s);
        }
    }
    if (!take_up(s, false, &none, err))
        return false;
    if (none)
        return no_run(s, err);
    if (s->options.dry_run) {
        struct survey sv = {.sites = s->run.sites};
        return plan_print(s, s->run.plan, &sv, err);
    }
    if (engine_is_turning_back(&s->run))
        return turn_back(s, err);
    return go(s, false, err);
}

bool cmd_abort(struct session *s, struct err *err)
{
    bool none;

    if (!take_up(s, true, &none, err))
        return false;
    if (none)
        return no_run(s, err);
    return turn_back(s, err);
}
