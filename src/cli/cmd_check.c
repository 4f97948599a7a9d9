/* cmd_check.c -- 'crelease check': would a deploy work?  One line for each thing that was looked at;
 * changes nothing. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/survey.h"
#include "db/find/find.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/upcoming.h"

struct report {
    struct session *s;
    const char *host;     /* that the next lines are about; NULL: none */
    const char *database; /* the same, of several databases */
    struct json *list;
    size_t bad;
    enum err_code worst;
};

/* "rights" is part of the JSON interface. */
static const char *shown_name(const char *what)
{
    return strcmp(what, "rights") == 0 ? "permissions" : what;
}

static void put_line(struct report *rep, const char *mark, const char *what, const char *detail)
{
    struct arena *a = rep->s->arena;
    bool ok = strcmp(mark, "BAD") != 0;

    if (!ok)
        rep->bad++;
    if (rep->list) {
        struct json *o = json_put_object(rep->list, NULL);
        json_put_text(o, "host", rep->host);
        json_put_text(o, "check", what);
        if (rep->database)
            json_put_text(o, "database", rep->database);
        json_put_bool(o, "ok", ok);
        json_put_text(o, "detail", detail);
    } else if (!rep->s->options.quiet) {
        printf("  %-4s %-16s %-14s %s%s%s\n", mark, rep->host ? rep->host : "", shown_name(what),
               rep->database ? rep->database : "", rep->database ? ": " : "",
               detail ? text_shown(a, detail) : "");
    }
}

/* One line: what was looked at, and whether it is well. */
static void line(struct report *rep, const char *what, bool ok, const char *detail)
{
    put_line(rep, ok ? "ok" : "BAD", what, detail);
}

static void check_host(struct report *rep, const struct survey *sv, size_t h)
{
    struct session *s = rep->s;
    struct arena *a = s->arena;
    const struct host *host = &s->recipe->hosts[h];
    const struct site *site = &sv->sites[h];
    rep->host = host->name;
    line(rep, "connection", sv->reached[h], sv->reached[h] ? site->system : sv->why[h]);
    if (!sv->reached[h]) {
        rep->worst = ERR_UNREACHABLE;
        return;
    }
    line(rep, "tools", !site->no_tools.n,
         site->no_tools.n ? arena_printf(a, "missing: %s", strs_joined(a, &site->no_tools, ", "))
                          : "all found");
    line(rep, "rights", site->writable,
         arena_printf(a, "%s %s %s", site->user ? site->user : "the login user",
                      site->writable ? "can write to" : "cannot write to",
                      site->writable_at ? site->writable_at : host->deploy_to));
    if (site->path_lacks)
        line(rep, "path", false, fit_path(s, site));
    for (size_t i = 0; i < site->unfit.n; i++)
        line(rep, "rights", false, site->unfit.v[i]);
    bool enough = true;
    const char *room = fit_room(s, site, &enough);
    if (room)
        line(rep, "disk", enough, room);
    line(rep, "current",
         site->current_kind != CURRENT_FOLDER && site->current_kind != CURRENT_DANGLING,
         site->current_kind == CURRENT_FOLDER     ? "is a folder, not a link; move it away by hand"
         : site->current_kind == CURRENT_DANGLING ? "points to a release that does not exist"
         : site->live                             ? site->live
                                                  : "nothing is live yet");
    struct strs links = fit_links(s, h, site);
    for (size_t i = 0; i < links.n; i++)
        line(rep, "linked files", false, links.v[i]);
    if (s->recipe->linked_files.n && !links.n)
        line(rep, "linked files", true,
             site->unreadable.n
                 ? arena_printf(a, "%s cannot read %s", site->user ? site->user : "the login user",
                                strs_joined(a, &site->unreadable, ", "))
                 : arena_printf(a, "%s in shared",
                                text_count(a, s->recipe->linked_files.n, "file")));
    if (site->trash) /* does not keep anyone from deploying */
        line(rep, "trash", true,
             arena_printf(a, "%s of removed releases could not be deleted: %s",
                          text_size(a, (unsigned long long)site->trash_kb * 1024), site->trash));
    if (site->lock.held)
        line(rep, "lock", false,
             arena_printf(a, "run %s (%s) is %s", site->lock.run, text_by(s->arena, site->lock.by),
                          site->lock.alive ? "alive" : "unfinished"));
}

