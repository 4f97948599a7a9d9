/* cmd_status.c -- 'crelease status': what is live on each host, the unfinished run, backups, pending
 * migrations, and with --verify whether the live release is still as it was deployed. */
#include "base/text.h"
#include "cli/cmd.h"
#include "core/engine.h"
#include "core/survey.h"
#include "edge/clock.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "stages/backup/upcoming.h"
#include "stages/checkout/checkout.h"
#include "stages/migrate/migrate.h"
#include "stages/migrate/pending.h"

/* What the host of a database reports about backups and migrations. */
struct told {
    const struct recipe *recipe; /* for that database */
    struct backups running;
    struct schedule next;
    struct stops stops;
    long db; /* that host; -1: none */
    long pending;
};

/* The unfinished run, as its lock and marks on the hosts show it. */
struct unfinished {
    bool there;
    struct what what;
    const char *state; /* running, waiting, failed, interrupted */
    const char *stage;
    const char *error;
    const char *by;
    const char *differs; /* how the plans on two hosts differ; NULL: they do not */
};

static bool look_at_run(struct session *s, const struct survey *sv, struct unfinished *u,
                        struct err *err)
{
    struct err several = {.arena = s->arena};
    long holder;
    const char *word = NULL;

    /* Of two runs one is shown here, the other beside its host. */
    bool one = holder_find(s, sv, &holder, &several);
    (void)one;
    if (holder < 0)
        return true;
    const struct site *site = &sv->sites[holder];
    u->there = true;
    u->what.run = site->lock.run;
    u->what.release = u->what.revision = "";
    u->what.since_unix = site->lock.since_unix;
    u->by = site->lock.by;
    if (site->plan && !plan_read(s->arena, site->plan, &u->what, err))
        return false;
    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *other = &sv->sites[h];
        const char *x;
        const char *y;
        if (sv->reached[h] && other->last_error && !u->error)
            u->error = other->last_error;
        if (sv->reached[h] && site->plan && other->plan && !u->differs &&
            strcmp(other->lock.run, site->lock.run) == 0 &&
            plan_differs(s->arena, site->plan, other->plan, &x, &y))
            u->differs =
                arena_printf(s->arena, "%s has '%s', %s has '%s'", s->recipe->hosts[holder].name, x,
                             s->recipe->hosts[h].name, y);
    }
    if (u->error) {
        size_t len = strcspn(u->error, " ");
        word = arena_strndup(s->arena, u->error, len);
        u->error += len + (u->error[len] == ' ');
    }
    u->stage = holder_stage(s, sv);
    bool in_clear = u->stage && strncmp(u->stage, "backup-clear", 12) == 0;
    u->state = site->lock.alive ? (in_clear ? "waiting" : "running")
               : !word || strcmp(word, err_word(ERR_INTERRUPTED)) == 0 ? "interrupted"
                                                                       : "failed";
    if (site->lock.alive)
        u->error = NULL;
    return true;
}

/* How many migrations are pending: for the release of the unfinished run once it is there, else for
 * the live one; -1: unknown. */
static long pending_now(struct session *s, const struct survey *sv, const struct unfinished *u,
                        size_t host)
{
    const struct site *site = &sv->sites[host];
    const struct recipe *r = s->run.recipe;
    const char *migrated = site_database(site, r->db)->revision;
    const char *step = step_for_database(s->arena, "migrate", r);
    struct err ignored = {.arena = s->arena};
    long n = -1;

    if (!sv->reached[host] || !r->migrate.run)
        return -1;
    if (u->there && *u->what.release && site_is_marked(site, "checkout", "done")) {
        const char *folder = arena_printf(s->arena, "%s/releases/%s",
                                          s->recipe->hosts[host].deploy_to, u->what.release);
        if (site_is_marked(site, step, "done") || site_is_marked(site, step, "skipped"))
            return 0;
        return migrate_pending(&s->run, host, folder, &n, NULL, &ignored) ? n : -1;
    }
    if (!site->live)
        return -1;
    if (migrated && site->live_revision && strcmp(migrated, site->live_revision) == 0)
        return 0;
    const char *where = arena_printf(s->arena, "%s/current", s->recipe->hosts[host].deploy_to);
    return migrate_pending(&s->run, host, where, &n, NULL, &ignored) ? n : -1;
}

