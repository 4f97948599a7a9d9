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
    BACKUP_DUMP_LIKE, /* has another name, and holds locks on most tables, as a dump does */
    BACKUP_COPY,      /* a COPY of single tables */
    BACKUP_HOLD,      /* no backup: the session behind a 'backups --hold' */
    BACKUP_MIGRATION, /* no backup: the session behind a migration */
    BACKUP_MAYBE,     /* only what it does later, or its host, can tell whether it is a dump */
    BACKUP_OWN,       /* a session of this run */
    BACKUP_UPCOMING,  /* one that has not started yet */
    BACKUP_KINDS
};

/* Together with the pid this names exactly one session.  Both are "" for one that may not be seen,
 * which nothing can name. */
struct backup_identity {
    const char *transaction; /* PostgreSQL: the virtual one, "3/271"; MySQL: the server's start and
                                a number of account and address */
    const char *start;       /* in microseconds since the epoch */
};

enum backup_right { BACKUP_RIGHT_NO, BACKUP_RIGHT_YES, BACKUP_RIGHT_SUPER /* no: a superuser's */ };

/* A running backup, as the database told. */
struct backup {
    enum backup_kind kind;
    long pid; /* of the server's backend */
    struct backup_identity identity;
    enum backup_right right; /* of this role to end it */
    const char *database;
    const char *user;
    const char *application;
    const char *query;    /* the beginning of what it runs; NULL: may not be seen */
    long long since_unix; /* start by the server's clock; -1: may not be seen */
    long long running_s;  /* -1: may not be seen */
    int percent;          /* -1: not known */
    long long eta_s;      /* -1: not known; 0: overdue */
    long long eta_low_s;  /* its range; both 0 when there is none */
    long long eta_high_s;
    long long overdue_s;  /* above 0: so long */
    long long stuck_s;    /* above 0: nothing about it has changed for so long */
    const char *eta_from; /* what these rest on; NULL: not known */
    long long copied;     /* bytes of the table it reads now; -1: not known */
    long client_port;     /* -1: through a socket file; 0: may not be seen */
    long locked;          /* of the database's tables; -1: not known */
    long tables;
    bool blocks_migrations;
    bool partial; /* a dump that has all its locks, and holds few of the tables (partial.h) */
    /* of the process that makes it, where that may be seen on the database's host */
    long client_pid;      /* 0: it was not seen */
    struct strs pipeline; /* names: its own, then of those that its output goes through */
    const char *output;   /* file; NULL: not seen */
    long long output_bytes;
};

/* "pg_dump": the word in JSON, in records and for people; NULL for BACKUP_NONE. */
const char *backup_kind_word(enum backup_kind kind);

/* BACKUP_NONE for any other word. */
enum backup_kind backup_kind_of(const char *word);

/* Whether something names this session, so that it can be found again, and stopped. */
bool backup_is_identified(const struct backup *b);

/* Whether it is the same session; never true of one that is not identified. */
bool backup_is_same(const struct backup *a, const struct backup *b);

/* The same for showing and estimating, where a pid is enough when nothing else may be seen. */
bool backup_looks_same(const struct backup *a, const struct backup *b);

/* No backup: a session that holds the migration lock, for a command or for a migration. */
bool backup_is_lock(const struct backup *b);

#endif
