/* cap_recipe.c -- writes the recipe for a configuration of Capistrano (see cap.h): what production has at the
 * top, and for every other environment what differs from that. */
#include "cli/capistrano/cap_site.h"

#include "base/buf.h"
#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

enum { RECIPE_TEXT_MAX = 900 * 1024 };

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A key at that depth; a value of several lines has its own line ends. */
static void write_pair(struct buf *b, size_t depth, const struct cap_pair *pair)
{
    const char *yaml = pair->yaml ? pair->yaml : "null";

    buf_printf(b, "%*s%s:%s", (int)depth, "", pair->key, *yaml == '\n' ? "" : " ");
    for (const char *line = yaml; *line;) {
        size_t len = strcspn(line, "\n");
        buf_add(b, line, len);
        line += len;
        if (*line++ != '\n')
            break;
        buf_printf(b, "\n%*s", (int)depth, "");
    }
    buf_puts(b, "\n");
}

static const struct cap_pair *env_of(const struct cap_part *part, const char *key)
{
    for (size_t i = 0; i < part->n_env; i++)
        if (strcmp(part->env[i].key, key) == 0)
            return &part->env[i];
    return NULL;
}

/* The variables of part; of those that base has too only what differs. */
static void write_env(struct buf *b, size_t depth, const struct cap_part *part,
                      const struct cap_part *base)
{
    struct buf lines = buf_make(RECIPE_TEXT_MAX);

    for (size_t i = 0; i < part->n_env; i++) {
        const struct cap_pair *there = base ? env_of(base, part->env[i].key) : NULL;
        if (!there || !same(there->yaml, part->env[i].yaml))
            write_pair(&lines, depth + 2, &part->env[i]);
    }
    for (size_t i = 0; base && i < base->n_env; i++)
        if (!env_of(part, base->env[i].key))
            write_pair(&lines, depth + 2, &(struct cap_pair){base->env[i].key, NULL});
    /* The top has the same lines for an environment that wants the same. */
    for (size_t i = 0; i < (base && base->wanted.n ? 0 : part->wanted.n); i++)
        buf_printf(&lines, "%*s# %s: ${%s}   # its value came from the environment of 'cap'\n",
                   lines.len ? (int)depth + 2 : (int)depth, "", part->wanted.v[i],
                   part->wanted.v[i]);
    if (lines.len)
        buf_printf(b, "%*s%s\n%s", (int)depth, "",
                   lines.text[strspn(lines.text, " ")] == '#' ? "# env:" : "env:", lines.text);
    buf_free(&lines);
}

static void write_keys(struct buf *b, size_t depth, const struct cap_part *part,
                       const struct cap_part *base)
{
    for (size_t i = 0; i < part->n; i++) {
        bool differs =
            base ? !same(base->pairs[i].yaml, part->pairs[i].yaml) : part->pairs[i].yaml != NULL;
        if (differs)
            write_pair(b, depth, &part->pairs[i]);
    }
    write_env(b, depth, part, base);
}

static void write_environments(struct buf *b, const struct cap *cap, struct cap_part *const *parts)
{
    bool any = false;

    buf_puts(b, "\nenvironments:\n");
    for (size_t i = 0; i < cap->n_sites; i++) {
        const char *name = cap->sites[i].name;
        struct cap_file *file = cap->sites[i].file;
        if (!parts[i]->hosts.n && file && file->marks[0].state == CAP_NONE)
            file->marks[0] = (struct cap_mark){.state = CAP_LEFT, .why = "no server was read"};
        if (!parts[i]->hosts.n)
            continue;
        any = true;
        buf_printf(b, "  %s:\n", yaml_scalar(cap->arena, name));
        if (i > 0)
            write_keys(b, 4, parts[i], parts[0]);
        buf_puts(b, "    hosts:\n");
        for (size_t k = 0; k < parts[i]->hosts.n; k++)
            buf_printf(b, "      - %s\n", parts[i]->hosts.v[k]);
    }
    if (!any)
        buf_puts(b, "  production:\n"
                    "    hosts:\n"
                    "      - deploy@app1.example.com   # replace this with your own host\n");
}

static void write_left(struct buf *b, struct cap *cap)
{
    struct cap_left *all;
    size_t n = cap_left(cap->arena, cap, &all);

    if (n)
        buf_puts(
            b,
            "\n# Not converted, or not as it was. Look at each of them, and remove it from this list:\n");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "#   %s:%zu  %s\n", yaml_comment(cap->arena, all[i].file), all[i].line,
                   yaml_comment(cap->arena, all[i].text));
        if (all[i].why)
            buf_printf(b, "#       %s\n", yaml_comment(cap->arena, all[i].why));
    }
}

/* The first site with hosts is the one whose values stand at the top. */
static void order(struct cap *cap, struct cap_part **parts)
{
    for (size_t i = 0; i < cap->n_sites; i++) {
        if (!parts[i]->hosts.n)
            continue;
        struct cap_part *part = parts[0];
        struct cap_site site = cap->sites[0];
        parts[0] = parts[i], cap->sites[0] = cap->sites[i];
        parts[i] = part, cap->sites[i] = site;
        return;
    }
}

const char *cap_recipe(struct arena *a, struct cap *cap, const struct cap_context *context)
{
    struct cap_part **parts = arena_array(a, cap->n_sites, sizeof *parts);
    struct buf b = buf_make(RECIPE_TEXT_MAX);
    struct cap_context c = *context;
    const char *name = cap_checked(a, &cap->sites[0], "application", check_name);

    c.application = name ? name : context->application;
    for (size_t i = 0; i < cap->n_sites; i++) {
        cap_checked(a, &cap->sites[i], "application", check_name);
        parts[i] = arena_alloc(a, sizeof *parts[i]);
        cap_part(a, &cap->sites[i], &c, parts[i]);
    }
    order(cap, parts);
    buf_printf(
        &b,
        "# Made from config/deploy.rb by 'crelease init --from-capistrano'. 'crelease help recipe'\n"
        "# lists every key, and 'crelease help KEY' shows more about a key.\n"
        "application: %s\n",
        yaml_scalar(a, c.application));
    if (c.preset)
        buf_printf(&b, "extends: %s\n", c.preset);
    write_keys(&b, 0, parts[0], NULL);
    write_environments(&b, cap, parts);
    write_left(&b, cap);
    const char *text = b.full ? NULL : arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}
