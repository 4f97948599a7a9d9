/* sampled.c -- estimates from a sample how much a dump will write (sampled.h).  Called by
 * progress.c for a backup without a predecessor.  Relies on struct server for the query. */
#include "stages/backup/sampled.h"

#include "base/number.h"
#include "db/client.h"
#include "db/server.h"

enum { TABLES_MAX = 5000, ENOUGH_PERCENT = 80 };

/* The name without quotation marks: some versions of pg_dump quote every name, others only if
 * needed. */
static const char *plain(struct arena *a, const char *name)
{
    char *text = arena_alloc(a, strlen(name) + 1);
    size_t n = 0;

    for (; *name; name++)
        if (*name != '"')
            text[n++] = *name;
    return text;
}

static bool is_row(const char *row, const char *kind)
{
    size_t n = strlen(kind);

    return strncmp(row, kind, n) == 0 && row[n] == '\037';
}

/* A table's name and its position in the dump's order. */
struct place {
    const char *name;
    size_t at;
};

static int by_name(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->at < y->at ? -1 : x->at > y->at;
}

static struct place *places(struct arena *a, const struct sampled *s)
{
    struct place *v = arena_array(a, s->n + 1, sizeof *v);

    for (size_t i = 0; i < s->n; i++)
        v[i] = (struct place){s->names[i], i};
    if (s->n)
        qsort(v, s->n, sizeof *v, by_name);
    return v;
}

/* The first position with that name; s->n when there is none. */
static size_t find(const struct sampled *s, const struct place *v, const char *name)
{
    size_t low = 0;

    for (size_t high = s->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(v[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && strcmp(v[low].name, name) == 0 ? v[low].at : s->n;
}

const struct sampled *sampled_read(struct arena *a, const struct strs *rows)
{
    struct sampled *s = arena_alloc(a, sizeof *s);
    bool *known = arena_array(a, rows->n + 1, sizeof *known);
    long long disk = 0;
    long long sampled = 0;

    s->names = arena_array(a, rows->n + 1, sizeof *s->names);
    s->bytes = arena_array(a, rows->n + 1, sizeof *s->bytes);
    for (size_t i = 0; i < rows->n; i++) {
        const char *bytes = db_field(a, rows->v[i], 2);
        long long size;
        if (!is_row(rows->v[i], "table") || !number_read(bytes, NUMBER_BYTES_MAX, &size))
            continue;
        /* An estimate from only a part of the tables would be too low. */
        if (s->n == TABLES_MAX)
            return NULL;
        s->names[s->n] = plain(a, db_field(a, rows->v[i], 1));
        s->bytes[s->n] = size;
        disk += s->bytes[s->n++];
    }
    const struct place *place = places(a, s);
    for (size_t i = 0; i < rows->n; i++) {
        const char *bytes = db_field(a, rows->v[i], 2);
        long long size;
        if (!is_row(rows->v[i], "text") || !number_read(bytes, NUMBER_BYTES_MAX, &size))
            continue;
        size_t at = find(s, place, plain(a, db_field(a, rows->v[i], 1)));
        if (at == s->n || known[at])
            continue;
        sampled += s->bytes[at];
        s->bytes[at] = size;
        known[at] = true;
    }
    for (size_t i = 0; i < s->n; i++)
        s->all += s->bytes[i];
    return s->all > 0 && sampled >= disk / 100 * ENOUGH_PERCENT ? s : NULL;
}

const struct sampled *sampled_copy(struct arena *a, const struct sampled *s)
{
    struct sampled *copy = arena_alloc(a, sizeof *copy);

    *copy = *s;
    copy->names = arena_array(a, s->n, sizeof *copy->names);
    copy->bytes = arena_array(a, s->n, sizeof *copy->bytes);
    for (size_t i = 0; i < s->n; i++) {
        copy->names[i] = arena_strdup(a, s->names[i]);
        copy->bytes[i] = s->bytes[i];
    }
    return copy;
}

bool sampled_look(struct run *r, size_t host, const struct sampled **ret, struct err *err)
{
    const struct server *server = server_of(r);
    const char *sql = server->sample ? server->sample(r->arena, r->guard->server_version) : NULL;
    struct strs rows;
    const char *why;

    *ret = NULL;
    if (!sql)
        return true;
    if (!db_ask(r, host, sql, &rows, &why, err))
        return false;
    *ret = why ? NULL : sampled_read(r->arena, &rows);
    return true;
}

long long sampled_done(const struct sampled *s, const char *query, long long copied)
{
    long long done = 0;

    if (!query || strncmp(query, "COPY ", 5) != 0)
        return -1;
    for (size_t i = 0; i < s->n; i++) {
        const char *at = query + 5;
        const char *name = s->names[i];
        bool quoted = false;
        while (*name && (*at == *name || *at == '"')) {
            quoted = quoted != (*at == '"');
            name += *at == *name;
            at++;
        }
        at += quoted && *at == '"';
        if (*name || *at != ' ' || (quoted && at[-1] != '"')) {
            done += s->bytes[i];
            continue;
        }
        /* The position within the table is unknown; assume the middle. */
        return done + (copied < 0 ? s->bytes[i] / 2 : copied < s->bytes[i] ? copied : s->bytes[i]);
    }
    return -1;
}
