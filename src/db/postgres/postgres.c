/* postgres.c -- how PostgreSQL is asked, 8.4 and later.
 *
 * The questions are the .sql files of this folder; this file chooses one and fills in its values.  A
 * version of 0 is unknown and is asked like the newest, and so is a version newer than those named here.
 * Nothing is sent to a server that it lacks.
 *
 * Every question is asked in a transaction with search_path set to pg_catalog.  Names then mean the
 * server's own things, whatever the owner of the database has put into its schemas and its settings:
 * the role may be a superuser, and it runs nobody's operators, casts and functions.  The transaction
 * keeps the setting from staying in a session that a pooler hands to somebody else.
 *
 * Tried on each version: a dump is one transaction with one virtual transaction id, so pid and that
 * id name it exactly, for any role; pg_cancel_backend answers yes and does nothing to a dump that is
 * idle in its transaction. */
#include "db/server.h"

#include <limits.h>

#include "base/embed.h"
#include "base/text.h"
#include "db/client.h"
#include "db/sql.h"

EMBED(script_unnamed, "db/postgres/unnamed.sh");
EMBED(pg_fragments, "db/postgres/fragments.sql");
EMBED(pg_look, "db/postgres/look.sql");
EMBED(pg_size, "db/postgres/size.sql");
EMBED(pg_rights, "db/postgres/rights.sql");
EMBED(pg_sample, "db/postgres/sample.sql");
EMBED(pg_cancel_session, "db/postgres/cancel-session.sql");
EMBED(pg_terminate_session, "db/postgres/terminate-session.sql");
EMBED(pg_terminate_orphan, "db/postgres/terminate-orphan.sql");
EMBED(pg_terminate_own, "db/postgres/terminate-own.sql");
EMBED(pg_there, "db/postgres/there.sql");
EMBED(pg_named, "db/postgres/named.sql");
EMBED(pg_blockers, "db/postgres/blockers.sql");
EMBED(pg_behind, "db/postgres/behind.sql");
EMBED(pg_cancel_waiting, "db/postgres/cancel-waiting.sql");
EMBED(pg_unnamed, "db/postgres/unnamed.sql");
EMBED(pg_advisory, "db/postgres/advisory.sql");
EMBED(pg_leftovers, "db/postgres/leftovers.sql");
EMBED(pg_migration_lock, "db/postgres/migration-lock.sql");

enum {
    FIRST = 80400,         /* with common table expressions */
    NAMED = 90000,         /* application_name */
    STATED = 90200,        /* pid, state and query; a role may end its own sessions */
    LOCK_TIMEOUT = 90300,  /* lock_timeout */
    MEMBERS = 90500,       /* a role may end sessions of those it is a member of; TABLESAMPLE */
    BLOCKING_PIDS = 90600, /* pg_blocking_pids, wait_event_type, pg_signal_backend */
    BACKEND_TYPE = 100000, /* versions have two parts from here on */
    DETACHES = 140000,     /* client_connection_check_interval */
};

#define ARGS " -XAtqw -F \"$separator\" ${database:+-d \"$database\"} -f -"

static bool has(long version, long since)
{
    return version == 0 || version >= since;
}

static const char *question(struct arena *a, const char *file, long version,
                            const struct sql_value *values)
{
    return sql_text(a, file,
                    &(struct sql){.fragments = pg_fragments, .version = version, .values = values});
}

static const char *product(struct arena *a, long version)
{
    return version < BACKEND_TYPE
               ? arena_printf(a, "PostgreSQL %ld.%ld", version / 10000, version / 100 % 100)
               : arena_printf(a, "PostgreSQL %ld", version / 10000);
}

/* ---- backups ---- */

static const char *look(struct arena *a, const char *own, long version)
{
    const struct sql_value values[] = {{"own", own}, {0}};

    return has(version, FIRST) ? question(a, pg_look, version, values) : NULL;
}

static const char *rights(struct arena *a)
{
    return question(a, pg_rights, 0, NULL);
}

