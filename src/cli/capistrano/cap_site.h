/* cap_site.h -- what a recipe says for one environment of Capistrano, as pairs of a key and its YAML.
 * Between cap_site.c, which makes them, and cap_recipe.c, which writes them. */
#ifndef CRELEASE_CAPISTRANO_CAP_SITE_H
#define CRELEASE_CAPISTRANO_CAP_SITE_H

#include "cli/capistrano/cap.h"

struct cap_pair {
    const char *key;
    const char *yaml; /* several lines begin with "\n"; NULL: the key is not written */
};

enum { CAP_PAIRS_MAX = 20, CAP_ENV_MAX = 100 };

struct cap_part {
    struct cap_pair pairs[CAP_PAIRS_MAX]; /* the same keys in the same order for every site */
    size_t n;
    struct cap_pair env[CAP_ENV_MAX];
    size_t n_env;
    struct strs wanted;          /* variables whose value comes from the environment */
    struct strs hosts;           /* one line of YAML for each */
    struct cap_server **servers; /* those of `hosts` */
    size_t n_servers;
};

/* Fills in everything for the site. */
void cap_part(struct arena *a, struct cap_site *site, const struct cap_context *context,
              struct cap_part *ret);

/* Fills in env; part of cap_part. */
void cap_part_env(struct arena *a, struct cap_site *site, const struct cap_context *context,
                  struct cap_part *ret);

/* Fills in hosts and servers; part of cap_part. */
void cap_part_hosts(struct arena *a, struct cap_site *site, struct cap_part *ret);

/* Returns linked_files and linked_dirs, with `more` added to the latter, as lists of YAML. */
void cap_links(struct arena *a, struct cap_site *site, const struct strs *more, const char *ret[2]);

/* Returns the YAML of a value, with the variable of the environment that it came from as a comment. */
const char *cap_commented(struct arena *a, const char *yaml, const struct ruby_value *value);

/* Returns a setting that passes the check, or NULL. */
const char *cap_checked(struct arena *a, struct cap_site *site, const char *name,
                        const char *check(struct arena *, const char **));

#endif
