/* html_waits.c -- the parts of the page about the database: waits for backups, migrations, what blocked
 * them.  Called by html.c. */
#include "ui/report/writers.h"

#include "base/text.h"
#include "ui/reader.h"
#include "ui/report/escape.h"
#include "ui/report/html_track.h"

enum { ESTIMATES_MAX = 12 }; /* that are shown of a wait */

/* When the backup was expected to end, at that time: a bar from the earliest to the latest.  What the
 * estimate is based on is not repeated. */
static void put_estimate(FILE *out, const struct axis *x, const struct wait_record *w,
                         const struct sample *s, const char *told_from)
{
    struct arena a = {0};
    struct backup now = s->estimate;
    const struct backup *b = &now;
    long long end = s->unix_ms + b->eta_s * 1000;
    bool ranged = b->eta_high_s > 0 && b->eta_low_s <= b->eta_s && b->eta_high_s >= b->eta_s;

    fputs("<tr><td>", out);
    put_escaped(out, utc_time(&a, s->unix_ms));
    fputs("</td><td class=\"number\">", out);
    if (b->percent >= 0)
        put_escapedf(out, "%d %%", b->percent);
    fputs("</td><td class=\"wide\">", out);
    begin_track(out, x, NULL);
    put_bar(out, x, (struct bar){"passed", "waited", x->begin, s->unix_ms});
    if (b->eta_s > 0 && ranged)
        put_bar(out, x,
                (struct bar){"range", "expected end", s->unix_ms + b->eta_low_s * 1000,
                             s->unix_ms + b->eta_high_s * 1000});
    if (b->eta_s > 0)
        put_bar(out, x, (struct bar){"expected", "expected end", end, end});
    if (w->state == EVENT_DONE)
        put_bar(out, x, (struct bar){"ended", "end", w->ended_ms, w->ended_ms});
    end_track(out);
    fputs("</td><td>", out);
    if (ui_same(b->eta_from, told_from))
        now.eta_from = NULL;
    put_escaped(out, ui_backup_expected(&a, b));
    if (s->detail) {
        fputs("; ", out);
        put_escaped(out, s->detail);
    }
    fputs("</td></tr>\n", out);
    arena_free(&a);
}

/* From the beginning of the wait to its end, or to the latest end that was expected. */
static struct axis axis_of_wait(const struct wait_record *w)
{
    struct axis x = {.begin = w->begun_ms, .end = w->ended_ms};

    for (size_t i = 0; i < w->n_samples; i++) {
        const struct sample *s = &w->samples[i];
        long long at = s->estimate.eta_high_s > 0 ? s->estimate.eta_high_s : s->estimate.eta_s;
        if (at > 0 && s->unix_ms + at * 1000 > x.end)
            x.end = s->unix_ms + at * 1000;
    }
    /* One wild guess does not make all others too small to see. */
    if (x.end - x.begin > 4 * (w->ended_ms - w->begun_ms) && w->state == EVENT_DONE)
        x.end = x.begin + 4 * (w->ended_ms - w->begun_ms);
    if (x.end <= x.begin)
        x.end = x.begin + 1;
    return x;
}

static bool is_known(const struct sample *s)
{
    const struct backup *b = &s->estimate;

    return b->percent >= 0 || b->eta_s >= 0 || b->overdue_s > 0 || b->stuck_s > 0;
}

/* Whether an estimate is as unknown as the one before, so that a row would tell nothing new. */
static bool is_unknown_still(const struct sample *s, const struct sample *before)
{
    return before && !is_known(s) && !is_known(before) && ui_same(s->detail, before->detail);
}

static void put_estimates(FILE *out, const struct wait_record *w)
{
    struct axis x = axis_of_wait(w);
    size_t step = (w->n_samples + ESTIMATES_MAX - 1) / ESTIMATES_MAX;
    const struct sample *before = NULL;
    bool expected = false;

    fputs("<table class=\"estimates\"><thead><tr><th scope=\"col\">UTC</th>"
          "<th scope=\"col\" class=\"number\">done</th>"
          "<th scope=\"col\" class=\"wide\" aria-label=\"time line\">",
          out);
    put_scale(out, &x);
    fputs("</th><th scope=\"col\">expected end</th></tr></thead><tbody>\n", out);
    for (size_t i = 0; i < w->n_samples; i += step) {
        const struct sample *s = &w->samples[i];
        if (!is_unknown_still(s, before))
            put_estimate(out, &x, w, s, before ? before->estimate.eta_from : NULL);
        expected = expected || s->estimate.eta_s > 0;
        before = s;
    }
    fputs(
        "</tbody></table>\n<p class=\"legend\" aria-hidden=\"true\"><i class=\"passed\"></i>waited"
        " <i class=\"range\"></i>expected to end in this time"
        " <i class=\"expected\"></i>most likely then",
        out);
    fputs(w->state == EVENT_DONE ? " <i class=\"ended\"></i>ended</p>\n" : "</p>\n", out);
}

static void put_wait(FILE *out, const struct wait_record *w)
{
    struct arena a = {0};

    fputs("<h3>", out);
    put_escapedf(out, "%s%s%s", w->host ? w->host : "", w->host ? ": " : "", w->what);
    fputs("</h3>\n<p>", out);
    put_escapedf(out, "Waited %s, from %s to %s UTC", text_span(&a, w->waited_ms),
                 utc_time(&a, w->begun_ms), utc_time(&a, w->ended_ms));
    if (w->state != EVENT_DONE)
        fputs("; the backup was still running then", out);
    else if (w->detail)
        put_escapedf(out, "; the backup %s%s", strncmp(w->detail, "ended", 5) == 0 ? "" : "was ",
                     w->detail);
    size_t known = 0;
    for (size_t i = 0; i < w->n_samples; i++)
        known += is_known(&w->samples[i]) || w->samples[i].detail;
    fputs(known || !w->n_samples ? ".</p>\n" : "; when it would end was unknown.</p>\n", out);
    if (known)
        put_estimates(out, w);
    arena_free(&a);
}

