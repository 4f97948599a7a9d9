/* cap_blocks.c -- what can be told of a statement that was not read, such as a task (see cap_statement.h). */
#define _GNU_SOURCE /* memmem */
#include "cli/capistrano/cap_statement.h"

static bool has(const char *at, const char *end, const char *text)
{
    return memmem(at, (size_t)(end - at), text, strlen(text)) != NULL;
}

/* execute :sudo, :systemctl, :restart, 'shop': the command of a restart task. */
static void read_execute(struct cap_site *site, const char *at, const char *end)
{
    struct ruby_value args;
    bool sudo = *at == 's';
    struct ruby r = cap_ruby(site, at + (sudo ? 4 : 7), end);
    const char *command = sudo ? "sudo" : "";

    if (!ruby_args(&r, &args))
        return;
    for (size_t i = 0; i < args.n; i++) {
        if (args.items[i].kind != RUBY_TEXT)
            return;
        command = arena_printf(r.arena, "%s%s%s", command, *command ? " " : "", args.items[i].text);
    }
    if (has(command, command + strlen(command), "systemctl") && strstr(command, "restart"))
        site->restart = site->restart && strcmp(site->restart, command) != 0
                            ? arena_printf(r.arena, "%s && %s", site->restart, command)
                            : command;
}

static bool is_setting(const char *line, const char *end)
{
    static const char *const words[] = {"set",  "append", "remove",      "server",
                                        "role", "ask",    "set_if_empty"};
    size_t len = ruby_word(line, end);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (len == strlen(words[i]) && memcmp(line, words[i], len) == 0)
            return line + len < end && strchr(" (", line[len]);
    return false;
}

const char *cap_statement_end(const char *at, const char *end)
{
    bool whole;
    const char *next = ruby_skip(at, end, &whole);

    for (const char *s = at; !whole && (s = memchr(s, '\n', (size_t)(next - s)));)
        if (is_setting(++s, next))
            return s;
    return next;
}

/* Counts the settings in a statement that was not read, but for its first word, and looks for the command in
 * `task :restart`. */
void cap_read_block(struct cap_statement *s, const char *end)
{
    bool deploy = has(s->begin, end, "namespace :deploy") || has(s->begin, end, "deploy:restart");
    bool restarts = false;
    size_t inside = 0;

    for (const char *line = s->begin, *next; line < end; line = next) {
        next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next + 1 : end;
        ruby_blanks(&line, next, false);
        size_t len = ruby_word(line, next);
        bool first = line == s->begin && s->mark->is_setting;
        inside += !first && is_setting(line, next);
        if (len == 4 && memcmp(line, "task", 4) == 0)
            restarts = deploy && has(line, next, ":restart");
        bool runs = (len == 7 && memcmp(line, "execute", 7) == 0) ||
                    (len == 4 && memcmp(line, "sudo", 4) == 0);
        if (restarts && runs && !s->site->restart)
            read_execute(s->site, line, next);
    }
    s->mark->inside = inside;
    if (deploy && has(s->begin, end, "restart.txt"))
        s->site->touch = true;
}