static void put_hosts(struct session *s, struct json *o, const struct survey *sv)
{
    struct json *hosts = json_put_array(o, "hosts");

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const struct site *site = &sv->sites[h];
        struct json *j = json_put_object(hosts, NULL);
        json_put_text(j, "host", s->recipe->hosts[h].name);
        json_put_bool(j, "reachable", sv->reached[h]);
        json_put_text(j, "current", sv->reached[h] ? site->live : NULL);
        json_put_text(j, "revision", sv->reached[h] ? site->live_revision : NULL);
        struct json *releases = json_put_array(j, "releases");
        for (size_t i = 0; sv->reached[h] && i < site->n_releases; i++)
            json_put_text(releases, NULL, site->releases[i].name);
        json_put_text(j, "why", sv->why[h]);
        if (sv->reached[h] && site->trash) {
            json_put_text(j, "trash", site->trash);
            json_put_int(j, "trash_bytes", site->trash_kb * 1024);
        }
        if (!sv->reached[h] || !site->lock.held) {
            json_put_null(j, "lock");
            continue;
        }
        struct json *lock = json_put_object(j, "lock");
        json_put_text(lock, "run", site->lock.run);
        json_put_text(lock, "by", site->lock.by ? text_shown(s->arena, site->lock.by) : NULL);
        json_put_bool(lock, "alive", site->lock.alive);
    }
}

/* A lock of another run than the one shown below, and a host that is not part of that run. */
static void print_lock(struct session *s, const struct site *site, const struct unfinished *u,
                       const char *name)
{
    if (site->lock.held && strcmp(site->lock.run, u->what.run) != 0)
        printf("  %-16s locked by another run, %s (%s), which is %s: '%s'\n", "", site->lock.run,
               text_by(s->arena, site->lock.by), site->lock.alive ? "alive" : "unfinished",
               hint_on(s->arena, &s->options.called, "resume", name));
    else if (site->lock.held && u->what.hosts.n && !strs_has(&u->what.hosts, name))
        printf("  %-16s locked by run %s, which does not include it\n", "", site->lock.run);
    else if (!site->lock.held && u->there && u->what.hosts.n && !strs_has(&u->what.hosts, name))
        printf("  %-16s not part of run %s\n", "", u->what.run);
}

static void put_run(struct session *s, struct json *o, const struct unfinished *u)
{
    if (!u->there) {
        json_put_null(o, "run");
        return;
    }
    struct json *j = json_put_object(o, "run");
    json_put_text(j, "id", u->what.run);
    json_put_text(j, "release", *u->what.release ? u->what.release : NULL);
    json_put_text(j, "revision", *u->what.revision ? u->what.revision : NULL);
    json_put_text(j, "state", u->state);
    json_put_text(j, "stage", u->stage);
    json_put_text(j, "error", u->error);
    json_put_text(j, "by", u->by);
    json_put_text(j, "since", clock_rfc3339(s->arena, u->what.since_unix * 1000, false));
}

