/* event.h -- what the engine tells whoever is watching: the terminal, the log, JSON.
 *
 * An event is a value that lives as long as the call that tells it.  Texts from hosts,
 * repositories and databases are in it as they came: each reader makes them harmless in
 * its own way (base/text.h).  Secrets have been replaced already. */
#ifndef CRELEASE_EVENT_H
#define CRELEASE_EVENT_H

#include "base/err.h"
#include "core/backup.h"

enum event_kind {
    EVENT_RUN,     /* a run begins, or is gone on with; `run` is filled, `fresh` or not */
    EVENT_STAGE,   /* a stage on all its hosts (host NULL) or on one */
    EVENT_JOB,     /* a command of the user's on a host */
    EVENT_BACKUP,  /* a backup in the way: `backup` is filled */
    EVENT_BLOCKER, /* somebody holds a lock that a migration waits for: `blocker` is filled */
    EVENT_OUTPUT,  /* bytes a job printed */
    EVENT_WARNING, /* detail says what; a person should know and nothing stops */
    EVENT_END,     /* the last one, exactly one */
    EVENT_KINDS
};

enum event_state {
    EVENT_NONE,
    EVENT_BEGUN,
    EVENT_DONE,
    EVENT_SKIPPED, /* detail says why */
    EVENT_WAITING,
    EVENT_FAILED,
    EVENT_UNDONE,
    EVENT_STATES
};

/* The words of the enums, as JSON and the marks spell them. */
extern const char *const event_kind_words[EVENT_KINDS];
extern const char *const event_state_words[EVENT_STATES]; /* [EVENT_NONE] is NULL */

/* A session that holds what a statement of the migration waits for, as the database told. */
struct blocker {
    const char
        *kind; /* session, backup, server (autovacuum and the like), own, crelease, prepared */
    long pid;  /* of the server's backend; 0: a prepared transaction */
    const char *vxid;  /* with start, what names exactly this one; "": may not be seen */
    const char *start; /* in microseconds */
    const char *user;  /* "" for all that may not be seen */
    const char *application;
    const char *state;     /* active, idle in transaction, ... */
    const char *query;     /* its last statement, without what stands in quotes */
    const char *waits_for; /* relation, virtualxid, advisory, ... */
    long long running_s;   /* its transaction; -1: may not be seen */
    long behind;           /* sessions that queue behind the migration */
    bool may_stop;         /* this role may end it */
};

struct run_info {
    const char *id;
    const char *command; /* deploy, rollback */
    const char *application;
    const char *environment;
    const char *release;
    const char *revision; /* 40 digits; "" when a rollback's release has none */
    const char *ref;      /* "" for a rollback */
    const char *subject;  /* "" when not known */
    const char *by;       /* user@machine */
    long long since_unix;
    size_t hosts;
    const char *const *host_names;
};

/* Why it ended, for the closing block. */
struct failure {
    const char *stage;   /* NULL: before any */
    const char *host;    /* NULL: not one host's */
    const char *command; /* NULL: none of the user's */
    const char *how;     /* "ended with exit status 7", "was ended by signal KILL" */
    struct strs lines;   /* what it printed: the error and the last lines */
    const char *log;     /* what to type to read all that it printed; NULL: there is none */
    struct strs now;     /* what users see: "current is 2026... on app1, app2" */
    struct strs next;    /* what to type: "fix it, then run 'crelease resume production'" */
};

struct event {
    enum event_kind kind;
    enum event_state state;
    long long unix_ms;
    const char *run_id; /* NULL before there is one */
    const char *stage;
    const char *host;    /* its name */
    const char *detail;  /* one line, or NULL */
    bool progress;       /* EVENT_STAGE: how far it is; comes often, and only the last one counts */
    const char *command; /* EVENT_JOB: its name for people */
    const char *const *hosts; /* EVENT_STAGE without a host: on which; NULL-terminated */
    const char *bytes;        /* EVENT_OUTPUT */
    size_t len;
    const struct run_info *run; /* EVENT_RUN and EVENT_END (there NULL when no run began) */
    bool fresh;                 /* EVENT_RUN: a new one, not resumed */
    const struct backup *backup;
    const struct blocker *blocker;
    long long waited_ms; /* EVENT_BACKUP and EVENT_BLOCKER: so far */
    bool can_ask;        /* EVENT_BACKUP: the keys w and q are listened to now; */
    bool can_stop;       /* and k, since this run may stop it */
    /* EVENT_STAGE done and EVENT_END */
    long long took_ms;
    /* EVENT_END */
    enum err_code code;
    const char *message; /* the error's, or for 0 what there is to say ("nothing to do: ...") */
    const struct failure *failure; /* NULL when code is NONE */
    long long behind_backup_ms;
};

/* One who watches.  Must not keep anything of the event. */
struct watcher {
    void (*tell)(void *self, const struct event *e);
    void *self;
};

#endif
