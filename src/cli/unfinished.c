/* unfinished.c -- checks what the hosts say about their unfinished run before resume and abort act on
 * it.
 *
 * Somebody who controls a host can write whatever a run writes there: lock, plan, marks, a recipe.
 * Therefore a host is trusted about itself only.  What a run does comes from the recipe here; the
 * copy on a host is shown to people and never read as a recipe.  Plans that differ between hosts
 * are an error, and a host that has no record of the run gets only what the repository confirms. */
#include "base/quote.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "core/survey.h"
#include "edge/clock.h"
#include "git/url.h"

#include <limits.h>

enum { CHANGES_SHOWN = 12, FUTURE_MAX_S = 24 * 3600, AHEAD_MAX = 1000 };

static bool is_hash(const char *ref)
{
    size_t len = strlen(ref);

    return len >= 7 && len <= 40 && strspn(ref, "0123456789abcdef") == len;
}

const char *unfinished_again(struct session *s, const char *ref)
{
    const struct what *w = &s->run.plan->what;
    bool back = w->command == COMMAND_ROLLBACK;
    struct called called = s->options.called;
    struct buf more = buf_make(8192);

    called.deploy = (struct strs){0}; /* the run's own, whichever command this is */
    if (!back && !is_hash(ref) && strcmp(ref, s->recipe->ref) != 0) {
        buf_puts(&more, "--ref ");
        quote_typed(&more, ref);
    }
    if (!back && w->no_migrate)
        buf_puts(&more, more.len ? " --no-migrate" : "--no-migrate");
    const char *text =
        hint(s->arena, &called, command_word(w->command), more.len ? more.text : NULL);
    buf_free(&more);
    return text;
}

const char *unfinished_instead(struct session *s, const char *ref)
{
    return arena_printf(s->arena, "%s && %s", run_hint(&s->run, "abort", NULL),
                        unfinished_again(s, ref));
}

/* ---- the plan ---- */

/* Two hosts that say different things about the run. */
struct difference {
    const char *host;
    const char *says;
    const char *other;
    const char *other_says;
};

static bool disagree(struct session *s, const char *run, const struct difference *d,
                     struct err *err)
{
    session_next(s,
                 "find out which host is right; on the other one remove .crelease/lock by hand, or"
                 " remove that host from the recipe and run '%s'",
                 run_hint(&s->run, "abort", "--new-recipe"));
    return err_set(err, ERR_FAILED,
                   "the plan of run %s differs between hosts: %s has '%s', %s has '%s'", run,
                   d->host, d->says, d->other, d->other_says);
}

/* Whether the hosts where the run has ended already have the same run in their history. */
static bool ended_alike(struct session *s, const struct survey *sv, const struct what *w,
                        const char *holder, struct err *err)
{
    struct difference d = {.host = holder};

    d.says = arena_printf(s->arena, "%s %s %s", command_word(w->command), w->release,
                          *w->revision ? w->revision : "-");
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        if (!site_has_ended(&sv->sites[h], w->run))
            continue;
        const char *record = site_record(s->arena, &sv->sites[h], w->run);
        d.other = s->recipe->hosts[h].name;
        d.other_says = text_shown(s->arena, record);
        if (strcmp(d.says, record) != 0)
            return disagree(s, w->run, &d, err);
    }
    return true;
}

bool unfinished_plan(struct session *s, const struct survey *sv, struct what *ret, struct err *err)
{
    const struct recipe *r = s->recipe;
    const char *holder = NULL;
    const struct site *first = NULL;
    const char *x;
    const char *y;

    for (size_t h = 0; h < r->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        if (!site->lock.held || !site->plan)
            continue;
        if (first && plan_differs(s->arena, first->plan, site->plan, &x, &y))
            return disagree(s, site->lock.run, &(struct difference){holder, x, r->hosts[h].name, y},
                            err);
        if (!first) {
            first = site;
            holder = r->hosts[h].name;
        }
    }
    if (!first)
        return err_set(err, ERR_FAILED,
                       "no host has the plan of the unfinished run (the file 'plan' in"
                       " .crelease/runs); repair the site by hand, then remove .crelease/lock");
    if (!plan_read(s->arena, first->plan, ret, err))
        return err_in(err, "%s", holder);
    if (strcmp(ret->run, first->lock.run) != 0)
        return err_set(err, ERR_FAILED,
                       "%s: the lock belongs to run %s, but the plan there to run %s; repair the"
                       " site by hand, then remove .crelease/lock",
                       holder, first->lock.run, ret->run);
    if (strcmp(ret->environment, r->environment) != 0 && !s->options.new_recipe)
        return err_set(err, ERR_USAGE, "%s: run %s belongs to environment '%s', not to '%s'",
                       holder, ret->run, text_shown(s->arena, ret->environment), r->environment);
    return ended_alike(s, sv, ret, holder, err);
}