static void print_host(struct session *s, const struct survey *sv, const struct unfinished *u,
                       size_t h)
{
    const struct site *site = &sv->sites[h];
    const char *name = s->recipe->hosts[h].name;

    if (!sv->reached[h]) {
        printf("  %-16s could not be checked: %s\n", name, sv->why[h]);
        return;
    }
    switch (site->current_kind) {
    case CURRENT_NONE:
        printf("  %-16s nothing is live yet", name);
        break;
    case CURRENT_FOLDER:
        printf("  %-16s current is a folder, not a link", name);
        break;
    case CURRENT_DANGLING:
        printf("  %-16s current is a broken link to %s", name, text_shown(s->arena, site->current));
        break;
    case CURRENT_LINK:
        printf("  %-16s %s  %s", name,
               site->live ? site->live : text_shown(s->arena, site->current),
               site->live_revision
                   ? arena_printf(s->arena, "%.7s", text_shown(s->arena, site->live_revision))
                   : "revision unknown");
        break;
    }
    /* That of an unfinished run does not count. */
    bool extra = u->there && *u->what.release && site_release(site, u->what.release) &&
                 !(site->live && strcmp(site->live, u->what.release) == 0);
    printf("   %s kept\n", text_count(s->arena, site->n_releases - extra, "release"));
    if (site->leftover)
        printf("  %-16s an interrupted Capistrano left %s (the next deploy removes it)\n", "",
               text_shown(s->arena, site->leftover));
    if (site->trash)
        printf("  %-16s %s of removed releases could not be deleted: %s\n", "",
               text_size(s->arena, (unsigned long long)site->trash_kb * 1024),
               text_shown(s->arena, site->trash));
    print_lock(s, site, u, name);
}

static void print_run(struct session *s, const struct survey *sv, const struct unfinished *u)
{
    if (!u->there) {
        size_t n = 0;
        for (size_t h = 0; h < s->recipe->n_hosts; h++)
            n += sv->reached[h];
        printf(!n                       ? "\nwhether a run is unfinished could not be checked\n"
               : n < s->recipe->n_hosts ? "\nno unfinished run on the hosts that could be checked\n"
                                        : "\nno unfinished run\n");
        return;
    }
    printf("\nrun %s (%s, %s): %s%s%s%s\n", u->what.run, text_by(s->arena, u->by),
           clock_date(s->arena, u->what.since_unix * 1000),
           strcmp(u->state, "failed") == 0 ? holder_ended(s, sv) : u->state,
           u->stage ? " at stage '" : "", u->stage ? text_shown(s->arena, u->stage) : "",
           u->stage ? "'" : "");
    if (u->what.command == COMMAND_ROLLBACK)
        printf("  rollback to release %s\n", u->what.release);
    else if (*u->what.revision)
        printf("  deploy of %.7s \"%s\" as release %s\n", u->what.revision,
               text_shown(s->arena, u->what.subject ? u->what.subject : ""), u->what.release);
    if (u->differs)
        printf("  its plan differs between hosts: %s\n", u->differs);
    if (u->error)
        printf("  %s\n", text_shown(s->arena, u->error));
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        for (size_t i = 0; sv->reached[h] && i < sv->sites[h].living.n; i++)
            printf("  its job '%s' is still running on %s\n",
                   text_shown(s->arena, sv->sites[h].living.v[i]), s->recipe->hosts[h].name);
    if (strcmp(u->state, "running") != 0 && strcmp(u->state, "waiting") != 0)
        printf("  next: '%s' to continue it, or '%s' to give it up\n",
               run_hint(&s->run, "resume", NULL), run_hint(&s->run, "abort", NULL));
}

/* Paths below what the recipe links are not the release's own. */
static bool is_linked(const struct recipe *r, const char *path)
{
    const struct strs *lists[] = {&r->linked_files, &r->linked_dirs};

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < lists[k]->n; i++) {
            size_t len = strlen(lists[k]->v[i]);
            if (strncmp(path, lists[k]->v[i], len) == 0 && (!path[len] || path[len] == '/'))
                return true;
        }
    return false;
}

/* What --verify found; bad: the number of hosts that differ from their manifest, or have none. */
struct verified {
    struct json *at; /* NULL: printed */
    size_t bad;
    const char *first; /* of them, with the reason */
};

static bool verify_host(struct session *s, const struct survey *sv, size_t h, struct verified *v,
                        struct err *err)
{
    const char *name = s->recipe->hosts[h].name;
    struct strs differs = {0};
    struct strs own = {0};
    bool known = false;

