/* cap_evaluate.c -- goes through the statements of a file of Capistrano and keeps what it sets (see cap.h).
 * A block, such as a task or a condition, is not entered: it is left to a person. */
#define _GNU_SOURCE /* memmem */
#include "cli/capistrano/cap_statement.h"

#include "cli/capistrano/yaml.h"
#include "recipe/check.h"

enum { SETTINGS_MAX = 2000 };

static bool lookup(void *arg, const char *name, bool local, struct ruby_value *ret)
{
    struct cap_site *site = arg;
    bool capistrano_2 = strcmp(name, "application") == 0 || strcmp(name, "user") == 0 ||
                        strcmp(name, "deploy_to") == 0;

    if (strcmp(name, "stage") == 0) {
        *ret = (struct ruby_value){.kind = RUBY_TEXT, .text = site->name};
        return true;
    }
    for (size_t i = site->n_locals; local && i > 0; i--)
        if (strcmp(site->locals[i - 1].name, name) == 0) {
            *ret = site->locals[i - 1].value;
            return true;
        }
    struct cap_setting *s = local && !capistrano_2 ? NULL : cap_find(site, name);
    if (s) {
        *ret = s->value;
        return true;
    }
    bool list = strcmp(name, "linked_files") == 0 || strcmp(name, "linked_dirs") == 0;
    *ret = (struct ruby_value){.kind = list ? RUBY_LIST : RUBY_MAP};
    return !local && (list || strcmp(name, "default_env") == 0);
}

struct ruby cap_ruby(struct cap_site *site, const char *at, const char *end)
{
    return (struct ruby){.arena = site->cap->arena,
                         .at = at,
                         .end = end,
                         .lookup = lookup,
                         .arg = site,
                         .fuel = &site->cap->fuel};
}

/* ---- settings ---- */

void cap_mark(struct cap_mark *m, enum cap_state state)
{
    if (m && m->state < state)
        m->state = state;
}

static struct cap_setting *find(struct cap_setting *all, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--)
        if (strcmp(all[i - 1].name, name) == 0)
            return &all[i - 1];
    return NULL;
}

struct cap_setting *cap_find(struct cap_site *site, const char *name)
{
    struct cap_setting *s = find(site->settings, site->n_settings, name);

    if (s)
        cap_mark(s->mark, CAP_DONE);
    return s;
}

const struct ruby_value *cap_value(struct cap_site *site, const char *name)
{
    struct cap_setting *s = cap_find(site, name);
    struct ruby r = cap_ruby(site, "", "");

    if (!s)
        return NULL;
    if (ruby_force(&r, &s->value) && s->value.kind != RUBY_NIL && s->value.kind != RUBY_ENV)
        return &s->value;
    cap_spoilt(site, name,
               s->value.kind == RUBY_NIL
                   ? NULL
                   : "its value is not known before it runs, so it is not in the recipe");
    return NULL;
}

const char *cap_text(struct cap_site *site, const char *name)
{
    const struct ruby_value *v = cap_value(site, name);

    if (v && v->kind != RUBY_TEXT)
        cap_spoilt(site, name, "expected one text, so it is not in the recipe");
    return v && v->kind == RUBY_TEXT ? v->text : NULL;
}

bool cap_roles(struct arena *a, struct cap_site *site, const char *name, const char *why,
               struct strs *ret)
{
    const struct cap_setting *set = cap_find(site, name);
    const struct ruby_value *v = set ? cap_value(site, name) : NULL;
    size_t n = v && v->kind == RUBY_LIST ? v->n : v != NULL;
    bool ok = n > 0;

    *ret = (struct strs){0};
    for (size_t i = 0; i < n; i++) {
        const struct ruby_value *role = v->kind == RUBY_LIST ? &v->items[i] : v;
        const char *text = role->kind == RUBY_TEXT ? role->text : "";
        ok = ok && yaml_fits(text) && !check_role(a, &text);
        strs_add(a, ret, text);
    }
    if (set && !ok)
        cap_spoilt(site, name, why);
    return ok;
}

const char *cap_variable(const struct ruby_value *value)
{
    const char *found = value->env;

    for (size_t i = 0; !found && i < value->n; i++)
        found = cap_variable(&value->items[i]);
    return found;
}

