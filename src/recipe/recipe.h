/* recipe.h -- a recipe for one environment, checked.
 *
 *     struct recipe *recipe = recipe_read(arena, &where, errors, err);
 *
 * Plain data, allocated in the arena.  Keys that are not given have the default of the key table
 * (keys.h), so that no reader needs to know one. */
#ifndef CRELEASE_RECIPE_H
#define CRELEASE_RECIPE_H

#include "base/err.h"
#include "fleet/fleet.h"

enum where { WHERE_HOSTS, WHERE_LOCAL };

/* A command of the user's: a build step, a hook or a task. */
struct job {
    const char *run;      /* shell text */
    struct strs roles;    /* empty: depends on its place (every host, or the app hosts) */
    enum where where;     /* LOCAL: once, on the deploying machine */
    bool once;            /* only on the primary host of its roles */
    long long timeout_ms; /* 0: no limit */
    const char *name;     /* for messages: given, or the command */
    const char *become;   /* the user as whom it runs, through sudo; NULL: as all others */
    const char *undo;     /* of a hook: the command that undoes it; NULL: none */
    bool
        keep_if_half_migrated; /* but not after a migration that was started and did not end well */
};

struct jobs {
    struct job *v;
    size_t n;
};

struct variable {
    const char *name;
    const char *value;
    const char *shell; /* the value as shell text if it refers to the host's variables; else NULL */
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
    const char *proxy_jump; /* NULL: not given; "none" */
    struct strs roles;      /* empty: all roles */
    struct variables env;   /* the recipe's, the environment's and its own, merged */
};

struct hook {
    const char *stage; /* name of a stage */
    bool after;        /* else before */
    struct jobs jobs;
};

/* How a run ended, for the hooks `on failure`, `on success` and `on abort`. */
enum run_outcome { ON_FAILURE, ON_SUCCESS, ON_ABORT, OUTCOMES };
extern const char *const recipe_outcomes[]; /* "failure", ...; NULL-terminated */

/* When deploys are allowed, as texts that were checked. */
struct window {
    const char *days; /* "mon-fri" */
    const char *from; /* "09:00" */
    const char *to;
    const char *zone; /* name of a file of the time zone database, or UTC */
};

enum notify_format { NOTIFY_JSON, NOTIFY_SLACK };

/* What a notification is sent about. */
enum notify_on {
    NOTIFY_BEGUN,
    NOTIFY_WAITING,
    NOTIFY_LIVE,
    NOTIFY_FAILED,
    NOTIFY_ABORTED,
    NOTIFY_WORDS
};
extern const char *const notify_on_words[NOTIFY_WORDS + 1]; /* NULL-terminated */
extern const char *const notify_format_words[];

enum { NOTIFY_MAX = 10 };

struct notification {
    const char *url; /* a secret */
    enum notify_format format;
    struct strs on; /* of notify_on_words */
};

struct linked_file {
    const char *path; /* below shared */
    const char *from; /* on this machine, relative to the recipe's folder; NULL: not given */
};

struct task {
    const char *name;
    struct job job;
};

enum host_keys { HOST_KEYS_UNSET, HOST_KEYS_STRICT, HOST_KEYS_ACCEPT_NEW };
enum unknown { UNKNOWN_PROCEED, UNKNOWN_ABORT };
enum partial { PARTIAL_PROCEED, PARTIAL_WAIT };
enum policy { POLICY_WAIT, POLICY_KILL, POLICY_ABORT, POLICY_ASK };
/* What to do about a session that blocks the migration and is not a backup. */
enum blockers_policy { BLOCKERS_WAIT, BLOCKERS_REPORT, BLOCKERS_TERMINATE };
/* AUTO: found on its host from the application's configuration (db/find). */
enum adapter { ADAPTER_NONE, ADAPTER_POSTGRESQL, ADAPTER_MYSQL, ADAPTER_AUTO };
enum on_failure { FAILURE_ROLLBACK, FAILURE_STOP };
/* What deploy does about a run that is dead and unfinished. */
enum unfinished_policy { UNFINISHED_AUTO, UNFINISHED_STOP, UNFINISHED_RESUME, UNFINISHED_ABORT };
/* What deploy does about a commit that is an ancestor of what is live. */
enum older { OLDER_ALLOW, OLDER_WARN, OLDER_SKIP };
enum on_host_failure { HOST_FAILURE_STOP, HOST_FAILURE_CONTINUE };

