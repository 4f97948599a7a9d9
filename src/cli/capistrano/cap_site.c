/* cap_site.c -- what the settings of one environment of Capistrano are in a recipe (see cap_site.h). */
#include "cli/capistrano/cap_site.h"

#include "base/number.h"
#include "base/quote.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

enum { COMMAND_BYTES_MAX = 8192 };

static const char *const precompile[] = {"bundle install", "bundle install --quiet",
                                         "assets:precompile", "bundle exec rake assets:precompile"};

static void pair(struct cap_part *part, const char *key, const char *yaml)
{
    part->pairs[part->n++] = (struct cap_pair){key, yaml};
}

const char *cap_commented(struct arena *a, const char *yaml, const struct ruby_value *value)
{
    const char *variable = yaml && value ? cap_variable(value) : NULL;

    return variable ? arena_printf(a, "%s   # Capistrano took it from %s", yaml,
                                   yaml_comment(a, variable))
                    : yaml;
}

/* A value that was read of that setting; NULL: the key is not written. */
static void pair_read(struct arena *a, struct cap_site *site, struct cap_part *part,
                      const char *const key[2], const char *value)
{
    struct cap_setting *set = cap_find(site, key[1]);

    pair(part, key[0],
         cap_commented(a, value ? yaml_scalar(a, value) : NULL, set ? &set->value : NULL));
}

const char *cap_checked(struct arena *a, struct cap_site *site, const char *name,
                        const char *check(struct arena *, const char **))
{
    const char *value = cap_text(site, name);

    if (!value)
        return NULL;
    const char *expected = yaml_fits(value) ? check(a, &value) : "text of one line";
    if (expected)
        cap_spoilt(site, name, arena_printf(a, "expected %s", expected));
    return expected ? NULL : value;
}

static bool is_true(struct cap_site *site, const char *name)
{
    const char *value = cap_text(site, name);

    return value && strcmp(value, "true") == 0;
}

static bool part_has_role(const struct cap_part *part, const char *role)
{
    for (size_t i = 0; i < part->n_servers; i++)
        for (size_t k = 0; k < part->servers[i]->roles.n; k++)
            if (strcmp(part->servers[i]->roles.v[k], role) == 0 ||
                strcmp(part->servers[i]->roles.v[k], "all") == 0)
                return true;
    return false;
}

/* The roles of the list that a host has, as a list of YAML; NULL: none has one. */
static const char *roles_text(struct arena *a, const struct cap_part *part,
                              const struct strs *roles)
{
    struct strs known = {0};

    for (size_t i = 0; i < roles->n; i++)
        if (part_has_role(part, roles->v[i]))
            strs_add(a, &known, yaml_scalar(a, roles->v[i]));
    return known.n ? arena_printf(a, "[%s]", strs_joined(a, &known, ", ")) : NULL;
}

/* Where version managers keep their programs. */
static const char *path_of(struct arena *a, struct cap_site *site)
{
    const char *root = cap_checked(a, site, "rbenv_custom_path", check_not_empty);
    const char *type = cap_text(site, "rbenv_type"), *node = cap_text(site, "nvm_node");
    const char *home = "$HOME/";

    root = root ? root : cap_checked(a, site, "rbenv_path", check_not_empty);
    if (root && strncmp(root, home, strlen(home)) == 0)
        root = arena_printf(a, "~/%s", root + strlen(home));
    if (!root &&
        (cap_find(site, "rbenv_ruby") || type || cap_has_plugin(site->cap, "capistrano/rbenv")))
        root = type && strcmp(type, "system") == 0 ? "/usr/local/rbenv" : "~/.rbenv";
    if (root && check_path(a, &root)) {
        cap_spoilt(site, "rbenv_path", "expected a folder that begins with '/' or '~/'");
        cap_spoilt(site, "rbenv_custom_path", "expected a folder that begins with '/' or '~/'");
        root = NULL;
    }
    if (root)
        return arena_printf(a, "[%s, %s]", yaml_scalar(a, arena_printf(a, "%s/shims", root)),
                            yaml_scalar(a, arena_printf(a, "%s/bin", root)));
    if (!node)
        return NULL;
    const char *type_of_nvm = cap_text(site, "nvm_type");
    const char *base =
        type_of_nvm && strcmp(type_of_nvm, "system") == 0 ? "/usr/local/nvm" : "~/.nvm";
    size_t dots = 0;
    for (const char *p = node; *p; p++)
        dots += *p == '.';
    if (*node != 'v' || dots != 2 || strspn(node + 1, "0123456789.") != strlen(node + 1)) {
        cap_spoilt(site, "nvm_node", "expected a full version, such as v20.11.0, for 'path'");
        return NULL;
    }
    return arena_printf(a, "[%s]",
                        yaml_scalar(a, arena_printf(a, "%s/versions/node/%s/bin", base, node)));
}