static const char *rights_text(struct arena *a, const struct db_rights *rights, const char *role)
{
    if (rights->super)
        return "a superuser, sees every session and can stop it";
    if (rights->signal)
        return rights->stats ? "sees every session and can stop it, but not a superuser's"
                             : "recognises every dump and can stop it, but not a superuser's";
    return arena_printf(
        a,
        "recognises every dump, but can stop only those of its own role; 'GRANT "
        "pg_signal_backend TO %s' lets it stop those of other roles, except superusers'",
        role);
}

static const char *size(struct arena *a, long version)
{
    return question(a, pg_size, version, NULL);
}

static const char *sample(struct arena *a, long version)
{
    return version >= MEMBERS ? question(a, pg_sample, version, NULL) : NULL;
}

/* ---- one session ---- */

/* A condition on the alias a that is true of exactly this session; NULL when it cannot be
 * identified. */
static const char *is_session(struct arena *a, const struct db_session *s)
{
    const struct sql_value values[] = {{"pid", arena_printf(a, "%ld", s->pid)},
                                       {"start", s->start},
                                       {"transaction", s->transaction},
                                       {0}};
    bool has_start = db_is_number(s->start);
    bool has_transaction = db_is_vxid(s->transaction);

    if (s->pid <= 0 || (!has_start && !has_transaction))
        return NULL;
    return question(a,
                    arena_printf(a, ":same_pid%s%s", has_start ? " AND :same_start" : "",
                                 has_transaction ? " AND :same_transaction" : ""),
                    0, values);
}

static const char *end(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way)
{
    const char *is = is_session(a, s);
    const struct sql_value values[] = {{"session", is}, {"application", application}, {0}};

    if (!is || (application && !server_is_name(application)))
        return NULL;
    return question(a,
                    application         ? pg_terminate_orphan
                    : way == WAY_CANCEL ? pg_cancel_session
                                        : pg_terminate_session,
                    version, values);
}

static const char *right_missing(struct arena *a, long version, bool super, const char *user)
{
    const char *of_super = "database.psql in the recipe must run as a superuser for that (sudo -n "
                           "-u postgres psql)";

    if (super)
        return arena_printf(
            a, "it belongs to a superuser%s; %s",
            has(version, BLOCKING_PIDS) ? ", whose sessions pg_signal_backend does not cover" : "",
            of_super);
    if (!has(version, STATED))
        return arena_printf(a, "on %s only a superuser can stop it; %s", product(a, version),
                            of_super);
    return arena_printf(a,
                        "this database role is not permitted to stop it; grant it %s%s, or let "
                        "database.psql in the recipe use a role that is",
                        has(version, BLOCKING_PIDS) ? "pg_signal_backend or " : "", user);
}

static const char *there(struct arena *a, long version, const struct db_session *v, size_t n)
{
    const char *text = "";
    struct sql_value values[] = {{"or_session", NULL}, {0}};

    for (size_t i = 0; i < n; i++) {
        const char *is = is_session(a, &v[i]);
        if (!is)
            return NULL;
        text = arena_printf(a, "%s OR (%s)", text, is);
    }
    values[0].text = text;
    return question(a, pg_there, version, values);
}

static const char *named(struct arena *a, long version)
{
    return question(a, pg_named, version, NULL);
}

static const char *end_own(struct arena *a, long version, const char *own)
{
    const struct sql_value values[] = {{"own", own}, {0}};

    return question(a, pg_terminate_own, version, values);
}

/* ---- who holds what ---- */

static const char *waits(struct arena *a, const struct waits *w)
{
    long max_blocked = w->max_blocked < 0 ? INT_MAX : w->max_blocked;
    const struct sql_value values[] = {{"own", w->own},
                                       {"limit", arena_printf(a, "%lld ms", w->limit_ms)},
                                       {"max_blocked", arena_printf(a, "%ld", max_blocked)},
                                       {0}};

    if (w->version < NAMED)
        return NULL; /* sessions have no names, so the migration's cannot be identified */
    return arena_printf(a, "%s%s%s%s", question(a, pg_blockers, w->version, values),
                        question(a, pg_behind, w->version, values),
                        question(a, pg_cancel_waiting, w->version, values),
                        w->version >= BLOCKING_PIDS ? question(a, pg_unnamed, w->version, values)
                                                    : "");
}

