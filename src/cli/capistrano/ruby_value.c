/* ruby_value.c -- reads the value of an expression of Ruby that needs nothing to be run (see ruby.h). */
#include "cli/capistrano/ruby.h"

#include "base/buf.h"

enum { VALUE_BYTES_MAX = 4096, VALUE_ITEMS_MAX = 500, VALUE_DEPTH_MAX = 24 };

/* Whether there is enough left for a value of that size. */
static bool burn(const struct ruby *r, size_t size)
{
    *r->fuel -= (long)(size + 1);
    return *r->fuel > 0;
}

static bool is_text(const struct ruby *r, const char *s)
{
    size_t len = strlen(s);

    return (size_t)(r->end - r->at) >= len && memcmp(r->at, s, len) == 0;
}

/* Passes `s` and the blanks around it. */
static bool take(struct ruby *r, const char *s)
{
    ruby_blanks(&r->at, r->end, true);
    if (!is_text(r, s))
        return false;
    r->at += strlen(s);
    ruby_blanks(&r->at, r->end, true);
    return true;
}

bool ruby_push(const struct ruby *r, struct ruby_value *list, const struct ruby_value *value)
{
    size_t room = list->n * sizeof *list->items;

    if (list->n >= VALUE_ITEMS_MAX * 2 || !burn(r, room))
        return false;
    /* A copy each time, since another value may have the old items. */
    struct ruby_value *items = arena_array(r->arena, list->n + 1, sizeof *items);
    if (list->n)
        memcpy(items, list->items, room);
    items[list->n++] = *value;
    list->items = items;
    return true;
}

static bool push_all(const struct ruby *r, struct ruby_value *list, const struct ruby_value *more)
{
    for (size_t i = 0; i < more->n; i++)
        if (!ruby_push(r, list, &more->items[i]))
            return false;
    return true;
}

const struct ruby_value *ruby_get(const struct ruby_value *map, const char *key)
{
    for (size_t i = map->n; map->kind == RUBY_MAP && i >= 2; i -= 2)
        if (map->items[i - 2].text && strcmp(map->items[i - 2].text, key) == 0)
            return &map->items[i - 1];
    return NULL;
}

static bool set_text(const struct ruby *r, struct ruby_value *ret, const char *s, size_t len)
{
    if (len > VALUE_BYTES_MAX || memchr(s, '\0', len) || !burn(r, len))
        return false;
    *ret = (struct ruby_value){.kind = RUBY_TEXT, .text = arena_strndup(r->arena, s, len)};
    return true;
}

/* An expression from `at` to `end` alone. */
static bool read_all(const struct ruby *r, const char *at, const char *end, struct ruby_value *ret)
{
    struct ruby inner = *r;

    if (at > end) /* an unterminated text */
        return false;
    inner.at = at, inner.end = end;
    inner.depth = r->depth + 1;
    ruby_blanks(&inner.at, end, true);
    if (!ruby_read(&inner, ret))
        return false;
    ruby_blanks(&inner.at, end, true);
    return inner.at == end;
}

bool ruby_force(const struct ruby *r, struct ruby_value *value)
{
    if (value->kind != RUBY_LAZY)
        return true;
    const char *source = value->text;
    return r->depth < VALUE_DEPTH_MAX && read_all(r, source, source + strlen(source), value);
}

/* ---- texts ---- */

static char escaped(char c)
{
    static const char from[] = "nrtse0", to[] = "\n\r\t \033\0";
    const char *p = strchr(from, c);

    return p && c ? to[p - from] : c;
}

/* The bytes from `at` to `end`, with #{...} and \n replaced if it is in double quotes. */
static bool text_from(struct ruby *r, const char *at, const char *end, bool is_double,
                      struct ruby_value *ret)
{
    struct buf b = buf_make(VALUE_BYTES_MAX);
    const char *env = NULL;
    bool ok = true;