void html_waits(const struct record *r, FILE *out)
{
    if (!r->n_waits)
        return;
    fputs("<section><h2>Wait for the backup</h2>\n", out);
    for (size_t i = 0; i < r->n_waits; i++)
        put_wait(out, &r->waits[i]);
    if (r->more_waits)
        fprintf(out, "<p>There were %zu more.</p>\n", r->more_waits);
    fputs("</section>\n", out);
}

/* ---- migrations ---- */

static bool is_migration(const struct record *r, const struct job_record *j)
{
    for (const struct stage_record *s = r->stages; s; s = s->next)
        if (ui_same(j->stage, s->name))
            return strncmp(s->name, "migrate", strlen("migrate")) == 0;
    return false;
}

/* "rake db:migrate on app1, 12:06:59 to 12:07:01: done in 1.6 s, 2 attempts". */
static void put_command(FILE *out, const struct job_record *j)
{
    struct arena a = {0};
    const char *took = html_took(&a, j->ended_ms ? j->ended_ms - j->begun_ms : 0);

    fputs("<p><code>", out);
    put_escaped(out, text_command(&a, j->command));
    fputs("</code>", out);
    put_escapedf(out, "%s%s, %s", j->host ? " on " : "", j->host ? j->host : "",
                 html_times(&a, j->begun_ms, j->ended_ms));
    put_escapedf(out, ": %s%s%s",
                 j->state == EVENT_BEGUN ? "not finished" : ui_state_word(j->state),
                 *took ? j->state == EVENT_DONE ? " in " : " after " : "", took);
    if (j->attempts > 1)
        put_escapedf(out, ", %ld attempts", j->attempts);
    fputs("</p>\n", out);
    arena_free(&a);
}

static void put_name(FILE *out, const struct migration_record *m)
{
    put_escapedf(out, "%s%s%s", m->database + (*m->database == '-'), *m->database ? ": " : "",
                 m->name);
}

static void put_migration(FILE *out, const struct axis *x, const struct migration_record *m)
{
    struct arena a = {0};

    fputs("<tr><td>", out);
    put_name(out, m);
    fputs("</td><td class=\"wide\">", out);
    begin_track(out, x, NULL);
    if (m->first_ms)
        put_bar(out, x, (struct bar){"done", NULL, m->first_ms, m->last_ms});
    end_track(out);
    fputs("</td><td class=\"number\">", out);
    put_escaped(out, m->first_ms ? utc_time(&a, m->first_ms) : "none");
    fputs("</td><td class=\"number\">", out);
    put_escaped(out, html_took(&a, m->last_ms - m->first_ms));
    fputs("</td></tr>\n", out);
    arena_free(&a);
}

/* None of them was started. */
static void put_pending(FILE *out, const struct record *r)
{
    fputs("<p>Pending, and not started:</p>\n<ul>\n", out);
    for (size_t i = 0; i < r->n_migrations; i++) {
        const struct migration_record *m = &r->migrations[i];
        fputs("<li>", out);
        put_name(out, m);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

/* As long as the commands ran. */
static void put_migrations(FILE *out, const struct record *r)
{
    struct axis x = {0};

    for (const struct job_record *j = r->jobs; j; j = j->next)
        if (is_migration(r, j) && j->begun_ms) {
            long long end = j->ended_ms ? j->ended_ms : r->last_ms;
            x.begin = x.begin && x.begin < j->begun_ms ? x.begin : j->begun_ms;
            x.end = end > x.end ? end : x.end;
            put_command(out, j);
        }
    if (!r->n_migrations)
        return;
    if (!x.begin) {
        put_pending(out, r);
        return;
    }
    x.end = x.end > x.begin ? x.end : x.begin + 1;
    fputs("<table class=\"migrations\"><thead><tr><th scope=\"col\">pending at the start</th>"
          "<th scope=\"col\" class=\"wide\" aria-label=\"time line\">",
          out);
    put_scale(out, &x);
    fputs("</th><th scope=\"col\">first output, UTC</th><th scope=\"col\">until its last</th></tr>"
          "</thead><tbody>\n",
          out);
    for (size_t i = 0; i < r->n_migrations; i++)
        put_migration(out, &x, &r->migrations[i]);
    fputs("</tbody></table>\n", out);
}

static void put_blockers(const struct record *r, FILE *out)
{
    struct arena a = {0};

    fputs("<h3>Blocked by</h3>\n<table><thead><tr><th scope=\"col\">UTC</th>"
          "<th scope=\"col\">for</th><th scope=\"col\">session</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < r->n_blockers; i++) {
        const struct blocker_record *b = &r->blockers[i];
        fputs("<tr><td class=\"number\">", out);
        put_escaped(out, utc_time(&a, b->first_ms));
        fputs("</td><td class=\"number\">", out);
        put_escaped(out, html_took(&a, b->last_ms - b->first_ms));
        fputs("</td><td>", out);
        put_escaped(out, b->text);
        fputs("</td></tr>\n", out);
    }
    fputs("</tbody></table>\n", out);
    if (r->more_blockers)
        fprintf(out, "<p>There were %zu more.</p>\n", r->more_blockers);
    arena_free(&a);
}

void html_migrations(const struct record *r, FILE *out)
{
    if (!r->n_migrations && !r->n_blockers)
        return;
    fputs("<section><h2>Migrations</h2>\n", out);
    put_migrations(out, r);
    if (r->n_blockers)
        put_blockers(r, out);
    fputs("</section>\n", out);
}
