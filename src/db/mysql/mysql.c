/* mysql.c -- how MySQL and MariaDB are asked.
 *
 * The questions are the .sql files of this folder; this file chooses one and fills in its values.
 *
 * A dump with --single-transaction holds a metadata lock on the table that it reads, any other dump on
 * all of them.  ALTER TABLE waits for it, a day by default, and every other statement on that table
 * waits behind the ALTER TABLE.  KILL QUERY does not release the lock of a client that stands still,
 * KILL CONNECTION does.  The server gives the number of a session to nobody else while it lives, so
 * that number, the account, the client's address and the server's start name a session exactly.
 *
 * Sessions have no names here: clients tell the names of their programs to performance_schema only,
 * which MariaDB switches off by default.  A dump is recognised by the text of its statements. */
#include "db/server.h"

#include <limits.h>

#include "base/embed.h"
#include "base/text.h"
#include "db/client.h"
#include "db/sql.h"

EMBED(script_unnamed_mysql, "db/mysql/unnamed.sh");
EMBED(my_fragments, "db/mysql/fragments.sql");
EMBED(my_look, "db/mysql/look.sql");
EMBED(my_rights, "db/mysql/rights.sql");
EMBED(my_size, "db/mysql/size.sql");
EMBED(my_kill_session, "db/mysql/kill-session.sql");
EMBED(my_there, "db/mysql/there.sql");
EMBED(my_blockers, "db/mysql/blockers.sql");
EMBED(my_cancel_waiting, "db/mysql/cancel-waiting.sql");
EMBED(my_advisory, "db/mysql/advisory.sql");
EMBED(my_schema, "db/mysql/schema.sql");
EMBED(my_migration_lock, "db/mysql/migration-lock.sql");

enum { MARIADB = 10 * 1000 * 1000, IDLE_MAX_S = 2147483 };

static const char *question(struct arena *a, const char *file, const struct sql_value *values)
{
    return sql_text(a, file, &(struct sql){.fragments = my_fragments, .values = values});
}

static const char *look(struct arena *a, const char *own, long version)
{
    (void)own; /* when a client dies, MySQL ends its waiting statement */
    (void)version;
    return question(a, my_look, NULL);
}

static const char *rights(struct arena *a)
{
    return question(a, my_rights, NULL);
}

static const char *rights_text(struct arena *a, const struct db_rights *rights, const char *role)
{
    (void)a;
    (void)role;
    if (!rights->stats && !rights->super)
        return "sees only its own sessions (it lacks PROCESS)";
    return rights->super || rights->signal
               ? "sees every session and can stop it"
               : "sees every session, but can stop only its own (it lacks CONNECTION ADMIN)";
}

static const char *size(struct arena *a, long version)
{
    (void)version;
    return question(a, my_size, NULL);
}

/* ---- one session ---- */

/* A condition on the alias p that is true of exactly this session; NULL when it cannot be
 * identified. */
static const char *is_session(struct arena *a, const struct db_session *s)
{
    const struct sql_value values[] = {
        {"pid", arena_printf(a, "%ld", s->pid)}, {"transaction", s->transaction}, {0}};

    return s->pid > 0 && db_is_vxid(s->transaction) ? question(a, ":same_session", values) : NULL;
}

static const char *end(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way)
{
    const char *is = is_session(a, s);
    const struct sql_value values[] = {{"session", is}, {0}};

    (void)version;
    return !is || way == WAY_CANCEL || application ? NULL : question(a, my_kill_session, values);
}

static const char *there(struct arena *a, long version, const struct db_session *v, size_t n)
{
    const char *text = "";
    struct sql_value values[] = {{"or_session", NULL}, {0}};

    (void)version;
    for (size_t i = 0; i < n; i++) {
        const char *is = is_session(a, &v[i]);
        if (!is)
            return NULL;
        text = arena_printf(a, "%s OR (%s)", text, is);
    }
    values[0].text = text;
    return question(a, my_there, values);
}

/* ---- who holds what ---- */

static const char *waits(struct arena *a, const struct waits *w)
{
    long max_blocked = w->max_blocked < 0 ? INT_MAX : w->max_blocked;
    const struct sql_value values[] = {{"limit_ms", arena_printf(a, "%lld", w->limit_ms)},
                                       {"max_blocked", arena_printf(a, "%ld", max_blocked)},
                                       {"behind", "@crelease_behind"},
                                       {"waits_for", "metadata lock"},
                                       {0}};

    return arena_printf(a, "%s%s", question(a, my_blockers, values),
                        question(a, my_cancel_waiting, values));
}

