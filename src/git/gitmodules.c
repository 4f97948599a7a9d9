/* gitmodules.c -- parses .gitmodules (see gitmodules.h).  Called by submodule.c.  libgit2's reader of
 * configuration files is not used, because it follows `include.path`, which Git does not do here. */
#include "git/gitmodules.h"

#include "base/text.h"

#include <ctype.h>

enum { VALUE_BYTES_MAX = 8192 };

struct parser {
    struct arena *arena;
    struct gitmodules *into;
    const char *at;
    const char *end;
    unsigned line;
    unsigned began;       /* the line of the section or key that is being read */
    struct submodule *of; /* of the current section; NULL: it is about something else */
    size_t room;
};

static bool refuse(const struct parser *p, const char *why, struct err *err)
{
    return err_set(err, ERR_FAILED, "line %u of .gitmodules cannot be used: %s", p->began, why);
}

static int peek(const struct parser *p)
{
    return p->at < p->end ? (unsigned char)*p->at : -1;
}

/* Carriage returns before a line break are not part of a line. */
static int next(struct parser *p)
{
    if (p->at < p->end && *p->at == '\r' && p->at + 1 < p->end && p->at[1] == '\n')
        p->at++;
    if (p->at == p->end)
        return -1;
    if (*p->at == '\n')
        p->line++;
    return (unsigned char)*p->at++;
}

static void skip_blanks(struct parser *p)
{
    while (peek(p) >= 0 && isspace(peek(p)))
        next(p);
}

static void skip_line(struct parser *p)
{
    for (int c = next(p); c >= 0 && c != '\n'; c = next(p))
        ;
}

/* Sections of one name are one submodule. */
static struct submodule *submodule_of(struct parser *p, const char *name)
{
    struct gitmodules *m = p->into;

    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].name, name) == 0)
            return &m->v[i];
    if (m->n == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        struct submodule *more = arena_array(p->arena, p->room, sizeof *more);
        if (m->n)
            memcpy(more, m->v, m->n * sizeof *more);
        m->v = more;
    }
    m->v[m->n] = (struct submodule){.name = name};
    return &m->v[m->n++];
}

/* [submodule "name"], behind the first bracket. */
static bool read_section(struct parser *p, struct err *err)
{
    struct buf name = buf_make(VALUE_BYTES_MAX);
    const char *begin = p->at;
    bool ok = false;

    while (isalnum(peek(p)) || peek(p) == '-' || peek(p) == '.')
        next(p);
    bool ours = p->at - begin == 9 && strncasecmp(begin, "submodule", 9) == 0;
    while (peek(p) == ' ' || peek(p) == '\t')
        next(p);
    bool quoted = peek(p) == '"';
    if (quoted) {
        next(p);
        for (int c = next(p); c != '"'; c = next(p)) {
            if (c == '\\')
                c = next(p);
            if (c <= 0 || c == '\n')
                goto out;
            const char byte = (char)c;
            buf_add(&name, &byte, 1);
        }
    }
    if (next(p) != ']' || name.full)
        goto out;
    p->of = ours && quoted ? submodule_of(p, arena_strndup(p->arena, name.text, name.len)) : NULL;
    ok = true;
out:
    buf_free(&name);
    return ok || refuse(p, "the section is not closed", err);
}

/* One character behind a backslash; 0: none that exists. */
static char escaped(int c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case '"':
    case '\\':
        return (char)c;
    default:
        return 0;
    }
}

/* The value behind '=', to the end of the line. */
static bool read_value(struct parser *p, const char **ret, struct err *err)
{
    struct buf value = buf_make(VALUE_BYTES_MAX);
    bool quoted = false;
    bool ok = false;
    size_t kept = 0; /* without the blanks at the end */

    while (peek(p) == ' ' || peek(p) == '\t')
        next(p);
    for (int c = next(p); c >= 0 && (c != '\n' || quoted); c = next(p)) {
        if (!c || c == '\n')
            goto out;
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (!quoted && (c == '#' || c == ';')) {
            skip_line(p);
            break;
        }
        char byte = (char)c;
        if (c == '\\') {
            c = next(p);
            if (c == '\n')
                continue;
            byte = escaped(c);
            if (!byte)
                goto out;
        }
        buf_add(&value, &byte, 1);
        if (quoted || c == '\\' || (byte != ' ' && byte != '\t'))
            kept = value.len;
    }
    ok = !quoted && !value.full;
    *ret = arena_strndup(p->arena, value.text, kept);
out:
    buf_free(&value);
    return ok || refuse(p, "the value is not valid", err);
}

static bool read_key(struct parser *p, struct err *err)
{
    const char *begin = p->at;
    const char *value = "true";

    while (isalnum(peek(p)) || peek(p) == '-')
        next(p);
    const char *key = arena_strndup(p->arena, begin, (size_t)(p->at - begin));
    while (peek(p) == ' ' || peek(p) == '\t')
        next(p);
    if (!*key || !isalpha((unsigned char)*key))
        return refuse(p, "it is neither a section nor a key", err);
    if (peek(p) == '=') {
        next(p);
        if (!read_value(p, &value, err))
            return false;
    } else {
        skip_line(p);
    }
    if (!p->of)
        return true;
    /* As in Git, the first of several values counts. */
    if (strcasecmp(key, "path") == 0 && !p->of->path)
        p->of->path = value;
    else if (strcasecmp(key, "url") == 0 && !p->of->url)
        p->of->url = value;
    else if (strcasecmp(key, "update") == 0)
        p->of->unwanted = strcmp(value, "none") == 0;
    return true;
}

