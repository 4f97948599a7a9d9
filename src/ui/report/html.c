/* html.c -- the report as one page that needs nothing else: no script, no font, no picture.  Called by
 * report.c; its larger sections are in html_stages.c, html_waits.c and html_logs.c.  The policy in its
 * head keeps a browser from loading or running anything, even if something was not escaped. */
#include "ui/report/writers.h"

#include "base/embed.h"
#include "base/text.h"
#include "base/version.h"
#include "edge/clock.h"
#include "ui/reader.h"
#include "ui/report/escape.h"
#include "ui/report/html_track.h"

EMBED(report_page_css, "ui/report/page.css");

static const char *subject_of(const struct record *r)
{
    return r->begun && r->run.environment && *r->run.environment ? r->run.environment
                                                                 : r->environment;
}

static const char *class_of(const struct record *r)
{
    bool again = r->code == ERR_LOCKED || r->code == ERR_BACKUP || r->code == ERR_FROZEN ||
                 r->code == ERR_INTERRUPTED || r->code == ERR_TERMINATED || r->code == ERR_UNTIDY;

    return !r->ended || again ? "held" : r->code == ERR_NONE ? "good" : "bad";
}

static void put_head(const struct record *r, FILE *out)
{
    struct arena a = {0};

    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\""
          " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n<title>",
          out);
    put_escapedf(out, "%s %s: %s", r->command, subject_of(r), record_word(r));
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body class=\"%s\">\n<header>\n",
            report_page_css, class_of(r));
    fputs("<p class=\"what\">", out);
    if (r->begun)
        put_escapedf(out, "%s \xe2\x86\x92 ", r->run.application);
    put_escaped(out, subject_of(r));
    fputs("</p>\n<h1>", out);
    put_escaped(out, r->command);
    fputs(": <span class=\"word\">", out);
    put_escaped(out, record_word(r));
    fputs("</span></h1>\n<p class=\"headline\">", out);
    put_escaped(out, record_headline(&a, r));
    fputs("</p>\n</header>\n<main>\n", out);
    arena_free(&a);
}

