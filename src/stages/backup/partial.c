/* partial.c -- tells dumps of a few tables from dumps of the whole database, and decides whether
 * the migration may start beside one (partial.h).  Called by running.c for each look, and by the
 * stages that wait and migrate.  Relies on the locks and statements that running.c found. */
#include "stages/backup/partial.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/quote.h"
#include "core/job/jobs.h"
#include "core/trip.h"
#include "db/server.h"
#include "stages/backup/running.h"
#include "stages/migrate/blockers.h"

EMBED(script_concurrently, "stages/migrate/concurrently.sh");

enum { LOOK_MS = 30000, TOGETHER_S = 10, OPEN_S = 10, DUMPS_MAX = 1000 };

static bool is_dump(const struct backup *b)
{
    return b->kind == BACKUP_PG_DUMP && b->query;
}

static bool reads(const struct backup *b)
{
    return strncmp(b->query, "COPY ", 5) == 0 || strncmp(b->query, "FETCH ", 6) == 0;
}

/* A dump takes its locks table by table; so do the workers of a parallel dump. */
static bool takes_locks(const struct backup *b)
{
    return strncmp(b->query, "LOCK TABLE ", 11) == 0;
}

static bool holds_few(const struct backup *b)
{
    return b->locked >= 0 && b->locked * 5 < b->tables * 4;
}

/* True for the leader and a worker of one parallel dump.  The leader holds locks on all tables and
 * reads none; each worker holds a lock on the table that it reads. */
static bool is_leader_of(const struct backup *leader, const struct backup *worker)
{
    if (!is_dump(leader) || reads(leader) || !reads(worker) || worker->locked > 1 ||
        strcmp(leader->user, worker->user) != 0)
        return false;
    return leader->since_unix < 0 || worker->since_unix < 0 ||
           llabs(leader->since_unix - worker->since_unix) <= TOGETHER_S;
}

/* A dump that reads has taken all its locks. Before that, few locks mean nothing. */
static bool is_partial(const struct backups *all, const struct backup *b)
{
    if (!is_dump(b) || !holds_few(b) || takes_locks(b))
        return false;
    bool with_workers = false;
    for (size_t i = 0; i < all->n; i++) {
        const struct backup *one = &all->v[i];
        if (one == b || !is_dump(one))
            continue;
        if (is_leader_of(one, b) && !holds_few(one))
            return false;
        with_workers = with_workers || is_leader_of(b, one);
    }
    return reads(b) || with_workers;
}

void partial_mark(struct backups *b)
{
    size_t dumps = 0;

    for (size_t i = 0; i < b->n; i++)
        dumps += is_dump(&b->v[i]);
    /* Every dump is compared with every other.  With more sessions than any parallel dump has, none
     * is considered partial, and the migration waits for all of them. */
    for (size_t i = 0; dumps <= DUMPS_MAX && i < b->n; i++)
        b->v[i].partial = is_partial(b, &b->v[i]);
}

bool partial_is_open(const struct backup *b)
{
    return is_dump(b) && !b->partial && !reads(b) && holds_few(b) && b->running_s >= 0 &&
           b->running_s < OPEN_S;
}

/* Asks the host, once, for a file in the new release that mentions CONCURRENTLY.  Sets *ret to ""
 * for none, and to NULL when that is unknown. */
static bool concurrently(struct run *r, size_t host, const char **ret, struct err *err)
{
    const struct strs *paths = &r->recipe->migrate.paths;
    const char *list = paths->n ? strs_joined(r->arena, paths, "\n") : ".";
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    quote_assign(&b, "where", run_folder(r, host));
    quote_assign(&b, "paths", list);
    quote_assign(&b, "of", r->recipe->db ? arena_printf(r->arena, "-%s", r->recipe->db) : "");
    quote_assign(&b, "command", r->recipe->migrate.run ? r->recipe->migrate.run : "");
    struct reply reply = run_look(r, host, &b, script_concurrently, LOOK_MS);
    *ret = NULL;
    if (reply.kind == REPLY_TIMEOUT)
        return true;
    if (!run_judge(r, host, &reply, err))
        return false;
    const char *file = answer_value(r->arena, reply.out, "file");
    if (answer_value(r->arena, reply.out, "looked"))
        *ret = file ? arena_strdup(run_kept(r), run_redact(r, file)) : "";
    return true;
}

