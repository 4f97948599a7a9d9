/* leftovers.c -- compares the schema, or its invalid indexes, before and after an attempt to migrate.
 * Called by migrate.c and attempts.c.  The state before the first attempt is kept on the host, so that a
 * resumed run compares with the same. */

#include "stages/migrate/leftovers.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/trip.h"
#include "db/client.h"
#include "db/server.h"

EMBED(script_leftovers, "stages/migrate/leftovers.sh");

enum {
    ASK_MS = 60000,
    ROWS_MAX = 200,
    ROWS_OF_SCHEMA = 60000,
    KEPT_BYTES_MAX = SCRIPT_BYTES_MAX / 4 * 3, /* leaves room for the rest of the script */
    LINE_MAX_SHOWN = 300
};

bool leftovers_look(struct run *r, size_t host, long server_version, struct leftovers *ret,
                    struct err *err)
{
    const char *sql = server_of(r)->leftovers(r->arena, server_version);
    struct strs rows;
    const char *why;

    const size_t most = server_of(r)->keeps ? ROWS_OF_SCHEMA : ROWS_MAX;

    *ret = (struct leftovers){.deadlocks = -1};
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    ret->why = why;
    for (size_t i = 0; i < rows.n; i++) {
        const char *n = db_field(r->arena, rows.v[i], 1);
        if (strncmp(rows.v[i], "deadlocks\037", 10) == 0)
            ret->deadlocks = number_or(n, NUMBER_ID_MAX, -1);
        else if (ret->v.n < most)
            strs_add(r->arena, &ret->v, rows.v[i]);
        else
            ret->why = arena_printf(r->arena, "there are more than %zu of them", most);
    }
    ret->known = !ret->why;
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

/* NULL when it is too long to be sent. */
static const char *assignment(struct run *r, const char *name, const char *value)
{
    struct buf b = buf_make(KEPT_BYTES_MAX);

    quote_assign(&b, name, value);
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

/* Without the state before, the changes of a failed attempt cannot be told from what was there. */
static bool before_is_unknown(struct run *r, size_t host, struct leftovers *ret, const char *why)
{
    *ret = (struct leftovers){.deadlocks = ret->deadlocks, .why = why};
    run_warn(r, r->recipe->hosts[host].name,
             "could not record %s before the migration: %s; if an attempt fails, its "
             "changes cannot be determined",
             server_of(r)->keeps ? "the schema" : "invalid indexes", why);
    return true;
}

bool leftovers_before(struct run *r, const struct step *s, size_t host, long server_version,
                      struct leftovers *ret, struct err *err)
{
    const size_t most = server_of(r)->keeps ? ROWS_OF_SCHEMA : ROWS_MAX;
    struct reply *reply;

    if (!leftovers_look(r, host, server_version, ret, err))
        return false;
    if (!ret->known)
        return before_is_unknown(r, host, ret, ret->why);
    const char *text = strs_joined(r->arena, &ret->v, "\n");
    if (*text)
        text = arena_printf(r->arena, "%s\n", text);
    const char *values = assignment(r, "leftovers", text);
    if (!values)
        return before_is_unknown(r, host, ret,
                                 arena_printf(r->arena, "its description is larger than %s",
                                              text_size(r->arena, KEPT_BYTES_MAX)));
    if (!ask_host(r, s, host, "keep", values, &reply, err))
        return false;
    ret->v = (struct strs){0};
    for (const char *line = reply->out; *line;) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "kept ", 5) == 0 && ret->v.n == most)
            return before_is_unknown(r, host, ret, "the record on the host is too long");
        if (strncmp(line, "kept ", 5) == 0)
            strs_add(r->arena, &ret->v, arena_strndup(r->arena, line + 5, len - 5));
        line += len + (line[len] == '\n');
    }
    for (size_t i = 0; i < ret->v.n && !server_of(r)->keeps; i++)
        run_warn(r, r->recipe->hosts[host].name, "before the migration: %s",
                 leftover_text(r->arena, ret->v.v[i]));
    return true;
}

/* ---- a whole schema ---- */

static bool has_digest(const struct strs *rows)
{
    return rows->n &&
           (strncmp(rows->v[0], "table\037", 6) == 0 || strncmp(rows->v[0], "routine\037", 8) == 0);
}

