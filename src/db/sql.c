/* sql.c -- fills in a question from a .sql file (sql.h).  Called by postgres/ and mysql/ for all that
 * is sent.  This is the one place where a value becomes part of SQL. */
#include "db/sql.h"

#include <assert.h>

#include "base/buf.h"
#include "base/number.h"

enum { SQL_BYTES_MAX = 64 * 1024, NESTING_MAX = 8, VERSION_MAX = 99 };

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"
#define BLANKS     " \t"

static bool is_word(const char *s, size_t s_len, const char *word, size_t len)
{
    return s_len == len && strncmp(s, word, len) == 0;
}

/* "9.6" and "9_6" are 90600, "14" is 140000. */
static long version_of(const char *s)
{
    size_t len = strspn(s, "0123456789");
    long long major = 0;
    long long minor = 0;

    bool ok = number_part(s, len, VERSION_MAX, &major) &&
              (major >= 10 || number_part(s + len + 1, 1, VERSION_MAX, &minor));
    assert(ok);
    return (long)(major * 10000 + minor * 100);
}

/* A condition of \if: since_9_6 or known_9_6. */
static bool is_met(const char *condition, long version)
{
    if (strncmp(condition, ":since_", 7) == 0)
        return version == 0 || version >= version_of(condition + 7);
    assert(strncmp(condition, ":known_", 7) == 0);
    return version >= version_of(condition + 7);
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return line + (*line == '\n');
}

/* ---- values and fragments ---- */

/* Values are names, numbers and identities. Before 9.1 a backslash in a literal is an escape. */
static void put_literal(struct buf *b, const char *text)
{
    assert(!strchr(text, '\\'));
    buf_puts(b, "'");
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(b, "'");
        buf_add(b, text, 1);
    }
    buf_puts(b, "'");
}

static const char *find_value(const struct sql *sql, const char *name, size_t len)
{
    for (const struct sql_value *v = sql->values; v && v->name; v++)
        if (is_word(name, len, v->name, strlen(v->name)))
            return v->text;
    return NULL;
}

/* The first variant that the version allows, or NULL. A header is "-- :name since 9.6". */
static const char *find_fragment(const struct sql *sql, const char *name, size_t len)
{
    for (const char *line = sql->fragments; *line; line = next_line(line)) {
        const char *at = line + 4;
        if (strncmp(line, "-- :", 4) != 0 || !is_word(at, strspn(at, NAME_CHARS), name, len))
            continue;
        at += len;
        if (strncmp(at, " since ", 7) != 0 || sql->version == 0 ||
            sql->version >= version_of(at + 7))
            return next_line(line);
    }
    return NULL;
}

/* The length up to the next header, without the empty lines before it. */
static size_t fragment_len(const char *fragment)
{
    const char *end = fragment;

    while (*end && strncmp(end, "-- :", 4) != 0)
        end = next_line(end);
    while (end > fragment && strchr(" \n", end[-1]))
        end--;
    return (size_t)(end - fragment);
}

/* ---- lines ---- */

static void put_text(struct buf *b, const char *text, size_t len, const struct sql *sql, int depth);

/* Appends what ":name" or ":'name'" at `at` stands for.  Returns how many bytes of the line it
 * took; 0 when it is neither a value nor a fragment. */
static size_t put_name(struct buf *b, const char *at, const struct sql *sql, int depth)
{
    bool quoted = at[1] == '\'';
    const char *name = at + 1 + quoted;
    size_t len = strspn(name, NAME_CHARS);
    const char *value = len ? find_value(sql, name, len) : NULL;
    const char *fragment = len && !quoted && !value ? find_fragment(sql, name, len) : NULL;

    if ((!value && !fragment) || (quoted && name[len] != '\''))
        return 0;
    if (quoted)
        put_literal(b, value);
    else if (value) /* may contain further fragments */
        put_text(b, value, strlen(value), sql, depth + 1);
    else
        put_text(b, fragment, fragment_len(fragment), sql, depth + 1);
    return 1 + len + 2 * (size_t)quoted;
}

static void put_line(struct buf *b, const char *line, size_t len, const struct sql *sql, int depth)
{
    for (size_t i = 0; i < len;) {
        size_t n = 0;
        if (line[i] == ':' && (i == 0 || line[i - 1] != ':'))
            n = put_name(b, line + i, sql, depth);
        if (!n)
            buf_add(b, line + i, 1);
        i += n ? n : 1;
    }
}

/* Whether the line is an \if, \else or \endif.  *lines then says whether the lines that follow are
 * used, and *done whether an earlier branch was. */
static bool is_condition(const char *line, long version, bool *lines, bool *done)
{
    if (strncmp(line, "\\if ", 4) == 0)
        *lines = *done = is_met(line + 4, version);
    else if (strncmp(line, "\\else\n", 6) == 0)
        *lines = !*done;
    else if (strncmp(line, "\\endif\n", 7) == 0)
        *lines = true;
    else
        return false;
    *done = *done || *lines;
    return true;
}

static void put_text(struct buf *b, const char *text, size_t len, const struct sql *sql, int depth)
{
    bool lines = true;
    bool done = false;
    const char *end = text + len;

    assert(depth < NESTING_MAX);
    for (const char *line = text; line < end; line = next_line(line)) {
        size_t n = strcspn(line, "\n");
        if (line + n > end)
            n = (size_t)(end - line);
        if (is_condition(line, sql->version, &lines, &done) || !lines ||
            strncmp(line + strspn(line, BLANKS), "--", 2) == 0)
            continue;
        put_line(b, line, n, sql, depth);
        if (line + n < end)
            buf_puts(b, "\n");
    }
}

const char *sql_text(struct arena *a, const char *question, const struct sql *sql)
{
    struct buf b = buf_make(SQL_BYTES_MAX);

    put_text(&b, question, strlen(question), sql, 0);
    assert(!b.full);
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}