/* The tool whose output migrate.status prints.  OWN: the recipe says how to read it. */
enum pending_tool {
    PENDING_AUTO, /* Rails, Django or Laravel, whichever the output looks like */
    PENDING_RAILS,
    PENDING_DJANGO,
    PENDING_LARAVEL,
    PENDING_FLYWAY,
    PENDING_SQITCH,
    PENDING_ALEMBIC,
    PENDING_OWN,
};

/* A set of exit statuses, without 0. */
struct statuses {
    bool has[256];
    size_t n;
};

struct pending_when {
    enum pending_tool tool;
    struct statuses exit; /* for OWN: these mean that migrations are pending */
    const char
        *output; /* for OWN: a regular expression for the lines of pending migrations, or NULL */
};

enum checkout { CHECKOUT_COPY, CHECKOUT_HARDLINK };
enum lfs { LFS_WARN, LFS_FETCH, LFS_IGNORE };

/* What the keys `database`, `backup` and `migrate` say about one database. */
struct database_keys {
    enum adapter adapter;
    const char *name;  /* NULL: not given */
    const char *psql;  /* shell text */
    const char *mysql; /* shell text */
};

struct backup_keys {
    enum policy policy;
    long long wait_limit_ms; /* 0: none */
    enum policy after_limit; /* ABORT or KILL */
    enum unknown unknown;    /* if the database cannot be queried */
    enum partial partial;    /* about a dump of a few tables */
    struct strs schedule;    /* "none", "crontab", cron lines; empty: crontab */
    long long clearance_ms;  /* 0: upcoming backups are not waited for */
    bool rerun;              /* start a stopped backup again */
    const char *command;     /* for that; NULL: the crontab's command */
    bool set_aside;          /* rename its incomplete file */
};

struct migrate_keys {
    const char *run;    /* NULL: no migrations */
    const char *status; /* NULL: pending migrations cannot be determined */
    struct pending_when pending_when;
    long long lock_timeout_ms;
    long attempts;
    enum blockers_policy blockers;
    long max_blocked; /* 0: no limit */
    long long timeout_ms;
    struct strs paths;
};

/* One of several databases. */
struct recipe_database {
    const char *name;
    const char *role; /* the first host with it asks and migrates the database */
    struct database_keys database;
    struct backup_keys backup;
    struct migrate_keys migrate;
};

