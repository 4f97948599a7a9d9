/* cmd_backups.c -- 'crelease backups': running, stopped and upcoming backups, also for status; and with
 * --wait or --hold, keeping backups and migrations apart. */
#include "base/text.h"
#include "cli/cmd.h"
#include "edge/child.h"
#include "edge/clock.h"
#include "stages/backup/clear.h"
#include "stages/backup/hold.h"
#include "stages/backup/progress.h"
#include "stages/backup/running.h"
#include "stages/backup/schedule.h"
#include "stages/backup/stop.h"
#include "stages/backup/upcoming.h"

enum { NEXT_SHOWN = 10 };

static void put_number(struct json *at, const char *key, long long n)
{
    if (n < 0)
        json_put_null(at, key);
    else
        json_put_int(at, key, n);
}

static void put_texts(struct json *o, const char *key, const struct strs *list)
{
    struct json *at = json_put_array(o, key);

    for (size_t i = 0; i < list->n; i++)
        json_put_text(at, NULL, list->v[i]);
}

static void put_process(struct json *o, const struct backup *b)
{
    if (!b->client_pid) {
        json_put_null(o, "process");
        return;
    }
    struct json *p = json_put_object(o, "process");
    json_put_int(p, "pid", b->client_pid);
    put_texts(p, "pipeline", &b->pipeline);
    json_put_text(p, "output", b->output);
    put_number(p, "output_bytes", b->output ? b->output_bytes : -1);
}

/* "process 812: pg_dump | gzip > /b/shop.gz, 1.2 MB so far" */
static const char *process_text(struct arena *a, const struct backup *b)
{
    const char *text = arena_printf(a, "process %ld: %s", b->client_pid,
                                    text_shown(a, strs_joined(a, &b->pipeline, " | ")));

    if (!b->output)
        return text;
    text = arena_printf(a, "%s > %s", text, text_shown(a, b->output));
    return b->output_bytes < 0 ? text
                               : arena_printf(a, "%s, %s so far", text,
                                              text_size(a, (unsigned long long)b->output_bytes));
}

void backups_put_json(struct json *at, const struct backups *b)
{
    struct arena scratch = {0};

    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        struct json *o = json_put_object(at, NULL);
        json_put_text(o, "kind", backup_kind_word(one->kind));
        json_put_int(o, "pid", one->pid);
        json_put_text(o, "database", one->database);
        json_put_text(o, "user", one->user);
        json_put_text(o, "since",
                      one->since_unix < 0 ? NULL
                                          : clock_rfc3339(&scratch, one->since_unix * 1000, false));
        put_number(o, "running_s", one->running_s);
        put_number(o, "percent", one->percent);
        put_number(o, "eta_s", one->eta_s);
        put_number(o, "eta_low_s", one->eta_high_s > 0 ? one->eta_low_s : -1);
        put_number(o, "eta_high_s", one->eta_high_s > 0 ? one->eta_high_s : -1);
        put_number(o, "overdue_s", one->overdue_s > 0 ? one->overdue_s : -1);
        json_put_text(o, "eta_from", one->eta_from);
        json_put_bool(o, "blocks_migrations", one->blocks_migrations);
        json_put_text(o, "query", one->query);
        put_process(o, one);
    }
    arena_free(&scratch);
}

/* Explains the kinds that are not names of programs; NULL for those that are. */
static const char *kind_about(enum backup_kind kind)
{
    static const char *const abouts[BACKUP_KINDS] = {
        [BACKUP_DUMP_LIKE] = "not named pg_dump, but it holds locks on most tables as a dump does",
        [BACKUP_COPY] = "a COPY of single tables",
        [BACKUP_HOLD] = "a command run by 'crelease backups --hold'",
        [BACKUP_MIGRATION] = "a migration that a run of crelease started",
    };

    return abouts[kind];
}

