/* cmd_plan.c -- prints a plan, for 'crelease plan' and --dry-run: each step with its hosts, and what is
 * known of backups that the migration would wait for.  cmd_deploy.c and the others make the plan. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/survey.h"
#include "db/find/find.h"
#include "edge/clock.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/upcoming.h"
#include "ui/changes.h"

/* Whether migrate.paths are as the last migration left them, so that nothing is pending. */
static bool is_unchanged(const struct session *s, const struct plan *p, const struct step *step,
                         const struct survey *sv)
{
    const char *digest = p->what.migrate_digest;
    const char *migrated =
        site_database(&sv->sites[step->hosts[0]], step->recipe ? step->recipe->db : NULL)->digest;

    const struct recipe *r = step->recipe ? step->recipe : s->recipe;

    return !s->run.force && r->migrate.paths.n && *digest && migrated &&
           strcmp(digest, migrated) == 0;
}

static const char *undone_by(struct session *s, const struct job *job)
{
    return arena_printf(s->arena, "undone by: %s",
                        text_command(s->arena, run_redact(&s->run, job->undo)));
}

/* What stands in brackets behind a step; NULL: nothing. */
static const char *note_of(struct session *s, const struct plan *p, const struct step *step,
                           const struct survey *sv)
{
    if (!run_hosts_left(&s->run, step, NULL))
        return "done";
    if (step->stage->rolls && step->n_hosts > 1 && plan_rolling(s->arena, s->recipe))
        return plan_rolling(s->arena, s->recipe);
    if (step->stage->makes_folder && !step_is_hook(step) && s->export.contents.n_lfs)
        return export_text(s->arena, &s->export);
    if (step_is_hook(step) && step->jobs->n == 1 && step->jobs->v[0].undo)
        return undone_by(s, &step->jobs->v[0]);
    if (!step->stage->migrates)
        return NULL;
    if (is_unchanged(s, p, step, sv)) {
        const char *revision =
            site_database(&sv->sites[step->hosts[0]], step->recipe ? step->recipe->db : NULL)
                ->revision;
        return arena_printf(s->arena, "nothing pending: unchanged since the last migration%s%.7s",
                            revision ? ", of " : "",
                            revision ? text_shown(s->arena, revision) : "");
    }
    return step->stage->jobs ? "if migrations are pending" : NULL;
}

/* Whether the step may migrate. */
static bool may_migrate(struct session *s, const struct plan *p, const struct step *step,
                        const struct survey *sv)
{
    return step->stage->migrates && step->stage->jobs && !step_is_hook(step) &&
           run_hosts_left(&s->run, step, NULL) && !is_unchanged(s, p, step, sv);
}

/* "orders: " before what is about one of several databases. */
static const char *named(struct session *s, const char *text)
{
    const char *db = s->run.recipe->db;

    return db ? arena_printf(s->arena, "%s: %s", db, text) : text;
}

/* What a person should know before the deploy. */
struct known {
    struct strs warnings;
    struct strs upcoming; /* backups, the next ones first */
};

enum { UPCOMING_MAX = 3 }; /* of each database */

/* What is known of backups that the migration of the run's database would wait for. */
static void warn_of_backups(struct session *s, size_t host, struct known *ret)
{
    struct strs *list = &ret->warnings;
    struct err lost = {.arena = s->arena};
    const struct recipe *r = s->run.recipe;
    struct backups now;
    struct schedule next;
    size_t n;

    if (r->database.adapter == ADAPTER_NONE || !backup_look(&s->run, host, &now, &lost))
        return;
    const struct found *found = &s->run.guard->found;
    if (r->database.adapter == ADAPTER_AUTO && now.why && (!found->later || found->unnamed))
        strs_add(s->arena, list,
                 named(s, found->later
                              ? now.why
                              : arena_printf(s->arena, "the guard against backups is off: %s",
                                             now.why)));
    if (database_is_off(&s->run))
        return;
    const struct backup *first = backups_first(&now, &n);
    if (first)
        strs_add(s->arena, list,
                 named(s, arena_printf(s->arena, "%s: %s would wait for it",
                                       backup_text(&s->run, first), backup_waiter(first))));
    if (!upcoming_look(&s->run, host, 0, &next, &lost))
        return;
    if (upcoming_warning(&s->run, &next))
        strs_add(s->arena, list, named(s, upcoming_warning(&s->run, &next)));
    for (size_t i = 0; i < next.n && i < UPCOMING_MAX; i++)
        strs_add(s->arena, &ret->upcoming, named(s, upcoming_text(&s->run, &next, &next.v[i])));
}