struct recipe {
    const char *file;    /* absolute path */
    const char *dir;     /* its folder */
    const char *project; /* the same; of config/crelease.yml the folder above it: where local jobs
                            start, and what `source` and `from` are relative to */
    const char *digest;  /* SHA-256 over the text of the file and of what it extends, in hex */
    const char *text;    /* of the file */
    const char *kept; /* the copy of the text that a run keeps on the hosts; NULL if it contains a
                           literal secret or is too large */
    const char *environment;
    const char *application;
    const char *repository; /* path or URL as given */
    const char *ref;
    const char *subtree; /* the folder of the repository that is the release; NULL: all of it */
    bool submodules;
    const char *source; /* a folder of this machine is the release instead; NULL: the revision */
    enum lfs lfs;       /* what becomes of Git LFS pointers */
    const char *deploy_to;
    long keep_releases;
    enum checkout checkout;
    struct strs linked_files;
    struct strs
        linked_from; /* by linked file: what is uploaded where it is missing; NULL: nothing */
    struct strs linked_dirs;
    enum transport transport;
    const char *ssh_config; /* "default", "none" or a path */
    const char *proxy_jump; /* NULL: not given; "none" */
    enum host_keys host_keys;
    const char *shell; /* of the user's commands: "plain" or NULL, "login", or a command */
    struct strs path;  /* folders in front of PATH, absolute or "~/..." */
    const char
        *become; /* the user on the hosts who does everything, through sudo; NULL: the login */
    const char *umask; /* octal; NULL: that of the login */
    struct {
        long long alive_ms;
    } connection;
    struct jobs build;
    struct database_keys database;
    struct backup_keys backup;
    struct migrate_keys migrate;
    const char *db_role; /* of the host where the database is asked and migrated */
    /* The databases of `databases`, in its order; none if the recipe has only one, without a name.
     * The three members above are then those of the first, with the paths of all of them. */
    struct recipe_database *databases;
    size_t n_databases;
    /* They are not named in the recipe, but were found (recipe_take_several); and the commands that
     * migrate all of them, and tell what is pending in all of them. */
    bool several;
    const char *run_for_all;
    const char *status_for_all;
    /* Of a recipe for one of several databases (recipe_for_database); otherwise NULL. */
    const struct recipe *whole;
    const char *db;
    size_t db_at; /* its place in `databases` */
    struct {
        const char *touch; /* NULL: none */
        const char *run;
        struct strs roles; /* "app" if a host has that role */
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
    long host_failures; /* how many hosts may be left out */
    enum unfinished_policy unfinished;
    enum older older;
    struct window *windows;
    size_t n_windows; /* 0: always */
    struct notification *notify;
    size_t n_notify;
    struct hook *hooks;
    size_t n_hooks;
    struct jobs outcome[OUTCOMES]; /* on the deploying machine, when the run has ended that way */
    struct task *tasks;
    size_t n_tasks;
    struct host *hosts;
    size_t n_hosts;
    struct strs environments; /* all names, in file order */
    struct strs secrets;      /* values to show as [secret] */
};

/* Where to find the recipe.  With file NULL, crelease.yml, then config/crelease.yml, in the working
 * directory and each parent up to the root of the Git work tree (or of the file system); such a
 * file is used only if trust.h allows it. */
struct recipe_where {
    const char *file;
    const char *environment;    /* NULL: only the names of the environments and the keys that all
                                   share are filled in */
    const char *const *environ; /* for ${NAME}; NULL-terminated "NAME=value" */
};

/* Reads the recipe.  On failure returns NULL with err (ERR_USAGE), whose message has the number of
 * mistakes, and one line for each in errors:
 * "crelease.yml:12:3: unknown key 'lnked_files', expected ...; did you mean 'linked_files'?" */
struct recipe *recipe_read(struct arena *a, const struct recipe_where *where, struct strs *errors,
                           struct err *err);

/* Compares another recipe's text with this one's, like diff: appends lines that begin with "-"
 * (only in the other) and "+" (only in this one), at most `max`.  Secrets and control characters
 * are replaced.  Returns the number of differing lines. */
size_t recipe_changes(struct arena *a, const char *text, const struct recipe *r, size_t max,
                      struct strs *ret);

/* Returns the digest of a recipe with this text. */
const char *recipe_digest(struct arena *a, const char *text, size_t len);

/* Whether the host has the role (a host without roles has all). */
bool host_has_role(const struct host *h, const char *role);

/* Whether the host has one of the roles.  An empty list matches every host. */
bool host_has_any(const struct host *h, const struct strs *roles);

/* Returns every role that means something in the environment, each once: those of its hosts and
 * jobs, and app and db, which crelease uses itself. */
struct strs recipe_roles(struct arena *a, const struct recipe *r);

/* Returns how many hosts to switch at a time, from 1 to all of them. */
size_t recipe_batch(const struct recipe *r);

/* Returns the index of the first host with that role, in the recipe's order, or -1. */
long recipe_primary(const struct recipe *r, const char *role);

/* How many databases the recipe has: 1 if it has no `databases`. */
size_t recipe_databases_n(const struct recipe *r);

/* Returns the recipe as it is for one of its databases: `database`, `backup`, `migrate` and
 * `db_role` are that one's.  The recipe itself if it has no `databases`. */
const struct recipe *recipe_for_database(struct arena *a, const struct recipe *r, size_t i);

/* Returns the host where the recipe's database is asked and migrated, or -1. */
long recipe_database_host(const struct recipe *r);

/* Whether the application may have several databases that the recipe does not name: it is one of Rails whose
 * database is `auto`. */
bool recipe_may_have_several(const struct recipe *r);

/* Makes such a recipe one with these databases, as if `databases` named them; with fewer than two, or names that
 * could be mistaken for something else, the recipe as it was written. */
void recipe_take_several(struct arena *a, struct recipe *r, const struct strs *names);

#endif
