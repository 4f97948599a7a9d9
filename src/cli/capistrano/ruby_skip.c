/* ruby_skip.c -- finds where a statement of Ruby ends (see ruby.h), without understanding it: it only tells
 * texts, comments and brackets from the words that open and close a block. */
#include "cli/capistrano/ruby.h"

enum { NESTED_MAX = 16 };

struct skip {
    const char *at;
    const char *end;
    int depth;
    bool start; /* a statement begins here */
    bool value; /* what stands before is a value, so '/' divides and 'if' is a modifier */
    bool open;  /* the line goes on in the next one */
    bool loop;  /* of `while x do`, whose `do` opens nothing more */
    const char *heredoc;
    size_t heredoc_len;
};

size_t ruby_word(const char *at, const char *end)
{
    const char *s = at;

    for (; s < end; s++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
        if (!letter && (s == at || *s < '0' || *s > '9'))
            break;
    }
    return (size_t)(s - at);
}

void ruby_blanks(const char **at, const char *end, bool lines)
{
    const char *s = *at;

    for (; s < end; s++) {
        if (*s == '\\' && s + 1 < end && s[1] == '\n')
            s++;
        else if (*s == '#') {
            while (s + 1 < end && s[1] != '\n')
                s++;
        } else if (*s != ' ' && *s != '\t' && *s != '\r' && !(lines && *s == '\n')) {
            break;
        }
    }
    *at = s;
}

/* `close` is that of the text or bracket we are in. */
static const char *past(const char *s, const char *end, const char *brackets, int depth)
{
    char open = brackets[0], close = brackets[1];
    bool code = close == '}' || close == ')' || close == ']';
    int nested = 0;

    for (; s < end; s++) {
        if (*s == '\\' && s + 1 < end)
            s++;
        else if (*s == '#' && s + 1 < end && s[1] == '{' && close != '\'' && depth < NESTED_MAX)
            s = past(s + 2, end, "{}", depth + 1) - 1;
        else if (code && depth < NESTED_MAX && (*s == '"' || *s == '\''))
            s = past(s + 1, end, *s == '"' ? "\"\"" : "''", depth + 1) - 1;
        else if (*s == close && nested-- == 0)
            return s + 1;
        else if (open != close && *s == open)
            nested++;
    }
    return end;
}

const char *ruby_past(const char *at, const char *end, char open, char close)
{
    return past(at, end, (const char[]){open, close}, 0);
}

static bool is_word(const char *s, size_t len, const char *words)
{
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        if (n == len && memcmp(words, s, n) == 0)
            return true;
    }
    return false;
}

static void skip_word(struct skip *k, const char *first, size_t len)
{
    const char *s = k->at;
    char before = s > first ? s[-1] : '\n';
    bool key = s + len < k->end && s[len] == ':' && !(s + len + 1 < k->end && s[len + 1] == ':');
    bool opens = (k->start || !k->value) &&
                 is_word(s, len, "if unless case begin def class module while until for");
    bool start = false, value = true;

    k->at += len;
    if (strchr(".:@$", before) || key) {
        k->start = false, k->value = true, k->open = false;
        return;
    }
    if (is_word(s, len, "do")) {
        k->depth += !k->loop;
        k->loop = false;
        start = true, value = false;
    } else if (is_word(s, len, "end")) {
        k->depth--;
    } else if (opens) {
        k->depth++;
        k->loop = is_word(s, len, "while until for");
        value = false;
    } else if (is_word(s, len, "then else elsif rescue ensure begin")) {
        start = true, value = false;
    } else if (is_word(s, len, "if unless while until and or not return when in")) {
        value = false;
    }
    k->start = start, k->value = value, k->open = is_word(s, len, "and or not");
}

