/* find.c -- finds the database of `database: auto` (find.h).  Called by everything that asks a database before its
 * first question, and by db/client.c for the values of its scripts.  Relies on find.sh, url.sh, flyway.sh and the programs for
 * ruby and python, which read the application's configuration on the host. */
#include "db/find/find.h"

#include <assert.h>

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/script.h"
#include "core/trip.h"
#include "db/client.h"
#include "db/server.h"

EMBED(find_url, "db/find/url.sh");
EMBED(find_flyway, "db/find/flyway.sh");
EMBED(find_main, "db/find/find.sh");
EMBED(find_rails, "db/find/rails.rb");
EMBED(find_django, "db/find/django.py");
EMBED(script_reach, "db/find/reach.sh");
EMBED(find_begin, "db/find/begin.sh");
EMBED(find_ask, "db/client.sh");

/* Loading an application takes seconds. */
enum { FIND_MS = 120000, PART_MAX = 200 };

static const char *const tools[] = {
    [PENDING_AUTO] = "auto",       [PENDING_RAILS] = "rails",   [PENDING_DJANGO] = "django",
    [PENDING_LARAVEL] = "laravel", [PENDING_FLYWAY] = "flyway", [PENDING_SQITCH] = "sqitch",
    [PENDING_ALEMBIC] = "alembic", [PENDING_OWN] = "auto"};

static bool has_own_psql(const struct recipe *r)
{
    return strcmp(r->database.psql, "psql") != 0;
}

static bool has_own_mysql(const struct recipe *r)
{
    return strcmp(r->database.mysql, "mysql") != 0;
}

/* The script that the application's shell runs. */
static void find_text(const struct run *r, size_t host, struct buf *b)
{
    const struct recipe *recipe = r->recipe;
    const struct variables *env = &recipe->hosts[host].env;
    struct buf given = buf_make(SCRIPT_BYTES_MAX);

    for (size_t i = 0; i < env->n; i++)
        buf_printf(&given, "%s ", env->v[i].name);
    quote_assign(b, "given", given.text);
    quote_assign(b, "wanted", recipe->db ? recipe->db : "");
    quote_assign(b, "yml_text", r->database_yml && !r->begun ? r->database_yml : "");
    quote_assign(b, "tool", tools[recipe->migrate.pending_when.tool]);
    quote_assign(b, "migrates", recipe->migrate.run ? recipe->migrate.run : "");
    quote_assign(b, "own",
                 arena_printf(r->arena, "%s%s", has_own_psql(recipe) ? "postgresql " : "",
                              has_own_mysql(recipe) ? "mysql" : ""));
    quote_assign(b, "rails_text", find_rails);
    quote_assign(b, "django_text", find_django);
    buf_puts(b, find_url);
    buf_puts(b, find_flyway);
    buf_puts(b, find_main);
    b->full = b->full || given.full;
    buf_free(&given);
}

/* A run keeps the answer in its own folder, until it ends (unlock.sh). */
static const char *file_of(struct run *r, size_t host)
{
    return r->begun && r->epoch && *r->plan->what.run
               ? arena_printf(r->arena, "%s/.crelease/runs/%s/database%s%s",
                              r->recipe->hosts[host].deploy_to, r->plan->what.run,
                              r->recipe->db ? "-" : "", r->recipe->db ? r->recipe->db : "")
               : "";
}

/* whole: with the text that finds it, although the host keeps the answer. */
static void reach_values(struct run *r, size_t host, bool whole, struct buf *b)
{
    const struct found *found = &r->guard->found;
    struct buf text = buf_make(SCRIPT_BYTES_MAX);

    if (whole || !found->kept)
        find_text(r, host, &text);
    quote_assign(b, "find_text", text.text ? text.text : "");
    b->full = b->full || text.full;
    buf_free(&text);
    quote_assign(b, "find_want",
                 found->adapter == ADAPTER_POSTGRESQL ? "postgresql"
                 : found->adapter == ADAPTER_MYSQL    ? "mysql"
                                                      : "");
    quote_assign(b, "found_file", file_of(r, host));
    quote_assign(b, "own_psql", has_own_psql(r->recipe) ? "yes" : "");
}

/* The questions of the first script, for each kind of server, since which one it is shows there. */
static const char *first_sql(struct run *r, const struct server *server)
{
    return arena_printf(r->arena, "%s%s", server->rights(r->arena),
                        server->look(r->arena, server_own(r), 0));
}

static void put_server(struct run *r, enum adapter adapter, const char *word, bool tell,
                       struct buf *b)
{
    const struct server *server = server_kind(adapter);
    const struct {
        const char *name;
        const char *value;
    } values[] = {{"client", server_client(r, adapter)},
                  {"ask", server->ask},
                  {"hold", server->hold},
                  {"sql", tell ? first_sql(r, server) : ""}};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        quote_assign(b, arena_printf(r->arena, "%s_%s", values[i].name, word), values[i].value);
}

void database_values(struct run *r, size_t host, bool tell, struct buf *b)
{
    job_command_values(r, host, "", NULL, b);
    reach_values(r, host, false, b);
    quote_assign(b, "tell", tell ? "yes" : "");
    put_server(r, ADAPTER_POSTGRESQL, "postgresql", tell, b);
    put_server(r, ADAPTER_MYSQL, "mysql", tell, b);
}

const char *database_reach(struct run *r)
{
    return arena_printf(r->arena, "%s%s%s", script_command, script_reach, find_begin);
}

const char *database_watch(struct run *r, size_t host)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    reach_values(r, host, true, &b);
    buf_puts(&b, script_command);
    buf_puts(&b, script_reach);
    buf_puts(&b, "prepare_watch() {\n\tfound_assigned\n}\n");
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    assert(text);
    return text;
}