static const char *lock_holders(struct arena *a, long version, const char *own)
{
    const struct sql_value values[] = {{"own", own}, {0}};

    return question(a, pg_advisory, version, values);
}

static const char *leftovers(struct arena *a, long version)
{
    return question(a, pg_leftovers, version, NULL);
}

/* ---- the run's own sessions ---- */

static const char *lock(struct arena *a, long version, const char *application, long idle_s)
{
    const struct sql_value values[] = {
        {"application", application}, {"idle", arena_printf(a, "%lds", idle_s)}, {0}};

    return question(a, pg_migration_lock, version, values);
}

/* PGOPTIONS reaches everything that uses libpq, and node-postgres.  A server refuses a connection
 * with an unknown setting, so each setting is sent only to versions that know it. */
static const char *environment(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options)
{
    if (!has(version, LOCK_TIMEOUT) || !options)
        return arena_printf(a, "export PGAPPNAME=%s\n", own);
    return arena_printf(
        a, "export PGAPPNAME=%s PGOPTIONS=\"${PGOPTIONS:+$PGOPTIONS }-c lock_timeout=%lld%s\"\n",
        own, lock_timeout_ms,
        version >= DETACHES ? " -c client_connection_check_interval=2000" : "");
}

/* ---- for people ---- */

static const char *remedy(struct arena *a, const char *said, const char *account)
{
    (void)a;
    (void)said;
    (void)account;
    return NULL;
}

/* The whole message, because tools and scripts also print "lock timeout" when none occurred. */
static const char *const lock_signs[] = {"55P03", "canceling statement due to lock timeout",
                                         "LockNotAvailable", "LockWaitTimeout", NULL};
static const char *const deadlock_signs[] = {"40P01", "Deadlocked", "deadlock detected",
                                             "DeadlockDetected", NULL};
static const char *const taken_signs[] = {"ConcurrentMigrationError", NULL};

/* What PgBouncer says about PGOPTIONS, and a server before 9.3 whose version was not known; psql and
 * the drivers pass it on. */
static const char *const options_signs[] = {
    "unsupported startup parameter: options", "unsupported startup parameter in options",
    "unrecognized configuration parameter \"lock_timeout\"", NULL};
static const char *const exists_signs[] = {"already exists",
                                           "PG::DuplicateTable",
                                           "PG::DuplicateColumn",
                                           "PG::DuplicateObject",
                                           "42P07",
                                           "42701",
                                           "42710",
                                           NULL};

const struct server server_postgresql = {
    .name = "PostgreSQL",
    .product = product,
    .dump = BACKUP_PG_DUMP,
    .dump_all = BACKUP_PG_DUMPALL,
    .programs = "pg_dump pg_dumpall",
    .deceived = "gzip -t or pg_restore -l",
    .unguarded = "continuing, since no statement waits longer than lock_timeout",
    .undone = "its transaction was rolled back",
    .remedy = remedy,
    .lock_signs = lock_signs,
    .deadlock_signs = deadlock_signs,
    .taken_signs = taken_signs,
    .options_signs = options_signs,
    .exists_signs = exists_signs,
    .ask = " -v ON_ERROR_STOP=1" ARGS,
    .feed = ARGS,
    .hold = ARGS,
    .look = look,
    .end = end,
    .right_missing = right_missing,
    .there = there,
    .named = named,
    .rights = rights,
    .rights_text = rights_text,
    .size = size,
    .sample = sample,
    .leftovers = leftovers,
    .waits = waits,
    .clients = script_unnamed,
    .watched_since = NAMED,
    .bounded_since = STATED,
    .end_own = end_own,
    .lock_holders = lock_holders,
    .lock = lock,
    .environment = environment,
};