    while (ok && at < end) {
        if (*at == '\\' && at + 1 < end) {
            bool keep = !is_double && at[1] != '\\' && at[1] != '\'';
            char c = is_double ? escaped(at[1]) : at[1];
            ok = !(is_double && strchr("uxcM1234567", at[1]));
            buf_add(&b, keep ? at : &c, 1 + (size_t)keep);
            at += 2;
        } else if (is_double && *at == '#' && at + 1 < end && at[1] == '{') {
            const char *stop = ruby_past(at + 2, end, '{', '}');
            struct ruby_value v;
            ok = read_all(r, at + 2, stop - 1, &v) && ruby_force(r, &v) && v.kind == RUBY_TEXT;
            if (ok)
                buf_puts(&b, v.text);
            env = ok && v.env ? v.env : env;
            at = stop;
        } else {
            buf_add(&b, at++, 1);
        }
    }
    ok = ok && !b.full && set_text(r, ret, b.len ? b.text : "", b.len);
    if (ok)
        ret->env = env;
    buf_free(&b);
    return ok;
}

static bool read_quoted(struct ruby *r, struct ruby_value *ret)
{
    const char *at = r->at + 1;

    r->at = ruby_past(at, r->end, at[-1], at[-1]);
    return r->at > at && r->at[-1] == at[-1] && text_from(r, at, r->at - 1, at[-1] == '"', ret);
}

/* %w[a b], %i(a b), %q(a), %(a). */
static bool read_percent(struct ruby *r, struct ruby_value *ret)
{
    const char *s = r->at + 1;
    char kind = s < r->end && strchr("wWiIqQ", *s) ? *s++ : 'Q';

    if (s >= r->end || !strchr("([{<|!/", *s))
        return false;
    const char *pairs = "()[]{}<>||!!//", *pair = strchr(pairs, *s);
    r->at = ruby_past(s + 1, r->end, pair[0], pair[1]);
    const char *stop = r->at - 1;
    if (stop <= s)
        return false;
    if (kind == 'q' || kind == 'Q')
        return text_from(r, s + 1, stop, kind == 'Q', ret);
    *ret = (struct ruby_value){.kind = RUBY_LIST};
    for (s++; s < stop;) {
        size_t len = 0;
        while (s + len < stop && !strchr(" \t\r\n", s[len]))
            len++;
        struct ruby_value word;
        if (len && (!text_from(r, s, s + len, kind == 'W' || kind == 'I', &word) ||
                    !ruby_push(r, ret, &word)))
            return false;
        s += len + 1;
    }
    return true;
}

/* ---- lists, maps, calls ---- */

/* "key: value" or "key => value" goes to the map, anything else to the list. */
static bool read_item(struct ruby *r, struct ruby_value *list, struct ruby_value *map)
{
    struct ruby_value key, value;
    size_t len = ruby_word(r->at, r->end);
    const char *colon = r->at + len;
    bool splat = *r->at == '*' && r->at + 1 < r->end && r->at[1] != '*';

    r->at += splat;
    if (len && colon + 1 < r->end && *colon == ':' && colon[1] != ':') {
        if (!set_text(r, &key, r->at, len))
            return false;
        r->at = colon + 1;
    } else {
        if (!ruby_read(r, &key))
            return false;
        bool quoted = key.kind == RUBY_TEXT && is_text(r, ":") && !is_text(r, "::");
        if (quoted)
            r->at++;
        else if (!take(r, "=>"))
            return splat ? key.kind == RUBY_LIST && push_all(r, list, &key)
                         : ruby_push(r, list, &key);
    }
    ruby_blanks(&r->at, r->end, true);
    return !splat && key.kind == RUBY_TEXT && ruby_read(r, &value) && ruby_push(r, map, &key) &&
           ruby_push(r, map, &value);
}

/* Items with commas up to `close`, or, without that, as long as there is a comma. */
static bool read_items(struct ruby *r, const char *close, struct ruby_value *list,
                       struct ruby_value *map)
{
    *list = (struct ruby_value){.kind = RUBY_LIST};
    *map = (struct ruby_value){.kind = RUBY_MAP};
    ruby_blanks(&r->at, r->end, close != NULL);
    while (!close || !is_text(r, close)) {
        if (r->at >= r->end || !read_item(r, list, map))
            return false;
        ruby_blanks(&r->at, r->end, close != NULL);
        if (!is_text(r, ","))
            break;
        take(r, ",");
    }
    if (!close)
        return true;
    if (!is_text(r, close))
        return false;
    r->at += strlen(close);
    return true;
}