/* What is known about the revision and the hosts, and about backups that the migration would wait
 * for. */
static struct known known_of(struct session *s, const struct plan *p, const struct survey *sv)
{
    struct known known = {0};

    for (size_t i = 0; i < s->notes.n; i++)
        strs_add(s->arena, &known.warnings, s->notes.v[i].text);
    struct strs fit = fit_notes(s, sv);
    for (size_t i = 0; i < fit.n; i++)
        strs_add(s->arena, &known.warnings, fit.v[i]);

    for (size_t i = 0; i < p->n_steps; i++) {
        if (!may_migrate(s, p, &p->steps[i], sv))
            continue;
        run_use(&s->run, p->steps[i].recipe);
        warn_of_backups(s, p->steps[i].hosts[0], &known);
    }
    run_use(&s->run, NULL);
    return known;
}

/* Which databases were found, for `database: auto`; empty: none, or nobody asked. */
static struct strs databases_of(struct session *s)
{
    struct strs list = {0};

    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        run_use(&s->run, recipe_for_database(s->arena, s->recipe, i));
        if (s->run.guard->found.asked && !database_is_off(&s->run))
            strs_add(s->arena, &list, named(s, database_text(&s->run)));
    }
    run_use(&s->run, NULL);
    return list;
}

static void print_json(struct session *s, const struct plan *p, const struct survey *sv)
{
    const struct what *w = &p->what;
    struct json *o = json_open_object();

    json_put_text(o, "application", w->application);
    json_put_text(o, "environment", w->environment);
    json_put_text(o, "command", command_word(w->command));
    json_put_text(o, "release", w->release);
    json_put_text(o, "revision", *w->revision ? w->revision : NULL);
    json_put_text(o, "ref", *w->ref ? w->ref : NULL);
    json_put_text(o, "subject", *w->subject ? w->subject : NULL);
    const struct changes *changes = session_changes(s);
    if (changes)
        changes_put_json(o, changes);
    struct json *steps = json_put_array(o, "steps");
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct step *step = &p->steps[i];
        struct json *j = json_put_object(steps, NULL);
        json_put_text(j, "stage", step->name);
        if (step->recipe)
            json_put_text(j, "database", step->recipe->db);
        struct json *hosts = json_put_array(j, "hosts");
        for (size_t k = 0; k < step->n_hosts; k++)
            json_put_text(hosts, NULL, s->recipe->hosts[step->hosts[k]].name);
        json_put_text(j, "does", run_redact(&s->run, step->about));
        json_put_text(j, "note", note_of(s, p, step, sv));
        struct json *jobs = json_put_array(j, "jobs");
        for (size_t k = 0; step->jobs && k < step->jobs->n; k++)
            json_put_text(jobs, NULL, run_redact(&s->run, step->jobs->v[k].run));
    }
    struct known known = known_of(s, p, sv);
    struct strs found = databases_of(s);
    json_put_text(o, "database", found.n ? strs_joined(s->arena, &found, "; ") : NULL);
    struct json *upcoming = json_put_array(o, "upcoming_backups");
    for (size_t i = 0; i < known.upcoming.n; i++)
        json_put_text(upcoming, NULL, known.upcoming.v[i]);
    struct json *warnings = json_put_array(o, "warnings");
    for (size_t i = 0; i < known.warnings.n; i++)
        json_put_text(warnings, NULL, known.warnings.v[i]);
    session_answer(s, o);
    json_close(o);
}

/* As wide as the longest name of a step, such as "backup-detect-orders". */
static int name_width(const struct plan *p)
{
    size_t width = 15;

    for (size_t i = 0; i < p->n_steps; i++)
        if (strlen(p->steps[i].name) > width)
            width = strlen(p->steps[i].name);
    return (int)width;
}