/* %w[...], /.../, <<~END: texts that begin like an operator.  False if this is one. */
static bool skip_literal(struct skip *k)
{
    const char *s = k->at;
    size_t left = (size_t)(k->end - s);

    if (*s == '%' && !k->value && left > 2) {
        s += 1 + (strchr("wWiIqQrsx", s[1]) != NULL);
        const char *pair = *s == '('   ? "()"
                           : *s == '[' ? "[]"
                           : *s == '{' ? "{}"
                           : *s == '<' ? "<>"
                                       : NULL;
        if (!pair && !strchr("|!/^", *s))
            return false;
        k->at =
            pair ? ruby_past(s + 1, k->end, pair[0], pair[1]) : ruby_past(s + 1, k->end, *s, *s);
    } else if (*s == '/' && !k->value) {
        for (s++; s < k->end && *s != '/' && *s != '\n'; s++)
            if (*s == '\\' && s + 1 < k->end)
                s++;
        k->at = s < k->end ? s + 1 : s;
    } else if (left > 3 && s[0] == '<' && s[1] == '<' && (strchr("~-", s[2]) || !k->value)) {
        s += 2 + (strchr("~-", s[2]) != NULL);
        s += *s == '"' || *s == '\'';
        size_t len = ruby_word(s, k->end);
        if (!len)
            return false;
        k->heredoc = s, k->heredoc_len = len;
        k->at = s + len + (s + len < k->end && (s[len] == '"' || s[len] == '\''));
    } else {
        return false;
    }
    k->start = false, k->value = true, k->open = false;
    return true;
}

/* Behind a line end, goes to the end of the text that << began. */
static void skip_heredoc(struct skip *k)
{
    while (k->heredoc && k->at < k->end) {
        const char *line = k->at, *stop = memchr(line, '\n', (size_t)(k->end - line));
        const char *s = line;
        stop = stop ? stop : k->end;
        while (s < stop && (*s == ' ' || *s == '\t'))
            s++;
        k->at = stop < k->end ? stop + 1 : stop;
        if ((size_t)(stop - s) == k->heredoc_len && memcmp(s, k->heredoc, k->heredoc_len) == 0)
            k->heredoc = NULL;
    }
    k->heredoc = NULL;
}

/* Whether the statement ends with this line end: not before a line that begins with ".method" or
 * "&.method", also after lines of comment. */
static bool ends_here(const struct skip *k)
{
    const char *s = k->at;

    if (k->depth > 0 || k->open)
        return false;
    for (;;) {
        while (s < k->end && (*s == ' ' || *s == '\t'))
            s++;
        if (s >= k->end || *s != '#')
            break;
        s = memchr(s, '\n', (size_t)(k->end - s));
        if (!s)
            return true;
        s++;
    }
    s += s + 1 < k->end && *s == '&' && s[1] == '.';
    return !(s + 1 < k->end && *s == '.' && ruby_word(s + 1, k->end));
}

static void skip_mark(struct skip *k, const char *first)
{
    char c = *k->at++;
    bool opens = strchr("([{", c) != NULL, closes = strchr(")]}", c) != NULL;
    /* The ? of empty? and the ! of uniq! belong to a name. */
    bool named = strchr("?!", c) && k->at - 1 > first && ruby_word(k->at - 2, k->at - 1);

    if (c == ' ' || c == '\t' || c == '\r')
        return;
    k->depth += opens - closes;
    k->start = c == '{' || c == '|' || (c == ';' && k->depth > 0);
    k->value = closes || named || (c >= '0' && c <= '9');
    k->open = !named && strchr(",.+|&=\\*<>-:?/%^", c) != NULL;
}

const char *ruby_skip(const char *at, const char *end, bool *whole)
{
    struct skip k = {.at = at, .end = end, .start = true};

    *whole = true;

    while (k.at < end) {
        char c = *k.at;
        size_t len = ruby_word(k.at, end);
        if (len) {
            skip_word(&k, at, len);
        } else if (c == '\n') {
            k.at++;
            skip_heredoc(&k);
            if (ends_here(&k))
                return k.at;
            k.start = true, k.value = false;
        } else if (c == ';' && k.depth <= 0) {
            return k.at + 1;
        } else if (c == '#') {
            const char *stop = memchr(k.at, '\n', (size_t)(end - k.at));
            k.at = stop ? stop : end;
        } else if (c == '"' || c == '\'' || c == '`') {
            const char *inside = k.at + 1;
            k.at = ruby_past(inside, end, c, c);
            *whole = *whole && k.at > inside && k.at[-1] == c;
            k.start = false, k.value = true, k.open = false;
        } else if (!skip_literal(&k)) {
            skip_mark(&k, at);
        }
    }
    *whole = *whole && k.depth <= 0;
    return end;
}
