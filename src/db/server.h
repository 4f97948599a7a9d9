/* server.h -- what differs between kinds of database server: the SQL of each question, and the words
 * of messages.  postgres.c and mysql.c define one struct server each.
 *
 * Nothing here makes a decision; that code is the same for every kind.  The answers have the same
 * rows for every server: fields separated by the unit separator (\037), the first of which names the
 * kind of row.  A field that the role is not permitted to see is empty. */
#ifndef CRELEASE_SERVER_H
#define CRELEASE_SERVER_H

#include "core/run.h"

/* Identifies one session.  These values go back into SQL, so only text in exactly the server's own
 * format is accepted. */
struct db_session {
    long pid;
    const char *transaction; /* PostgreSQL: the virtual transaction id, "3/271"; MySQL: the server's
                                start and a checksum of account and address; "" when hidden */
    const char *start;       /* microseconds since the epoch; "" when hidden */
};

/* The parameters of the watchdog's queries. */
struct waits {
    const char *own; /* the name of the run's sessions */
    long version;
    long long limit_ms; /* a statement of the run that waits longer is cancelled */
    long max_blocked;   /* and one behind which more sessions queue; -1: no limit */
};

enum way { WAY_CANCEL, WAY_END };

struct server {
    const char *name;                                      /* for people */
    const char *(*product)(struct arena *a, long version); /* "PostgreSQL 15" */

    enum backup_kind dump;     /* of one database */
    enum backup_kind dump_all; /* of all of them; BACKUP_NONE where there is no such program */
    const char *programs;      /* names of the dump programs, separated by blanks */
    const char *deceived;      /* tools that accept an incomplete dump without an error */
    const char *unguarded;     /* the consequence when the database did not answer */
    const char *undone;        /* what happened to the changes of a failed attempt */
    bool lasts; /* a dump is recognisable only now and then; it lasts as long as its connection */
    bool keeps; /* DDL is not rolled back: the rows of leftovers describe the whole schema, and an
                   attempt is retried only if the schema is unchanged */

    /* How to fix the client's error, or NULL.  account: the database account; "" when unknown. */
    const char *(*remedy)(struct arena *a, const char *said, const char *account);

    /* Lists that end with NULL: what the usual drivers print on a lock timeout, on a deadlock, when a
     * migration tool finds its own lock taken, when the connection rejects PGOPTIONS, and when an
     * object already exists.  Servers translate their messages, but not codes and class names. */
    const char *const *lock_signs;
    const char *const *deadlock_signs;
    const char *const *taken_signs;
    const char *const *options_signs;
    const char *const *exists_signs;

    /* Shell text that is appended to the recipe's client command, so that it reads statements from
     * standard input and prints rows.  $database is the database's name or empty.  With `ask` the
     * client stops at the first error with a nonzero status.  With `feed` it continues after errors
     * and prints each answer at once.  `hold` is like feed, but ends when its session ends. */
    const char *ask;
    const char *feed;
    const char *hold;

    /* The sessions that would block a migration, and those of the run (named `own`):
     *   version NUMBER
     *   account NAME
     *   session KIND PID TRANSACTION START AGE DATABASE USER APPLICATION BLOCKS RIGHT QUERY PORT
     *           LOCKED TABLES
     *   copied PID BYTES
     *   since PID UNIXTIME
     * A session of the kind "maybe" may be a dump; only its later statements, or its host, can tell.
     * version: the server's version, or 0 when unknown: the query for the newest server is used then,
     * and the caller asks again with the version from the first row.  NULL when the server is too
     * old. */
    const char *(*look)(struct arena *a, const char *own, long version);

    /* Cancels the statement of exactly this session, or terminates the session.  Does nothing if the
     * pid belongs to another session by now.  A row "signalled" when the signal was sent.
     * application: a name that the session must have as well, or NULL.  Returns NULL when the session
     * cannot be identified exactly, or the server cannot do this. */
    const char *(*end)(struct arena *a, long version, const struct db_session *s,
                       const char *application, enum way way);

    /* Why our role cannot end a session of `user`, or of a superuser, and how to change that. */
    const char *(*right_missing)(struct arena *a, long version, bool super, const char *user);