/* The length of a row up to its digest. */
static size_t name_len(const char *row)
{
    const char *last = strrchr(row, '\037');

    return last ? (size_t)(last - row) : strlen(row);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted(struct arena *a, const struct strs *rows)
{
    const char **v = arena_array(a, rows->n + 1, sizeof *v);

    for (size_t i = 0; i < rows->n; i++)
        v[i] = rows->v[i];
    if (rows->n)
        qsort(v, rows->n, sizeof *v, by_name);
    return v;
}

static void put(struct arena *a, struct strs *to, const char *row, const char *how)
{
    strs_add(a, to, arena_printf(a, "now\037%.*s\037%s", (int)name_len(row), row, how));
}

/* Drops rows that repeat another: a changed table whose column is listed, or a column of a table that is
 * new or gone itself. */
static struct strs without_said(struct arena *a, const struct strs *rows)
{
    struct strs ret = {0};

    for (size_t i = 0; i < rows->n; i++) {
        const char *name = arena_printf(a, "%s.", db_field(a, rows->v[i], 2));
        const char *how = db_field(a, rows->v[i], 3);
        bool table = strcmp(db_field(a, rows->v[i], 1), "table") == 0;
        bool said = false;
        for (size_t k = 0; k < rows->n && !said; k++) {
            const char *other = db_field(a, rows->v[k], 2);
            bool column = strcmp(db_field(a, rows->v[k], 1), "column") == 0;
            if (table && strcmp(how, "was changed") == 0)
                said = column && strncmp(other, name, strlen(name)) == 0;
            else if (!table && strcmp(db_field(a, rows->v[i], 1), "column") == 0)
                said = strcmp(db_field(a, rows->v[k], 1), "table") == 0 &&
                       strcmp(db_field(a, rows->v[k], 3), how) == 0 &&
                       strncmp(arena_printf(a, "%s.", other), db_field(a, rows->v[i], 2),
                               strlen(other) + 1) == 0;
        }
        if (!said)
            strs_add(a, &ret, rows->v[i]);
    }
    return ret;
}

/* Compares the rows "KIND NAME DIGEST" of two states of the schema. */
static struct strs compare(struct arena *a, const struct strs *before, const struct strs *now)
{
    const char **was = sorted(a, before);
    const char **is = sorted(a, now);
    struct strs rows = {0};
    size_t i = 0;
    size_t k = 0;

    while ((i < before->n || k < now->n) && rows.n < ROWS_MAX) {
        int order = i == before->n ? 1 : k == now->n ? -1 : strcmp(was[i], is[k]);
        bool same = i < before->n && k < now->n && name_len(was[i]) == name_len(is[k]) &&
                    strncmp(was[i], is[k], name_len(is[k])) == 0;
        if (order && same)
            put(a, &rows, is[k], "was changed");
        else if (order)
            put(a, &rows, order < 0 ? was[i] : is[k], order < 0 ? "is gone" : "is new");
        i += order < 0 || same;
        k += order > 0 || same;
    }
    return without_said(a, &rows);
}

struct strs leftovers_new(struct arena *a, const struct leftovers *before,
                          const struct leftovers *now)
{
    struct strs rows = {0};

    if (!before->known || !now->known)
        return rows;
    if (has_digest(&before->v) || has_digest(&now->v))
        return compare(a, &before->v, &now->v);
    for (size_t i = 0; i < now->v.n; i++)
        if (!strs_has(&before->v, now->v.v[i]))
            strs_add(a, &rows, now->v.v[i]);
    return rows;
}

const char *leftover_text(struct arena *a, const char *row)
{
    const char *name = db_field(a, row, 1);
    const char *part = db_field(a, row, 2);

    if (strcmp(db_field(a, row, 0), "now") == 0)
        return arena_printf(a, "%s %s %s", name, text_shown(a, part), db_field(a, row, 3));
    if (strcmp(db_field(a, row, 0), "detach") == 0)
        return arena_printf(
            a,
            "detaching partition %s from %s was interrupted; 'ALTER TABLE %s DETACH "
            "PARTITION %s FINALIZE;' completes it",
            part, name, name, part);
    return arena_printf(a, "index %s is invalid; 'DROP INDEX CONCURRENTLY %s;' removes it", name,
                        name);
}

/* Matches error classes and codes, which tools print in every language. */
const char *leftovers_exists_line(struct arena *a, const struct server *s, const char *output)
{
    while (*output) {
        size_t len = strcspn(output, "\n");
        const char *line = arena_strndup(a, output, len);
        for (const char *const *sign = s->exists_signs; *sign; sign++)
            if (strstr(line, *sign) && !strstr(line, "NOTICE"))
                return arena_strndup(a, line, len < LINE_MAX_SHOWN ? len : LINE_MAX_SHOWN);
        output += len + (output[len] == '\n');
    }
    return NULL;
}