/* ---- the answer ---- */

/* Half a character at the end is shown as bytes. */
static const char *shortened(struct arena *a, const char *shown)
{
    return text_shown(a, arena_strndup(a, shown, strnlen(shown, PART_MAX)));
}

static void take(struct run *r, struct found *f, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"name", &f->name},   {"host", &f->host},     {"socket", &f->host},
                 {"port", &f->port},   {"user", &f->user},     {"source", &f->source},
                 {"note", &f->note},   {"client", &f->client}, {"problem", &f->problem},
                 {"adapter", &f->word}};

    if (strcmp(key, "kept") == 0)
        f->kept = true;
    if (strcmp(key, "later") == 0)
        f->later = true;
    if (strcmp(key, "named") == 0)
        f->unnamed = strcmp(value, "no") == 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(key, texts[i].key) == 0)
            *texts[i].to = shortened(run_kept(r), db_shown(r, value));
}

static void read_found(struct run *r, const char *out)
{
    struct found *f = &r->guard->found;

    for (; *out; out += strcspn(out, "\n"), out += *out == '\n') {
        if (strncmp(out, "found ", 6) != 0)
            continue;
        const char *line = arena_strndup(r->arena, out + 6, strcspn(out + 6, "\n"));
        size_t len = strcspn(line, " ");
        if (line[len])
            take(r, f, arena_strndup(r->arena, line, len), line + len + 1);
    }
    if (!f->word && !f->problem)
        f->problem = "the search for the application's database gave no answer";
    if (f->problem)
        return;
    f->adapter = strcmp(f->word, "postgresql") == 0 ? ADAPTER_POSTGRESQL
                 : strcmp(f->word, "mysql") == 0    ? ADAPTER_MYSQL
                                                    : ADAPTER_NONE;
}

static void take_rights(struct run *r, const char *row)
{
    struct found *f = &r->guard->found;

    f->user = arena_strdup(run_kept(r), db_shown(r, db_field(r->arena, row, 1)));
    f->rights = (struct db_rights){.super = *db_field(r->arena, row, 2),
                                   .signal = *db_field(r->arena, row, 3),
                                   .stats = *db_field(r->arena, row, 4),
                                   .known = true};
}

static void read_rows(struct run *r, const struct reply *reply)
{
    struct found *f = &r->guard->found;
    struct strs rows;
    const char *why;

    db_answer(r, reply, &rows, &why);
    f->why = why ? arena_printf(run_kept(r), "%s (the connection of %s)", why,
                                f->source ? f->source : "the application")
                 : NULL;
    for (size_t i = 0; i < rows.n; i++)
        if (strcmp(db_field(r->arena, rows.v[i], 0), "rights") == 0)
            take_rights(r, rows.v[i]);
        else
            strs_add(run_kept(r), &f->rows, arena_strdup(run_kept(r), rows.v[i]));
    f->is_fresh = true;
}

bool database_find(struct run *r, size_t host, struct err *err)
{
    struct found *f = &r->guard->found;

    if (r->recipe->database.adapter != ADAPTER_AUTO || f->asked)
        return true;
    struct call call = db_call(r, host, NULL, find_ask);

    call.timeout_ms = FIND_MS;
    struct reply reply = run_ask(r, &call);
    if (reply.kind == REPLY_TIMEOUT)
        f->problem = "the search for the application's database took more than two minutes";
    else if (!run_judge(r, host, &reply, err))
        return false;
    f->asked = true;
    if (f->problem)
        return true;
    read_found(r, reply.out);
    if (f->adapter != ADAPTER_NONE)
        read_rows(r, &reply);
    return true;
}

/* ---- for people ---- */

bool database_is_off(const struct run *r)
{
    return r->recipe->database.adapter == ADAPTER_AUTO && r->guard->found.asked && !server_of(r);
}

bool database_is_serverless(const struct run *r)
{
    return database_is_off(r) && r->guard->found.word &&
           strcmp(r->guard->found.word, "sqlite") == 0;
}

const char *database_problem(struct run *r)
{
    const struct found *f = &r->guard->found;
    const char *text = f->problem ? f->problem : "no database was found";

    if (f->note)
        text = arena_printf(r->arena, "%s (%s)", text, f->note);
    if (f->later && f->unnamed)
        return arena_printf(r->arena,
                            "%s, and the guard against backups is off if that names none (for psql"
                            " scripts write 'database: {adapter: postgresql, name: NAME}' into the"
                            " recipe)",
                            text);
    if (database_is_serverless(r) || f->later)
        return text;
    return arena_printf(r->arena,
                        "%s; write 'database: {adapter: postgresql, name: NAME}' (or mysql) into "
                        "the recipe, or 'database: none'",
                        text);
}

const char *database_text(struct run *r)
{
    const struct found *f = &r->guard->found;
    const char *at = f->host ? arena_printf(r->arena, " on %s%s%s", f->host, f->port ? ":" : "",
                                            f->port ? f->port : "")
                             : "";
    const char *text =
        arena_printf(r->arena, "%s, %s%s, found in %s", server_text(r),
                     f->name ? f->name : "the default database", at, f->source ? f->source : "?");

    if (f->user)
        text = arena_printf(r->arena, "%s, as %s", text, f->user);
    if (f->rights.known && server_of(r))
        text = arena_printf(r->arena, "%s: %s", text,
                            server_of(r)->rights_text(r->arena, &f->rights, f->user));
    return f->note ? arena_printf(r->arena, "%s (%s)", text, f->note) : text;
}
