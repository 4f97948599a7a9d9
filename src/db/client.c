/* client.c -- asks the database on its host and reads the rows (client.h).  Called by the stages
 * around the migration and by the commands that show backups.  Relies on client.sh, which runs the
 * recipe's client, and on core/trip.c. */
#include "db/client.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/job/script.h"
#include "core/script.h"
#include "base/passwords.h"
#include "core/trip.h"
#include "db/find/find.h"
#include "db/server.h"

#include <assert.h>

EMBED(script_db, "db/client.sh");

enum { SQL_MS = 60000, WHY_MAX = 1000, ROWS_MAX = 100000 };

const char *db_encoding(const struct run *r)
{
    return r->guard->raw_text ? "SQL_ASCII" : "UTF8";
}

/* True when the server could not convert a statement or a name to UTF-8, since a database in
 * SQL_ASCII may contain any bytes.  The rest of the message is translated, so only these words are
 * searched. */
static bool is_no_utf8(const char *why)
{
    return why && strstr(why, "UTF8") && strstr(why, "0x");
}

/* sql: NULL for the first question of a database that is yet to be found.  make: script_text or script_frame. */
static const char *whole_script(struct run *r, size_t host, const char *sql, const char *script,
                                const char *make(struct arena *a, const struct script *s))
{
    const struct server *server = server_of(r);
    bool finds = r->recipe->database.adapter == ADAPTER_AUTO;
    struct buf environment = buf_make(SCRIPT_BYTES_MAX);
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    /* A variable of the recipe may have the name of one of ours, so these come first. */
    job_environment(r, host, &environment);
    if (finds) {
        database_values(r, host, !sql, &b);
    } else {
        quote_assign(&b, "connect", "");
        quote_assign(&b, "client", server_command(r));
        quote_assign(&b, "ask", server->ask);
        quote_assign(&b, "hold", server->hold);
    }
    quote_assign(&b, "database", server_database(r) ? server_database(r) : "");
    quote_assign(&b, "encoding", db_encoding(r));
    quote_assign(&b, "separator", "\037");
    quote_assign(&b, "sql", sql ? sql : "");
    const struct script whole = {
        .before = environment.text,
        .deploy_to = r->recipe->hosts[host].deploy_to,
        .release = r->plan ? r->plan->what.release : NULL,
        .umask = r->recipe->umask,
        .verb = "look",
        .values = b.text,
        .parts = {finds ? database_reach(r) : script, finds ? script : NULL}};
    const char *text = b.full || environment.full ? NULL : make(r->arena, &whole);
    buf_free(&environment);
    buf_free(&b);
    assert(text); /* the recipe has 1 MiB at most, and the SQL is our own */
    return text;
}

const char *db_script(struct run *r, size_t host, const char *sql, const char *script)
{
    return whole_script(r, host, sql, script, script_text);
}

struct call db_call(struct run *r, size_t host, const char *sql, const char *script)
{
    return (struct call){.host = host,
                         .script = whole_script(r, host, sql, script, script_text),
                         .frame = whole_script(r, host, sql, script, script_frame),
                         .payload = -1};
}

static const char *first_line(struct arena *a, const char *text)
{
    return arena_strndup(a, text, strcspn(text, "\n"));
}

const char *db_shown(const struct run *r, const char *said)
{
    return text_shown(r->arena, passwords_hidden(r->arena, run_redact(r, said)));
}

