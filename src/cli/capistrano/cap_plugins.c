/* cap_plugins.c -- the plugins that a Capfile loads (see cap.h), and what is known of them. */
#include "cli/capistrano/cap_statement.h"

enum { PLUGINS_MAX = 200 };

static const char unknown[] = "what this plugin does is not converted";

/* Those whose part is in the recipe, or that do nothing that a recipe needs; "x/" is all below it. */
static const char *const understood[] = {
    "capistrano",           "capistrano/all",       "capistrano/setup",
    "capistrano/deploy",    "capistrano/framework", "capistrano/scm/",
    "capistrano/rails",     "capistrano/bundler",   "capistrano/rails/assets",
    "capistrano/rbenv",     "capistrano/rvm",       "capistrano/rails/migrations",
    "capistrano/nvm",       "capistrano/passenger", "capistrano/laravel",
    "capistrano/composer",  "capistrano/npm",       "capistrano/yarn",
    "airbrussh/capistrano", "Capistrano::SCM::",    "capistrano/console"};

/* Those whose part a recipe can have, once a person has written it. */
static const struct {
    const char *name;
    const char *why;
} known[] = {
    {"capistrano/sidekiq",
     "Sidekiq is not restarted: add its command to 'hooks' as 'after restart'"},
    {"Capistrano::Sidekiq", "see capistrano/sidekiq"},
    {"whenever/capistrano",
     "the crontab is not updated: add 'bundle exec whenever --update-crontab' to 'hooks'"},
    {"capistrano/puma", "how Puma is restarted is not known: see restart"},
    {"Capistrano::Puma", "see capistrano/puma"},
    {"capistrano/chruby", "put the directory of its Ruby into 'path'"},
};

static bool is_understood(const char *name)
{
    for (size_t i = 0; i < sizeof understood / sizeof *understood; i++) {
        size_t len = strlen(understood[i]);
        bool below = strchr("/:", understood[i][len - 1]) != NULL;
        if (below ? strncmp(name, understood[i], len) == 0 : strcmp(name, understood[i]) == 0)
            return true;
    }
    return false;
}

/* Why it is left to a person, or NULL.  A library that is not of Capistrano does nothing by itself. */
static const char *why_left(const char *name, bool installed)
{
    if (is_understood(name))
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(name, known[i].name, strlen(known[i].name)) == 0)
            return known[i].why;
    return installed || strstr(name, "istrano") || strstr(name, "recipes") ? unknown : NULL;
}

static void add_plugin(struct cap *cap, const char *name, struct cap_mark *mark, bool installed)
{
    const char *why = why_left(name, installed);

    if (cap->n_plugins >= PLUGINS_MAX)
        return;
    if (!cap->plugins)
        cap->plugins = arena_array(cap->arena, PLUGINS_MAX, sizeof *cap->plugins);
    cap->plugins[cap->n_plugins++] = (struct cap_plugin){name, mark};
    if (why) {
        mark->state = CAP_LEFT;
        mark->why = why;
    }
}

bool cap_has_plugin(const struct cap *cap, const char *name)
{
    for (size_t i = 0; i < cap->n_plugins; i++)
        if (strcmp(cap->plugins[i].name, name) == 0)
            return true;
    return false;
}

void cap_plugin_mark(struct cap *cap, const char *name, enum cap_state state, const char *why)
{
    for (size_t i = 0; i < cap->n_plugins; i++) {
        struct cap_mark *mark = cap->plugins[i].mark;
        /* The first environment's note stays. */
        if (strcmp(cap->plugins[i].name, name) != 0 || (mark->note && state == CAP_DONE))
            continue;
        mark->state = state;
        mark->why = state == CAP_LEFT ? why : NULL;
        mark->note = state == CAP_LEFT ? NULL : why;
    }
}

/* The text in quotes that follows a word, or the constant; NULL: neither. */
static const char *name_after(struct arena *a, const char *at, const char *end)
{
    while (at < end && strchr(" \t(", *at))
        at++;
    if (at < end && (*at == '\'' || *at == '"')) {
        const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
        return close ? arena_strndup(a, at + 1, (size_t)(close - at - 1)) : NULL;
    }
    size_t len = 0;
    while (at + len < end && (at[len] == ':' || ruby_word(at + len, at + len + 1)))
        len++;
    return len ? arena_strndup(a, at, len) : NULL;
}

static bool is_one_of(const char *at, size_t len, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == len && memcmp(at, *words, len) == 0)
            return true;
    return false;
}

static void read_one(struct cap *cap, struct cap_mark *mark, const char *at, const char *end,
                     bool is_capfile)
{
    static const char *const loads[] = {"require", "install_plugin", NULL};
    static const char *const files[] = {"load", "import", "require_relative", NULL};
    static const char *const sets[] = {"set", "append", "set_if_empty", "server", "role", NULL};
    size_t len = ruby_word(at, end);
    const char *name = name_after(cap->arena, at + len, end);

    if (is_one_of(at, len, loads) && name && *name != '.') {
        add_plugin(cap, name, mark, *at == 'i');
        return;
    }
    if (!is_capfile)
        return;
    bool standard = name && (strcmp(name, "deploy") == 0 || strcmp(name, "config/deploy") == 0);
    const char *tasks = strstr(at, "lib/capistrano/tasks");
    if ((tasks && tasks < end) || (standard && is_one_of(at, len, files)))
        return;
    mark->state = CAP_LEFT;
    mark->is_setting = is_one_of(at, len, sets);
    mark->why = mark->is_setting ? "settings of the Capfile are not read"
                : is_one_of(at, len, files) || is_one_of(at, len, loads) ? "this file is not read"
                                                                         : NULL;
}

void cap_read_plugins(struct cap *cap, struct cap_file *file, bool is_capfile)
{
    const char *at = file->text, *end = at + file->len, *counted = at;
    size_t line = 0;

    for (const char *next; at < end; at = next) {
        ruby_blanks(&at, end, true);
        if (at >= end || (end - at >= 7 && memcmp(at, "__END__", 7) == 0))
            break;
        for (; counted < at; counted++)
            line += *counted == '\n';
        next = cap_statement_end(at, end);
        file->marks[line].last = line;
        read_one(cap, &file->marks[line], at, next, is_capfile);
    }
}
