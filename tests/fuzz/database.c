/* database.c -- targets: what a database and its client answer, and what the tools for migrations print. */
#include "base/text.h"
#include "db/client.h"
#include "db/find/find.h"
#include "fuzz_targets.h"
#include "stages/backup/progress.h"
#include "stages/backup/sampled.h"
#include "stages/backup/stop.h"
#include "stages/backup/waiting.h"
#include "stages/migrate/attempts.h"
#include "stages/migrate/leftovers.h"
#include "stages/migrate/migrate.h"
#include "stages/migrate/orphans.h"
#include "stages/migrate/pending.h"
#include "stages/migrate/watchdog.h"

static size_t the_host;
static const struct stage the_stage = {.name = "migrate"};
static const struct step step = {
    .stage = &the_stage, .name = "migrate", .hosts = &the_host, .n_hosts = 1};

/* The first byte chooses the server. */
static struct run *run_with(const struct input *in)
{
    struct run *r = run_of(in, in->text + (*in->text != '\0'));
    struct recipe *recipe = arena_alloc(in->arena, sizeof *recipe);

    *recipe = *r->recipe;
    recipe->database.adapter = *in->text == 'm'   ? ADAPTER_MYSQL
                               : *in->text == 'a' ? ADAPTER_AUTO
                                                  : ADAPTER_POSTGRESQL;
    r->recipe = recipe;
    return r;
}

/* What identifies a session goes into SQL again: exactly the server's own form, or nothing. */
static void holds_identity(const char *transaction, const char *start)
{
    HOLDS(!*transaction || db_is_vxid(transaction) ||
          strspn(transaction, "0123456789-abcdef/") == strlen(transaction));
    HOLDS(!*start || db_is_number(start));
}

void fuzz_look(const struct input *in)
{
    struct run *r = run_with(in);
    struct err err = {.arena = in->arena};
    struct backups b;
    const char *why;
    size_t n;

    if (!backup_look(r, 1, &b, &err)) {
        holds_err(&err);
        return;
    }
    HOLDS(!b.why || (b.n == 0 && is_shown(b.why)));
    for (size_t i = 0; i < b.n; i++) {
        HOLDS(b.v[i].kind > BACKUP_NONE && b.v[i].kind < BACKUP_KINDS);
        holds_identity(b.v[i].identity.transaction, b.v[i].identity.start);
        backup_text(r, &b.v[i]);
    }
    backups_first(&b, &n);
    if (!stop_refusal(&(struct wait){.run = r, .step = &step, .host = 1}, &b, true, &why, &err))
        holds_err(&err);
}

void fuzz_found(const struct input *in)
{
    struct run *r = run_with(in);
    struct err err = {.arena = in->arena};

    if (!database_find(r, 1, &err)) {
        holds_err(&err);
        return;
    }
    if (r->recipe->database.adapter != ADAPTER_AUTO)
        return;
    if (database_is_off(r))
        HOLDS(is_shown(database_problem(r)));
    else
        HOLDS(is_shown(database_text(r)));
    database_is_serverless(r);
}

/* Each line is one of the watchdog's. */
void fuzz_blockers(const struct input *in)
{
    struct run *r = run_with(in);
    struct attempts t = {.step = &step, .host = 1, .n = 1, .server = &server_postgresql};
    struct watching w = {r, &t};
    struct blocker b;

    for (const char *at = in->text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        const char *line = arena_strndup(in->arena, at, strcspn(at, "\n"));
        watchdog_take(&w, line);
        if (!blocker_read(in->arena, line, &b))
            continue;
        holds_identity(b.vxid, b.start);
        HOLDS(b.running_s >= -1 && b.behind >= 0 && b.pid >= 0);
        HOLDS(is_shown(text_shown(in->arena, blocker_text(in->arena, &b))));
    }
    HOLDS(strlen(blocker_statement(in->arena, in->text)) <= 130);
    blockers_first(&t.seen);
}

