/* recipe.h -- what a recipe says, checked, for one environment.
 *
 *     struct recipe *recipe = recipe_read(arena, &where, errors, err);
 *
 * Plain data: everything lives in the arena.  What was not given has the default of the key
 * table (recipe_keys.h), so that no reader has to know one. */
#ifndef CRELEASE_RECIPE_H
#define CRELEASE_RECIPE_H

#include "base/err.h"
#include "fleet/fleet.h"

/* A command of the user's. */
struct job {
    const char *run;      /* shell text */
    struct strs roles;    /* empty: what its place says (every host, or the app hosts) */
    bool once;            /* only on the primary of its roles */
    long long timeout_ms; /* 0: none */
    const char *name;     /* for people: the recipe's, else the text */
};

struct jobs {
    struct job *v;
    size_t n;
};

struct variable {
    const char *name;
    const char *value;
    const char *shell; /* the value as shell text, when a part of it is the host's; else NULL */
};

struct variables {
    struct variable *v;
    size_t n;
};

struct host {
    const char *name; /* unique */
    const char *address;
    const char *user;      /* NULL: not given */
    int port;              /* 0: not given */
    const char *deploy_to; /* absolute, no trailing slash, never NULL */
    const char *host_key;
    const char *identity;
    struct strs roles;    /* empty: all of them */
    struct variables env; /* the recipe's, the environment's and its own, merged */
};

struct hook {
    const char *stage; /* name of a stage */
    bool after;        /* else before */
    struct jobs jobs;
};

struct task {
    const char *name;
    struct job job;
};

enum unknown { UNKNOWN_PROCEED, UNKNOWN_ABORT };
enum partial { PARTIAL_PROCEED, PARTIAL_WAIT };
enum policy { POLICY_WAIT, POLICY_KILL, POLICY_ABORT, POLICY_ASK };
/* What is done about a session that is no backup and holds what the migration waits for. */
enum blockers_policy { BLOCKERS_WAIT, BLOCKERS_REPORT, BLOCKERS_TERMINATE };
enum adapter { ADAPTER_NONE, ADAPTER_POSTGRESQL, ADAPTER_MYSQL };
enum on_failure { FAILURE_ROLLBACK, FAILURE_STOP };
enum on_host_failure { HOST_FAILURE_STOP, HOST_FAILURE_CONTINUE };

/* Whose answer migrate.status gives; OWN: of something else, and the recipe says how it is read. */
enum pending_tool {
    PENDING_AUTO, /* Rails, Django or Laravel: whichever it looks like */
    PENDING_RAILS,
    PENDING_DJANGO,
    PENDING_LARAVEL,
    PENDING_FLYWAY,
    PENDING_SQITCH,
    PENDING_ALEMBIC,
    PENDING_OWN,
};

/* Exit statuses, none of them 0. */
struct statuses {
    bool has[256];
    size_t n;
};

struct pending_when {
    enum pending_tool tool;
    struct statuses exit; /* of OWN: these say that something is pending */
    const char *output;   /* of OWN: a regular expression for the lines of what is pending; NULL */
};

struct recipe {
    const char *file;   /* absolute path */
    const char *dir;    /* its folder */
    const char *digest; /* 64 hex digits over the text of the file and of what it extends */
    const char *text;   /* of the file */
    const char *kept;   /* the same for the hosts, where a run keeps it; NULL: it must not lie there
                           (it holds a secret as it stands) or is too large */
    const char *environment;
    const char *application;
    const char *repository; /* path or URL as given */
    const char *ref;
    const char *deploy_to;
    long keep_releases;
    struct strs linked_files;
    struct strs linked_dirs;
    enum transport transport;
    struct {
        long long alive_ms;
    } connection;
    struct jobs build;
    struct {
        enum adapter adapter;
        const char *name;  /* NULL: not given */
        const char *psql;  /* shell text */
        const char *mysql; /* shell text */
    } database;
    struct {
        enum policy policy;
        long long wait_limit_ms; /* 0: none */
        enum policy after_limit; /* ABORT or KILL */
        enum unknown unknown;    /* the database could not be asked */
        enum partial partial;    /* a dump of a few tables runs */
        struct strs schedule;    /* "none", "crontab", cron lines; empty: crontab */
        long long clearance_ms;  /* 0: no backup to come is waited for */
        bool rerun;              /* what was stopped is started again */
        const char *command;     /* by this; NULL: by the crontab's line */
        bool set_aside;          /* what it had written is renamed */
    } backup;
    struct {
        const char *run;    /* NULL: this site has no migrations */
        const char *status; /* NULL: pending cannot be asked */
        struct pending_when pending_when;
        long long lock_timeout_ms;
        long attempts;
        enum blockers_policy blockers;
        long max_blocked; /* 0: no limit */
        long long timeout_ms;
        struct strs paths;
    } migrate;
    struct {
        const char *touch; /* NULL: none */
        const char *run;
        struct strs roles; /* app, when somebody has it */
    } restart;
    struct {
        const char *run; /* NULL: none */
        long attempts;
        long long interval_ms; /* between attempts */
        struct strs roles;
        enum on_failure on_failure;
    } health;
    struct {
        const char *batch; /* "2" or "25%"; NULL: all hosts at once */
        long long wait_ms; /* between two batches */
    } rolling;
    enum on_host_failure on_host_failure;
    long host_failures; /* how many may be left out */
    struct hook *hooks;
    size_t n_hooks;
    struct task *tasks;
    size_t n_tasks;
    struct host *hosts;
    size_t n_hosts;
    struct strs environments; /* names of all, in the file's order */
    struct strs secrets;      /* values to be shown as [secret] */
};

/* Where to look.  file NULL: crelease.yml, then config/crelease.yml, here and in each parent up to
 * the root of the Git work tree (or of the file system), and used only if recipe_trust.h allows
 * it. */
struct recipe_where {
    const char *file;
    const char *environment;    /* NULL: only the names of the environments are filled, and the keys
                                   that all share */
    const char *const *environ; /* for ${NAME}; NULL-terminated "NAME=value" */
};

/* NULL with err (USAGE) set; its message counts the mistakes, and errors holds one line each:
 * "crelease.yml:12:3: unknown key 'lnked_files', expected ...; did you mean 'linked_files'?" */
struct recipe *recipe_read(struct arena *a, const struct recipe_where *where, struct strs *errors,
                           struct err *err);

/* The lines in which another recipe's text differs from this one's, as diff shows them: "-" in
 * front of what only the other has, "+" of what only this one has.  Without secrets and control
 * characters; at most `max` of them, and how many there are. */
size_t recipe_changes(struct arena *a, const char *text, const struct recipe *r, size_t max,
                      struct strs *ret);

/* The digest that a recipe with this text has. */
const char *recipe_digest(struct arena *a, const char *text, size_t len);

/* Whether the host has the role (a host without roles has all). */
bool host_has_role(const struct host *h, const char *role);

/* Whether it has one of them; an empty list is everybody. */
bool host_has_any(const struct host *h, const struct strs *roles);

/* Every role that has a meaning in the environment: what its hosts and the recipe's jobs name, and
 * app and db, which crelease itself asks for; each once. */
struct strs recipe_roles(struct arena *a, const struct recipe *r);

/* How many hosts are switched at a time: from 1 to all of them. */
size_t recipe_batch(const struct recipe *r);

/* The first host with that role, in the recipe's order; -1 when nobody has it. */
long recipe_primary(const struct recipe *r, const char *role);

#endif
