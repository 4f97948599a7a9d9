/* cmd_rollback.c -- 'crelease rollback': chooses the release to return to, and returns to it. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/survey.h"
#include "edge/clock.h"

#include <string.h>

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

/* Whether this host alone could be rolled back. */
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

/* Which hosts have no release to return to, and what rolls back the others; "" if none has one. */
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
        return " that all hosts have; name one with --to, and its hosts with --hosts";
    return arena_printf(s->arena, " on %s; '%s' rolls back the other host%s", without,
                        hint_on(s->arena, &s->options.called, "rollback", with),
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
            return err_set(
                err, ERR_FAILED, "there is no finished release before the live one%s",
                *why ? why
                : any_was_left(s, sv)
                    ? " that was not rolled back from; --to RELEASE returns to one that was"
                    : "");
        return true;
    }
    if (clock_release_time(to) < 0)
        return err_set(err, ERR_USAGE, "--to is '%s', expected the name of a release (14 digits)",
                       text_shown(s->arena, to));
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct release *rel = site_release(&sv->sites[h], to);
        if (!rel || !rel->revision)
            return err_set(err, ERR_FAILED,
                           rel ? "%s: release %s is incomplete" : "%s: there is no release %s",
                           s->recipe->hosts[h].name, to);
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

/* The host that migrates knows what the database was last migrated for.  of: one of several; NULL: the only one. */
static void tell_database(struct session *s, const struct site *site, const char *of,
                          const char *to)
{
    const char *name = of ? arena_printf(s->arena, " '%s'", text_shown(s->arena, of)) : "";
    const struct site_database *d = site_database(site, of);
    const struct release *target = site_release(site, to);

    if (d->revision && target && target->revision && strcmp(d->revision, target->revision) == 0)
        return;
    if (!d->release)
        run_warn(&s->run, NULL,
                 "migrations are not rolled back: the database%s may be ahead of the code of"
                 " release %s",
                 name, to);
    else if (strcmp(d->release, to) > 0)
        run_warn(&s->run, NULL,
                 "migrations are not rolled back: the database%s was last migrated for release"
                 " %s%s%.7s, which is newer than %s",
                 name, d->release, d->revision ? ", " : "",
                 d->revision ? text_shown(s->arena, d->revision) : "", to);
}

static void tell_databases(struct session *s, const struct survey *sv, const char *to)
{
    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        const struct recipe *r = recipe_for_database(s->arena, s->recipe, i);
        long host = recipe_database_host(r);
        if (!r->migrate.run || host < 0)
            continue;
        const struct site *site = &sv->sites[host];
        /* Several that the recipe does not name have their records nevertheless. */
        size_t found = 0;
        for (size_t k = 0; recipe_may_have_several(r) && k < site->n_databases; k++) {
            if (!*site->databases[k].name)
                continue;
            tell_database(s, site, site->databases[k].name, to);
            found++;
        }
        if (!found)
            tell_database(s, site, r->db, to);
    }
}

/* Only the hosts know it.  If they disagree, it is unknown. */
static const char *revision_of(struct session *s, const struct survey *sv, const char *release)
{
    const char *revision = NULL;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct release *rel = site_release(&sv->sites[h], release);
        if (!rel || !rel->revision || !is_revision(rel->revision))
            return "";
        if (revision && strcmp(revision, rel->revision) != 0) {
            run_warn(&s->run, NULL,
                     "the hosts have different revisions of release %s: %s has %.7s, %s has"
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

    if (!holder_none(s, &sv, err) || !choose_release(s, &sv, &to, err))
        return false;
    if (is_release_live(s, &sv, to))
        return session_end(s, arena_printf(s->arena, "nothing to do: release %s is live", to), err);
    struct what what = {.command = COMMAND_ROLLBACK,
                        .run = session_run_id(s->arena),
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
                        .files_digest = "",
                        .migrate_digest = ""};
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        strs_add(s->arena, &what.hosts, s->recipe->hosts[h].name);
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &what);
    tell_databases(s, &sv, to);
    if (s->options.dry_run)
        return plan_print(s, s->run.plan, &sv, err);
    frozen_warn(s, &sv);
    return session_forward(s, true, err);
}
