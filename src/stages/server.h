/* server.h -- the words in which each kind of database server is asked; postgres.c has one table of
 * them.
 *
 * All that decides something is elsewhere and the same for every kind: these are texts.  Each is
 * answered in rows of one form, whatever the server, with the unit separator (\037) between fields;
 * the first field says what row it is.  What may not be seen is an empty field. */
#ifndef CRELEASE_SERVER_H
#define CRELEASE_SERVER_H

#include "core/run.h"

/* What goes into a server's language again must look exactly like what came from it. */
struct session {
    long pid;
    const char
        *transaction;  /* of PostgreSQL the virtual one, "3/271"; "" when it may not be seen */
    const char *start; /* microseconds of the epoch; "" when it may not be seen */
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
    const char *name; /* for people */
    const char *(*version_text)(struct arena *a, long version);

    /* Behind the recipe's command, in shell text: reads statements from standard input, gives out
     * rows; $database is the database's name or empty.  ask stops at the first error with a status
     * other than 0; feed goes on after one, and gives out each answer at once. */
    const char *ask;
    const char *feed;

    /* What would hold up a migration, and own sessions (those called `own`) of the run:
     *   version NUMBER
     *   session KIND PID TRANSACTION START AGE DATABASE USER APPLICATION BLOCKS RIGHT QUERY PORT LOCKED TABLES
     *   copied PID BYTES
     * version: what is known of the server (run.h), or 0: then it is asked in the words of the
     * newest, and again once the first row has told.  NULL when it is too old. */
    const char *(*look)(struct arena *a, const char *own, long version);

    /* Cancels what exactly that session does, or ends it; nothing when it is another by now.  A row
     * "signalled" when it was told.  application: what it must be called besides, or NULL.  NULL
     * when it cannot be named exactly, or has no such way. */
    const char *(*end)(struct arena *a, long version, const struct session *s,
                       const char *application, enum way way);

    /* Why such a session of `user`, or of a superuser, cannot be ended, and what would help. */
    const char *(*right_missing)(struct arena *a, long version, bool super, const char *user);

    /* A row "there" for each of those that are still there; NULL when one cannot be named. */
    const char *(*there)(struct arena *a, long version, const struct session *v, size_t n);

    /* Sessions that runs have named: ghost APPLICATION PID START TRANSACTION. */
    const char *(*named)(struct arena *a, long version);

    const char *size; /* of the database in bytes: size NUMBER */

    /* What migrations leave when they end halfway (leftovers.h): index NAME, detach PARENT
     * PARTITION, deadlocks NUMBER. */
    const char *(*leftovers)(struct arena *a, long version);

    /* At every look of the watch, first whom our sessions wait for, then those that wait for us,
     * and at the end the waits that have lasted too long are cancelled; NULL when that server has
     * no words for it: blocker PID KIND TRANSACTION START AGE USER APPLICATION STATE MAY_STOP
     * BEHIND WAITS_FOR QUERY behind PID cancelled PID time|crowd BEHIND
     * helpless PID: it should be cancelled, and this role may not */
    const char *(*waits)(struct arena *a, const struct waits *w);
    long watched_since; /* the first version that it has words for */

    /* all sessions of that name */
    const char *(*end_own)(struct arena *a, long version, const char *own);

    /* Whoever holds an advisory lock of the database, as rows "blocker". */
    const char *(*lock_holders)(struct arena *a, long version, const char *own);

    /* Tries the lock of migrations (hold.c), in a session of that name: a row "lock t" or "lock f".
     * The session may be idle for idle_s seconds, 0: for ever. */
    const char *(*lock)(struct arena *a, long version, const char *application, long idle_s);

    /* Shell text: what a migration's command finds in its environment.  options: whether settings
     * of the session may be among it. */
    const char *(*environment)(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options);
};

/* NULL when the recipe names no database. */
const struct server *server_of(const struct recipe *recipe);

/* The recipe's command for it. */
const char *server_command(const struct recipe *recipe);

/* What sessions of the run are called: "crelease-RUN". */
const char *server_own(struct run *r);

/* Whether it is a name that crelease gives. */
bool server_is_name(const char *application);

extern const struct server server_postgresql;

#endif
