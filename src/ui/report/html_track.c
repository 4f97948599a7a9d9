/* html_track.c -- bars on a time line as SVG (html_track.h).  Called by html_stages.c and html_waits.c. */
#include "ui/report/html_track.h"

#include "base/text.h"
#include "edge/clock.h"
#include "ui/report/escape.h"
#include "ui/report/writers.h"

#define CUT_SHARE 0.3 /* of the width, for a shortened wait */

const char *utc_time(struct arena *a, long long unix_ms)
{
    return arena_strndup(a, clock_rfc3339(a, unix_ms, false) + 11, 8);
}

const char *utc_date(struct arena *a, long long unix_ms)
{
    return arena_strndup(a, clock_rfc3339(a, unix_ms, false), 10);
}

const char *html_times(struct arena *a, long long begin, long long end)
{
    return end ? arena_printf(a, "%s to %s", utc_time(a, begin), utc_time(a, end))
               : arena_printf(a, "since %s", utc_time(a, begin));
}

const char *html_took(struct arena *a, long long ms)
{
    return ms <= 0 ? "" : ms < 50 ? "< 0.1 s" : text_span(a, ms);
}

const char *html_state_class(enum event_state state)
{
    return state == EVENT_DONE      ? "done"
           : state == EVENT_FAILED  ? "failed"
           : state == EVENT_SKIPPED ? "skipped"
           : state == EVENT_UNDONE  ? "undone"
           : state == EVENT_WAITING ? "waiting"
                                    : "open";
}

struct axis axis_of_run(const struct record *r)
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

void put_bar(FILE *out, const struct axis *x, struct bar bar)
{
    struct arena a = {0};
    double from = position(x, bar.begin);
    double width = position(x, bar.end ? bar.end : x->end) - from;

    width = width < 0.5 ? 0.5 : width;
    from = from > 100 - width ? 100 - width : from;
    fprintf(
        out,
        "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"3\" height=\"10\" rx=\"2\"><title>",
        bar.class, from, width);
    put_escapedf(out, "%s%s%s", bar.about ? bar.about : "", bar.about ? ": " : "",
                 bar.end == bar.begin ? utc_time(&a, bar.begin)
                                      : html_times(&a, bar.begin, bar.end));
    fputs("</title></rect>", out);
    arena_free(&a);
}

void begin_track(FILE *out, const struct axis *x, const char *label)
{
    fputs("<svg class=\"track\" width=\"100%\" height=\"16\"", out);
    if (label) {
        fputs(" role=\"img\" aria-label=\"", out);
        put_escaped(out, label);
        fputs("\">", out);
    } else {
        fputs(" aria-hidden=\"true\">", out);
    }
    if (x->cut_begin)
        fprintf(out, "<rect class=\"cut\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"0\" height=\"16\"/>",
                position(x, x->cut_begin), position(x, x->cut_end) - position(x, x->cut_begin));
}

void end_track(FILE *out)
{
    fputs("</svg>", out);
}

static void put_mark(FILE *out, double at, const char *anchor, const char *text)
{
    fprintf(out, "<text x=\"%.2f%%\" y=\"12\" text-anchor=\"%s\">", at, anchor);
    put_escaped(out, text);
    fputs("</text>", out);
}

void put_scale(FILE *out, const struct axis *x)
{
    struct arena a = {0};

    fputs("<svg class=\"marks\" width=\"100%\" height=\"16\" aria-hidden=\"true\">", out);
    put_mark(out, 0, "start", utc_time(&a, x->begin));
    if (x->cut_begin)
        put_mark(out, position(x, x->cut_begin) + CUT_SHARE * 50, "middle",
                 arena_printf(&a, "%s, shortened", text_span(&a, x->cut_end - x->cut_begin)));
    put_mark(out, 100, "end", utc_time(&a, x->end));
    fputs("</svg>", out);
    arena_free(&a);
}