static void put_list(FILE *out, const struct strs *lines, bool code)
{
    if (!lines->n)
        return;
    fputs("<ul>\n", out);
    for (size_t i = 0; i < lines->n; i++) {
        fputs(code ? "<li><code>" : "<li>", out);
        put_escaped(out, lines->v[i]);
        fputs(code ? "</code></li>\n" : "</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static void put_failure(const struct record *r, FILE *out)
{
    const struct failure *f = &r->failure;
    struct arena a = {0};

    if (!f->lines.n && !f->now.n && !f->next.n)
        return;
    fputs("<div class=\"failure\">\n", out);
    if (f->lines.n) {
        fputs("<pre>", out);
        for (size_t i = 0; i < f->lines.n; i++) {
            put_escaped(out, ui_output(&a, f->lines.v[i], strlen(f->lines.v[i])));
            fputc('\n', out);
        }
        fputs("</pre>\n", out);
    }
    put_list(out, &f->now, false);
    if (f->next.n)
        fputs("<p>Next:</p>\n", out);
    put_list(out, &f->next, false);
    fputs("</div>\n", out);
    arena_free(&a);
}

static void put_fact(FILE *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    fprintf(out, "<dt>%s</dt><dd>", name);
    put_escaped(out, value);
    fputs("</dd>\n", out);
}

/* "ann@runner, https://..." with the address of the CI job as a link. */
static void put_by(FILE *out, const char *by)
{
    const char *url = by ? strstr(by, ", https://") : NULL;

    url = url ? url : by ? strstr(by, ", http://") : NULL;
    if (!url) {
        put_fact(out, "by", by);
        return;
    }
    struct arena a = {0};
    fputs("<dt>by</dt><dd>", out);
    put_escaped(out, arena_strndup(&a, by, (size_t)(url - by)));
    fputs(", <a href=\"", out);
    put_escaped(out, url + 2);
    fputs("\">", out);
    put_escaped(out, url + 2);
    fputs("</a></dd>\n", out);
    arena_free(&a);
}

static void put_facts(const struct record *r, FILE *out)
{
    const struct run_info *is = &r->run;
    struct arena a = {0};
    const char *hosts = "";

    for (size_t i = 0; i < is->hosts && is->host_names; i++)
        hosts = arena_printf(&a, "%s%s%s", hosts, i ? " " : "", is->host_names[i]);
    fputs("<dl>\n", out);
    if (r->begun) {
        fputs("<dt>revision</dt><dd><code>", out);
        put_escaped(out, is->revision && *is->revision ? is->revision : "unknown");
        fputs("</code>", out);
        if (is->subject && *is->subject)
            put_escapedf(out, " %s", is->subject);
        if (is->ref && *is->ref)
            put_escapedf(out, " (%s)", is->ref);
        fputs("</dd>\n", out);
        put_fact(out, "release", is->release);
        put_fact(out, "run", r->fresh ? is->id : arena_printf(&a, "%s, resumed", is->id));
        put_by(out, is->by);
        put_fact(out, "hosts", hosts);
    }
    put_fact(out, "started",
             arena_printf(&a, "%s %s UTC", utc_date(&a, r->begun_ms), utc_time(&a, r->begun_ms)));
    put_fact(
        out, "took",
        arena_printf(&a, "%s%s", html_took(&a, r->ended ? r->took_ms : r->last_ms - r->begun_ms),
                     r->behind_backup_ms > 0 ? arena_printf(&a, ", %s of it waiting for the backup",
                                                            text_span(&a, r->behind_backup_ms))
                                             : ""));
    if (r->ended)
        put_fact(out, "exit status",
                 arena_printf(&a, "%d, %s", err_status(r->code), err_word(r->code)));
    fputs("</dl>\n", out);
    arena_free(&a);
}

static void put_commits(FILE *out, const struct commits *c)
{
    if (!c->n)
        return;
    fputs("<table class=\"commits\"><tbody>\n", out);
    for (size_t i = 0; i < c->n; i++) {
        fputs("<tr><td><code>", out);
        put_escapedf(out, "%.7s", c->v[i].sha);
        fputs("</code></td><td>", out);
        put_escaped(out, c->v[i].subject);
        fputs("</td><td>", out);
        put_escaped(out, c->v[i].author);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
    if (c->more)
        fprintf(out, "<p><small>and %zu more</small></p>\n", c->more);
}

/* "6 commits and 14 files since abc1234, which was live." */
static void put_since(FILE *out, const struct changes *c)
{
    struct arena a = {0};

    fputs("<p>", out);
    put_escaped(out, text_count(&a, c->added.n + c->added.more, "commit"));
    if (c->files >= 0)
        put_escapedf(out, ", %s changed,", text_count(&a, (unsigned long long)c->files, "file"));
    put_escapedf(out, " since ");
    fputs("<code>", out);
    put_escapedf(out, "%.7s", c->from);
    fputs("</code>, which was live.</p>\n", out);
    arena_free(&a);
}

static void put_changes(const struct record *r, FILE *out)
{
    const struct changes *c = r->changes;

    if (!c)
        return;
    fputs("<section><h2>Changes</h2>\n", out);
    if (!*c->from)
        fputs("<p>Nothing was live before.</p>\n", out);
    else if (!c->known) {
        fputs("<p>Unknown: the repository has no history between <code>", out);
        put_escapedf(out, "%.7s", c->from);
        fputs("</code>, which was live, and this revision. A shallow clone lacks it.</p>\n", out);
    } else if (!c->added.n && !c->removed.n) {
        fputs("<p>None: this revision was live already.</p>\n", out);
    } else {
        put_since(out, c);
    }
    put_commits(out, &c->added);
    if (c->removed.n)
        fputs("<h3>No longer included</h3>\n", out);
    put_commits(out, &c->removed);
    fputs("</section>\n", out);
}

static void put_warnings(const struct record *r, FILE *out)
{
    struct arena a = {0};

    if (!r->n_warnings)
        return;
    fputs("<section><h2>Warnings</h2>\n<table><tbody>\n", out);
    for (size_t i = 0; i < r->n_warnings; i++) {
        const struct warning_record *w = &r->warnings[i];
        fputs("<tr><td class=\"number\">", out);
        put_escaped(out, utc_time(&a, w->unix_ms));
        fputs("</td><td>", out);
        put_escapedf(out, "%s%s%s", w->host ? w->host : "", w->host ? ": " : "", w->text);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
    if (r->more_warnings)
        fprintf(out, "<p><small>and %zu more</small></p>\n", r->more_warnings);
    fputs("</section>\n", out);
    arena_free(&a);
}

void html_write(const struct record *r, FILE *out)
{
    put_head(r, out);
    put_failure(r, out);
    put_facts(r, out);
    html_stages(r, out);
    html_waits(r, out);
    html_migrations(r, out);
    put_changes(r, out);
    put_warnings(r, out);
    html_logs(r, out);
    fputs("</main>\n<footer>crelease " CRELEASE_VERSION
          "; all times are UTC</footer>\n</body>\n</html>\n",
          out);
}
