/* html_time.c -- the parts of the page with a time line: stages, waits for backups, migrations.  Called by
 * html.c.  Positions are SVG attributes in percent, so that a bar fits any width and needs no script. */
#include "ui/report/writers.h"

#include "base/text.h"
#include "edge/clock.h"
#include "ui/reader.h"
#include "ui/report/escape.h"

enum {
    LANES_MAX = 12,    /* hosts of a stage that have a bar of their own */
    ESTIMATES_MAX = 12 /* that are shown of a wait */
};

const char *utc_time(struct arena *a, long long unix_ms)
{
    return arena_strndup(a, clock_rfc3339(a, unix_ms, false) + 11, 8);
}

const char *utc_date(struct arena *a, long long unix_ms)
{
    return arena_strndup(a, clock_rfc3339(a, unix_ms, false), 10);
}

/* Time from left to right.  A wait that takes most of it is drawn shorter than it was, or the stages
 * around it would be too small to see. */
struct axis {
    long long begin;
    long long end;
    long long cut_begin; /* the wait; 0: none is shortened */
    long long cut_end;
};

#define CUT_SHARE 0.3 /* of the width, for the shortened wait */

static struct axis axis_of(const struct record *r)
{
    struct axis x = {.begin = r->begun_ms, .end = r->last_ms};
    const struct wait_record *longest = NULL;

    for (const struct stage_record *s = r->stages; s; s = s->next)
        if (s->n_spans && s->spans[0].begun_ms < x.begin)
            x.begin = s->spans[0].begun_ms;
    if (x.end <= x.begin)
        x.end = x.begin + 1;
    for (size_t i = 0; i < r->n_waits; i++)
        if (!longest ||
            r->waits[i].ended_ms - r->waits[i].begun_ms > longest->ended_ms - longest->begun_ms)
            longest = &r->waits[i];
    if (!longest || longest->begun_ms < x.begin ||
        (double)(longest->ended_ms - longest->begun_ms) < 0.5 * (double)(x.end - x.begin))
        return x;
    x.cut_begin = longest->begun_ms;
    x.cut_end = longest->ended_ms;
    return x;
}

static double position(const struct axis *x, long long t)
{
    double all = (double)(x->end - x->begin);

    t = t < x->begin ? x->begin : t > x->end ? x->end : t;
    if (!x->cut_begin)
        return 100.0 * (double)(t - x->begin) / all;
    double before = (double)(x->cut_begin - x->begin);
    double cut = (double)(x->cut_end - x->cut_begin);
    double rest = all - cut;
    double scale = rest > 0 ? 100.0 * (1 - CUT_SHARE) / rest : 0;
    if (t <= x->cut_begin)
        return scale * (double)(t - x->begin);
    if (t <= x->cut_end)
        return scale * before + 100.0 * CUT_SHARE * (double)(t - x->cut_begin) / cut;
    return scale * before + 100.0 * CUT_SHARE + scale * (double)(t - x->cut_end);
}

static const char *class_of(enum event_state state)
{
    return state == EVENT_DONE      ? "done"
           : state == EVENT_FAILED  ? "failed"
           : state == EVENT_SKIPPED ? "skipped"
           : state == EVENT_UNDONE  ? "undone"
           : state == EVENT_WAITING ? "waiting"
                                    : "open";
}

/* From `begin` to `end`, which is 0 for what has not ended. */
static void put_bar(FILE *out, const struct axis *x, const char *class, long long begin,
                    long long end)
{
    double from = position(x, begin);
    double width = position(x, end ? end : x->end) - from;

    width = width < 0.5 ? 0.5 : width;
    from = from > 100 - width ? 100 - width : from;
    fprintf(out,
            "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"3\" height=\"10\" rx=\"2\"/>",
            class, from, width);
}

static void begin_track(FILE *out, const struct axis *x)
{
    fputs("<svg class=\"track\" width=\"100%\" height=\"16\" aria-hidden=\"true\">", out);
    if (x->cut_begin)
        fprintf(out, "<rect class=\"cut\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"16\"/>",
                position(x, x->cut_begin), position(x, x->cut_end) - position(x, x->cut_begin));
}

static const char *span_text(struct arena *a, long long ms)
{
    return ms > 0 ? text_span(a, ms) : "";
}