/* RVM works through the login shell; a version needs RVM's default to be that one. */
static const char *shell_of(struct cap_site *site)
{
    const char *version = cap_text(site, "rvm_ruby_version");
    const char *string = cap_text(site, "rvm_ruby_string");
    bool rvm = version || string || cap_text(site, "rvm_type") ||
               cap_has_plugin(site->cap, "capistrano/rvm");

    if (version && strcmp(version, "default") != 0)
        cap_spoilt(site, "rvm_ruby_version",
                   "make it RVM's default on the hosts, which 'shell: login' uses");
    return rvm ? "login" : NULL;
}

/* What the preset for Rails does not do: assets are compiled on the hosts with these roles. */
static const char *assets_of(struct arena *a, struct cap_site *site, const struct cap_part *part,
                             const char *yarn)
{
    struct strs roles;
    const char *text =
        arena_printf(a, "\n  - {name: %s, run: %s, timeout: 30m}", precompile[0], precompile[1]);

    if (!cap_roles(a, site, "assets_roles",
                   "expected a role or a list of them; the recipe compiles the assets on the hosts "
                   "with the role web",
                   &roles)) {
        roles = (struct strs){0};
        strs_add(a, &roles, "web");
    }
    const char *known = roles_text(a, part, &roles);
    if (!known)
        return arena_printf(a, "%s\n  # no host has the role %s, so assets are not compiled", text,
                            yaml_comment(a, strs_joined(a, &roles, " or ")));
    if (cap_has_plugin(site->cap, "capistrano/yarn"))
        text = arena_printf(a, "%s\n  - %s", text, yarn);
    return arena_printf(a, "%s\n  - {name: \"%s\", run: \"%s\", roles: %s, timeout: 30m}", text,
                        precompile[2], precompile[3], known);
}

/* Jobs run on every host unless the recipe says otherwise. */
static void look_at_job_roles(struct arena *a, struct cap_site *site)
{
    static const char *const names[] = {"bundle_roles", "npm_roles", "yarn_roles"};
    static const char why[] = "this job runs on every host: add 'roles' to it in 'build'";
    struct strs roles;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (cap_roles(a, site, names[i], why, &roles) && !strs_has(&roles, "all"))
            cap_spoilt(site, names[i], why);
}

/* A job for each plugin that has one. */
static const char *build_of(struct arena *a, struct cap_site *site,
                            const struct cap_context *context, const struct cap_part *part)
{
    static const struct {
        const char *plugin;
        const char *preset; /* that has the job */
        const char *job;
    } jobs[] = {
        {"capistrano/bundler", "rails",
         "{name: bundle install, run: bundle install --quiet, timeout: 30m}"},
        {"capistrano/composer", "laravel",
         "{name: composer install, run: composer install --no-dev --no-interaction"
         " --optimize-autoloader, timeout: 30m}"},
        {"capistrano/npm", "node",
         "{name: npm ci, run: npm ci --no-audit --no-fund, timeout: 30m}"},
        {"capistrano/yarn", "",
         "{name: yarn install, run: yarn install --frozen-lockfile, timeout: 30m}"},
    };
    bool rails = context->preset && strcmp(context->preset, "rails") == 0;
    bool assets = cap_has_plugin(site->cap, "capistrano/rails") ||
                  cap_has_plugin(site->cap, "capistrano/rails/assets");
    const char *text = "";

    look_at_job_roles(a, site);
    for (size_t i = 0; context->preset && i < sizeof jobs / sizeof *jobs; i++)
        if (strcmp(jobs[i].preset, context->preset) != 0 && !(rails && assets && i == 3))
            cap_plugin_mark(site->cap, jobs[i].plugin, CAP_LEFT,
                            "the preset does not run this: add it to 'build'");
    if (rails && assets)
        return assets_of(a, site, part, jobs[3].job);
    if (context->preset)
        return NULL;
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        if (cap_has_plugin(site->cap, jobs[i].plugin))
            text = arena_printf(a, "%s\n  - %s", text, jobs[i].job);
    return *text ? text : NULL;
}

