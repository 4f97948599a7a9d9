/* cap_tasks.c -- the tasks and hooks of a `namespace`, each of which is left to a person (see
 * cap_statement.h).  It goes by lines and their indentation. */
#define _GNU_SOURCE /* memmem */
#include "cli/capistrano/cap_statement.h"

enum { TASKS_MAX = 200, NESTED_MAX = 8 };

struct line {
    const char *at; /* its first word */
    const char *end;
    struct cap_mark *mark;
    const char *space; /* "deploy", "deploy:assets" */
    size_t len;        /* of its first word */
};

struct task {
    const char *name; /* "deploy:restart" */
    const char *at;
    const char *end; /* where the next task or hook begins */
    struct cap_mark *mark;
};

struct tasks {
    struct cap_statement *s;
    struct task all[TASKS_MAX];
    size_t n;
};

static bool begins(const struct line *l, const char *word)
{
    return l->len == strlen(word) && memcmp(l->at, word, l->len) == 0;
}

/* Reads the names that follow the first word, in parentheses or up to `do`; false if there are none. */
static bool names_of(struct tasks *t, const struct line *l, struct ruby_value *ret)
{
    size_t size = (size_t)(l->end - l->at);
    bool parens = l->len < size && l->at[l->len] == '(';
    const char *close = memchr(l->at, ')', size);
    const char *stop = parens ? (close ? close + 1 : NULL) : memmem(l->at, size, " do", 3);
    struct ruby r = cap_ruby(t->s->site, l->at + l->len, stop ? stop : l->end);

    return ruby_args(&r, ret) && ret->n;
}

/* The first name of the arguments; of a task with what it needs first, `a: :b`, the key. */
static const char *first_name(const struct ruby_value *args)
{
    return args->items[0].kind == RUBY_TEXT                      ? args->items[0].text
           : args->items[0].kind == RUBY_MAP && args->items[0].n ? args->items[0].items[0].text
                                                                 : NULL;
}

static const char *full_name(struct tasks *t, const char *space, const char *name)
{
    return strchr(name, ':') || !*space ? name
                                        : arena_printf(t->s->ruby.arena, "%s:%s", space, name);
}

static void leave(struct cap_mark *mark)
{
    mark->state = mark->state == CAP_DONE ? CAP_DONE : CAP_LEFT;
}

static void add_task(struct tasks *t, const struct line *l)
{
    struct ruby_value args;
    const char *word = names_of(t, l, &args) && first_name(&args)
                           ? full_name(t, l->space, first_name(&args))
                           : NULL;

    leave(l->mark);
    if (!word || t->n >= TASKS_MAX)
        return;
    l->mark->text = arena_printf(t->s->ruby.arena, "task %s", word);
    t->all[t->n++] = (struct task){word, l->at, l->end, l->mark};
}

/* A hook of a task that is listed stands in its line. */
static void add_hook(struct tasks *t, const struct line *l)
{
    struct ruby_value args;

    if (names_of(t, l, &args) && args.n == 2 && args.items[0].text && args.items[1].text) {
        const char *name = full_name(t, l->space, args.items[1].text);
        for (size_t i = 0; i < t->n; i++) {
            if (strcmp(t->all[i].name, name) != 0)
                continue;
            struct cap_mark *mark = t->all[i].mark;
            mark->text = arena_printf(t->s->ruby.arena, "%s, %s %s", mark->text,
                                      *l->at == 'b' ? "before" : "after",
                                      full_name(t, l->space, args.items[0].text));
            return;
        }
    }
    leave(l->mark);
}

/* `pass` 0: the tasks; 1: the hooks, which may stand in front of them. */
static void walk(struct tasks *t, const char *end, int pass)
{
    struct {
        const char *name;
        size_t indent;
    } spaces[NESTED_MAX];
    size_t n = 0;
    struct cap_mark *mark = t->s->mark;

    for (const char *at = t->s->begin, *next; at < end; at = next, mark++) {
        struct line l = {.at = at, .mark = mark, .space = ""};
        next = memchr(at, '\n', (size_t)(end - at));
        l.end = next ? next : end;
        next = next ? next + 1 : end;
        ruby_blanks(&l.at, l.end, false);
        l.len = ruby_word(l.at, l.end);
        size_t indent = (size_t)(l.at - at);
        if (!l.len)
            continue;
        while (n && spaces[n - 1].indent >= indent && (at != t->s->begin))
            n--;
        l.space = n ? spaces[n - 1].name : "";
        struct ruby_value args;
        if (begins(&l, "namespace") && n < NESTED_MAX && names_of(t, &l, &args) &&
            first_name(&args)) {
            spaces[n].indent = indent;
            spaces[n++].name = full_name(t, l.space, first_name(&args));
        } else if (pass == 0 && begins(&l, "task")) {
            add_task(t, &l);
        } else if (pass == 1 && (begins(&l, "before") || begins(&l, "after"))) {
            add_hook(t, &l);
        }
    }
}

/* `on roles(:app), in: :sequence, wait: 5`: a few hosts at a time. */
static void read_rolling(struct cap_statement *s, const char *at, const char *end)
{
    const char *groups = memmem(at, (size_t)(end - at), ":groups", 7);
    const char *mode = groups ? groups : memmem(at, (size_t)(end - at), ":sequence", 9);
    const char *stop = mode ? memchr(mode, '\n', (size_t)(end - mode)) : NULL;
    const char *numbers[2] = {NULL, "1"}; /* wait, limit */
    static const char *const words[] = {"wait", "limit"};

    for (size_t i = 0; stop && i < 2; i++) {
        const char *word = memmem(mode, (size_t)(stop - mode), words[i], strlen(words[i]));
        const char *digits = word ? word + strcspn(word, "0123456789\n") : stop;
        size_t len = digits < stop ? strspn(digits, "0123456789") : 0;
        if (len > 0 && len < 5)
            numbers[i] = arena_strndup(s->ruby.arena, digits, len);
    }
    if (stop && strcmp(numbers[1], "0") != 0)
        s->site->rolling = numbers[0] ? arena_printf(s->ruby.arena, "{batch: %s, wait: %ss}",
                                                     numbers[1], numbers[0])
                                      : arena_printf(s->ruby.arena, "{batch: %s}", numbers[1]);
}

bool cap_read_tasks(struct cap_statement *s, const char *end)
{
    struct tasks *t = arena_alloc(s->ruby.arena, sizeof *t);

    t->s = s;
    walk(t, end, 0);
    walk(t, end, 1);
    for (size_t i = 0; i < t->n; i++) {
        const char *stop = i + 1 < t->n ? t->all[i + 1].at : end;
        if (strcmp(t->all[i].name, "deploy:restart") != 0)
            continue;
        s->site->restart_mark = t->all[i].mark;
        read_rolling(s, t->all[i].at, stop);
    }
    return t->n > 0;
}