    /* A row "there PID" for each session that still exists; NULL when one cannot be identified. */
    const char *(*there)(struct arena *a, long version, const struct db_session *v, size_t n);

    /* The sessions that carry the name of a run: orphan APPLICATION PID START TRANSACTION.  NULL: this
     * server's sessions have no names. */
    const char *(*named)(struct arena *a, long version);

    /* What our role may see and end (struct db_rights), for any version: rights ROLE SUPER SIGNAL STATS */
    const char *(*rights)(struct arena *a);
    const char *(*rights_text)(struct arena *a, const struct db_rights *rights, const char *role);

    /* The size of the database in bytes: size NUMBER */
    const char *(*size)(struct arena *a, long version);

    /* How much text a dump writes (sampled.h), from a few pages of each table; or NULL. */
    const char *(*sample)(struct arena *a, long version);

    /* What an interrupted migration leaves behind (leftovers.h): index NAME, detach PARENT PARTITION,
     * deadlocks NUMBER; where DDL is not rolled back: table, column or routine NAME DIGEST. */
    const char *(*leftovers)(struct arena *a, long version);

    /* The watchdog's query: lists whom the migration's sessions wait for, then the dumps that wait for
     * the migration, and cancels waits that have lasted too long.  NULL when the server is too old:
     *   blocker PID KIND TRANSACTION START AGE USER APPLICATION STATE MAY_STOP BEHIND WAITS_FOR QUERY
     *   behind PID
     *   cancelled PID time|crowd BEHIND
     *   helpless PID    a statement should be cancelled, but this role is not permitted to */
    const char *(*waits)(struct arena *a, const struct waits *w);
    long watched_since; /* the first version that `waits` supports */
    long bounded_since; /* the first version in which any role may cancel its own sessions */

    /* Shell text for the watchdog (watchdog.sh) that defines two functions.  tell_clients prints the
     * statements that precede each query and tell the server which connections belong to the command.
     * end_rest ends what the command left in the server, using $last and the function ask. */
    const char *clients;

    /* Terminates all sessions of that name.  NULL: a dead client leaves none behind. */
    const char *(*end_own)(struct arena *a, long version, const char *own);

    /* The sessions that hold an advisory lock of the database, as rows "blocker". */
    const char *(*lock_holders)(struct arena *a, long version, const char *own);

    /* Tries to take the migration lock (hold.c) in a session of that name: a row "lock t" or "lock f".
     * The session may stay idle for idle_s seconds; 0: without limit. */
    const char *(*lock)(struct arena *a, long version, const char *application, long idle_s);

    /* Shell text that sets the environment of the migration's command; NULL: nothing to set.
     * options: whether PGOPTIONS may be set. */
    const char *(*environment)(struct arena *a, const char *own, long version,
                               long long lock_timeout_ms, bool options);
};

/* Followed by the run's id, this is the application_name of the session that holds the migration lock
 * for a migration. */
#define HOLD_MIGRATION "crelease-migration-"

/* "PostgreSQL 9.6"; without the version while that is unknown. */
const char *server_text(struct run *r);

/* NULL when the recipe names no database, or none was found that can be asked (db/find). */
const struct server *server_of(const struct run *r);

/* The kind of server: the recipe's, or what was found. */
enum adapter server_adapter(const struct run *r);
const struct server *server_kind(enum adapter adapter);

/* The name of the database; NULL when it is not known. */
const char *server_database(const struct run *r);

/* The client command for that kind of server, as shell text. */
const char *server_client(const struct run *r, enum adapter adapter);

/* The client command for the run's server, as shell text, and as people know it. */
const char *server_command(const struct run *r);
const char *server_command_shown(const struct run *r);

/* The name of the run's sessions: "crelease-RUN". */
const char *server_own(struct run *r);

/* Whether a run of crelease gives its sessions this name. */
bool server_is_name(const char *application);

/* Whether a session of that kind is a dump, and not something that only looks like one. */
bool server_is_dump(const struct server *s, enum backup_kind kind);

/* The programs that create a session of this kind, separated by blanks; "" for other kinds. */
const char *server_programs(const struct server *s, enum backup_kind kind);

extern const struct server server_postgresql;
extern const struct server server_mysql;

#endif