/* Capistrano migrates if the plugin is there and a server has the role; a preset migrates anyway. */
static const char *migrate_of(const struct cap_site *site, const struct cap_context *context,
                              const struct cap_part *part)
{
    bool rails = context->preset && strcmp(context->preset, "rails") == 0;
    bool has_capfile = site->cap->n_files && strcmp(site->cap->files[0].name, "Capfile") == 0;
    bool plugin = cap_has_plugin(site->cap, "capistrano/rails") ||
                  cap_has_plugin(site->cap, "capistrano/rails/migrations");

    if (!context->preset || strcmp(context->preset, "static") == 0 ||
        strcmp(context->preset, "node") == 0)
        return NULL;
    return (rails && has_capfile && !plugin) || (part->n_servers && !part_has_role(part, "db"))
               ? "null"
               : NULL;
}

/* A command that was read, Passenger's, or Puma's unit. */
static const char *restart_command(struct arena *a, struct cap_site *site,
                                   const struct cap_context *context, const char *deploy_to)
{
    bool systemd = cap_has_plugin(site->cap, "Capistrano::Puma::Systemd");
    const char *unit = cap_text(site, "puma_service_unit_name"),
               *user = cap_text(site, "puma_systemctl_user");
    struct buf b = buf_make(COMMAND_BYTES_MAX);
    const char *command = NULL;

    /* The defaults of the plugin. */
    if (systemd && !user)
        user = cap_text(site, "systemctl_user") ? cap_text(site, "systemctl_user") : "user";
    if (systemd && !unit)
        unit = arena_printf(a, "%s_puma_%s", context->application, site->name);
    if (site->restart && yaml_fits(site->restart)) {
        bool sudo = strncmp(site->restart, "sudo ", 5) == 0 && site->restart[5] != '-';
        buf_printf(&b, "%s%s", sudo ? "sudo -n " : "", site->restart + (sudo ? 5 : 0));
    } else if (unit && user && yaml_fits(unit)) {
        buf_printf(&b, "%s %s ",
                   strcmp(user, "system") != 0 ? "systemctl --user" : "sudo -n systemctl",
                   is_true(site, "puma_phased_restart") ? "reload" : "restart");
        quote_typed(&b, unit);
    } else if (unit) {
        cap_spoilt(site, "puma_service_unit_name",
                   "add it to 'restart': 'puma_systemctl_user' says how");
    } else if (cap_has_plugin(site->cap, "capistrano/passenger")) {
        buf_printf(&b, "%spassenger-config restart-app ",
                   is_true(site, "passenger_restart_with_sudo") ? "sudo -n " : "");
        quote_typed(&b, deploy_to);
        buf_puts(&b, " --ignore-app-not-running");
    }
    if (b.len && !b.full)
        command = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return command;
}

/* What a person should know of Puma's plugins: which command was taken, or that there is none. */
static void look_at_puma(struct arena *a, struct cap_site *site, bool rails, const char *command)
{
    static const char *const names[] = {"capistrano/puma", "Capistrano::Puma",
                                        "Capistrano::Puma::Systemd"};
    bool systemd = cap_has_plugin(site->cap, names[2]);

    if (!command && rails && !site->touch)
        cap_plugin_mark(site->cap, names[0], CAP_LEFT,
                        "how Puma is restarted is not known; the preset touches tmp/restart.txt, "
                        "which Puma sees only with its tmp_restart plugin: see restart");
    for (size_t i = 0;
         i < (systemd && command && !site->restart ? 2 : 3) && (command || site->touch); i++)
        cap_plugin_mark(site->cap, names[i], CAP_DONE, NULL);
    if (systemd && command && !site->restart)
        cap_plugin_mark(site->cap, names[2], CAP_DONE,
                        arena_printf(a, "became restart: %s; check the name of the unit", command));
}

