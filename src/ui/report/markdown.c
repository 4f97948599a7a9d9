/* markdown.c -- the report as a comment of a merge request, and as the summary of a GitHub job.  Called by
 * report.c.  Everything from hosts and repositories is code, in which nothing is read as Markdown or HTML
 * and nobody is mentioned.  Short enough for GitHub's limit of a comment. */
#include "ui/report/writers.h"

#include "base/text.h"
#include "ui/reader.h"

enum {
    STAGES_MAX = 60,
    COMMITS_SHOWN = 20,
    MIGRATIONS_SHOWN = 30,
    WARNINGS_SHOWN = 10,
    TEXT_MAX = 300, /* bytes of one text */
};

/* As code, whose fence is longer than any row of backticks in it.  In a table a | is escaped. */
static void put_code(FILE *out, const char *s, bool table)
{
    struct arena a = {0};
    const char *text = text_shown(&a, s ? s : "");
    size_t run = 0;
    size_t longest = 0;

    if (strlen(text) > TEXT_MAX)
        text =
            arena_printf(&a, "%s...", arena_strndup(&a, text, ui_whole_characters(text, TEXT_MAX)));
    for (const char *c = text; *c; c++) {
        run = *c == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        fputc('`', out);
    bool pad = longest > 0 || !*text;
    fputs(pad ? " " : "", out);
    for (const char *c = text; *c; c++) {
        if (table && *c == '|')
            fputc('\\', out);
        fputc(*c, out);
    }
    fputs(pad ? " " : "", out);
    for (size_t i = 0; i <= longest; i++)
        fputc('`', out);
    arena_free(&a);
}

/* A line of an indented block. */
static void put_line(FILE *out, const char *s)
{
    struct arena a = {0};
    const char *text = text_shown(&a, s ? s : "");

    fprintf(out, "    %.*s\n", (int)ui_whole_characters(text, 1000), text);
    arena_free(&a);
}

static void put_failure(const struct record *r, FILE *out)
{
    const struct failure *f = &r->failure;

    for (size_t i = 0; i < f->lines.n; i++) {
        struct arena a = {0};
        put_line(out,
                 arena_printf(&a, "| %s", ui_output(&a, f->lines.v[i], strlen(f->lines.v[i]))));
        arena_free(&a);
    }
    for (size_t i = 0; i < f->now.n; i++)
        put_line(out, f->now.v[i]);
    for (size_t i = 0; i < f->next.n; i++) {
        struct arena a = {0};
        put_line(out, arena_printf(&a, "%s%s", i ? "      " : "next: ", f->next.v[i]));
        arena_free(&a);
    }
}

static void put_stages(const struct record *r, FILE *out)
{
    size_t n = 0;
    size_t more = 0;

    if (!r->stages)
        return;
    fputs("\n| stage | hosts | state | time |\n|---|---|---|---:|\n", out);
    for (const struct stage_record *s = r->stages; s; s = s->next) {
        struct arena a = {0};
        long long ms = record_took(s, NULL);
        if (n++ >= STAGES_MAX) {
            more++;
            continue;
        }
        bool skipped = s->state == EVENT_SKIPPED;
        fputs("| ", out);
        put_code(out, s->name, true);
        fputs(" | ", out);
        put_code(out,
                 s->hosts.n > 4 ? text_count(&a, s->hosts.n, "host")
                                : strs_joined(&a, &s->hosts, " "),
                 true);
        fprintf(out, " | %s%s%s", s->state == EVENT_DONE || skipped ? "" : "**",
                s->word ? s->word : "", s->state == EVENT_DONE || skipped ? "" : "**");
        fprintf(out, " | %s |\n", ms && !skipped ? text_span(&a, ms) : "");
        arena_free(&a);
    }
    if (more)
        fprintf(out, "\nand %zu more\n", more);
}

static void put_waits(const struct record *r, FILE *out)
{
    for (size_t i = 0; i < r->n_waits; i++) {
        const struct wait_record *w = &r->waits[i];
        struct arena a = {0};
        fprintf(out, "%s- waited %s for ", i ? "" : "\n**Backup**\n\n",
                text_span(&a, w->waited_ms));
        put_code(out, w->what, false);
        if (w->detail) {
            fputs(": ", out);
            put_code(out, w->detail, false);
        }
        if (w->state != EVENT_DONE && w->n_samples) {
            fputs(": ", out);
            put_code(out, ui_backup_expected(&a, &w->samples[w->n_samples - 1].estimate), false);
        }
        fputs("\n", out);
        arena_free(&a);
    }
}

static void put_migrations(const struct record *r, FILE *out)
{
    for (size_t i = 0; i < r->n_migrations && i < MIGRATIONS_SHOWN; i++) {
        const struct migration_record *m = &r->migrations[i];
        struct arena a = {0};
        fputs(i ? "- " : "\n**Migrations**\n\n- ", out);
        put_code(out, *m->database ? arena_printf(&a, "%s: %s", m->database + 1, m->name) : m->name,
                 false);
        if (m->last_ms > m->first_ms)
            fprintf(out, ", %s", text_span(&a, m->last_ms - m->first_ms));
        fputc('\n', out);
        arena_free(&a);
    }
    if (r->n_migrations > MIGRATIONS_SHOWN)
        fprintf(out, "- and %zu more\n", r->n_migrations - MIGRATIONS_SHOWN);
    for (size_t i = 0; i < r->n_blockers && i < WARNINGS_SHOWN; i++) {
        fputs(i ? "- " : "\n**Blocked by**\n\n- ", out);
        put_code(out, r->blockers[i].text, false);
        fputc('\n', out);
    }
}

static void put_commits(FILE *out, const char *title, const struct commits *c)
{
    size_t shown = c->n < COMMITS_SHOWN ? c->n : COMMITS_SHOWN;

    for (size_t i = 0; i < shown; i++) {
        if (!i)
            fprintf(out, "\n**%s**\n\n", title);
        fprintf(out, "- %.7s ", c->v[i].sha);
        put_code(out, c->v[i].subject, false);
        fputc('\n', out);
    }
    if (c->n + c->more > shown)
        fprintf(out, "- and %zu more\n", c->n + c->more - shown);
}

static void put_warnings(const struct record *r, FILE *out)
{
    for (size_t i = 0; i < r->n_warnings && i < WARNINGS_SHOWN; i++) {
        struct arena a = {0};
        const struct warning_record *w = &r->warnings[i];
        fputs(i ? "- " : "\n**Warnings**\n\n- ", out);
        put_code(out,
                 arena_printf(&a, "%s%s%s", w->host ? w->host : "", w->host ? ": " : "", w->text),
                 false);
        fputc('\n', out);
        arena_free(&a);
    }
    if (r->n_warnings + r->more_warnings > WARNINGS_SHOWN)
        fprintf(out, "- and %zu more\n", r->n_warnings + r->more_warnings - WARNINGS_SHOWN);
}

void markdown_write(const struct record *r, FILE *out)
{
    struct arena a = {0};
    const char *environment = r->begun && r->run.environment ? r->run.environment : r->environment;

    fprintf(out, "### %s %s: %s\n\n", text_shown(&a, r->command), text_shown(&a, environment),
            record_word(r));
    put_line(out, record_headline(&a, r));
    put_failure(r, out);
    if (r->begun) {
        fprintf(out, "\nRun `%s`, release `%s`, revision `%.7s` ", text_shown(&a, r->run.id),
                text_shown(&a, r->run.release),
                r->run.revision && *r->run.revision ? text_shown(&a, r->run.revision) : "unknown");
        if (r->run.subject && *r->run.subject)
            put_code(out, r->run.subject, false);
        fputc('\n', out);
    }
    put_stages(r, out);
    put_waits(r, out);
    put_migrations(r, out);
    if (r->changes) {
        put_commits(out, "Changes", &r->changes->added);
        put_commits(out, "No longer included", &r->changes->removed);
    }
    put_warnings(r, out);
    arena_free(&a);
}
