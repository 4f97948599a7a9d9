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
        [BACKUP_MIGRATION] = "a migration of another crelease run",
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

/* There is no run here, so events have no stage. */
static const struct step no_step = {.name = NULL};

static bool wait_for_backups(struct session *s, size_t host, struct err *err)
{
    long long waited;

    if (!backup_wait(&s->run, &no_step, host, &waited, err)) {
        if (err->code == ERR_UNCERTAIN)
            err->code = ERR_UNREACHABLE;
        return false;
    }
    s->run.guard->behind_backup_ms = waited;
    return session_end(s,
                       waited ? arena_printf(s->arena,
                                             "no backup blocks a migration any more, waited %s",
                                             text_span(s->arena, waited))
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

bool cmd_backups(struct session *s, struct err *err)
{
    struct backups found = {0};
    struct schedule next;
    struct stops stops;
    long host = recipe_primary(s->recipe, "db");

    if (s->recipe->database.adapter == ADAPTER_NONE)
        return err_set(
            err, ERR_USAGE,
            "the recipe names no database (database: {adapter: postgresql or mysql, name: ...})");
    if (host < 0)
        return err_set(err, ERR_USAGE, "no host has the role db");
    if (!options_fit(s, err))
        return false;
    if (s->options.wait)
        return wait_for_backups(s, (size_t)host, err);
    if (s->options.hold)
        return hold(s, (size_t)host, err);
    if (!backup_look(&s->run, (size_t)host, &found, err) ||
        !upcoming_look(&s->run, (size_t)host, 0, &next, err) ||
        !stop_told(&s->run, (size_t)host, &stops, err)) {
        if (err->code == ERR_UNCERTAIN)
            err->code = ERR_UNREACHABLE;
        return false;
    }
    backup_expect(&s->run, (size_t)host, &found);
    const char *name = s->recipe->hosts[host].name;
    if (s->options.json) {
        struct json *o = json_open_object();
        json_put_text(o, "application", s->recipe->application);
        json_put_text(o, "environment", s->recipe->environment);
        json_put_text(o, "host", name);
        backups_put_json(json_put_array(o, "backups"), &found);
        next_backups_put_json(o, &next);
        stops_put_json(o, &stops);
        json_put_text(o, "could_not_look", found.why);
        json_put_text(o, "could_not_foresee", next.why);
        put_texts(o, "could_not_read", &next.unread);
        put_texts(o, "notes", &next.notes);
        session_answer(s, o);
        json_close(o);
    } else if (!s->options.quiet) {
        backups_print(s, name, &found);
        stops_print(s, (size_t)host, &stops);
        next_backups_print(s, name, &next);
    }
    return !found.why ||
           err_set(err, ERR_FAILED, "%s: could not check for backups: %s", name, found.why);
}
