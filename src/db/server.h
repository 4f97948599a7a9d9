/* server.h -- the words in which each kind of database server is asked; postgres.c and mysql.c have
 * one table of them each.
 *
 * All that decides something is elsewhere and the same for every kind: these are texts.  Each is
 * answered in rows of one form, whatever the server, with the unit separator (\037) between fields;
 * the first field says what row it is.  What may not be seen is an empty field. */
#ifndef CRELEASE_SERVER_H
#define CRELEASE_SERVER_H

#include "core/run.h"

/* What goes into a server's language again must look exactly like what came from it. */
struct db_session {
    long pid;
    const char *transaction; /* of PostgreSQL the virtual one, "3/271"; "" when it may not be seen;
                                of MySQL the server's start and a number of account and address */
    const char *start;       /* microseconds of the epoch; "" when it may not be seen */
};

/* What the watch beside a migration looks for. */
struct waits {
    const char *own; /* the name of the run's sessions */
    long version;
    long long limit_ms; /* a wait of ours that lasts as long is cancelled */
    long max_blocked;   /* or one behind which more than so many queue; -1: never */
};

enum way { WAY_CANCEL, WAY_END };

struct server {
    const char *name;                                      /* for people */
    const char *(*product)(struct arena *a, long version); /* "PostgreSQL 15" */

    enum backup_kind dump;     /* of one database */
    enum backup_kind dump_all; /* of all of them; BACKUP_NONE where there is no such program */
    const char *programs;  /* names of the processes that make these, with blanks between them */
    const char *deceived;  /* what finds no fault with half a backup */
    const char *unguarded; /* what it means that the database could not be asked */
    const char *undone;    /* what was lost of an attempt that failed */
    bool lasts; /* a dump shows itself now and then, and lasts as long as its connection */
    bool keeps; /* statements of a migration that failed stay: the rows of leftovers are the whole
                   schema, and only when it is as before an attempt is made again */

    /* What mends that the client said this, or NULL.  account: "" when it did not tell. */
    const char *(*remedy)(struct arena *a, const char *said, const char *account);

    /* Each ends with NULL.  What the usual drivers print of a lock that was not had in time
     * (messages are translated, codes and class names are not), of a deadlock, of a tool that found
     * its own lock taken, of a way to the database that takes no options, of something that was to
     * be made and is there. */
    const char *const *lock_signs;
    const char *const *deadlock_signs;
    const char *const *taken_signs;
    const char *const *options_signs;
    const char *const *exists_signs;

    /* Behind the recipe's command, in shell text: reads statements from standard input, gives out
     * rows; $database is the database's name or empty.  ask stops at the first error with a status
     * other than 0; feed goes on after one, and gives out each answer at once; hold does that, too,
     * and ends when its session has ended. */
    const char *ask;
    const char *feed;
    const char *hold;

    /* What would hold up a migration, and own sessions (those called `own`) of the run:
     *   version NUMBER
     *   session KIND PID TRANSACTION START AGE DATABASE USER APPLICATION BLOCKS RIGHT QUERY PORT
     * LOCKED TABLES copied PID BYTES since PID UNIXTIME account NAME Of one whose kind is "maybe"
     * only what it does later, or its host, can tell that it is a dump.  version: what is known of
     * the server (run.h), or 0: then it is asked in the words of the newest, and again once the
     * first row has told.  NULL when it is too old. */
    const char *(*look)(struct arena *a, const char *own, long version);

    /* Cancels what exactly that session does, or ends it; nothing when it is another by now.  A row
     * "signalled" when it was told.  application: what it must be called besides, or NULL.  NULL
     * when it cannot be named exactly, or has no such way. */
    const char *(*end)(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way);

    /* Why such a session of `user`, or of a superuser, cannot be ended, and what would help. */
    const char *(*right_missing)(struct arena *a, long version, bool super, const char *user);

    /* A row "there" for each of those that are still there; NULL when one cannot be named. */
    const char *(*there)(struct arena *a, long version, const struct db_session *v, size_t n);

    /* Sessions that runs have named: orphan APPLICATION PID START TRANSACTION.  NULL: they cannot.
     */
    const char *(*named)(struct arena *a, long version);

    /* The size of the database in bytes: size NUMBER */
    const char *(*size)(struct arena *a, long version);

    /* How much text a dump writes (sampled.h), from a few pages of each table; or NULL. */
    const char *(*sample)(struct arena *a, long version);

    /* What migrations leave when they end halfway (leftovers.h): index NAME, detach PARENT
     * PARTITION, deadlocks NUMBER; of a whole schema table, column or routine NAME DIGEST. */
    const char *(*leftovers)(struct arena *a, long version);

    /* At every look of the watch, first whom our sessions wait for, then those that wait for us,
     * and at the end the waits that have lasted too long are cancelled; NULL when that server has
     * no words for it: blocker PID KIND TRANSACTION START AGE USER APPLICATION STATE MAY_STOP
     * BEHIND WAITS_FOR QUERY behind PID cancelled PID time|crowd BEHIND
     * helpless PID: it should be cancelled, and this role may not */
    const char *(*waits)(struct arena *a, const struct waits *w);
    long watched_since; /* the first version that it has words for */
    long bounded_since; /* and that in which any role may end the wait of its own session */

    /* Shell text for a job's watch (job.sh), with two functions: tell_clients puts out what goes
     * before each look, and tells which connections are the command's; end_rest deals with what the
     * command has left in the server, with $last, and the function ask. */
    const char *clients;

    /* All sessions of that name are ended; NULL: none is left behind. */
    const char *(*end_own)(struct arena *a, long version, const char *own);

    /* Whoever holds an advisory lock of the database, as rows "blocker". */
    const char *(*lock_holders)(struct arena *a, long version, const char *own);

    /* Tries the lock of migrations (hold.c), in a session of that name: a row "lock t" or "lock f".
     * The session may be idle for idle_s seconds, 0: for ever. */
    const char *(*lock)(struct arena *a, long version, const char *application, long idle_s);

    /* Shell text: what a migration's command finds in its environment; NULL: nothing.  options:
     * whether settings of the session may be among it. */
    const char *(*environment)(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options);
};

/* With the run behind it, the application_name of the session that holds the migration lock for a
 * migration. */
#define HOLD_MIGRATION "crelease-migration-"

/* "PostgreSQL 9.6", as far as its version is known. */
const char *server_text(struct run *r);

/* NULL when the recipe names no database. */
const struct server *server_of(const struct recipe *recipe);

/* The recipe's command for it. */
const char *server_command(const struct recipe *recipe);

/* What sessions of the run are called: "crelease-RUN". */
const char *server_own(struct run *r);

/* Whether it is a name that crelease gives. */
bool server_is_name(const char *application);

/* Whether a session of that kind is a dump, and not something that only looks like one. */
bool server_is_dump(const struct server *s, enum backup_kind kind);

/* The processes that make such a session, as in `programs`; "" for other kinds. */
const char *server_programs(const struct server *s, enum backup_kind kind);

extern const struct server server_postgresql;
extern const struct server server_mysql;

#endif
