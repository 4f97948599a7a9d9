/* event.h -- what the engine reports to whoever is watching: the terminal, the log, JSON.
 *
 * An event is valid only during the call that reports it.  Texts from hosts, repositories and
 * databases are passed on unchanged, and each reader escapes them in its own way (base/text.h).
 * Secrets have already been replaced. */
#ifndef CRELEASE_EVENT_H
#define CRELEASE_EVENT_H

#include "base/err.h"
#include "core/backup.h"
#include "core/times.h"
#include "git/changes.h"

enum event_kind {
    EVENT_RUN,     /* a run starts or is resumed; `run` is filled in */
    EVENT_STAGE,   /* a stage on all its hosts (host NULL) or on one */
    EVENT_JOB,     /* one of the user's commands on a host */
    EVENT_BACKUP,  /* a backup blocks the migration; `backup` is filled in */
    EVENT_BLOCKER, /* a session holds a lock that the migration waits for; `blocker` is filled in */
    EVENT_OUTPUT,  /* bytes that a job printed */
    EVENT_WARNING, /* detail is the text; the run continues */
    EVENT_END,     /* the last event, sent exactly once */
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

/* A session that blocks a statement of the migration, as the database reported it. */
struct blocker {
    const char
        *kind; /* session, backup, server (autovacuum and the like), own, crelease, prepared */
    long pid;  /* of the server's backend; 0: a prepared transaction */
    const char *vxid;  /* with start, identifies the session; "": unknown */
    const char *start; /* in microseconds */
    const char *user;  /* "" for any field that the role is not permitted to see */
    const char *application;
    const char *state;     /* active, idle in transaction, ... */
    const char *query;     /* its last statement, without string literals */
    const char *waits_for; /* relation, virtualxid, advisory, ... */
    long long running_s;   /* of its transaction; -1: unknown */
    long behind;           /* sessions that queue behind the migration */
    bool may_stop;         /* this role is permitted to end it */
};

struct run_info {
    const char *id;
    const char *command; /* deploy, rollback */
    const char *application;
    const char *environment;
    const char *release;
    const char *revision; /* 40 digits; "" when a rollback's release has none */
    const char *ref;      /* "" for a rollback */
    const char *subject;  /* "" when unknown */
    const char *by;       /* user@machine */
    long long since_unix;
    size_t hosts;
    const char *const *host_names;
};

/* Why it ended, for the closing block. */
struct failure {
    const char *stage;   /* NULL: failed before the first stage */
    const char *host;    /* NULL: not a failure of one host */
    const char *command; /* the user's command; NULL: none */
    const char *how;     /* "ended with exit status 7", "was ended by signal KILL" */
    struct strs lines;   /* from its output: the error and the last lines */
    const char *log;     /* the command that shows all of the output; NULL: there is none */
    struct strs now;     /* what users see: "current is 2026... on app1, app2" */
    struct strs next;    /* suggestions: "fix it, then run 'crelease resume production'" */
};

struct event {
    enum event_kind kind;
    enum event_state state;
    long long unix_ms;
    const char *run_id; /* NULL before there is one */
    const char *stage;
    const char *database;     /* of several, the one that the stage is about; NULL: no single one */
    const char *host;         /* its name */
    const char *detail;       /* one line, or NULL */
    bool progress;            /* EVENT_STAGE: progress; sent often, and only the last one counts */
    const char *command;      /* EVENT_JOB: its name for people */
    const char *const *hosts; /* EVENT_STAGE without a host: its hosts, NULL-terminated */
    const char *bytes;        /* EVENT_OUTPUT */
    size_t len;
    const struct run_info *run; /* EVENT_RUN and EVENT_END (NULL there when no run was started) */
    bool fresh;                 /* EVENT_RUN: a new run, not a resumed one */
    /* EVENT_RUN, and EVENT_END of a run that began with this command and succeeded: since the commit that was
     * live; NULL: not looked up */
    const struct changes *changes;
    const struct strs *upcoming;   /* EVENT_RUN: lines about the backups that start next; or NULL */
    const struct strs *migrations; /* EVENT_STAGE: names of the pending ones; NULL: not known */
    const struct backup *backup;
    const struct blocker *blocker;
    long long waited_ms; /* EVENT_BACKUP and EVENT_BLOCKER: so far */
    bool can_ask;        /* EVENT_BACKUP: the keys w and q work now; */
    bool can_stop;       /* and k, if this run may stop the backup */
    /* EVENT_STAGE done and EVENT_END */
    bool stopped; /* a stage has FAILED, since a signal has stopped it */
    long long took_ms;
    /* EVENT_END */
    enum err_code code;
    /* The error's, or on success what there is to say ("nothing to do: ..."). */
    const char *message;
    const struct failure *failure; /* NULL when code is NONE */
    long long behind_backup_ms;
    const struct times *times; /* of the steps; NULL: the run has not succeeded */
};

/* A receiver of events. It must not keep anything that an event points to. */
struct watcher {
    void (*tell)(void *self, const struct event *e);
    void *self;
};

#endif
