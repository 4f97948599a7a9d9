/* cmd_deploy.c -- 'crelease deploy', and with --dry-run or as 'crelease plan' what it would do. */
#include "base/text.h"
#include "cli/linked.h"
#include "core/survey.h"
#include "edge/clock.h"
#include "recipe/keys.h"

/* Made by a deploy, or live.  Other folders with such names were made by hand. */
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

/* Newer than every deployed release, even if the clock of this machine is slow.  Folders made by
 * hand do not count, or one named like the year 9999 would leave no name for a release. */
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
    return *newest
               ? err_set(
                     err, ERR_FAILED,
                     "no name is left for a release newer than '%s'; return to an older one with"
                     " 'rollback --to', then remove that folder",
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

/* Why not to deploy: a live commit descends from this one, so that a host would go back.  NULL if none
 * does, or the policy is another one, which then has noted it. */
static const char *older_than_live(struct session *s, const struct revision *rev,
                                   const struct survey *sv)
{
    enum older policy = (enum older)recipe_word("older", s->options.older, (int)s->recipe->older);

    for (size_t h = 0; policy != OLDER_ALLOW && h < s->recipe->n_hosts; h++) {
        const char *live = sv->sites[h].live_revision;
        const char *name = s->recipe->hosts[h].name;
        if (!live || !is_revision(live) || strcmp(live, rev->sha) == 0)
            continue;
        enum repo_answer older = repo_is_ancestor(s->repo, rev, live);
        if (older == REPO_YES && policy == OLDER_SKIP)
            return arena_printf(s->arena,
                                "skipped: %s is older than %.7s, which is live on %s"
                                " (--older allow deploys it)",
                                rev->short_sha, live, name);
        if (older == REPO_YES)
            session_note(s, "older",
                         arena_printf(s->arena, "%s is older than %.7s, which is live on %s",
                                      rev->short_sha, live, name));
        if (older == REPO_UNKNOWN && policy == OLDER_SKIP)
            session_note(s, "older",
                         arena_printf(s->arena,
                                      "unknown whether %s is older than %.7s, which is live on %s:"
                                      " the repository does not have the history between them;"
                                      " fetch the branch with its history",
                                      rev->short_sha, live, name));
        if (older != REPO_NO)
            break;
    }
    return NULL;
}

static bool migration_has_its_host(struct session *s, struct err *err)
{
    if (!s->recipe->migrate.run || s->options.no_migrate)
        return true;
    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        const struct recipe *r = recipe_for_database(s->arena, s->recipe, i);
        if (recipe_database_host(r) < 0)
            return err_set(err, ERR_USAGE,
                           "--hosts or --roles leaves out the host with role %s; add it, or use "
                           "--no-migrate",
                           r->db_role ? r->db_role : "db");
    }
    return true;
}

static bool what_of_deploy(struct session *s, const struct revision *rev, const struct survey *sv,
                           struct what *ret, struct err *err)
{
    const char *digest;
    const char *files;
    const char *release = NULL;

    if (!new_release_name(s, sv, &release, err))
        return false;
    if (!session_digest(s, rev, &digest, err) || !session_files_digest(s, rev, &files, err))
        return false;
    *ret = (struct what){
        .command = COMMAND_DEPLOY,
        .run = session_run_id(s->arena),
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
        .files_digest = files,
        .migrate_digest = digest,
        .no_migrate = s->options.no_migrate,
    };
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        strs_add(s->arena, &ret->hosts, s->recipe->hosts[h].name);
    for (size_t i = 0; s->recipe->several && i < s->recipe->n_databases; i++)
        strs_add(s->arena, &ret->databases, s->recipe->databases[i].name);
    return true;
}

static void tell_notes(struct session *s)
{
    for (size_t i = 0; i < s->notes.n; i++)
        run_warn(&s->run, NULL, "%s", s->notes.v[i].text);
}

/* Surveys the hosts, and deals with an unfinished run. */
static bool nobody_holds(struct session *s, struct survey *sv, struct err *err)
{
    long holder;

    return holder_any(s, sv, &holder, err) && frozen_check(s, frozen_hosts(s, sv), err) &&
           (holder < 0 || replace_unfinished(s, sv, holder, err));
}

static bool may_name_ref(struct session *s, struct err *err)
{
    if (!s->options.ref || !s->recipe->source)
        return true;
    return err_set(err, ERR_USAGE,
                   "--ref cannot be used with 'source': the files of '%s' are deployed, as HEAD",
                   text_shown(s->arena, s->recipe->source));
}

static bool deploy(struct session *s, struct err *err)
{
    struct revision rev;
    struct survey sv;
    struct what what;

    const char *frozen = NULL;

    if (!may_name_ref(s, err) || !migration_has_its_host(s, err) || !frozen_here(s, &frozen, err) ||
        !frozen_check(s, frozen, err) ||
        !session_resolve(s, s->options.ref ? s->options.ref : s->recipe->ref, &rev, err) ||
        !repo_has_subtree(s->repo, &rev, err))
        return false;
    databases_of_revision(s, &rev);
    if (!nobody_holds(s, &sv, err))
        return false;
    session_note_ref(s, &rev);
    /* The same commit may come with other files from a folder. */
    if (!s->options.force && !s->recipe->source && is_live_everywhere(s, &sv, rev.sha)) {
        /* The commit that was meant may not be in this repository, or not be committed yet. */
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
    const char *skipped = older_than_live(s, &rev, &sv);
    if (skipped)
        return session_end(s, skipped, err);
    if (!session_export(s, &rev, err) || !linked_fill(s, &sv, err) || !fit_hosts(s, &sv, err) ||
        !what_of_deploy(s, &rev, &sv, &what, err))
        return false;
    s->run.plan = plan_make(s->arena, s->run.stages, s->recipe, &what);
    if (!session_note_contents(s, &rev, err))
        return false;
    if (s->options.dry_run)
        return plan_print(s, s->run.plan, &sv, err);
    tell_notes(s);
    return session_forward(s, true, err);
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