/* The command is left out if the line of the stage has it. */
static void put_lane(FILE *out, const struct axis *x, const struct stage_record *s,
                     const struct job_record *j)
{
    struct arena a = {0};
    bool told = ui_same(j->command, s->detail) && !j->detail && j->attempts < 2;
    long long ms = j->ended_ms ? j->ended_ms - j->begun_ms : 0;

    fprintf(out, "<li class=\"%s\"><span class=\"name\">", class_of(j->state));
    put_escaped(out, j->host ? j->host : j->stage);
    fputs("</span>", out);
    begin_track(out, x);
    put_bar(out, x, class_of(j->state), j->begun_ms, j->ended_ms);
    fputs("</svg><span class=\"took\">", out);
    put_escaped(out, j->state == EVENT_DONE || j->state == EVENT_BEGUN ? span_text(&a, ms)
                                                                       : ui_state_word(j->state));
    fputs("</span><span class=\"detail\">", out);
    put_escaped(out, told ? "" : text_command(&a, j->command));
    if (j->attempts > 1)
        put_escapedf(out, ", %ld attempts", j->attempts);
    if (j->detail) {
        fputs(": ", out);
        put_escaped(out, j->detail);
    }
    fputs("</span></li>\n", out);
    arena_free(&a);
}

/* The jobs of the stage, of which the failed ones come first. */
static void put_lanes(const struct record *r, const struct stage_record *s, const struct axis *x,
                      FILE *out)
{
    size_t n = 0;
    size_t more = 0;

    for (int failed = 1; failed >= 0; failed--)
        for (const struct job_record *j = r->jobs; j; j = j->next) {
            if (!ui_same(j->stage, s->name) || !j->begun_ms ||
                (j->state == EVENT_FAILED) != (failed == 1))
                continue;
            if (n == LANES_MAX) {
                more++;
                continue;
            }
            if (!n++)
                fputs("<ul class=\"lanes\">\n", out);
            put_lane(out, x, s, j);
        }
    if (more)
        fprintf(out, "<li class=\"more\">and %zu more</li>\n", more);
    if (n)
        fputs("</ul>", out);
}

/* "app1 app2", or how many. */
static const char *hosts_text(struct arena *a, const struct strs *hosts)
{
    return hosts->n > 6 ? text_count(a, hosts->n, "host") : strs_joined(a, hosts, " ");
}

static void put_stage(const struct record *r, const struct stage_record *s, const struct axis *x,
                      FILE *out)
{
    struct arena a = {0};
    const char *word = s->state == EVENT_BEGUN ? "not finished" : ui_state_word(s->state);
    bool plain = s->state == EVENT_DONE || !*word;

    fprintf(out, "<li class=\"%s\"><span class=\"name\">", class_of(s->state));
    put_escaped(out, s->name);
    fputs(" <small>", out);
    put_escaped(out, hosts_text(&a, &s->hosts));
    fputs("</small></span>", out);
    begin_track(out, x);
    for (size_t i = 0; i < s->n_spans && s->state != EVENT_SKIPPED; i++)
        put_bar(out, x, class_of(s->spans[i].state), s->spans[i].begun_ms, s->spans[i].ended_ms);
    for (size_t i = 0; i < r->n_waits; i++)
        if (ui_same(r->waits[i].stage, s->name))
            put_bar(out, x, "backup", r->waits[i].begun_ms, r->waits[i].ended_ms);
    fputs("</svg><span class=\"took\">", out);
    put_escaped(out, s->state == EVENT_SKIPPED ? "" : span_text(&a, record_took(s, NULL)));
    fputs("</span><span class=\"detail\">", out);
    if (!plain)
        fprintf(out, "<b>%s</b>%s", word, s->detail && *s->detail ? ": " : "");
    put_escaped(out, s->detail);
    fputs("</span>", out);
    put_lanes(r, s, x, out);
    fputs("</li>\n", out);
    arena_free(&a);
}

static void put_scale(FILE *out, const struct axis *x)
{
    struct arena a = {0};
    double from = position(x, x->cut_begin);

    fputs("<div class=\"scale\" aria-hidden=\"true\"><span></span><svg width=\"100%\""
          " height=\"16\"><text x=\"0\" y=\"12\">",
          out);
    put_escaped(out, utc_time(&a, x->begin));
    fputs("</text>", out);
    if (x->cut_begin) {
        fprintf(out, "<text x=\"%.2f%%\" y=\"12\" text-anchor=\"middle\">", from + CUT_SHARE * 50);
        put_escapedf(out, "%s, shortened", text_span(&a, x->cut_end - x->cut_begin));
        fputs("</text>", out);
    }
    fputs("<text x=\"100%\" y=\"12\" text-anchor=\"end\">", out);
    put_escaped(out, utc_time(&a, x->end));
    fputs("</text></svg><span class=\"took\">UTC</span></div>\n", out);
    arena_free(&a);
}