static const char *restart_of(struct arena *a, struct cap_site *site,
                              const struct cap_context *context, const char *deploy_to)
{
    bool touch = is_true(site, "passenger_restart_with_touch") || site->touch;
    bool preset = context->preset && strcmp(context->preset, "rails") == 0;
    const char *command = restart_command(a, site, context, deploy_to);

    bool both = touch && command && !site->restart &&
                cap_has_plugin(site->cap, "Capistrano::Puma::Systemd");

    look_at_puma(a, site, preset, touch && !both ? NULL : command);
    if (site->restart_mark && !site->restart_mark->note && (touch || command)) {
        site->restart_mark->state = CAP_DONE;
        site->restart_mark->note = arena_printf(
            a, "became restart: %s%s%s", touch ? "touch tmp/restart.txt" : command,
            site->rolling ? ", and rolling: " : "", site->rolling ? site->rolling : "");
    }
    if (both)
        return arena_printf(a, preset ? "{run: %s}" : "{touch: tmp/restart.txt, run: %s}",
                            yaml_scalar(a, command));
    if (touch)
        return preset ? NULL : "{touch: tmp/restart.txt}";
    if (!command)
        return NULL;
    return arena_printf(a, preset ? "{touch: null, run: %s}" : "{run: %s}",
                        yaml_scalar(a, command));
}

static void pair_number(struct arena *a, struct cap_site *site, struct cap_part *part,
                        const char *name)
{
    const char *value = cap_text(site, name);
    long long n;

    if (value && (!number_read(value, 1000, &n) || n < 1)) {
        cap_spoilt(site, name, "expected a number from 1");
        value = NULL;
    }
    pair(part, name, value ? cap_commented(a, value, &cap_find(site, name)->value) : NULL);
}

/* Whether a statement about the setting was left to a person, in deploy.rb or in the site's own file. */
static bool is_left(struct arena *a, const struct cap_site *site, const char *name)
{
    struct cap_left *all;
    size_t n = cap_left(a, site->cap, &all);
    const char *symbol = arena_printf(a, ":%s", name);

    for (size_t i = 0; i < n; i++) {
        const char *found = strstr(all[i].text, symbol);
        if (found && !ruby_word(found + strlen(symbol), found + strlen(symbol) + 1) &&
            (strcmp(all[i].file, "config/deploy.rb") == 0 ||
             (site->file && strcmp(all[i].file, site->file->name) == 0)))
            return true;
    }
    return false;
}

/* What to know of a setting whose value a variable of the environment replaces. */
static const char *from_variable(struct arena *a, struct cap_site *site, const char *name)
{
    const char *variable = cap_variable(&cap_find(site, name)->value);

    if (strcmp(name, "branch") == 0)
        return arena_printf(a, "Capistrano took it from %s; here: crelease deploy %s --ref BRANCH",
                            yaml_comment(a, variable), yaml_comment(a, site->cap->sites[0].name));
    return arena_printf(
        a,
        "Capistrano took it from %s if that was set; the recipe has the default, or "
        "write ${%s}",
        yaml_comment(a, variable), yaml_comment(a, variable));
}

static void note_variables(struct arena *a, struct cap_site *site)
{
    for (size_t i = 0; i < site->n_settings; i++) {
        struct cap_setting *set = &site->settings[i];
        if (set->mark && set->mark->state == CAP_DONE && cap_variable(&set->value))
            set->mark->note = from_variable(a, site, set->name);
    }
}

/* Not the branch that is checked out here if the configuration means another one. */
static void pair_ref(struct arena *a, struct cap_site *site, const struct cap_context *context,
                     struct cap_part *ret)
{
    const char *ref = cap_checked(a, site, "branch", check_ref);
    const char *variable = ref ? cap_variable(&cap_find(site, "branch")->value) : NULL;

    if (ref || !is_left(a, site, "branch"))
        pair(ret, "ref",
             arena_printf(a, "%s%s",
                          yaml_scalar(a, ref             ? ref
                                         : context->main ? context->main
                                                         : context->ref),
                          variable ? arena_printf(a, "   # %s", from_variable(a, site, "branch"))
                                   : ""));
    else if (context->main)
        pair(ret, "ref",
             arena_printf(a,
                          "%s   # 'branch' could not be read: this is the default branch of origin",
                          yaml_scalar(a, context->main)));
    else
        pair(ret, "# ref",
             "BRANCH   # 'branch' could not be read: write the branch that is deployed");
}