void backups_print(struct session *s, const char *host, const struct backups *b)
{
    struct arena *a = s->arena;

    if (b->why) {
        printf("%s: could not check for backups: %s\n", host, b->why);
        return;
    }
    if (!b->n)
        printf("%s: no backup is running that would block a migration\n", host);
    for (size_t i = 0; i < b->n; i++) {
        const struct backup *one = &b->v[i];
        bool lock = backup_is_lock(one);
        printf("%s: %s of %s by %s%s%s, pid %ld, %s%s\n", host, backup_kind_word(one->kind),
               text_shown(a, one->database), text_shown(a, one->user), lock ? " as " : "",
               lock ? text_shown(a, one->application) : "", one->pid,
               one->running_s < 0 ? "start time unknown"
                                  : arena_printf(a, "for %s", text_span(a, one->running_s * 1000)),
               one->blocks_migrations
                   ? arena_printf(a, "; %s would wait for it", backup_waiter(one))
                   : "; does not block a migration");
        if (one->partial)
            printf("%*s  holds locks on %ld of %ld tables\n", (int)strlen(host), "", one->locked,
                   one->tables);
        if (kind_about(one->kind))
            printf("%*s  %s\n", (int)strlen(host), "", kind_about(one->kind));
        if (one->query && !lock)
            printf("%*s  %s\n", (int)strlen(host), "", text_shown(a, text_joined(a, one->query)));
        if (one->client_pid)
            printf("%*s  %s\n", (int)strlen(host), "", process_text(a, one));
        if (one->blocks_migrations && !lock)
            printf("%*s  %s\n", (int)strlen(host), "", ui_backup_expected(a, one));
    }
}

static const char *blocks_word(enum blocks blocks)
{
    return blocks == BLOCKS_NO ? "; does not block a migration" : "";
}

void next_backups_put_json(struct json *at, const struct schedule *next)
{
    struct arena scratch = {0};

    if (next->why) {
        json_put_null(at, "next_backups");
        return;
    }
    struct json *list = json_put_array(at, "next_backups");
    for (size_t i = 0; i < next->n; i++) {
        const struct start *one = &next->v[i];
        struct json *o = json_put_object(list, NULL);
        json_put_text(o, "at", clock_rfc3339(&scratch, one->unix_s * 1000, false));
        json_put_text(o, "command", one->command);
        json_put_text(o, "source", one->source);
        if (one->blocks == BLOCKS_MAYBE)
            json_put_null(o, "blocks_migrations");
        else
            json_put_bool(o, "blocks_migrations", one->blocks == BLOCKS_YES);
    }
    arena_free(&scratch);
}

void next_backups_print(struct session *s, const char *host, const struct schedule *next)
{
    struct arena *a = s->arena;
    size_t indent = strlen(host) + 2;

    if (next->why) {
        printf("%s: could not read when the next backup starts: %s\n", host, next->why);
        return;
    }
    if (!next->n)
        printf("%s: no backup is scheduled%s\n", host,
               next->unread.n ? " in what could be read" : " in crontabs or timers");
    for (size_t i = 0; i < next->n && i < NEXT_SHOWN; i++)
        printf("%s: %s, from %s%s\n", host, upcoming_text(&s->run, next, &next->v[i]),
               next->v[i].source, blocks_word(next->v[i].blocks));
    if (next->n > NEXT_SHOWN)
        printf("%*sand %zu more\n", (int)indent, "", next->n - NEXT_SHOWN);
    for (size_t i = 0; i < next->unread.n; i++)
        printf("%*scould not read %s\n", (int)indent, "", text_shown(a, next->unread.v[i]));
    for (size_t i = 0; i < next->notes.n; i++)
        printf("%*snote: %s\n", (int)indent, "", text_shown(a, next->notes.v[i]));
}

/* What is known of one database. */
struct looked {
    const struct recipe *recipe; /* for that database */
    size_t host;
    struct backups found;
    struct schedule next;
    struct stops stops;
};

/* There is no run here, so events have no stage. */
static const struct step no_step = {.name = NULL};

/* Waits for the backups of one database after the other. */
static bool wait_for_backups(struct session *s, const struct looked *l, struct err *err)
{
    long long all = 0;
    long long waited;

    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        run_use(&s->run, l[i].recipe);
        if (!backup_wait(&s->run, &no_step, l[i].host, &waited, err)) {
            if (err->code == ERR_UNCERTAIN)
                err->code = ERR_UNREACHABLE;
            return false;
        }
        s->run.guard->behind_backup_ms = waited;
        all += waited;
    }
    run_use(&s->run, NULL);
    return session_end(s,
                       all ? arena_printf(s->arena,
                                          "no backup blocks a migration any more, waited %s",
                                          text_span(s->arena, all))
                           : "no backup blocks a migration",
                       err);
}

struct holding {
    struct session *s;
    size_t host;
    bool held;
};

static void keep_holding(void *arg)
{
    struct holding *h = arg;
    struct session *s = h->s;

    fleet_beat(s->fleet);
    if (!h->held || !fleet_hold_is_lost(s->fleet, h->host))
        return;
    h->held = false;
    run_warn(&s->run, s->recipe->hosts[h->host].name,
             "the session that held the lock was lost; a migration may start while '%s' is running",
             text_shown(s->arena, s->options.rest.v[0]));
}