const char *db_why(struct run *r, const struct reply *reply, const char *status)
{
    const char *said = reply->err_out;
    const char *error = strstr(said, "\nERROR ");

    /* Some clients repeat the statement before the error. */
    if (error)
        said = error;
    while (*said == '\n')
        said++;
    /* A warning, such as psql's about a password file, is not the cause. */
    while (strncmp(said, "WARNING:", 8) == 0 && strchr(said, '\n') && strchr(said, '\n')[1])
        said = strchr(said, '\n') + 1;
    size_t len = strcspn(said, "\n");
    said = arena_strndup(r->arena, said, len < WHY_MAX ? len : WHY_MAX);
    if (!*said)
        said = arena_printf(r->arena, "'%s' ended with exit status %s", server_command_shown(r),
                            status ? status : "?");
    const char *account = strstr(reply->out, "row account\037");
    const char *remedy = server_of(r)->remedy(
        r->arena, said,
        account ? text_shown(r->arena, db_field(r->arena, first_line(r->arena, account), 1)) : "");
    said = db_shown(r, said);
    return remedy ? arena_printf(r->arena, "%s; %s", said, remedy) : said;
}

/* Why a database that was found before cannot be reached now; NULL: it can. */
static const char *problem_of(struct run *r, const char *out)
{
    const char *at = strstr(out, "found problem ");

    return r->recipe->database.adapter == ADAPTER_AUTO && at
               ? db_shown(r, first_line(r->arena, at + strlen("found problem ")))
               : NULL;
}

void db_answer(struct run *r, const struct reply *reply, struct strs *ret_rows,
               const char **ret_why)
{
    const char *status = answer_value(r->arena, reply->out, "client");

    *ret_rows = (struct strs){0};
    *ret_why = NULL;
    if (!status || strcmp(status, "0") != 0)
        *ret_why = problem_of(r, reply->out) ? problem_of(r, reply->out) : db_why(r, reply, status);
    for (const char *at = reply->out; *at;) {
        size_t len = strcspn(at, "\n");
        if (strncmp(at, "row ", 4) == 0 && ret_rows->n < ROWS_MAX)
            strs_add(r->arena, ret_rows, arena_strndup(r->arena, at + 4, len - 4));
        else if (strncmp(at, "row ", 4) == 0)
            *ret_why = arena_printf(r->arena, "the answer has more than %d rows", ROWS_MAX);
        at += len + (at[len] == '\n');
    }
}

static bool ask(struct run *r, size_t host, const char *sql, struct strs *ret_rows,
                const char **ret_why, struct err *err)
{
    struct call call = db_call(r, host, sql, script_db);

    call.timeout_ms = SQL_MS;
    *ret_rows = (struct strs){0};
    *ret_why = NULL;
    struct reply reply = run_ask(r, &call);
    if (reply.kind == REPLY_TIMEOUT) {
        *ret_why = "the database did not answer within a minute";
        return true;
    }
    /* No conclusion may be drawn from a part of the rows. */
    if (reply.too_large) {
        *ret_why = reply.why;
        return true;
    }
    if (!run_judge(r, host, &reply, err))
        return false;
    db_answer(r, &reply, ret_rows, ret_why);
    /* The host no longer has the answer that it kept. */
    if (r->guard->found.kept && strstr(reply.out, "found again yes\n")) {
        r->guard->found.kept = false;
        return ask(r, host, sql, ret_rows, ret_why, err);
    }
    return true;
}

bool db_ask(struct run *r, size_t host, const char *sql, struct strs *ret_rows,
            const char **ret_why, struct err *err)
{
    if (!ask(r, host, sql, ret_rows, ret_why, err))
        return false;
    if (r->guard->raw_text || !is_no_utf8(*ret_why))
        return true;
    r->guard->raw_text = true;
    return ask(r, host, sql, ret_rows, ret_why, err);
}

const char *db_field(struct arena *a, const char *row, size_t field)
{
    for (; field; field--) {
        row += strcspn(row, "\037");
        if (!*row)
            return "";
        row++;
    }
    return arena_strndup(a, row, strcspn(row, "\037"));
}

bool db_is_number(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n < 19 && !s[n];
}

bool db_is_vxid(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n < 19 && s[n] == '/' && db_is_number(s + n + 1);
}

long long db_seconds(const char *s)
{
    return number_or(s, NUMBER_SPAN_MAX, -1);
}
