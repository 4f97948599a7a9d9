/* excerpt.c -- chooses the lines of a failed job's log that a person needs to see.  Called when the
 * job has ended.
 *
 * Rails prints the error before a long backtrace, and a build continues after its first error.  So
 * the excerpt has the first error and what follows it, without most of the backtrace, then the last
 * error, then the end of the log. */
#include "core/job/excerpt.h"

#include "base/number.h"

#include <ctype.h>
#include <string.h>

enum {
    SENT_MAX = 2000, /* lines that are examined */
    FIRST_LINES = 12,
    LAST_LINES = 5,
    END_LINES = 8,
    ALONE_LINES = 12,      /* shown of the end, when no line looks like an error */
    FRAMES = 3,            /* shown of a backtrace */
    LINES_MAX = 999999999, /* of a log */
};

struct line {
    long number;
    const char *text;
    bool shown;
};

struct log {
    struct line *v;
    size_t n;
    long first;
    long last;
    long total;
};

/* A number that the host sent, -1 when it is none; *at moves past it. */
static long number(const char **at)
{
    size_t digits = strspn(*at, "0123456789");
    long long n = -1;

    if (digits)
        number_part(*at, digits, LINES_MAX, &n);
    *at += digits;
    return (long)n;
}

/* Lines come in order. Where two parts overlap, a line comes twice. */
static void add_line(struct arena *a, struct log *log, const char *text, size_t len)
{
    const char *at = text;
    long n = number(&at);

    if (n <= 0 || *at != ':' || at >= text + len || log->n == SENT_MAX ||
        (log->n && n <= log->v[log->n - 1].number))
        return;
    at++;
    log->v[log->n++] =
        (struct line){.number = n, .text = arena_strndup(a, at, (size_t)(text + len - at))};
}

static struct log read_log(struct arena *a, const char *sent)
{
    struct log log = {.v = arena_array(a, SENT_MAX, sizeof *log.v)};
    const char *at = sent;

    log.first = number(&at);
    at += *at == ' ';
    log.last = number(&at);
    at += *at == ' ';
    log.total = number(&at);
    while (*at) {
        size_t len = strcspn(at, "\n");
        add_line(a, &log, at, len);
        at += len + (at[len] == '\n');
    }
    /* Otherwise all lines are the end. */
    if (log.n && log.total < log.v[log.n - 1].number)
        log.total = log.v[log.n - 1].number;
    return log;
}

static bool is_blank(const char *s)
{
    return !s[strspn(s, " \t")];
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Matches "app/x.rb:12:in 'save'", with any text before it. */
static bool is_ruby_frame(const char *s)
{
    const char *in = strstr(s, ":in ");

    return in && in > s && isdigit((unsigned char)in[-1]);
}

/* A line of a backtrace: of Java, Node, Ruby, PHP, Python. */
static bool is_frame(const char *s)
{
    const char *at = s + strspn(s, " \t");

    return (at > s && (begins(at, "at ") || begins(at, "from "))) || is_ruby_frame(at) ||
           (at[0] == '#' && isdigit((unsigned char)at[1])) || (at > s && begins(at, "File \""));
}

static bool is_traceback(const char *s)
{
    return begins(s + strspn(s, " "), "Traceback (most recent");
}

/* Python prints the error at the end of the traceback, where the indented lines end. */
static size_t traceback_end(const struct log *log, size_t i)
{
    size_t end = i + 1;

    while (end < log->n && (log->v[end].text[0] == ' ' || is_blank(log->v[end].text)))
        end++;
    return end;
}

/* Shows the first error and what follows, including the innermost part of its backtrace. */
static void show_block(struct log *log, size_t i, size_t max)
{
    size_t shown = 0;
    size_t frames = 0;

    if (is_traceback(log->v[i].text)) {
        size_t end = traceback_end(log, i);
        log->v[i].shown = true;
        shown++;
        i = end > i + 1 + 4 ? end - 4 : i + 1;
    }
    for (; i < log->n && shown < max; i++) {
        bool frame = is_frame(log->v[i].text);
        frames = frame ? frames + 1 : 0;
        if (frames > FRAMES)
            continue;
        log->v[i].shown = true;
        shown++;
    }
}

static size_t find(const struct log *log, long number)
{
    size_t i = 0;

    while (i < log->n && log->v[i].number < number)
        i++;
    return i;
}

static void choose(struct log *log)
{
    long end = log->total - (log->first > 0 ? END_LINES : ALONE_LINES);
    size_t first = find(log, log->first);

    for (size_t i = 0; i < log->n; i++)
        log->v[i].shown = log->v[i].number > end;
    if (log->first <= 0 || first == log->n)
        return;
    show_block(log, first, FIRST_LINES);
    if (first && log->v[first - 1].number == log->first - 1)
        log->v[first - 1].shown = true;
    size_t last = find(log, log->last);
    if (last < log->n && log->last > log->first && !log->v[last].shown)
        show_block(log, last, LAST_LINES);
}

/* A note about a few omitted lines would take as much room as the lines themselves. */
static void close_gaps(struct log *log)
{
    for (size_t i = 1; i + 1 < log->n; i++)
        if (log->v[i - 1].shown && log->v[i + 1].shown &&
            log->v[i + 1].number - log->v[i - 1].number == 2)
            log->v[i].shown = true;
}

struct strs excerpt(struct arena *a, const char *sent)
{
    struct log log = read_log(a, sent);
    struct strs lines = {0};
    long before = 0;

    choose(&log);
    close_gaps(&log);
    for (size_t i = 0; i < log.n; i++) {
        const struct line *l = &log.v[i];
        bool edge = !lines.n || i + 1 == log.n || l->number > before + 1;
        if (!l->shown || (edge && is_blank(l->text)))
            continue;
        if (lines.n && l->number > before + 1)
            strs_add(a, &lines,
                     arena_printf(a, "[%ld %s left out]", l->number - before - 1,
                                  l->number - before == 2 ? "line" : "lines"));
        strs_add(a, &lines, l->text);
        before = l->number;
    }
    return lines;
}