static bool arguments(struct ruby *r, struct ruby_value *ret)
{
    struct ruby_value map;
    bool parens = is_text(r, "(");

    r->at += parens;
    if (!read_items(r, parens ? ")" : NULL, ret, &map))
        return false;
    return !map.n || ruby_push(r, ret, &map);
}

bool ruby_args(struct ruby *r, struct ruby_value *ret)
{
    if (!is_text(r, "("))
        ruby_blanks(&r->at, r->end, false);
    if (!arguments(r, ret))
        return false;
    ruby_blanks(&r->at, r->end, true);
    return r->at >= r->end || (*r->at == ';' && r->at + 1 == r->end);
}

/* fetch(:name, default); ENV['NAME'], ENV.fetch('NAME', default). */
static bool read_fetch(struct ruby *r, struct ruby_value *ret)
{
    struct ruby_value args;

    ruby_blanks(&r->at, r->end, false);
    if (!arguments(r, &args) || !args.n || args.items[0].kind != RUBY_TEXT)
        return false;
    if (r->lookup(r->arg, args.items[0].text, false, ret))
        return ruby_force(r, ret);
    if (args.n == 2)
        *ret = args.items[1];
    return args.n == 2;
}

static bool read_environment(struct ruby *r, struct ruby_value *ret)
{
    struct ruby_value args, map;
    bool index = is_text(r, "[");

    if (!index && !is_text(r, ".fetch"))
        return false;
    r->at += index ? 1 : strlen(".fetch");
    ruby_blanks(&r->at, r->end, false);
    if (index ? !read_items(r, "]", &args, &map) : !arguments(r, &args))
        return false;
    if (!args.n || args.items[0].kind != RUBY_TEXT)
        return false;
    ruby_blanks(&r->at, r->end, false);
    if (!index && args.n == 1 && take(r, "{")) {
        const char *at = r->at;
        r->at = ruby_past(at, r->end, '{', '}');
        if (!read_all(r, at, r->at - 1, ret))
            return false;
        ret->env = args.items[0].text;
        return true;
    }
    *ret = !index && args.n == 2 ? args.items[1] : args.items[0];
    ret->env = args.items[0].text;
    if (index || args.n == 1)
        ret->kind = RUBY_ENV;
    return true;
}

/* -> { x }, lambda { x }, proc do x end: x, to be read later. */
static bool read_lazy(struct ruby *r, struct ruby_value *ret)
{
    if (take(r, "(") && !take(r, ")"))
        return false;
    if (!take(r, "{"))
        return false;
    const char *at = r->at;
    r->at = ruby_past(at, r->end, '{', '}');
    if (!set_text(r, ret, at, (size_t)(r->at - 1 - at)))
        return false;
    ret->kind = RUBY_LAZY;
    return true;
}

static bool read_named(struct ruby *r, struct ruby_value *ret)
{
    char name[64];
    size_t len = ruby_word(r->at, r->end);

    if (!len || len >= sizeof name)
        return false;
    memcpy(name, r->at, len);
    name[len] = '\0';
    r->at += len;
    if (strcmp(name, "fetch") == 0)
        return read_fetch(r, ret);
    if (strcmp(name, "ENV") == 0)
        return read_environment(r, ret);
    if (strcmp(name, "lambda") == 0 || strcmp(name, "proc") == 0)
        return read_lazy(r, ret);
    if (strcmp(name, "nil") == 0)
        return true;
    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0)
        return set_text(r, ret, name, len);
    return r->lookup(r->arg, name, true, ret) && ruby_force(r, ret);
}

static bool read_primary(struct ruby *r, struct ruby_value *ret)
{
    struct ruby_value map;
    char c = r->at < r->end ? *r->at : '\0';
    const char *at = r->at;

    *ret = (struct ruby_value){.kind = RUBY_NIL};
    if (c == '"' || c == '\'')
        return read_quoted(r, ret);
    if (c == '%')
        return read_percent(r, ret);
    if (c == ':' && at + 1 < r->end && (at[1] == '"' || at[1] == '\'')) {
        r->at++;
        return read_quoted(r, ret);
    }
    if (c == ':') {
        size_t len = ruby_word(at + 1, r->end);
        r->at += 1 + len;
        return len && set_text(r, ret, at + 1, len);
    }
    if (c >= '0' && c <= '9') {
        while (r->at < r->end && strchr("0123456789._", *r->at) && *r->at)
            r->at++;
        return set_text(r, ret, at, (size_t)(r->at - at));
    }
    if (c == '[' || c == '{') {
        r->at++;
        if (!read_items(r, c == '[' ? "]" : "}", ret, &map))
            return false;
        if (c == '[')
            return !map.n;
        bool plain = ret->n == 0;
        *ret = map;
        return plain;
    }
    if (c == '(')
        return take(r, "(") && ruby_read(r, ret) && take(r, ")");
    if (is_text(r, "->")) {
        r->at += 2;
        return read_lazy(r, ret);
    }
    return read_named(r, ret);
}