static const char *met_as(struct run *r, long pid, const char *transaction)
{
    return arena_printf(r->arena, "%ld %s", pid, transaction);
}

static const char *name_of(struct run *r, const struct backup *b)
{
    return met_as(r, b->pid, b->identity.transaction);
}

static bool is_met(struct run *r, const struct backup *b)
{
    return strs_has(&r->guard->met, name_of(r, b));
}

void partial_meet(struct run *r, const struct blockers *met)
{
    for (size_t i = 0; i < met->n; i++)
        if (strcmp(met->v[i].kind, "backup") == 0)
            strs_add(run_kept(r), &r->guard->met,
                     arena_strdup(run_kept(r), met_as(r, met->v[i].pid, met->v[i].vxid)));
    /* A wait may be shorter than the watchdog's poll interval and stay unseen, so any of the dumps
     * that the migration started beside may have been the blocker. */
    for (size_t i = 0; !met->n && i < r->guard->passed.n; i++)
        if (!strs_has(&r->guard->met, r->guard->passed.v[i]))
            strs_add(run_kept(r), &r->guard->met, r->guard->passed.v[i]);
}

/* Requires that a waiting statement of the migration would be cancelled in any case, and that the
 * recipe does not forbid it. */
static bool may_pass(const struct run *r)
{
    return r->recipe->backup.partial == PARTIAL_PROCEED && r->recipe->migrate.lock_timeout_ms > 0 &&
           r->guard->server_version >= server_of(r)->bounded_since;
}

bool partial_pass(struct run *r, size_t host, struct backups *b, const struct backup **ret_passed,
                  struct err *err)
{
    *ret_passed = NULL;
    for (size_t i = 0; i < b->n; i++) {
        struct backup *one = &b->v[i];
        if (!one->blocks_migrations || !one->partial || !backup_is_identified(one) ||
            !may_pass(r) || is_met(r, one))
            continue;
        if (!r->guard->concurrently_asked && !concurrently(r, host, &r->guard->concurrently, err))
            return false;
        r->guard->concurrently_asked = true;
        if (!r->guard->concurrently || *r->guard->concurrently)
            return true;
        if (!strs_has(&r->guard->passed, name_of(r, one)))
            strs_add(run_kept(r), &r->guard->passed, arena_strdup(run_kept(r), name_of(r, one)));
        one->blocks_migrations = false;
        *ret_passed = *ret_passed ? *ret_passed : one;
    }
    return true;
}

const char *partial_passed(struct run *r, const struct backup *b)
{
    return arena_printf(r->arena,
                        "%s, locks %ld of %ld tables: the migration waits for it only if it "
                        "needs one of them",
                        backup_text(r, b), b->locked, b->tables);
}

const char *partial_note(struct run *r, const struct backup *b)
{
    const char *why = "and it is unknown which of them the migration needs";

    if (backup_is_identified(b) && is_met(r, b))
        why = "and the migration needs one of them";
    else if (r->recipe->backup.partial == PARTIAL_WAIT)
        why = "and the recipe says to wait for it (backup.partial)";
    else if (r->guard->concurrently_asked && !r->guard->concurrently)
        why = "and it is unknown whether the migration does anything CONCURRENTLY";
    else if (r->guard->concurrently_asked && *r->guard->concurrently)
        why =
            arena_printf(r->arena, "and %s does something CONCURRENTLY, which waits for every dump",
                         r->guard->concurrently);
    return arena_printf(r->arena, "it locks %ld of %ld tables, %s", b->locked, b->tables, why);
}
