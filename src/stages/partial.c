#include "stages/partial.h"

#include "base/limits.h"
#include "base/quote.h"
#include "core/jobs.h"
#include "stages/scripts.h"
#include "stages/server.h"

enum { LOOK_MS = 30000, TOGETHER_S = 10 };

/* It has taken all its locks when it reads; before, few of them say nothing. */
bool partial_is(const struct backup *b)
{
    return strcmp(b->kind, "pg_dump") == 0 && b->query &&
           (strncmp(b->query, "COPY ", 5) == 0 || strncmp(b->query, "FETCH ", 6) == 0) &&
           b->locked >= 0 && b->locked * 5 < b->tables * 4;
}

/* A worker of a parallel dump holds one table; its leader began when it did, and holds all. */
static bool is_worker(const struct backups *all, const struct backup *b)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct backup *one = &all->v[i];
        if (one == b || !one->blocks_migrations || partial_is(one) ||
            strcmp(one->kind, b->kind) != 0 || strcmp(one->user, b->user) != 0)
            continue;
        if (one->since_unix < 0 || b->since_unix < 0 ||
            llabs(one->since_unix - b->since_unix) <= TOGETHER_S)
            return true;
    }
    return false;
}

/* Of what is new in the release a file that mentions CONCURRENTLY: "" for none, NULL when that
 * could not be seen.  Asked of the host once. */
static bool concurrently(struct run *r, size_t host, const char **ret, struct err *err)
{
    const struct strs *paths = &r->recipe->migrate.paths;
    const char *list = paths->n ? "" : ".";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    for (size_t i = 0; i < paths->n; i++)
        list = arena_printf(r->arena, "%s%s%s", list, i ? "\n" : "", paths->v[i]);
    quote_assign(&b, "where", run_folder(r, host));
    quote_assign(&b, "paths", list);
    struct reply reply = run_look(r, host, &b, script_concurrently, LOOK_MS);
    *ret = NULL;
    if (reply.kind == REPLY_TIMEOUT)
        return true;
    if (!run_judge(r, host, &reply, err))
        return false;
    const char *file = answer_value(r->arena, reply.out, "file");
    if (answer_value(r->arena, reply.out, "looked"))
        *ret = file ? run_redact(r, file) : "";
    return true;
}

static const char *met_as(struct run *r, long pid, const char *transaction)
{
    return arena_printf(r->arena, "%ld %s", pid, transaction);
}

static const char *name_of(struct run *r, const struct backup *b)
{
    return met_as(r, b->pid, arena_strndup(r->arena, b->identity, strcspn(b->identity, " ")));
}

static bool is_met(struct run *r, const struct backup *b)
{
    return strs_has(&r->met, name_of(r, b));
}

void partial_meet(struct run *r, const struct blockers *met)
{
    for (size_t i = 0; i < met->n; i++)
        if (strcmp(met->v[i].kind, "backup") == 0)
            strs_add(r->arena, &r->met, met_as(r, met->v[i].pid, met->v[i].vxid));
    /* A wait may be shorter than the time between two looks of the watch: any of them, then. */
    for (size_t i = 0; !met->n && i < r->passed.n; i++)
        if (!strs_has(&r->met, r->passed.v[i]))
            strs_add(r->arena, &r->met, r->passed.v[i]);
}

/* A statement of it that waits is ended, whoever looks. */
static bool is_bounded(const struct run *r)
{
    return r->recipe->migrate.lock_timeout_ms > 0 &&
           r->server_version >= server_of(r->recipe)->bounded_since;
}

bool partial_pass(struct run *r, size_t host, struct backups *b, const struct backup **ret_passed,
                  struct err *err)
{
    *ret_passed = NULL;
    for (size_t i = 0; i < b->n; i++) {
        struct backup *one = &b->v[i];
        if (!one->blocks_migrations || !partial_is(one) || !one->identity || !is_bounded(r) ||
            is_met(r, one) || is_worker(b, one))
            continue;
        if (!r->concurrently_asked && !concurrently(r, host, &r->concurrently, err))
            return false;
        r->concurrently_asked = true;
        if (!r->concurrently || *r->concurrently)
            return true;
        if (!strs_has(&r->passed, name_of(r, one)))
            strs_add(r->arena, &r->passed, name_of(r, one));
        one->blocks_migrations = false;
        *ret_passed = *ret_passed ? *ret_passed : one;
    }
    return true;
}

const char *partial_passed(struct run *r, const struct backup *b)
{
    return arena_printf(r->arena,
                        "%s, holds %ld of %ld tables: waited for only if the migration needs one of"
                        " them",
                        backup_text(r, b), b->locked, b->tables);
}

const char *partial_note(struct run *r, const struct backup *b)
{
    const char *why = "which of them the migration needs cannot be known";

    if (b->identity && is_met(r, b))
        why = "and the migration needs one of them";
    else if (r->concurrently_asked && !r->concurrently)
        why = "and whether the migration does anything CONCURRENTLY could not be seen";
    else if (r->concurrently_asked && *r->concurrently)
        why =
            arena_printf(r->arena, "and %s does something CONCURRENTLY, which waits for every dump",
                         r->concurrently);
    return arena_printf(r->arena, "it holds %ld of %ld tables, %s", b->locked, b->tables, why);
}
