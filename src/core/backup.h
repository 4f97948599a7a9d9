/* backup.h -- a backup, or whatever else in the database blocks a migration, as one look saw it.
 *
 * The rows of the database are parsed once, in stages/backup/running.c.  Everything after that
 * compares these values, never their words. */
#ifndef CRELEASE_BACKUP_H
#define CRELEASE_BACKUP_H

#include "base/arena.h"

enum backup_kind {
    BACKUP_NONE,
    BACKUP_PG_DUMP,
    BACKUP_PG_DUMPALL,
    BACKUP_MYSQLDUMP,
    /* A program under another name that holds locks on most tables, as a dump does. */
    BACKUP_DUMP_LIKE,
    BACKUP_COPY,      /* a COPY of single tables */
    BACKUP_HOLD,      /* no backup: the session behind a 'backups --hold' */
    BACKUP_MIGRATION, /* no backup: the session behind a migration */
    BACKUP_MAYBE,     /* whether it is a dump shows only later, or on its host */
    BACKUP_OWN,       /* a session of this run */
    BACKUP_UPCOMING,  /* one that has not started yet */
    BACKUP_KINDS
};

/* Together with the pid, this identifies exactly one session.  Both are "" for a session that the
 * role is not permitted to see; such a session cannot be identified. */
struct backup_identity {
    /* PostgreSQL: the virtual transaction id, "3/271"; MySQL: the server's start and a checksum of
     * account and address. */
    const char *transaction;
    const char *start; /* in microseconds since the epoch */
};

/* SU: it belongs to a superuser, so no. */
enum backup_right { BACKUP_RIGHT_NO, BACKUP_RIGHT_YES, BACKUP_RIGHT_SUPER };

/* A running backup, as the database reported it. */
struct backup {
    enum backup_kind kind;
    long pid; /* of the server's backend */
    struct backup_identity identity;
    enum backup_right right; /* whether this role may end it */
    const char *database;
    const char *user;
    const char *application;
    const char *query;    /* the beginning of its statement; NULL: not permitted to see it */
    long long since_unix; /* start by the server's clock; -1: unknown */
    long long running_s;  /* -1: unknown */
    int percent;          /* -1: unknown */
    long long eta_s;      /* -1: unknown; 0: overdue */
    long long eta_low_s;  /* its range; both 0 when there is none */
    long long eta_high_s;
    long long overdue_s;  /* above 0: overdue by this long */
    long long stuck_s;    /* above 0: no progress for this long */
    const char *eta_from; /* what the estimate is based on; NULL: there is none */
    long long copied;     /* bytes of the table it reads now; -1: unknown */
    long client_port;     /* -1: through a socket file; 0: unknown */
    long locked;          /* tables of the database that it has locked; -1: unknown */
    long tables;
    bool blocks_migrations;
    bool partial; /* a dump that has all its locks, on only a few of the tables (partial.h) */
    /* the client process, if it runs on the database's host and can be seen */
    long client_pid; /* 0: not found */
    /* Names: the client's own, then those of the processes its output is piped through. */
    struct strs pipeline;
    const char *output; /* file; NULL: unknown */
    long long output_bytes;
};

/* The word for JSON, records and people, such as "pg_dump"; NULL for BACKUP_NONE. */
const char *backup_kind_word(enum backup_kind kind);

/* BACKUP_NONE for any other word. */
enum backup_kind backup_kind_of(const char *word);

/* Whether the session can be identified, so that it can be found again and stopped. */
bool backup_is_identified(const struct backup *b);

/* Whether it is the same session; never true of one that is not identified. */
bool backup_is_same(const struct backup *a, const struct backup *b);

/* The same for display and estimates, where the pid is enough if nothing else is visible. */
bool backup_looks_same(const struct backup *a, const struct backup *b);

/* No backup: a session that holds the migration lock, for a command or for a migration. */
bool backup_is_lock(const struct backup *b);

#endif