    if (!sv->reached[h] || !sv->sites[h].live)
        return true;
    if (!checkout_verify(&s->run, h, sv->sites[h].live, &known, &differs, err))
        return false;
    for (size_t i = 0; i < differs.n; i++)
        if (!is_linked(s->recipe, differs.v[i]))
            strs_add(s->arena, &own, differs.v[i]);
    if ((!known || own.n) && v->bad++ == 0)
        v->first = !known
                       ? arena_printf(s->arena, "%s: cannot be verified: it has no manifest", name)
                       : arena_printf(s->arena, "%s: changed since it was deployed: %s", name,
                                      text_shown(s->arena, strs_first(s->arena, &own, 3)));
    if (v->at) {
        struct json *j = json_put_object(v->at, NULL);
        json_put_text(j, "host", name);
        json_put_bool(j, "manifest", known);
        struct json *list = json_put_array(j, "differs");
        for (size_t i = 0; i < own.n; i++)
            json_put_text(list, NULL, own.v[i]);
        return true;
    }
    if (s->options.quiet)
        return true;
    if (!known)
        printf("  %-16s cannot be verified: it has no manifest\n", name);
    else if (!own.n)
        printf("  %-16s is unchanged since it was deployed\n", name);
    for (size_t i = 0; i < own.n; i++)
        printf("  %-16s was changed since it was deployed: %s\n", i ? "" : name,
               text_shown(s->arena, own.v[i]));
    return true;
}

/* Fails if there is any difference, so that scripts can check the exit status. */
static bool verify_all(struct session *s, const struct survey *sv, struct json *at, struct err *err)
{
    struct verified v = {.at = at};

    if (!at && !s->options.quiet)
        printf("\n");
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        if (!verify_host(s, sv, h, &v, err))
            return false;
    return !v.bad ||
           err_set(err, ERR_FAILED, "%s%s", v.first,
                   v.bad > 1 ? arena_printf(s->arena, " (and %zu more hosts)", v.bad - 1) : "");
}

static void put_pending(struct json *o, long pending)
{
    struct json *m = json_put_object(o, "migrations");

    if (pending < 0 || pending == PENDING_SOME)
        json_put_null(m, "pending");
    else
        json_put_int(m, "pending", pending);
    json_put_text(m, "state", pending < 0 ? "unknown" : pending == 0 ? "none" : "pending");
}

/* Each of several databases, after what is said of the first as if it were the only one. */
static void put_databases(struct session *s, struct json *o, const struct told *t)
{
    struct json *list = json_put_array(o, "databases");

    for (size_t i = 0; i < s->recipe->n_databases; i++) {
        struct json *j = json_put_object(list, NULL);
        json_put_text(j, "database", t[i].recipe->db);
        json_put_text(j, "host", t[i].db < 0 ? NULL : s->recipe->hosts[t[i].db].name);
        backups_put_json(json_put_array(j, "backups"), &t[i].running);
        next_backups_put_json(j, &t[i].next);
        put_pending(j, t[i].pending);
    }
}

static bool print_json(struct session *s, const struct survey *sv, const struct unfinished *u,
                       const struct told *t, struct err *err)
{
    struct json *o = json_open_object();

    json_put_text(o, "application", s->recipe->application);
    json_put_text(o, "environment", s->recipe->environment);
    put_hosts(s, o, sv);
    put_run(s, o, u);
    frozen_put_json(s, o, sv);
    struct strs frozen = frozen_reasons(s, sv);
    struct json *reasons = json_put_array(o, "frozen");
    for (size_t i = 0; i < frozen.n; i++)
        json_put_text(reasons, NULL, text_shown(s->arena, frozen.v[i]));
    backups_put_json(json_put_array(o, "backups"), &t->running);
    next_backups_put_json(o, &t->next);
    stops_put_json(o, &t->stops);
    put_pending(o, t->pending);
    if (s->recipe->n_databases)
        put_databases(s, o, t);
    bool ok = !s->options.verify || verify_all(s, sv, json_put_array(o, "verify"), err);
    session_answer(s, o);
    json_close(o);
    return ok;
}