static void check_database(struct report *rep, const struct survey *sv)
{
    struct session *s = rep->s;
    struct err lost = {.arena = s->arena};
    struct backups b = {0};
    const struct recipe *r = s->run.recipe;
    long db = recipe_database_host(r);

    if (r->database.adapter == ADAPTER_NONE || db < 0 || !sv->reached[db])
        return;
    rep->host = s->recipe->hosts[db].name;
    bool ok = backup_look(&s->run, (size_t)db, &b, &lost);
    bool finds = r->database.adapter == ADAPTER_AUTO;
    const char *text = !ok      ? lost.msg
                       : b.why  ? b.why
                       : !finds ? server_text(&s->run)
                                : database_text(&s->run);
    /* A deploy would work without the guard, unless the recipe says otherwise. */
    if (ok && b.why && finds &&
        (s->run.guard->found.later || r->backup.unknown == UNKNOWN_PROCEED ||
         database_is_serverless(&s->run)))
        put_line(rep, "note", "database",
                 s->run.guard->found.later
                     ? b.why
                     : arena_printf(s->arena, "the guard against backups is off: %s", b.why));
    else
        line(rep, "database", ok && !b.why, text);
    size_t n;
    const struct backup *first = backups_first(&b, &n);
    if (first && r->migrate.run)
        line(rep, "backup", true,
             arena_printf(s->arena, "%s: %s would wait for it", backup_text(&s->run, first),
                          backup_waiter(first)));
}

/* A note: a deploy would work. */
static void check_next_backup(struct report *rep, const struct survey *sv)
{
    struct session *s = rep->s;
    struct err lost = {.arena = s->arena};
    struct schedule next;
    const struct recipe *r = s->run.recipe;
    long db = recipe_database_host(r);

    if (r->database.adapter == ADAPTER_NONE || db < 0 || !sv->reached[db] ||
        database_is_off(&s->run) || !r->migrate.run ||
        !upcoming_look(&s->run, (size_t)db, 0, &next, &lost) || next.why)
        return;
    rep->host = s->recipe->hosts[db].name;
    const char *warning = upcoming_warning(&s->run, &next);
    if (warning || next.n)
        line(rep, "next backup", true,
             warning ? warning : upcoming_text(&s->run, &next, &next.v[0]));
}

static void check_databases(struct report *rep, const struct survey *sv)
{
    struct session *s = rep->s;

    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        run_use(&s->run, recipe_for_database(s->arena, s->recipe, i));
        rep->database = s->run.recipe->db;
        check_database(rep, sv);
        check_next_backup(rep, sv);
    }
    run_use(&s->run, NULL);
    rep->database = NULL;
}

/* Notes about the revision, which do not keep anyone from deploying. */
static void check_revision(struct report *rep, const struct revision *rev)
{
    struct session *s = rep->s;
    struct err lost = {.arena = s->arena};

    if (!rev)
        return;
    session_note_ref(s, rev);
    if (!session_note_contents(s, rev, &lost))
        line(rep, "repository", false, lost.msg);
    for (size_t i = 0; i < s->notes.n; i++)
        put_line(rep, "note", s->notes.v[i].about, s->notes.v[i].text);
}

static bool check_all(struct session *s, struct err *err)
{
    struct json *o = s->options.json ? json_open_object() : NULL;
    struct report rep = {
        .s = s, .list = o ? json_put_array(o, "checks") : NULL, .worst = ERR_FAILED};
    struct err lost = {.arena = s->arena};
    struct err git = {.arena = s->arena};
    struct revision rev = {0};
    struct survey sv;

    if (!o && !s->options.quiet)
        printf("%s -> %s\n\n", s->recipe->application, s->recipe->environment);
    bool has_rev = session_resolve(s, s->recipe->ref, &rev, &git) && session_export(s, &rev, &git);
    line(&rep, "repository", has_rev,
         has_rev ? arena_printf(s->arena, "%s is %s \"%s\", %s", s->recipe->ref, rev.short_sha,
                                rev.subject, export_text(s->arena, &s->export))
                 : git.msg);
    check_revision(&rep, has_rev ? &rev : NULL);
    struct strs faults = has_rev ? fit_revision(s) : (struct strs){0};
    for (size_t i = 0; i < faults.n; i++)
        line(&rep, "revision", false, faults.v[i]);
    if (has_rev)
        databases_of_revision(s, &rev);
    s->watcher.tell = NULL;
    if (!session_survey(s, true, &sv, &lost))
        rep.worst = ERR_UNREACHABLE;
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        check_host(&rep, &sv, h);
    rep.host = NULL;
    const char *places = fit_places(s, &sv);
    if (places)
        line(&rep, "hosts", false, places);
    struct strs frozen = frozen_reasons(s, &sv);
    for (size_t i = 0; i < frozen.n; i++)
        put_line(&rep, "note", "frozen", frozen.v[i]);
    check_databases(&rep, &sv);
    if (o) {
        json_put_text(o, "application", s->recipe->application);
        json_put_text(o, "environment", s->recipe->environment);
        json_put_bool(o, "ok", rep.bad == 0);
        session_answer(s, o);
        json_close(o);
    } else if (!s->options.quiet && !rep.bad) {
        printf("\nno problems found; '%s' shows what a deploy would do\n",
               run_hint(&s->run, "plan", NULL));
    }
    if (rep.bad && run_is_stopped(&s->run, "while checking", err))
        return false;
    return rep.bad == 0 ||
           err_set(err, rep.worst, "%s found on %s", text_count(s->arena, rep.bad, "problem"),
                   s->recipe->environment);
}

bool cmd_check(struct session *s, struct err *err)
{
    return s->options.scan ? scan_hosts(s, err) : check_all(s, err);
}
