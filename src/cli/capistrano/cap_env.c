/* cap_env.c -- the variables of Capistrano's commands as `env` of a recipe (see cap_site.h). */
#include "cli/capistrano/cap_site.h"

#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

#include <ctype.h>

static void put(struct cap_part *part, const char *key, const char *yaml)
{
    for (size_t i = 0; i < part->n_env; i++)
        if (strcmp(part->env[i].key, key) == 0) {
            part->env[i].yaml = yaml;
            return;
        }
    if (part->n_env < CAP_ENV_MAX)
        part->env[part->n_env++] = (struct cap_pair){key, yaml};
}

/* Whether the setting is there and is nil, which takes away what a preset has. */
static bool is_nil(struct cap_site *site, const char *name)
{
    struct cap_setting *s = cap_find(site, name);

    return s && s->value.kind == RUBY_NIL;
}

/* A value of one line; ret stays as it is if there is none. */
static void put_setting(struct arena *a, struct cap_site *site, struct cap_part *part,
                        const char *const names[2])
{
    const char *value = is_nil(site, names[0]) ? NULL : cap_text(site, names[0]);

    if (is_nil(site, names[0]))
        put(part, names[1], "null");
    else if (value && yaml_fits(value))
        put(part, names[1],
            cap_commented(a, yaml_scalar(a, value), &cap_find(site, names[0])->value));
    else if (value)
        cap_spoilt(site, names[0], "a recipe cannot have these characters");
}

/* As SSHKit does: a symbol becomes upper case.  A text keeps its case there, but variables of mixed case are
 * hardly ever meant. */
static const char *variable(struct arena *a, const char *key)
{
    char *name = arena_strdup(a, key);
    const char *checked = name;

    for (char *p = name; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return yaml_fits(name) && !check_variable(a, &checked) ? checked : NULL;
}

static void put_map(struct arena *a, struct cap_site *site, struct cap_part *part, const char *name)
{
    const struct ruby_value *map = cap_value(site, name);

    for (size_t i = 0; map && map->kind == RUBY_MAP && i + 1 < map->n; i += 2) {
        const struct ruby_value *value = &map->items[i + 1];
        const char *key = map->items[i].text ? variable(a, map->items[i].text) : NULL;
        if (key && value->kind == RUBY_TEXT && yaml_fits(value->text)) {
            put(part, key, cap_commented(a, yaml_scalar(a, value->text), value));
        } else {
            if (key && value->kind == RUBY_ENV)
                strs_add(a, &part->wanted, key);
            cap_spoilt(site, name, "not all of its values are known before it runs");
        }
    }
}

void cap_part_env(struct arena *a, struct cap_site *site, const struct cap_context *context,
                  struct cap_part *ret)
{
    static const char *const settings[][2] = {
        {"rails_env", "RAILS_ENV"},      {"node_env", "NODE_ENV"},
        {"rbenv_ruby", "RBENV_VERSION"}, {"bundle_jobs", "BUNDLE_JOBS"},
        {"bundle_path", "BUNDLE_PATH"},
    };
    bool rails = context->preset && strcmp(context->preset, "rails") == 0;
    bool none = is_nil(site, "bundle_without");
    const char *without = none ? NULL : cap_text(site, "bundle_without");

    /* capistrano/rails takes the environment's name. */
    if (rails)
        put(ret, "RAILS_ENV", yaml_scalar(a, site->name));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        put_setting(a, site, ret, settings[i]);
    if (rails && is_nil(site, "bundle_path"))
        put(ret, "BUNDLE_DEPLOYMENT", "null");
    if (none)
        put(ret, "BUNDLE_WITHOUT", "null");
    if (without && yaml_fits(without)) {
        char *groups = arena_strdup(a, without);
        for (char *p = groups; *p; p++)
            *p = *p == ' ' ? ':' : *p;
        put(ret, "BUNDLE_WITHOUT", yaml_scalar(a, groups));
    }
    put_map(a, site, ret, "default_environment");
    put_map(a, site, ret, "default_env");
}