void cap_spoilt(struct cap_site *site, const char *name, const char *why)
{
    struct cap_setting *s = find(site->settings, site->n_settings, name);

    if (s && s->mark) {
        s->mark->state = CAP_LEFT;
        s->mark->why = why;
    }
}

static bool put(struct cap_setting **all, size_t *n, const struct cap_setting *add, struct arena *a)
{
    struct cap_setting *old = find(*all, *n, add->name);

    if (old) {
        /* The first statement was read, too: the second one replaces its value. */
        cap_mark(old->mark, CAP_SPARE);
        if (old->mark)
            old->mark->name = NULL;
        *old = *add;
        return true;
    }
    if (*n >= SETTINGS_MAX)
        return false;
    if ((*n & (*n - 1)) == 0) { /* grows at powers of two */
        struct cap_setting *more = arena_array(a, *n ? *n * 2 : 1, sizeof *more);
        if (*n)
            memcpy(more, *all, *n * sizeof *more);
        *all = more;
    }
    (*all)[(*n)++] = *add;
    return true;
}

/* What crelease does anyway, or does not need: it needs no Git on the hosts, and no terminal. */
static bool is_spare(const char *name)
{
    static const char *const names[] = {"stage",
                                        "stages",
                                        "default_stage",
                                        "scm",
                                        "format",
                                        "format_options",
                                        "log_level",
                                        "pty",
                                        "tmp_dir",
                                        "use_sudo",
                                        "deploy_via",
                                        "git_shallow_clone",
                                        "local_user",
                                        "conditionally_migrate",
                                        "bundle_bins",
                                        "bundle_binstubs",
                                        "rbenv_map_bins",
                                        "rbenv_roles",
                                        "rbenv_prefix",
                                        "rvm_map_bins",
                                        "rvm_roles",
                                        "nvm_map_bins",
                                        "nvm_roles",
                                        "normalize_asset_timestamps",
                                        "git_strategy",
                                        "repository_cache",
                                        "copy_strategy",
                                        "keep_assets",
                                        "assets_manifests",
                                        "local_repository",
                                        "migration_servers"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool keep(struct cap_statement *s, const char *name, const struct ruby_value *value)
{
    struct cap_site *site = s->site;
    struct cap_setting add = {.name = name, .value = *value, .mark = s->mark};

    cap_mark(s->mark, is_spare(name) ? CAP_SPARE : CAP_UNUSED);
    s->mark->name = name;
    return put(&site->settings, &site->n_settings, &add, site->cap->arena);
}

/* set, set_if_empty, append, remove, ask. */
static bool read_set(struct cap_statement *s, const char *word)
{
    struct ruby_value args, list;
    const char *name;

    if (!ruby_args(&s->ruby, &args) || !args.n || args.items[0].kind != RUBY_TEXT)
        return false;
    name = args.items[0].text;
    if (strcmp(word, "append") == 0 || strcmp(word, "remove") == 0) {
        bool adds = *word == 'a';
        if (!lookup(s->site, name, false, &list))
            list = (struct ruby_value){.kind = RUBY_LIST};
        struct ruby_value kept = {.kind = RUBY_LIST};
        for (size_t i = 0; i < list.n; i++) {
            bool drop = false;
            for (size_t k = 1; !adds && k < args.n; k++)
                drop = drop || (args.items[k].text && list.items[i].text &&
                                strcmp(args.items[k].text, list.items[i].text) == 0);
            if (!drop && !ruby_push(&s->ruby, &kept, &list.items[i]))
                return false;
        }
        for (size_t k = 1; adds && k < args.n; k++)
            if (!ruby_push(&s->ruby, &kept, &args.items[k]))
                return false;
        return list.kind == RUBY_LIST && keep(s, name, &kept);
    }
    if (strcmp(word, "set_if_empty") == 0 && find(s->site->settings, s->site->n_settings, name)) {
        cap_mark(s->mark, CAP_SPARE);
        return true;
    }
    struct ruby_value nothing = {.kind = RUBY_NIL};
    return args.n <= 2 && keep(s, name, args.n == 2 ? &args.items[1] : &nothing);
}

/* fetch(:default_env).merge!(...): a value that is changed in place. */
static bool read_fetch(struct cap_statement *s)
{
    struct ruby_value value, name;
    struct ruby r = s->ruby, whole = s->ruby;

    whole.at = s->begin;
    r.at += r.at < r.end && *r.at == '(';
    if (!ruby_read(&r, &name) || name.kind != RUBY_TEXT || !ruby_read(&whole, &value))
        return false;
    ruby_blanks(&whole.at, whole.end, true);
    s->mark->is_setting = true;
    return whole.at == whole.end && keep(s, name.text, &value);
}

/* x = 'text': can be used in later statements. */
static bool read_local(struct cap_statement *s, const char *word)
{
    struct cap_setting add = {.name = word};

    ruby_blanks(&s->ruby.at, s->ruby.end, false);
    if (s->ruby.at + 1 >= s->ruby.end || *s->ruby.at != '=' || strchr("=~>", s->ruby.at[1]))
        return false;
    s->ruby.at++;
    ruby_blanks(&s->ruby.at, s->ruby.end, true);
    if (!ruby_read(&s->ruby, &add.value))
        return false;
    ruby_blanks(&s->ruby.at, s->ruby.end, true);
    return s->ruby.at == s->ruby.end &&
           put(&s->site->locals, &s->site->n_locals, &add, s->site->cap->arena);
}

/* ---- statements ---- */

/* False if it has to be left to a person. */
static bool read_statement(struct cap_statement *s, const char *word)
{
    static const char *const harmless[] = {"lock", "require", "desc", "end"};
    bool sets = strcmp(word, "set") == 0 || strcmp(word, "append") == 0 ||
                strcmp(word, "remove") == 0 || strcmp(word, "ask") == 0 ||
                strcmp(word, "set_if_empty") == 0;
    bool serves = strcmp(word, "server") == 0 || strcmp(word, "role") == 0;

    s->mark->is_setting = s->mark->is_setting || sets || serves;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(word, harmless[i]) == 0) {
            if (i == 0) {
                cap_mark(s->mark, CAP_SPARE);
                s->mark->name = harmless[0];
            }
            return true;
        }
    if (sets)
        return read_set(s, word);
    if (serves)
        return cap_read_server(s, *word == 'r');
    return strcmp(word, "fetch") == 0 ? read_fetch(s) : read_local(s, word);
}

static size_t lines_in(const char *at, const char *end)
{
    size_t n = 0;

    while (at < end)
        n += *at++ == '\n';
    return n;
}

/* The line of its last byte that is not a line end. */
static size_t last_line(const char *at, const char *end, size_t line)
{
    while (end > at && strchr(" \t\r\n", end[-1]))
        end--;
    return line + lines_in(at, end);
}

void cap_evaluate(struct cap_site *site, struct cap_file *file)
{
    const char *at = file->text, *end = at + file->len, *counted = at;
    struct arena *a = site->cap->arena;
    size_t line = 0;

    for (const char *next; at < end; at = next) {
        for (const char *before = NULL; before != at;) { /* blanks, and =begin ... =end */
            before = at;
            ruby_blanks(&at, end, true);
            if (end - at > 6 && memcmp(at, "=begin", 6) == 0) {
                const char *stop = memmem(at, (size_t)(end - at), "\n=end", 5);
                at = stop ? stop + 5 : end;
            }
        }
        if (at >= end || (end - at >= 7 && memcmp(at, "__END__", 7) == 0))
            break;
        line += lines_in(counted, at);
        counted = at;
        next = cap_statement_end(at, end);
        size_t len = ruby_word(at, next);
        struct cap_statement s = {.site = site, .mark = &file->marks[line], .begin = at};
        s.ruby = cap_ruby(site, at + len, next);
        s.mark->last = last_line(at, next, line);
        if (len && read_statement(&s, arena_strndup(a, at, len)))
            continue;
        cap_read_block(&s, next);
        if (len == 9 && memcmp(at, "namespace", 9) == 0 && cap_read_tasks(&s, next) &&
            !s.mark->inside)
            continue;
        s.mark->state = CAP_LEFT;
    }
}