static bool hold(struct session *s, size_t host, struct err *err)
{
    const struct strs *rest = &s->options.rest;
    const char **argv = arena_array(s->arena, rest->n + 1, sizeof *argv);
    struct holding h = {.s = s, .host = host};

    if (!hold_take(&s->run, &no_step, host, &h.held, err)) {
        if (err->code == ERR_UNCERTAIN)
            err->code = ERR_UNREACHABLE;
        return false;
    }
    for (size_t i = 0; i < rest->n; i++)
        argv[i] = rest->v[i];
    fflush(NULL);
    struct child child = {.argv = argv, .interval_ms = 500, .tick = keep_holding, .arg = &h};
    bool ok = child_run(s->loop, &child, &s->status, err);
    fleet_let_go(s->fleet);
    s->ended = ok;
    return ok;
}

static const char *database_names(const struct session *s)
{
    struct strs names = {0};

    for (size_t i = 0; i < s->recipe->n_databases; i++)
        strs_add(s->arena, &names, text_shown(s->arena, s->recipe->databases[i].name));
    return strs_first(s->arena, &names, names.n);
}

/* --database: makes it the only one of the recipe. */
static bool narrow(struct session *s, const char *name, struct err *err)
{
    struct recipe *r = s->recipe;

    for (size_t i = 0; i < r->n_databases; i++)
        if (strcmp(r->databases[i].name, name) == 0) {
            r->databases = &r->databases[i];
            r->n_databases = 1;
            return true;
        }
    return err_set(err, ERR_USAGE, "the recipe has no database '%s' in 'databases'%s%s",
                   text_shown(s->arena, name), r->n_databases ? ", expected one of them: " : "",
                   database_names(s));
}

/* A host holds one lock at a time, so of several databases one has to be named. */
static bool hold_one(struct session *s, const struct looked *l, struct err *err)
{
    if (s->recipe->n_databases > 1)
        return err_set(
            err, ERR_USAGE,
            "--hold holds the lock of one database, but the recipe has several: name it with --database "
            "(%s), or run '%s' before the command",
            database_names(s), run_hint(&s->run, "backups", "--wait"));
    run_use(&s->run, l[0].recipe);
    return hold(s, l[0].host, err);
}

static bool options_fit(struct session *s, struct err *err)
{
    const struct options *o = &s->options;
    const char *env = s->recipe->environment;

    if (o->wait && o->hold)
        return err_set(err, ERR_USAGE, "--wait and --hold exclude each other");
    if (o->hold && !o->rest.n)
        return err_set(err, ERR_USAGE, "no command given; usage: crelease backups %s --hold -- CMD",
                       env);
    if (!o->hold && o->rest.n)
        return err_set(err, ERR_USAGE,
                       "'%s' after -- needs --hold; usage: crelease backups %s --hold -- CMD",
                       text_shown(s->arena, o->rest.v[0]), env);
    if (o->hold && o->json)
        return err_set(
            err, ERR_USAGE,
            "--hold and --json exclude each other: standard output belongs to the command");
    if (!o->wait && !o->hold && option_is_typed(o, "wait-limit"))
        return err_set(err, ERR_USAGE, "--wait-limit needs --wait or --hold");
    return true;
}

enum { STOPS_SHOWN = 3 };

static size_t first_shown(const struct stops *all)
{
    return all->n > STOPS_SHOWN ? all->n - STOPS_SHOWN : 0;
}

void stops_print(struct session *s, size_t host, const struct stops *all)
{
    for (size_t i = first_shown(all); i < all->n; i++)
        printf("%s: %s\n", s->recipe->hosts[host].name, stop_text(&s->run, host, &all->v[i]));
}

void stops_put_json(struct json *o, const struct stops *all)
{
    struct arena scratch = {0};
    struct json *list = json_put_array(o, "stopped_backups");

    for (size_t i = first_shown(all); i < all->n; i++) {
        const struct stopped *one = &all->v[i];
        struct json *j = json_put_object(list, NULL);
        json_put_text(j, "at", clock_rfc3339(&scratch, one->unix_s * 1000, false));
        json_put_text(j, "how", one->how);
        json_put_text(j, "run", one->run);
        json_put_text(j, "kind", one->kind);
        json_put_int(j, "pid", one->pid);
        json_put_text(j, "database", one->database);
        json_put_text(j, "user", one->user);
        json_put_text(j, "why", one->why);
        json_put_text(j, "by", one->by);
        json_put_text(j, "output", one->output);
        json_put_text(j, "judged", strcmp(one->judged, "-") == 0 ? NULL : one->judged);
        if (!one->again) {
            json_put_null(j, "again");
            continue;
        }
        struct json *again = json_put_object(j, "again");
        json_put_text(again, "state", one->again);
        put_number(again, "status", one->again_status);
        json_put_text(again, "since", clock_rfc3339(&scratch, one->again_unix * 1000, false));
    }
    arena_free(&scratch);
}