static const char *lock_holders(struct arena *a, long version, const char *own)
{
    const struct sql_value values[] = {{"behind", "0"}, {"waits_for", "advisory"}, {0}};

    (void)version;
    (void)own;
    return question(a, my_advisory, values);
}

static const char *leftovers(struct arena *a, long version)
{
    (void)version;
    return question(a, my_schema, NULL);
}

/* ---- the run's own sessions ---- */

static const char *lock(struct arena *a, long version, const char *application, long idle_s)
{
    bool migrates = strncmp(application, HOLD_MIGRATION, strlen(HOLD_MIGRATION)) == 0;
    const struct sql_value values[] = {
        {"idle_s", arena_printf(a, "%ld", idle_s ? idle_s : IDLE_MAX_S)},
        {"migrates", migrates ? "1" : "0"},
        {0}};

    (void)version;
    return question(a, my_migration_lock, values);
}

static const char *environment(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options)
{
    (void)a;
    (void)own;
    (void)version;
    (void)lock_timeout_ms;
    (void)options;
    return NULL; /* no environment variable reaches its clients */
}

/* ---- for people ---- */

static const char *product(struct arena *a, long version)
{
    long number = version % MARIADB;

    return arena_printf(a, "%s %ld.%ld.%ld", version >= MARIADB ? "MariaDB" : "MySQL",
                        number / 10000, number / 100 % 100, number % 100);
}

static const char *right_missing(struct arena *a, long version, bool super, const char *user)
{
    (void)version;
    (void)super;
    return arena_printf(a,
                        "the account of database.mysql is not permitted to stop it; it must be "
                        "%s itself, or have CONNECTION ADMIN (MariaDB), CONNECTION_ADMIN (MySQL "
                        "8) or SUPER",
                        user);
}

static const char *remedy(struct arena *a, const char *said, const char *account)
{
    if (!strstr(said, "PROCESS privilege"))
        return NULL;
    return arena_printf(a, "it is needed to see other sessions: GRANT PROCESS ON *.* TO %s;",
                        *account ? account : "the account of database.mysql");
}

static const char *const lock_signs[] = {"Lock wait timeout exceeded",
                                         "ER_LOCK_WAIT_TIMEOUT",
                                         "ERROR 1205 ",
                                         "(1205,",
                                         "LockWaitTimeout",
                                         NULL};
static const char *const deadlock_signs[] = {"Deadlock found when trying to get lock",
                                             "ER_LOCK_DEADLOCK",
                                             "ERROR 1213 ",
                                             "(1213,",
                                             "Deadlocked",
                                             NULL};
static const char *const taken_signs[] = {"ConcurrentMigrationError", NULL};
static const char *const none[] = {NULL};
static const char *const exists_signs[] = {"already exists",
                                           "Duplicate column name",
                                           "Duplicate key name",
                                           "ERROR 1050 ",
                                           "ERROR 1060 ",
                                           "ERROR 1061 ",
                                           "(1050,",
                                           "(1060,",
                                           "(1061,",
                                           NULL};

#define ARGS                                                                                       \
    " --batch --skip-column-names --comments --connect-timeout=5 --skip-reconnect"                 \
    " --no-auto-rehash --database=\"$database\""

const struct server server_mysql = {
    .name = "MySQL",
    .product = product,
    .dump = BACKUP_MYSQLDUMP,
    .programs = "mysqldump mariadb-dump",
    .deceived = "gzip -t",
    .unguarded = "continuing; a statement that meets a lock waits for up to the server's "
                 "lock_wait_timeout",
    .undone = "changed nothing",
    .lasts = true,
    .keeps = true,
    .right_missing = right_missing,
    .remedy = remedy,
    .lock_signs = lock_signs,
    .deadlock_signs = deadlock_signs,
    .taken_signs = taken_signs,
    .options_signs = none,
    .exists_signs = exists_signs,
    .ask = ARGS,
    .feed = ARGS " --unbuffered --force",
    .hold = ARGS " --unbuffered", /* with --force the client would go on without a connection */
    .look = look,
    .end = end,
    .there = there,
    .rights = rights,
    .rights_text = rights_text,
    .size = size,
    .leftovers = leftovers,
    .waits = waits,
    .clients = script_unnamed_mysql,
    .lock_holders = lock_holders,
    .lock = lock,
    .environment = environment,
};
