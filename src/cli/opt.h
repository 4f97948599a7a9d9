/* opt.h -- the options of every command: one table, read by the parser and by the help. */
#ifndef CRELEASE_OPT_H
#define CRELEASE_OPT_H

#include "base/err.h"
#include "core/hint.h"
#include "recipe/recipe.h"
#include "ui/report/report.h"

/* Which commands take it. */
enum {
    OPT_DEPLOY = 1 << 0,
    OPT_RESUME = 1 << 1,
    OPT_ROLLBACK = 1 << 2,
    OPT_ABORT = 1 << 3,
    OPT_PLAN = 1 << 4,
    OPT_STATUS = 1 << 5,
    OPT_HISTORY = 1 << 6,
    OPT_OTHER = 1 << 7,
    OPT_BACKUPS = 1 << 8,
    OPT_INIT = 1 << 9,
    OPT_CHECK = 1 << 10,
    OPT_FREEZE = 1 << 11,
    OPT_UPLOAD = 1 << 12,
    OPT_LOG = 1 << 13,
    OPT_ALL = (1 << 14) - 1,
};

enum { WAIT_LIMIT_AUTO = -2 };

struct options {
    const char *recipe;
    const char *hosts; /* names, with commas; NULL: all */
    const char *roles;
    bool quiet;
    int verbose;
    bool json;
    const char *color; /* auto, always, never */
    struct report_target *reports;
    size_t n_reports;
    bool version;
    bool help;
    const char *on_backup;   /* NULL: as the recipe says */
    long long wait_limit_ms; /* -1: as the recipe says; or WAIT_LIMIT_AUTO */
    long long wait_lock_ms;
    bool dry_run;
    const char *on_unfinished; /* NULL: as the recipe says */
    const char *older;         /* NULL: as the recipe says */
    const char *ref;
    bool no_migrate;
    bool force;
    bool from_capistrano; /* init */
    bool takeover;
    bool new_recipe;
    bool if_any;     /* resume: says in a script what happens in any case */
    bool if_waiting; /* resume: only a run that a backup has stopped */
    bool same_revision;
    const char *to;
    const char *reason; /* freeze */
    const char *until;
    bool verify;
    bool scan;                /* check: only print the host keys */
    bool wait;                /* backups: until none blocks a migration */
    bool hold;                /* backups: run a command while no migration runs */
    const char *database;     /* backups: one of `databases`; NULL: all of them */
    const char *run;          /* log: its id; NULL: the last one */
    bool follow;              /* log: until the run has ended */
    long count;               /* history: how many */
    unsigned long long given; /* on the command line: a bit for each row of the table */
    struct called called;     /* what hints repeat */
    struct strs words;        /* the command, ENV, ... */
    struct strs rest;         /* after -- */
};

/* Reads the command line, and for what it lacks the variables CRELEASE_LONG_OPTION of options that the
 * command takes.  USAGE with the nearest option that exists.  words.v[0] is the command. */
bool options_read(struct arena *a, int argc, char **argv, struct options *ret,
                  struct err *err) MUST_CHECK;

/* Whether the option is on the command line, and not only in a variable. */
bool option_is_typed(const struct options *o, const char *word);

/* USAGE for an option that the command does not take. */
bool options_check(const struct options *o, const char *command, unsigned takes,
                   struct err *err) MUST_CHECK;

/* A row of the table, for completion. */
struct option_about {
    char letter; /* or 0 */
    const char *word;
    unsigned takes;
    const char *arg; /* NULL: it has no value */
    const char *about;
    const char *const *words; /* its values; NULL: any */
};

/* Row i; false after the last one. */
bool option_at(size_t i, struct option_about *ret);

/* Help, one line for each option that the command takes: those that every command has, or its own. */
const char *options_help(struct arena *a, unsigned takes, bool common);

#endif