/* ---- what follows a value ---- */

static bool join(const struct ruby *r, struct ruby_value *list, const char *between)
{
    struct buf b = buf_make(VALUE_BYTES_MAX);

    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].kind == RUBY_TEXT)
            buf_printf(&b, "%s%s", i ? between : "", list->items[i].text);
    bool ok = !b.full && set_text(r, list, b.len ? b.text : "", b.len);
    buf_free(&b);
    return ok;
}

static bool add(const struct ruby *r, struct ruby_value *left, const struct ruby_value *right)
{
    struct ruby_value both = {.kind = RUBY_LIST};

    if (left->kind == RUBY_TEXT && right->kind == RUBY_TEXT) {
        if (!ruby_push(r, &both, left) || !ruby_push(r, &both, right) || !join(r, &both, ""))
            return false;
        both.env = left->env ? left->env : right->env;
        *left = both;
        return true;
    }
    return left->kind == right->kind && (left->kind == RUBY_LIST || left->kind == RUBY_MAP) &&
           push_all(r, left, right);
}

static bool call(struct ruby *r, struct ruby_value *value)
{
    static const char *const same[] = {"to_s", "to_sym", "to_i",  "freeze",  "dup", "compact",
                                       "uniq", "strip",  "chomp", "flatten", "call"};
    size_t len = ruby_word(r->at, r->end);
    const char *name = arena_strndup(r->arena, r->at, len);
    struct ruby_value args = {.kind = RUBY_LIST};

    r->at += len;
    r->at += r->at < r->end && *r->at == '!';
    if (!burn(r, len) || !ruby_force(r, value) || (is_text(r, "(") && !arguments(r, &args)))
        return false;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strcmp(name, same[i]) == 0)
            return args.n == 0;
    if (strcmp(name, "push") == 0 || strcmp(name, "append") == 0)
        return value->kind == RUBY_LIST && push_all(r, value, &args);
    if (args.n != 1)
        return false;
    if (strcmp(name, "join") == 0)
        return value->kind == RUBY_LIST && args.items[0].kind == RUBY_TEXT &&
               join(r, value, args.items[0].text);
    return (strcmp(name, "concat") == 0 || strcmp(name, "merge") == 0) &&
           add(r, value, &args.items[0]);
}

static bool read_postfix(struct ruby *r, struct ruby_value *ret)
{
    if (!read_primary(r, ret))
        return false;
    for (;;) {
        const char *s = r->at;
        ruby_blanks(&s, r->end, true);
        if (s + 1 >= r->end || *s != '.' || !ruby_word(s + 1, r->end))
            return true;
        r->at = s + 1;
        if (!call(r, ret))
            return false;
    }
}

/* Whether an operator follows; passes it. */
static bool operator(struct ruby *r, const char *s)
{
    struct ruby ahead = *r;

    ruby_blanks(&ahead.at, r->end, false);
    if (!is_text(&ahead, s))
        return false;
    r->at = ahead.at;
    return take(r, s);
}

bool ruby_read(struct ruby *r, struct ruby_value *ret)
{
    bool ok = r->depth++ < VALUE_DEPTH_MAX && burn(r, 1) && read_postfix(r, ret);

    while (ok) {
        struct ruby_value right;
        bool either = operator(r, "||");
        if (!either && !operator(r, "+") && !operator(r, "|"))
            break;
        ok = read_postfix(r, &right);
        if (ok && either && (ret->kind == RUBY_ENV || ret->kind == RUBY_NIL)) {
            right.env = ret->env ? ret->env : right.env;
            *ret = right;
        } else if (ok && !either)
            ok = add(r, ret, &right);
    }
    r->depth--;
    return ok;
}