void html_stages(const struct record *r, FILE *out)
{
    struct axis x = axis_of(r);

    if (!r->stages)
        return;
    fputs("<section><h2>Stages</h2>\n", out);
    put_scale(out, &x);
    fputs("<ol class=\"stages\">\n", out);
    for (const struct stage_record *s = r->stages; s; s = s->next)
        put_stage(r, s, &x, out);
    fputs("</ol></section>\n", out);
}

/* ---- waits ---- */

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
    fputs("</td><td class=\"wide\"><svg class=\"track\" width=\"100%\" height=\"16\""
          " aria-hidden=\"true\">",
          out);
    put_bar(out, x, "passed", x->begin, s->unix_ms);
    if (b->eta_s > 0 && ranged)
        put_bar(out, x, "range", s->unix_ms + b->eta_low_s * 1000,
                s->unix_ms + b->eta_high_s * 1000);
    if (b->eta_s > 0)
        put_bar(out, x, "expected", end, end);
    if (w->state == EVENT_DONE)
        put_bar(out, x, "ended", w->ended_ms, w->ended_ms);
    fputs("</svg></td><td>", out);
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

static void put_wait(FILE *out, const struct wait_record *w)
{
    struct arena a = {0};
    struct axis x = axis_of_wait(w);
    size_t step = (w->n_samples + ESTIMATES_MAX - 1) / ESTIMATES_MAX;

    fputs("<h3>", out);
    put_escapedf(out, "%s%s%s", w->host ? w->host : "", w->host ? ": " : "", w->what);
    fputs("</h3>\n<p>", out);
    put_escapedf(out, "Waited %s, from %s to %s UTC", text_span(&a, w->waited_ms),
                 utc_time(&a, w->begun_ms), utc_time(&a, w->ended_ms));
    if (w->state != EVENT_DONE)
        fputs("; the backup was still running then", out);
    else if (w->detail)
        put_escapedf(out, "; the backup %s", w->detail);
    fputs(".</p>\n", out);
    if (w->n_samples) {
        fputs("<table class=\"estimates\"><thead><tr><th>UTC</th><th>done</th>"
              "<th class=\"wide\">expected end</th><th></th></tr></thead><tbody>\n",
              out);
        const char *from = NULL;
        for (size_t i = 0; i < w->n_samples; i += step) {
            put_estimate(out, &x, w, &w->samples[i], from);
            from = w->samples[i].estimate.eta_from;
        }
        fputs("</tbody></table>\n", out);
    }
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

static void put_migration(FILE *out, const struct migration_record *m)
{
    struct arena a = {0};

    fputs("<tr><td>", out);
    put_escaped(out, m->name);
    fputs("</td><td class=\"number\">", out);
    if (m->first_ms)
        put_escaped(out, utc_time(&a, m->first_ms));
    fputs("</td><td class=\"number\">", out);
    if (m->last_ms > m->first_ms)
        put_escaped(out, text_span(&a, m->last_ms - m->first_ms));
    fputs("</td></tr>\n", out);
    arena_free(&a);
}

static void put_blockers(const struct record *r, FILE *out)
{
    struct arena a = {0};

    fputs("<h3>Blocked by</h3>\n<table><thead><tr><th>UTC</th><th>for</th><th>session</th></tr>"
          "</thead><tbody>\n",
          out);
    for (size_t i = 0; i < r->n_blockers; i++) {
        const struct blocker_record *b = &r->blockers[i];
        fputs("<tr><td class=\"number\">", out);
        put_escaped(out, utc_time(&a, b->first_ms));
        fputs("</td><td class=\"number\">", out);
        put_escaped(out, text_span(&a, b->last_ms - b->first_ms));
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
    if (r->n_migrations) {
        fputs("<table><thead><tr><th>pending at the start</th><th>first output, UTC</th>"
              "<th>until its last</th></tr></thead><tbody>\n",
              out);
        for (size_t i = 0; i < r->n_migrations; i++)
            put_migration(out, &r->migrations[i]);
        fputs("</tbody></table>\n", out);
    }
    if (r->n_blockers)
        put_blockers(r, out);
    fputs("</section>\n", out);
}