/* ---- the recipe ---- */

static bool is_wanted(void *arg, const char *bytes, size_t len)
{
    const char *digest = arg;
    struct arena scratch = {0};
    bool is = strcmp(recipe_digest(&scratch, bytes, len), digest) == 0;

    arena_free(&scratch);
    return is;
}

/* "git show 3f2a1b7:crelease.yml >crelease.k7f2ab.yml" if the repository around the recipe has that of
 * the run, else NULL.  *ret_file: the file that it writes. */
static const char *out_of_git(struct session *s, const struct what *w, const char **ret_file)
{
    struct repo_options options = {.url = ".",
                                   .base_dir = s->recipe->dir,
                                   .recipe = s->recipe->file,
                                   .recipe_is_named = s->options.recipe != NULL};
    struct err ignored = {.arena = s->arena};
    struct repo *repo = NULL;
    const char *spec = NULL;
    char *here = realpath(".", NULL);
    struct buf b = buf_make(8192);

    if (repo_open(&repo, &options, &ignored))
        spec = repo_find_file(repo, s->arena, s->recipe->file, w->revision, is_wanted,
                              (void *)(uintptr_t)w->recipe_digest);
    repo_close(repo);
    if (spec) {
        bool is_here = here && strcmp(here, s->recipe->dir) == 0;
        *ret_file = arena_printf(s->arena, "%s%screlease.%s.yml", is_here ? "" : s->recipe->dir,
                                 is_here ? "" : "/", w->run);
        buf_puts(&b, "git show ");
        quote_typed(&b, spec);
        buf_puts(&b, " >");
        quote_typed(&b, *ret_file);
        spec = text_shown(s->arena, b.text);
    }
    buf_free(&b);
    free(here);
    return spec;
}

static void tell_changes(struct session *s, const struct survey *sv)
{
    struct strs *lines = &s->run.failure.lines;
    const char *name = strrchr(s->recipe->file, '/');
    const char *copy = NULL;
    const char *host = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts && !copy; h++)
        if (sv->sites[h].lock.held && sv->sites[h].recipe) {
            /* Without the line end that was added on the host. */
            copy = arena_strndup(s->arena, sv->sites[h].recipe, strlen(sv->sites[h].recipe) - 1);
            host = s->recipe->hosts[h].name;
        }
    if (!copy) {
        strs_add(s->arena, lines, "no host has a copy of it to compare with");
        return;
    }
    strs_add(s->arena, lines,
             arena_printf(s->arena, "--- recipe of the run, according to %s", host));
    strs_add(s->arena, lines,
             arena_printf(s->arena, "+++ %s", text_shown(s->arena, name ? name + 1 : "")));
    size_t before = lines->n;
    size_t n = recipe_changes(s->arena, copy, s->recipe, CHANGES_SHOWN, lines);
    if (!n)
        strs_add(s->arena, lines,
                 "no difference: the copy was changed, or the preset that it extends is another one"
                 " in this version of crelease");
    else if (n > lines->n - before)
        strs_add(s->arena, lines,
                 arena_printf(s->arena, "and %zu more lines", n - (lines->n - before)));
}

bool unfinished_recipe(struct session *s, const struct survey *sv, const struct what *w, bool back,
                       struct err *err)
{
    const char *command = back ? "abort" : "resume";

    if (strcmp(w->recipe_digest, s->recipe->digest) == 0)
        return true;
    if (s->options.new_recipe) {
        run_warn(&s->run, NULL, "run %s was started with another recipe; %s", w->run,
                 back ? "giving it up with the current one"
                      : "continuing with the current one, and with the run's release and revision");
        return true;
    }
    const char *does = back ? "gives it up" : "continues it";
    tell_changes(s, sv);
    const char *file = NULL;
    const char *show = out_of_git(s, w, &file);
    struct called called = s->options.called;
    called.recipe = show ? file : "FILE";
    const char *with_it = hint(s->arena, &called, command, NULL);
    if (show)
        session_next(s, "'%s && %s' %s with its own recipe", show, with_it, does);
    else
        session_next(s,
                     "if you have the recipe of the run (git show COMMIT:crelease.yml >FILE), '%s'"
                     " %s with that",
                     with_it, does);
    session_next(s, "'%s' %s with the current recipe", run_hint(&s->run, command, "--new-recipe"),
                 does);
    if (!back)
        session_next(s, "'%s' gives it up with the current recipe",
                     run_hint(&s->run, "abort", "--new-recipe"));
    return err_set(err, ERR_USAGE, "run %s was started with another recipe than %s", w->run,
                   text_shown(s->arena, s->recipe->file));
}