static void print_database(struct session *s, const struct survey *sv, const struct unfinished *u,
                           const struct told *t)
{
    const char *of = u->there ? "release of the run" : "live release";

    run_use(&s->run, t->recipe);
    if (t->recipe->db)
        printf("\ndatabase %s\n", t->recipe->db);
    if (t->recipe->database.adapter != ADAPTER_NONE && t->db >= 0 && sv->reached[t->db]) {
        if (!t->recipe->db)
            printf("\n");
        backups_print(s, s->recipe->hosts[t->db].name, &t->running);
        stops_print(s, (size_t)t->db, &t->stops);
        next_backups_print(s, s->recipe->hosts[t->db].name, &t->next);
    }
    if (t->recipe->migrate.run)
        printf("%s\n",
               t->pending == PENDING_SOME
                   ? arena_printf(s->arena, "migrations are pending for the %s, number unknown", of)
               : t->pending < 0 ? "pending migrations: unknown"
               : t->pending == 0
                   ? arena_printf(s->arena, "no migration is pending for the %s", of)
                   : arena_printf(s->arena, "%s pending for the %s",
                                  text_count(s->arena, (unsigned long long)t->pending, "migration"),
                                  of));
    run_use(&s->run, NULL);
}

static bool print_all(struct session *s, const struct survey *sv, const struct unfinished *u,
                      const struct told *t, struct err *err)
{
    if (s->options.quiet)
        return !s->options.verify || verify_all(s, sv, NULL, err);
    printf("%s -> %s\n\n", s->recipe->application, s->recipe->environment);
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        print_host(s, sv, u, h);
    print_run(s, sv, u);
    struct strs frozen = frozen_reasons(s, sv);
    for (size_t i = 0; i < frozen.n; i++)
        printf("%s\n", text_shown(s->arena, frozen.v[i]));
    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++)
        print_database(s, sv, u, &t[i]);
    return !s->options.verify || verify_all(s, sv, NULL, err);
}

/* If the host is lost meanwhile, what it was asked is unknown. */
static void look_at_backups(struct session *s, const struct survey *sv, struct told *t)
{
    struct err lost = {.arena = s->arena};

    t->next.why = "the database's host was not reached";
    if (t->recipe->database.adapter == ADAPTER_NONE)
        t->next.why = "the recipe names no database";
    if (t->db < 0 || !sv->reached[t->db] || t->recipe->database.adapter == ADAPTER_NONE)
        return;
    if (!backup_look(&s->run, (size_t)t->db, &t->running, &lost))
        t->running.why = lost.msg;
    backup_expect(&s->run, (size_t)t->db, &t->running);
    err_clear(&lost);
    if (!upcoming_look(&s->run, (size_t)t->db, 0, &t->next, &lost))
        t->next.why = lost.msg;
    err_clear(&lost);
    if (!stop_told(&s->run, (size_t)t->db, &t->stops, &lost))
        run_warn(&s->run, s->recipe->hosts[t->db].name,
                 "could not read which backups were stopped: %s", lost.msg);
}

bool cmd_status(struct session *s, struct err *err)
{
    struct err seen = {.arena = s->arena};
    struct unfinished u = {0};
    struct survey sv;

    bool reached = session_survey(s, false, &sv, &seen);
    size_t n = recipe_databases_n(s->recipe);
    struct told *t = arena_array(s->arena, n, sizeof *t);
    if (!look_at_run(s, &sv, &u, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct recipe *r = recipe_for_database(s->arena, s->recipe, i);
        run_use(&s->run, r);
        t[i] = (struct told){.recipe = r, .db = recipe_database_host(r), .pending = -1};
        look_at_backups(s, &sv, &t[i]);
        if (t[i].db >= 0)
            t[i].pending = pending_now(s, &sv, &u, (size_t)t[i].db);
    }
    run_use(&s->run, NULL);
    bool ok = s->options.json ? print_json(s, &sv, &u, t, err) : print_all(s, &sv, &u, t, err);
    if (!ok)
        return false;
    if (!reached)
        *err = seen;
    return reached;
}