static void print_jobs(struct session *s, const struct step *step, int width)
{
    if (!step->jobs || step->jobs->n < 2)
        return;
    for (size_t j = 0; j < step->jobs->n; j++) {
        const char *names = "";
        bool local = step->jobs->v[j].where == WHERE_LOCAL;
        for (size_t k = 0; !local && k < step->n_hosts; k++)
            if (step_job_is_for(step, s->recipe, j, step->hosts[k]))
                names = arena_printf(s->arena, "%s%s%s", names, *names ? " " : "",
                                     s->recipe->hosts[step->hosts[k]].name);
        const struct job *job = &step->jobs->v[j];
        printf("  %-*s %-20s   %s%s%s%s\n", width, "", local ? "this machine" : names,
               text_shown(s->arena, run_redact(&s->run, job->name)), job->undo ? "   (" : "",
               job->undo ? undone_by(s, job) : "", job->undo ? ")" : "");
    }
}

/* What would be run at the end, depending on how it ends. */
static void print_outcomes(struct session *s, int width)
{
    for (size_t i = 0; i < OUTCOMES; i++) {
        const struct jobs *jobs = &s->recipe->outcome[i];
        for (size_t j = 0; j < jobs->n; j++)
            printf("  %-*s %-20s   %s\n", width,
                   j ? "" : arena_printf(s->arena, "on %s", recipe_outcomes[i]), "this machine",
                   text_shown(s->arena, run_redact(&s->run, jobs->v[j].name)));
    }
}

static void print_changes(struct session *s)
{
    const struct changes *c = session_changes(s);
    struct strs lines = c ? changes_lines(s->arena, c) : (struct strs){0};

    for (size_t i = 0; i < lines.n; i++)
        printf("  %s\n", lines.v[i]);
    if (lines.n)
        printf("\n");
}

/* A backup that a warning is about is not listed again. */
static void print_known(struct session *s, const struct known *k)
{
    const char *gap = "\n";

    for (size_t i = 0; i < k->upcoming.n; i++) {
        bool warned = false;
        for (size_t w = 0; w < k->warnings.n; w++)
            warned = warned || strstr(k->warnings.v[w], k->upcoming.v[i]);
        if (!warned)
            printf("%supcoming: %s\n", gap, text_shown(s->arena, k->upcoming.v[i]));
        gap = warned ? gap : "";
    }
    for (size_t i = 0; i < k->warnings.n; i++)
        printf("%swarning: %s\n", i ? "" : "\n", text_shown(s->arena, k->warnings.v[i]));
}

bool plan_print(struct session *s, const struct plan *p, const struct survey *sv, struct err *err)
{
    const struct what *w = &p->what;

    (void)err;
    if (s->options.json) {
        print_json(s, p, sv);
        return true;
    }
    if (s->options.quiet)
        return true;
    printf("%s -> %s   %s   ", w->application, w->environment,
           text_count(s->arena, s->recipe->n_hosts, "host"));
    if (w->command == COMMAND_ROLLBACK)
        printf("rollback to release %s\n\n", w->release);
    else
        printf("%.7s \"%s\" (%s)   as release %s\n\n", w->revision,
               text_shown(s->arena, w->subject), text_shown(s->arena, w->ref), w->release);
    print_changes(s);
    int width = name_width(p);
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct step *step = &p->steps[i];
        const char *note = note_of(s, p, step, sv);
        bool several = step->jobs && step->jobs->n > 1;
        printf("  %-*s %-20s   %s%s%s%s\n", width, step->name,
               run_host_names(&s->run, step->hosts, step->n_hosts),
               several ? text_count(s->arena, step->jobs->n, "job")
                       : text_shown(s->arena, run_redact(&s->run, step->about)),
               note ? "   (" : "", note ? note : "", note ? ")" : "");
        print_jobs(s, step, width);
    }
    print_outcomes(s, width);
    struct known known = known_of(s, p, sv);
    struct strs found = databases_of(s);
    for (size_t i = 0; i < found.n; i++)
        printf("%sdatabase: %s\n", i ? "" : "\n", found.v[i]);
    print_known(s, &known);
    printf("\nnothing was changed\n");
    return true;
}