/* ---- the hosts ---- */

static bool is_holder(const struct site *site, const char *run)
{
    return site->lock.held && strcmp(site->lock.run, run) == 0;
}

static bool is_of_recipe(const struct recipe *r, const char *name)
{
    for (size_t h = 0; h < r->n_hosts; h++)
        if (strcmp(r->hosts[h].name, name) == 0)
            return true;
    return false;
}

bool unfinished_hosts(struct session *s, const struct survey *sv, const struct what *w,
                      struct strs *ret, struct err *err)
{
    const struct recipe *r = s->recipe;
    /* A run can be aborted on the hosts that are left, whatever happened to the others. */
    bool leave = s->command->run == cmd_abort && s->options.new_recipe;

    for (size_t i = 0; i < w->hosts.n; i++) {
        const char *name = w->hosts.v[i];
        if (is_of_recipe(r, name))
            continue;
        if (!leave)
            return err_set(
                err, ERR_FAILED,
                "run %s includes host '%s', which is not in the recipe; put it back, or omit"
                " --hosts",
                w->run, text_shown(s->arena, name));
        run_warn(
            &s->run, NULL,
            "run %s includes host '%s', which is not in the recipe; that host is left as it is",
            w->run, text_shown(s->arena, name));
    }
    for (size_t h = 0; h < r->n_hosts; h++) {
        const char *name = r->hosts[h].name;
        bool holds = is_holder(&sv->sites[h], w->run);
        if (holds && !leave && !strs_has(&w->hosts, name))
            return err_set(
                err, ERR_FAILED,
                "%s holds the lock of run %s, but the plan of that run does not include it;"
                " inspect the host, then remove .crelease/lock there by hand",
                name, w->run);
        if (strs_has(&w->hosts, name) || holds)
            strs_add(s->arena, ret, name);
    }
    return true;
}

/* A host falls behind by one with each resume that did not reach it.  A host that names a huge epoch
 * would raise it for all others, beyond what they accept. */
bool unfinished_epoch(struct session *s, const struct survey *sv, const char *run, long *ret,
                      struct err *err)
{
    size_t n = s->recipe->n_hosts;
    size_t last = 0;
    long least = LONG_MAX;
    long most = 0;

    for (size_t h = 0; h < n; h++) {
        const struct site *site = &sv->sites[h];
        long epoch = is_holder(site, run) ? site->lock.epoch : 0;
        if (site_has_ended(site, run))
            continue;
        if (epoch > most)
            last = h;
        most = epoch > most ? epoch : most;
        least = epoch < least ? epoch : least;
    }
    if (n > 1 && most - least > AHEAD_MAX)
        return err_set(err, ERR_FAILED,
                       "%s says that run %s was taken over %ld times, another host only %ld times;"
                       " compare .crelease/lock on both",
                       s->recipe->hosts[last].name, run, most, least);
    *ret = most + 1;
    return true;
}

/* ---- the revision ---- */

/* Hosts of the run that have no record of it: "app2, app3"; NULL: there are none. */
static const char *unaware(struct session *s, const struct what *w)
{
    const char *names = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &s->run.sites[h];
        if ((is_holder(site, w->run) && site->plan) || site_has_ended(site, w->run))
            continue;
        names = arena_printf(s->arena, "%s%s%s", names ? names : "", names ? ", " : "",
                             s->recipe->hosts[h].name);
    }
    return names;
}

/* Whether a deploy started now could use that release name, and could write that user into
 * revisions.log, where a blank would end the field. */
static bool may_be_new(const struct session *s, const struct what *w)
{
    if (clock_release_time(w->release) > clock_now_ms() / 1000 + FUTURE_MAX_S ||
        strchr(w->user, ' '))
        return false;
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &s->run.sites[h];
        for (size_t i = 0; i < site->n_releases && !is_holder(site, w->run); i++)
            if (strcmp(site->releases[i].name, w->release) >= 0)
                return false;
    }
    return true;
}

/* *ret: whether a deploy started now, with --same-revision one of this commit, would do the same. */
static bool is_what_a_deploy_does(struct session *s, const struct what *w,
                                  const struct revision *now, bool *ret, struct err *err)
{
    struct revision rev = *now;
    const char *digest;

    if (s->options.same_revision && !session_resolve(s, w->revision, &rev, err))
        return false;
    if (!session_digest(s, &rev, &digest, err))
        return false;
    *ret = (s->options.same_revision || strcmp(w->ref, s->recipe->ref) == 0) &&
           strcmp(rev.sha, w->revision) == 0 && strcmp(digest, w->migrate_digest) == 0 &&
           may_be_new(s, w);
    return true;
}