static void put_looked(struct session *s, struct json *o, const struct looked *l)
{
    json_put_text(o, "host", s->recipe->hosts[l->host].name);
    backups_put_json(json_put_array(o, "backups"), &l->found);
    next_backups_put_json(o, &l->next);
    stops_put_json(o, &l->stops);
    json_put_text(o, "could_not_look", l->found.why);
    json_put_text(o, "could_not_foresee", l->next.why);
    put_texts(o, "could_not_read", &l->next.unread);
    put_texts(o, "notes", &l->next.notes);
}

/* Of several databases, the first stands also where the only one does. */
static void put_all(struct session *s, const struct looked *l)
{
    struct json *o = json_open_object();

    json_put_text(o, "application", s->recipe->application);
    json_put_text(o, "environment", s->recipe->environment);
    put_looked(s, o, l);
    struct json *list = s->recipe->n_databases ? json_put_array(o, "databases") : NULL;
    for (size_t i = 0; list && i < s->recipe->n_databases; i++) {
        struct json *j = json_put_object(list, NULL);
        json_put_text(j, "database", l[i].recipe->db);
        put_looked(s, j, &l[i]);
    }
    session_answer(s, o);
    json_close(o);
}

static bool look(struct session *s, struct looked *l, struct err *err)
{
    if (!backup_look(&s->run, l->host, &l->found, err) ||
        !upcoming_look(&s->run, l->host, 0, &l->next, err) ||
        !stop_told(&s->run, l->host, &l->stops, err)) {
        if (err->code == ERR_UNCERTAIN)
            err->code = ERR_UNREACHABLE;
        return false;
    }
    backup_expect(&s->run, l->host, &l->found);
    return true;
}

static void print_looked(struct session *s, const struct looked *l, bool first)
{
    const char *name = s->recipe->hosts[l->host].name;

    run_use(&s->run, l->recipe);
    if (l->recipe->db)
        printf("%sdatabase %s\n", first ? "" : "\n", l->recipe->db);
    backups_print(s, name, &l->found);
    stops_print(s, l->host, &l->stops);
    next_backups_print(s, name, &l->next);
    run_use(&s->run, NULL);
}

static bool look_at_all(struct session *s, struct looked *l, struct err *err)
{
    size_t n = recipe_databases_n(s->recipe);
    const char *why = NULL;

    for (size_t i = 0; i < n; i++) {
        run_use(&s->run, l[i].recipe);
        if (!look(s, &l[i], err))
            return false;
        if (l[i].found.why && !why)
            why = arena_printf(s->arena, "%s: could not check for backups%s%s: %s",
                               s->recipe->hosts[l[i].host].name, l[i].recipe->db ? " of " : "",
                               l[i].recipe->db ? l[i].recipe->db : "", l[i].found.why);
    }
    run_use(&s->run, NULL);
    if (s->options.json)
        put_all(s, l);
    for (size_t i = 0; !s->options.json && !s->options.quiet && i < n; i++)
        print_looked(s, &l[i], i == 0);
    return !why || err_set(err, ERR_FAILED, "%s", why);
}

static bool all_have_hosts(struct session *s, struct looked *l, struct err *err)
{
    for (size_t i = 0; i < recipe_databases_n(s->recipe); i++) {
        l[i].recipe = recipe_for_database(s->arena, s->recipe, i);
        long host = recipe_database_host(l[i].recipe);
        if (host < 0)
            return err_set(err, ERR_USAGE, "no host has the role %s",
                           l[i].recipe->db_role ? l[i].recipe->db_role : "db");
        l[i].host = (size_t)host;
    }
    return true;
}

bool cmd_backups(struct session *s, struct err *err)
{
    databases_learn(s, NULL);
    if (s->options.database && !narrow(s, s->options.database, err))
        return false;
    struct looked *l = arena_array(s->arena, recipe_databases_n(s->recipe), sizeof *l);

    if (s->recipe->database.adapter == ADAPTER_NONE && !s->recipe->n_databases)
        return err_set(
            err, ERR_USAGE,
            "the recipe names no database (database: {adapter: postgresql or mysql, name: ...})");
    if (!all_have_hosts(s, l, err) || !options_fit(s, err))
        return false;
    if (s->options.wait)
        return wait_for_backups(s, l, err);
    if (s->options.hold)
        return hold_one(s, l, err);
    return look_at_all(s, l, err);
}