/* The answers before and after an attempt. */
void fuzz_leftovers(const struct input *in)
{
    struct run *r = run_with(in);
    struct err err = {.arena = in->arena};
    struct leftovers before;
    struct leftovers now;

    if (!server_of(r) || !leftovers_look(r, 1, 150000, &before, &err) ||
        !leftovers_look(r, 1, 150000, &now, &err))
        return;
    struct strs more = leftovers_new(in->arena, &before, &now);
    for (size_t i = 0; i < more.n; i++)
        HOLDS(is_shown(text_shown(in->arena, leftover_text(in->arena, more.v[i]))));
    HOLDS(leftovers_new(in->arena, &now, &now).n == 0);
    leftovers_exists_line(in->arena, &server_postgresql, in->text);
    leftovers_exists_line(in->arena, &server_mysql, in->text);
}

void fuzz_orphans(const struct input *in)
{
    struct run *r = run_with(in);
    struct err err = {.arena = in->arena};

    r->guard->server_version = 150000;
    if (server_of(r) && !orphans_end(r, &step, 0, &err))
        holds_err(&err);
}

/* The first byte is the tool, the second the status. */
void fuzz_pending(const struct input *in)
{
    struct pending_when when = {.output = "^pending"};
    struct strs names = {0};

    if (in->len < 3)
        return;
    when.tool = (enum pending_tool)((unsigned char)in->text[0] % (PENDING_OWN + 1));
    when.exit.has[1] = true;
    when.exit.n = 1;
    const int status = in->text[1] % 3;
    const char *out = in->text + 2;
    long n = pending_read(in->arena, &when, status, out, &names);
    HOLDS(n >= PENDING_UNKNOWN && names.n <= PENDING_NAMES_MAX);
    HOLDS(n > 0 || names.n == 0);
    HOLDS(n == PENDING_SOME || (long)names.n <= n || n == PENDING_UNKNOWN);
    pending_text(in->arena, n, NULL);
    const char *answer =
        pending_answer(in->arena, arena_printf(in->arena, "%s\nended %d\n", out, status), status);
    HOLDS(answer && strcmp(answer, out) == 0);
}

void fuzz_progress(const struct input *in)
{
    struct backup b = {.kind = BACKUP_PG_DUMP, .database = "shop", .running_s = 100};
    struct trace t = {.bytes = -1, .age_s = -1};

    trace_read(in->arena, &t, &b, in->text);
    HOLDS(t.bytes >= -1 && t.age_s >= -1 && t.client_pid >= 0);
    for (size_t i = 0; i < t.n_past; i++)
        HOLDS(t.past[i].seconds >= -1 && t.past[i].bytes >= -1);
    trace_copy(in->arena, &t);
}

/* The first line is the dump's statement, the others are rows. */
void fuzz_sampled(const struct input *in)
{
    struct strs rows = {0};

    for (const char *at = in->text; *at; at += strcspn(at, "\n"), at += *at == '\n')
        strs_add(in->arena, &rows, arena_strndup(in->arena, at, strcspn(at, "\n")));
    if (!rows.n)
        return;
    const struct sampled *s = sampled_read(in->arena, &rows);
    if (!s)
        return;
    long long done = sampled_done(s, rows.v[0], 1000);
    HOLDS(s->all >= 0 && done >= -1);
    sampled_copy(in->arena, s);
}

/* Lines of the record, then of what was started again. */
void fuzz_stopped(const struct input *in)
{
    struct run *r = run_of(in, "");
    struct stopped one;
    struct stopped v = {0};
    struct stops all = {&v, 0};

    for (const char *at = in->text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        const char *line = arena_strndup(in->arena, at, strcspn(at, "\n"));
        if (stop_read(in->arena, line, &one)) {
            v = one;
            all.n = 1;
            HOLDS(one.unix_s >= 0 && one.pid >= 0);
            HOLDS(is_shown(text_shown(in->arena, stop_text(r, 1, &one))));
        } else {
            stop_read_rerun(in->arena, line, &all);
        }
    }
}