static bool refuse_unaware(struct session *s, const struct what *w, const char *names,
                           struct err *err)
{
    const char *brings = w->command == COMMAND_ROLLBACK
                             ? arena_printf(s->arena, "a rollback to release %s", w->release)
                             : arena_printf(s->arena, "'%s', %.7s, as release %s",
                                            text_shown(s->arena, w->ref), w->revision, w->release);

    session_next(s, "'%s' replaces it by a new run", unfinished_instead(s, w->ref));
    if (w->command == COMMAND_DEPLOY && !s->options.same_revision)
        session_next(s, "'%s' if you want %.7s on all hosts",
                     run_hint(&s->run, "resume", "--same-revision"), w->revision);
    return err_set(err, ERR_UNFINISHED,
                   "%s %s no record of run %s, and a %s would not do now what the other hosts say:"
                   " %s",
                   names, strchr(names, ',') ? "have" : "has", w->run, command_word(w->command),
                   brings);
}

/* The stage whose command was the last thing to fail; NULL: there is none. */
static const char *failed_stage(const struct session *s)
{
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &s->run.sites[h];
        if (!site->last_error || strncmp(site->last_error, "failed ", 7) != 0)
            continue;
        for (size_t i = 0; i < s->run.plan->n_steps; i++)
            if (site_is_marked(site, s->run.plan->steps[i].name, "failed"))
                return s->run.plan->steps[i].name;
    }
    return NULL;
}

/* Called if the ref names another commit than that of the run. */
static bool tell_moved(struct session *s, const struct what *w, const struct revision *now,
                       struct err *err)
{
    const char *ref = text_shown(s->arena, w->ref);
    const char *stage = s->options.same_revision ? NULL : failed_stage(s);

    if (!stage) {
        run_warn(&s->run, NULL,
                 "'%s' has moved since run %s was started, from %.7s to %s; continuing with %.7s"
                 " ('%s' deploys %s instead)",
                 ref, w->run, w->revision, now->short_sha, w->revision,
                 unfinished_instead(s, w->ref), now->short_sha);
        return true;
    }
    session_next(s, "'%s' deploys %s", unfinished_instead(s, w->ref), now->short_sha);
    session_next(s, "'%s' tries %.7s again", run_hint(&s->run, "resume", "--same-revision"),
                 w->revision);
    return err_set(err, ERR_UNFINISHED,
                   "'%s' has moved since run %s failed in stage '%s': the run has %.7s, '%s' is"
                   " now %s",
                   ref, w->run, stage, w->revision, ref, now->short_sha);
}

/* Whether the repository is on another machine, which may not answer. */
static bool is_far(struct session *s)
{
    struct err ignored = {.arena = s->arena};
    struct url url;

    return !url_parse(&url, s->arena, s->recipe->repository, &ignored) || url.kind != URL_PATH;
}

static bool confirm_rollback(struct session *s, const struct survey *sv, const struct what *w,
                             struct err *err)
{
    const char *names = unaware(s, w);
    const char *to = names ? release_before(s, sv) : NULL;

    return !names || (to && strcmp(to, w->release) == 0) || refuse_unaware(s, w, names, err);
}

bool unfinished_revision(struct session *s, const struct survey *sv, bool needed, struct err *err)
{
    const struct what *w = &s->run.plan->what;
    struct err why = {.arena = s->arena};
    struct revision now;
    bool confirmed = true;

    if (w->command == COMMAND_ROLLBACK)
        return confirm_rollback(s, sv, w, err);
    const char *names = unaware(s, w);
    /* Not worth a wait for another machine, only to say that the ref has moved. */
    if (!names && !needed && !failed_stage(s) && is_far(s))
        return true;
    if (!names && is_revision(w->ref)) /* a commit does not move */
        return true;
    if (!session_resolve(s, w->ref, &now, &why)) {
        if (names || loop_signal(s->loop)) {
            *err = why;
            return err_in(err, "run %s", w->run);
        }
        /* What the hosts have is enough to continue. */
        run_warn(&s->run, NULL,
                 "could not check whether '%s' has moved since run %s was started: %s",
                 text_shown(s->arena, w->ref), w->run, why.msg);
        return true;
    }
    if (names && !is_what_a_deploy_does(s, w, &now, &confirmed, err))
        return false;
    if (!confirmed)
        return refuse_unaware(s, w, names, err);
    return strcmp(now.sha, w->revision) == 0 || tell_moved(s, w, &now, err);
}