static bool leads_out(const char *path)
{
    if (!*path || *path == '/' || *path == '-')
        return true;
    for (const char *at = path; *at;) {
        size_t len = strcspn(at, "/");
        if (len == 2 && strncmp(at, "..", 2) == 0)
            return true;
        at += len + (at[len] == '/');
    }
    return false;
}

/* "ext::command": a remote helper is a program that Git would start. */
static bool is_helper(const char *url)
{
    size_t len = 0;

    while (isalnum((unsigned char)url[len]) || (url[len] && strchr("+-.", url[len])))
        len++;
    return len && url[len] == ':' && url[len + 1] == ':';
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return true;
    return false;
}

static bool is_honest(struct arena *a, const struct submodule *m, struct err *err)
{
    const char *shown = text_shown(a, m->name);

    if (m->path && leads_out(m->path))
        return err_set(
            err, ERR_FAILED,
            "submodule '%s' of .gitmodules has the path '%s', which is refused: it is not"
            " below the repository",
            shown, text_shown(a, m->path));
    if (m->url && (*m->url == '-' || is_helper(m->url) || has_control(m->url)))
        return err_set(err, ERR_FAILED,
                       "submodule '%s' of .gitmodules has the URL '%s', which is refused: %s",
                       shown, text_shown(a, m->url),
                       *m->url == '-'      ? "programs would take it for an option"
                       : is_helper(m->url) ? "remote helpers are not supported"
                                           : "it contains a control character");
    return true;
}

bool gitmodules_read(struct gitmodules *ret, struct arena *a, const char *text, size_t len,
                     struct err *err)
{
    struct gitmodules m = {0};
    struct parser p = {.arena = a, .into = &m, .at = text, .end = text + len, .line = 1};

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        p.at += 3;
    for (skip_blanks(&p); peek(&p) >= 0; skip_blanks(&p)) {
        p.began = p.line;
        if (peek(&p) == '#' || peek(&p) == ';') {
            skip_line(&p);
        } else if (peek(&p) == '[') {
            next(&p);
            if (!read_section(&p, err))
                return false;
        } else if (!read_key(&p, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < m.n; i++)
        if (!is_honest(a, &m.v[i], err))
            return false;
    *ret = m;
    return true;
}

const struct submodule *gitmodules_find(const struct gitmodules *m, const char *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < m->n; i++) {
        const char *is = m->v[i].path;
        /* Git accepts slashes at the end. */
        if (is && strncmp(is, path, len) == 0 && strspn(is + len, "/") == strlen(is + len))
            return &m->v[i];
    }
    return NULL;
}

/* ---- relative URLs, as in git's remote.c ---- */

static bool is_dotted(const char *url)
{
    return strncmp(url, "./", 2) == 0 || strncmp(url, "../", 3) == 0;
}

/* A path of this machine: without a scheme, and without a colon before the first slash. */
static bool is_local(const char *url)
{
    size_t colon = strcspn(url, ":");

    return !url[colon] || memchr(url, '/', colon) != NULL;
}

/* Removes the last part; *ret_colon: it was behind the colon of "host:path".  False: there was
 * none. */
static bool chop(char *base, bool relative, bool *ret_colon)
{
    char *slash = strrchr(base, '/');
    char *colon = strrchr(base, ':');

    if (slash) {
        *slash = '\0';
        return true;
    }
    if (colon) {
        *colon = '\0';
        *ret_colon = true;
        return true;
    }
    if (relative || strcmp(base, ".") == 0)
        return false;
    base[0] = '.';
    base[1] = '\0';
    return true;
}

const char *gitmodules_url(struct arena *a, const char *base, const char *url, struct err *err)
{
    bool relative = is_local(base) && *base != '/';
    const char *asked = url;
    bool colon = false;

    if (!is_dotted(url))
        return url;
    size_t len = strlen(base);
    if (len && base[len - 1] == '/')
        len--;
    char *rest =
        arena_printf(a, "%s%.*s", relative && !is_dotted(base) ? "./" : "", (int)len, base);
    while (is_dotted(url)) {
        if (url[1] == '.' && !chop(rest, relative, &colon)) {
            err_set(err, ERR_FAILED, "the URL '%s' leads above the top of the repository's address",
                    text_shown(err->arena, asked));
            return NULL;
        }
        url += url[1] == '.' ? 3 : 2;
    }
    char *found = arena_printf(a, "%s%s%s", rest, colon ? ":" : "/", url);
    len = strlen(found);
    if (*url && url[strlen(url) - 1] == '/')
        found[len - 1] = '\0';
    return strncmp(found, "./", 2) == 0 ? found + 2 : found;
}
