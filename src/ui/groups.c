/* groups.c -- folded groups and annotations in the log of GitHub and GitLab (groups.h). */
#include "ui/groups.h"

#include "base/text.h"
#include "ui/reader.h"

#include <string.h>

enum { HELD_MAX = 1024 * 1024 };

struct groups {
    enum ui_ci ci;
    FILE *out;
    struct arena names;
    const char *stage; /* whose lines are held; NULL: none are */
    struct buf held;
    size_t last; /* where the last line starts */
    long long since_ms;
    unsigned n; /* of groups that were printed */
};

struct groups *groups_open(enum ui_ci ci, FILE *out)
{
    struct groups *g = xcalloc(1, sizeof *g);

    *g = (struct groups){.ci = ci, .out = out, .held = buf_make(HELD_MAX)};
    return g;
}

void groups_close(struct groups *g)
{
    if (!g)
        return;
    buf_free(&g->held);
    arena_free(&g->names);
    free(g);
}

/* GitHub reads "##[" anywhere in a line as the beginning of a command. */
void groups_put(FILE *out, enum ui_ci ci, const char *line)
{
    const char *at = ci == UI_CI_GITHUB ? strstr(line, "##[") : NULL;

    for (; at; line = at + 2, at = strstr(line, "##["))
        fprintf(out, "%.*s ", (int)(at + 2 - line), line);
    fprintf(out, "%s\n", line);
}

/* A value of a workflow command of GitHub; `property` escapes the separators of properties, too. */
static void put_value(FILE *out, const char *s, bool property)
{
    for (; *s; s++) {
        bool special =
            *s == '%' || *s == '\r' || *s == '\n' || (property && (*s == ':' || *s == ','));
        fprintf(out, special ? "%%%02X" : "%c", (unsigned char)*s);
    }
}

bool groups_annotate(FILE *out, enum ui_ci ci, const char *kind, const char *title,
                     const char *text)
{
    if (ci != UI_CI_GITHUB)
        return false;
    fprintf(out, "::%s title=", kind);
    put_value(out, title, true);
    fputs("::", out);
    put_value(out, text, false);
    fputc('\n', out);
    return true;
}

/* GitLab takes letters, digits and "_.-", and one name only once in a job. */
static void put_section(struct groups *g, const char *what, long long unix_ms)
{
    fprintf(g->out, "\033[0Ksection_%s:%lld:crelease_%u_", what, unix_ms / 1000, g->n);
    for (const char *c = g->stage; *c; c++)
        fputc(strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *c) ? *c : '_', g->out);
}

static void begin(struct groups *g, const char *title)
{
    g->n++;
    if (g->ci == UI_CI_GITLAB) {
        put_section(g, "start", g->since_ms);
        fputs("[collapsed=true]\r\033[0K", g->out);
        groups_put(g->out, g->ci, title);
        return;
    }
    fputs("::group::", g->out);
    put_value(g->out, title, false);
    fputc('\n', g->out);
}

static void end(struct groups *g, long long unix_ms)
{
    if (g->ci == UI_CI_GITLAB) {
        put_section(g, "end", unix_ms);
        fputs("\r\033[0K\n", g->out);
    } else {
        fputs("::endgroup::\n", g->out);
    }
}

bool groups_print(struct groups *g, const char *title, bool folded, long long unix_ms)
{
    if (!g->stage)
        return false;
    if (folded)
        begin(g, title);
    for (char *line = g->held.text; *line;) {
        char *newline = strchr(line, '\n');
        *newline = '\0';
        groups_put(g->out, g->ci, line);
        line = newline + 1;
    }
    if (folded)
        end(g, unix_ms);
    fflush(g->out);
    buf_clear(&g->held);
    arena_free(&g->names);
    g->stage = NULL;
    return true;
}

void groups_hold(struct groups *g, const char *stage, long long unix_ms, const char *line)
{
    size_t len = strlen(line);
    bool full = g->held.len + len + 1 > HELD_MAX;

    if (g->stage && (full || !ui_same(g->stage, stage))) {
        struct arena a = {0};
        groups_print(g, arena_printf(&a, "%s, output%s", g->stage, full ? " so far" : ""), true,
                     unix_ms);
        arena_free(&a);
    }
    if (!g->stage) {
        g->stage = arena_strdup(&g->names, stage);
        g->since_ms = unix_ms;
    }
    g->last = g->held.len;
    buf_add(&g->held, line, len);
    buf_puts(&g->held, "\n");
}

const char *groups_last(const struct groups *g, const char *stage)
{
    return g->stage && ui_same(g->stage, stage) ? g->held.text + g->last : NULL;
}
