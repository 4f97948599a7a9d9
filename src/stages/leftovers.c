#include "stages/leftovers.h"

#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"
#include "stages/db.h"
#include "stages/scripts.h"
#include "stages/server.h"

enum { ASK_MS = 60000, ROWS_MAX = 200, LINE_MAX_SHOWN = 300 };

bool leftovers_look(struct run *r, size_t host, long server_version, struct leftovers *ret,
                    struct err *err)
{
    const char *sql = server_of(r->recipe)->leftovers(r->arena, server_version);
    struct strs rows;
    const char *why;

    *ret = (struct leftovers){.deadlocks = -1};
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    ret->known = !why;
    for (size_t i = 0; i < rows.n; i++) {
        const char *n = db_field(r->arena, rows.v[i], 1);
        if (strncmp(rows.v[i], "deadlocks\037", 10) == 0)
            ret->deadlocks = db_is_number(n) ? strtoll(n, NULL, 10) : -1;
        else if (ret->v.n < ROWS_MAX)
            strs_add(r->arena, &ret->v, rows.v[i]);
    }
    return true;
}

static bool ask_host(struct run *r, const struct step *s, size_t host, const char *verb,
                     const char *values, struct reply **ret, struct err *err)
{
    struct trip t = {.script = arena_printf(r->arena, "%s%s", values, script_leftovers),
                     .step = s->name,
                     .verb = verb,
                     .hosts = &host,
                     .n_hosts = 1,
                     .timeout_ms = ASK_MS,
                     .payload = -1};

    return run_scripts(r, &t, ret, err);
}

static const char *assignment(struct run *r, const char *name, const char *value)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, name, value);
    const char *text = arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

bool leftovers_before(struct run *r, const struct step *s, size_t host, long server_version,
                      struct leftovers *ret, struct err *err)
{
    const char *text = "";
    struct reply *reply;

    if (!leftovers_look(r, host, server_version, ret, err))
        return false;
    if (!ret->known)
        return true;
    for (size_t i = 0; i < ret->v.n; i++)
        text = arena_printf(r->arena, "%s%s\n", text, ret->v.v[i]);
    if (!ask_host(r, s, host, "keep", assignment(r, "leftovers", text), &reply, err))
        return false;
    ret->v = (struct strs){0};
    for (const char *at = reply->out; *at;) {
        size_t len = strcspn(at, "\n");
        if (strncmp(at, "kept ", 5) == 0)
            strs_add(r->arena, &ret->v, arena_strndup(r->arena, at + 5, len - 5));
        at += len + (at[len] == '\n');
    }
    for (size_t i = 0; i < ret->v.n; i++)
        run_warn(r, r->recipe->hosts[host].name, "before the migration: %s",
                 leftover_text(r->arena, ret->v.v[i]));
    return true;
}

struct strs leftovers_new(struct arena *a, const struct leftovers *before,
                          const struct leftovers *now)
{
    struct strs rows = {0};

    for (size_t i = 0; before->known && now->known && i < now->v.n; i++)
        if (!strs_has(&before->v, now->v.v[i]))
            strs_add(a, &rows, now->v.v[i]);
    return rows;
}

const char *leftover_text(struct arena *a, const char *row)
{
    const char *name = db_field(a, row, 1);
    const char *part = db_field(a, row, 2);

    if (strcmp(db_field(a, row, 0), "detach") == 0)
        return arena_printf(
            a,
            "%s is half detached from %s; 'ALTER TABLE %s DETACH PARTITION %s FINALIZE;' ends that",
            part, name, name, part);
    return arena_printf(a, "index %s is not valid; 'DROP INDEX CONCURRENTLY %s;' removes it", name,
                        name);
}

/* ---- statements of earlier runs ---- */

struct ghost {
    const char *run;
    const char *application;
    struct session session;
};

/* The session's run, when its name is one that crelease gives. */
static const char *run_of(struct arena *a, const char *application)
{
    const char *id = application + strlen("crelease-");

    return server_is_name(application) && strcmp(id, "watch") != 0 ? arena_strdup(a, id) : NULL;
}

static bool end_ghost(struct run *r, size_t host, const struct ghost *g, const char *is,
                      struct err *err)
{
    const char *name = r->recipe->hosts[host].name;
    struct strs rows;
    const char *why;

    if (strcmp(is, "alive") == 0 || strcmp(is, "unknown") == 0) {
        run_warn(r, name, "run %s, %s, has a session in the database (pid %ld): it is left alone",
                 g->run,
                 *is == 'a' ? "which is alive on this host" : "which is not one of this site",
                 g->session.pid);
        return true;
    }
    const char *sql = server_of(r->recipe)->end(r->arena, r->server_version, &g->session,
                                                g->application, WAY_END);
    if (!sql)
        return true;
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    if (why)
        run_warn(r, name,
                 "a statement of run %s, which has ended, is still in the database (pid %ld) and "
                 "could not"
                 " be ended: %s",
                 g->run, g->session.pid, why);
    else if (rows.n)
        run_warn(
            r, name,
            "a statement of run %s, which has ended, was still in the database (pid %ld): ended",
            g->run, g->session.pid);
    return true;
}

bool leftovers_end_ghosts(struct run *r, const struct step *s, size_t host, struct err *err)
{
    const char *others = "";
    struct reply *reply;
    struct strs rows;
    const char *why;

    const char *sql = server_of(r->recipe)->named(r->arena, r->server_version);
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    struct ghost *ghosts = arena_array(r->arena, rows.n + 1, sizeof *ghosts);
    size_t n = 0;
    for (size_t i = 0; i < rows.n; i++) {
        const char *application = db_field(r->arena, rows.v[i], 1);
        const char *pid = db_field(r->arena, rows.v[i], 2);
        struct ghost g = {.run = run_of(r->arena, application), .application = application};
        if (!g.run || strcmp(g.run, r->plan->what.run) == 0 || !db_is_number(pid))
            continue;
        g.session = (struct session){strtol(pid, NULL, 10), db_field(r->arena, rows.v[i], 4),
                                     db_field(r->arena, rows.v[i], 3)};
        ghosts[n++] = g;
        others = arena_printf(r->arena, "%s %s", others, g.run);
    }
    if (!n)
        return true;
    if (!ask_host(r, s, host, "alive", assignment(r, "others", others), &reply, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *is =
            strstr(reply->out, arena_printf(r->arena, "gone %s\n", ghosts[i].run))      ? "gone"
            : strstr(reply->out, arena_printf(r->arena, "unknown %s\n", ghosts[i].run)) ? "unknown"
                                                                                        : "alive";
        if (!end_ghost(r, host, &ghosts[i], is, err))
            return false;
    }
    return true;
}

/* In any language the class or the code is there, where the tool prints one. */
const char *leftovers_exists_line(struct arena *a, const char *output)
{
    static const char *const signs[] = {"already exists",
                                        "PG::DuplicateTable",
                                        "PG::DuplicateColumn",
                                        "PG::DuplicateObject",
                                        "42P07",
                                        "42701",
                                        "42710"};

    while (*output) {
        size_t len = strcspn(output, "\n");
        const char *line = arena_strndup(a, output, len);
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            if (strstr(line, signs[i]) && !strstr(line, "NOTICE"))
                return arena_strndup(a, line, len < LINE_MAX_SHOWN ? len : LINE_MAX_SHOWN);
        output += len + (output[len] == '\n');
    }
    return NULL;
}
