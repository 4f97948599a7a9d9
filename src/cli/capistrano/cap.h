/* cap.h -- the configuration of Capistrano: Capfile, config/deploy.rb and config/deploy/NAME.rb, as far as it
 * can be read without running it.
 *
 *     struct cap cap;
 *     if (!cap_read(a, &cap, err)) ...
 *     const char *text = cap_recipe(a, &cap, ...);       (cap_recipe.c)
 *     ... cap_left(a, &cap): what is left for a person ...
 *
 * Each environment is evaluated on its own, deploy.rb first, then its own file, as Capistrano does. */
#ifndef CRELEASE_CAPISTRANO_CAP_H
#define CRELEASE_CAPISTRANO_CAP_H

#include "base/err.h"
#include "cli/capistrano/ruby.h"

enum cap_state {
    CAP_NONE,
    CAP_UNUSED, /* read, but crelease has nothing like it */
    CAP_SPARE,  /* read; crelease needs no such setting */
    CAP_DONE,   /* read and converted */
    CAP_LEFT    /* could not be read or converted */
};

/* What became of the statement that begins in a line. */
struct cap_mark {
    enum cap_state state;
    bool is_setting;
    size_t last;      /* its last line; 0 if it is the same one */
    size_t inside;    /* settings in its other lines, which were not read */
    const char *text; /* what to show of it; NULL: its first line */
    const char *why;  /* of CAP_LEFT, or NULL */
    const char *note; /* what a person should know of it though it was converted; NULL: nothing */
    const char *name; /* of the setting; NULL once a later statement has replaced it */
};

struct cap_file {
    const char *name;
    const char *text; /* terminated, without NUL bytes */
    size_t len;
    struct cap_mark *marks; /* by line, from 0 */
    size_t n_lines;
};

struct cap_setting {
    const char *name;
    struct ruby_value value;
    struct cap_mark *mark; /* NULL: a default of Capistrano's */
};

struct cap_server {
    const char *host;
    const char *user;
    const char *port;
    const char *identity;
    struct strs roles;
    bool primary;    /* for the role db */
    bool no_release; /* nothing is deployed to it */
    struct cap_mark *mark;
};

/* What require or install_plugin names: "capistrano/rails", "Capistrano::Puma", ... */
struct cap_plugin {
    const char *name;
    struct cap_mark *mark;
};

struct cap;

/* One environment. */
struct cap_site {
    struct cap *cap;
    const char *name;      /* "production" */
    struct cap_file *file; /* its own; NULL: there is only deploy.rb */
    struct cap_setting *settings;
    size_t n_settings;
    struct cap_setting *locals; /* local variables of the files */
    size_t n_locals;
    struct cap_server *servers;
    size_t n_servers;
    const char *restart; /* the command of a restart task; NULL: none was read */
    bool touch;          /* tmp/restart.txt is touched */
    const char *rolling; /* how many hosts a restart task takes at a time, as YAML; NULL: all */
    struct cap_mark *restart_mark; /* of that task, or NULL */
};

struct cap {
    struct arena *arena;
    struct cap_file *files; /* Capfile, deploy.rb, then one for each site */
    size_t n_files;
    struct cap_site *sites; /* production first */
    size_t n_sites;
    struct cap_plugin *plugins;
    size_t n_plugins;
    long fuel;
};

/* Reads the files in the working directory.  USAGE if there is no config/deploy.rb. */
bool cap_read(struct arena *a, struct cap *ret, struct err *err) MUST_CHECK;

/* Evaluates a file for a site. */
void cap_evaluate(struct cap_site *site, struct cap_file *file);

/* Returns the end of the statement that begins at `at`.  One that is never closed ends before the next line
 * that begins with a setting, so that what comes after it is read. */
const char *cap_statement_end(const char *at, const char *end);

/* Returns a setting, or NULL; and its text, or NULL if it is none.  A value that is looked for counts as
 * converted; cap_spoilt takes that back. */
struct cap_setting *cap_find(struct cap_site *site, const char *name);
const char *cap_text(struct cap_site *site, const char *name);
void cap_spoilt(struct cap_site *site, const char *name, const char *why);

/* Returns the value with what was lazy read, or NULL. */
const struct ruby_value *cap_value(struct cap_site *site, const char *name);

/* Reads a role or a list of roles.  False if there are none: with the setting spoilt, for that reason, if it has
 * another value. */
bool cap_roles(struct arena *a, struct cap_site *site, const char *name, const char *why,
               struct strs *ret);

/* Returns the variable of the environment that the value is the default of, or NULL. */
const char *cap_variable(const struct ruby_value *value);

/* Reads what require and install_plugin name.  Of a Capfile everything else is left to a person, but for the
 * import of lib/capistrano/tasks. */
void cap_read_plugins(struct cap *cap, struct cap_file *file, bool is_capfile);

/* Says what becomes of a plugin, if it is there: CAP_LEFT and why, or CAP_DONE with a note or NULL. */
void cap_plugin_mark(struct cap *cap, const char *name, enum cap_state state, const char *why);

bool cap_has_plugin(const struct cap *cap, const char *name);

/* Returns the names of the settings that crelease does not need. */
struct strs cap_ignored(struct arena *a, const struct cap *cap);

/* Counts the settings, and what became of them.  The rest could not be read. */
struct cap_count {
    size_t settings;
    size_t converted;
    size_t spare;
    size_t unused;
};
struct cap_count cap_count(const struct cap *cap);

/* Returns one entry for each statement that was not converted, or not as it is. */
struct cap_left {
    const char *file;
    size_t line;
    size_t last;
    const char *text; /* its first line, as in the file */
    const char *why;
};
size_t cap_left(struct arena *a, const struct cap *cap, struct cap_left **ret);

/* Returns a YAML recipe, with the comment of what was left at its end. */
struct cap_context {
    const char *application; /* if there is none in deploy.rb */
    const char *repository;  /* the same */
    const char *ref;
    const char *main;   /* the default branch of the repository; NULL: not known */
    const char *preset; /* NULL: none */
};
const char *cap_recipe(struct arena *a, struct cap *cap, const struct cap_context *context);

#endif