/* A value that stands for a setting which was not read says so. */
static void pair_default(struct arena *a, struct cap_site *site, struct cap_part *ret,
                         const char *const key[2], const char *const value[2])
{
    const char *why = is_left(a, site, key[1])
                          ? arena_printf(a, "'%s' could not be read", key[1])
                          : arena_printf(a, "'%s' was not found in Capistrano's files", key[1]);

    pair(ret, key[0],
         arena_printf(a, "%s   # %s: this is %s", yaml_scalar(a, value[0]), why, value[1]));
}

/* The preset for Rails installs gems into vendor/bundle, which all releases share.  Without the link each
 * release would install all of them. */
static bool gems_are_linked(struct cap_site *site)
{
    const struct cap_setting *set = cap_find(site, "bundle_path");
    const char *path = set && set->value.kind != RUBY_NIL ? cap_text(site, "bundle_path") : NULL;

    return !set || (set->value.kind != RUBY_NIL && (!path || strcmp(path, "vendor/bundle") == 0));
}

/* Where the site comes from and goes to. */
static const char *pair_places(struct arena *a, struct cap_site *site,
                               const struct cap_context *context, struct cap_part *ret)
{
    const char *old = cap_checked(a, site, "repository", check_not_option);
    const char *url = cap_checked(a, site, "repo_url", check_not_option);
    const char *deploy_to = cap_checked(a, site, "deploy_to", check_folder);
    const char *folder =
        deploy_to ? deploy_to : arena_printf(a, "/var/www/%s", context->application);

    if (url || old)
        pair_read(a, site, ret,
                  (const char *const[]){"repository", url ? "repo_url" : "repository"},
                  url ? url : old);
    else
        pair_default(
            a, site, ret, (const char *const[]){"repository", "repo_url"},
            (const char *const[]){context->repository, strcmp(context->repository, ".") != 0
                                                           ? "origin of this clone"
                                                           : "this directory"});
    pair_ref(a, site, context, ret);
    if (deploy_to)
        pair_read(a, site, ret, (const char *const[]){"deploy_to", "deploy_to"}, folder);
    else
        pair_default(a, site, ret, (const char *const[]){"deploy_to", "deploy_to"},
                     (const char *const[]){folder, "Capistrano's default"});
    return folder;
}

void cap_part(struct arena *a, struct cap_site *site, const struct cap_context *context,
              struct cap_part *ret)
{
    bool rails = context->preset && strcmp(context->preset, "rails") == 0;
    bool assets = rails && (cap_has_plugin(site->cap, "capistrano/rails") ||
                            cap_has_plugin(site->cap, "capistrano/rails/assets"));
    bool submodules = is_true(site, "git_enable_submodules") ||
                      cap_has_plugin(site->cap, "capistrano/scm/git-with-submodules");
    const char *linked[2];
    struct strs more = {0};

    *ret = (struct cap_part){0};
    cap_part_hosts(a, site, ret);
    if (ret->n_servers < 2)
        site->rolling = NULL;
    const char *folder = pair_places(a, site, context, ret);
    pair_read(a, site, ret, (const char *const[]){"subtree", "repo_tree"},
              cap_checked(a, site, "repo_tree", check_relative));
    pair(ret, "submodules", submodules ? "true" : NULL);
    pair_number(a, site, ret, "keep_releases");
    if (assets)
        strs_add(a, &more, "public/assets");
    if (rails && gems_are_linked(site))
        strs_add(a, &more, "vendor/bundle");
    cap_links(a, site, &more, linked);
    pair(ret, "linked_files", linked[0]);
    pair(ret, "linked_dirs", linked[1]);
    pair(ret, "path", path_of(a, site));
    pair(ret, "shell", shell_of(site));
    cap_part_env(a, site, context, ret);
    pair(ret, "build", build_of(a, site, context, ret));
    pair(ret, "migrate", migrate_of(site, context, ret));
    pair(ret, "restart", restart_of(a, site, context, folder));
    pair(ret, "rolling", site->rolling);
    note_variables(a, site);
}
