/* html_stages.c -- the stages of a run on a time line, with the jobs of each host.  Called by html.c. */
#include "ui/report/writers.h"

#include "base/text.h"
#include "ui/reader.h"
#include "ui/report/escape.h"
#include "ui/report/html_track.h"

enum { LANES_MAX = 12 }; /* hosts of a command that have a bar of their own */

static void put_lane(FILE *out, const struct axis *x, const struct job_record *j)
{
    struct arena a = {0};
    const char *class = html_state_class(j->state);
    bool plain = j->state == EVENT_DONE;

    fprintf(out, "<li class=\"%s\"><span class=\"name\">", class);
    put_escaped(out, j->host ? j->host : "this machine");
    fputs("</span>", out);
    begin_track(out, x, j->begun_ms ? html_times(&a, j->begun_ms, j->ended_ms) : NULL);
    if (j->begun_ms)
        put_bar(out, x, (struct bar){class, j->host, j->begun_ms, j->ended_ms});
    end_track(out);
    fputs("<span class=\"took\">", out);
    put_escaped(out, html_took(&a, j->begun_ms && j->ended_ms ? j->ended_ms - j->begun_ms : 0));
    fputs("</span>", out);
    if (!plain || j->detail || j->attempts > 1) {
        const char *word = j->state == EVENT_BEGUN ? "not finished" : ui_state_word(j->state);
        fputs("<span class=\"detail\">", out);
        if (!plain)
            fprintf(out, "<b>%s</b>%s", word, j->detail ? ": " : "");
        put_escaped(out, j->detail);
        if (j->attempts > 1)
            put_escapedf(out, "%s%ld attempts", !plain || j->detail ? ", " : "", j->attempts);
        fputs("</span>", out);
    }
    fputs("</li>\n", out);
    arena_free(&a);
}

/* One command on its hosts, of which those where it failed come first. */
static void put_command(FILE *out, const struct axis *x, const struct job_record **v, size_t n)
{
    size_t shown = 0;

    for (int failed = 1; failed >= 0; failed--)
        for (size_t i = 0; i < n && shown < LANES_MAX; i++)
            if ((v[i]->state == EVENT_FAILED) == (failed == 1)) {
                put_lane(out, x, v[i]);
                shown++;
            }
    if (n > shown)
        fprintf(out, "<li class=\"more\">and %zu more</li>\n", n - shown);
}

/* The jobs of one stage, in groups. */
struct lanes {
    struct job_records jobs;
    size_t groups;
    bool told; /* the line of the stage has their commands */
};

static struct lanes lanes_of(struct arena *a, const struct job_records *all,
                             const struct stage_record *s)
{
    struct lanes l = {.told = s->detail != NULL};

    l.jobs.v = arena_array(a, all->n, sizeof *l.jobs.v);
    for (size_t i = 0; i < all->n; i++) {
        const struct job_record *j = all->v[i];
        if (!ui_same(j->stage, s->name))
            continue;
        l.groups += !l.jobs.n || l.jobs.v[l.jobs.n - 1]->group != j->group;
        l.told = l.told && strstr(s->detail, j->command);
        l.jobs.v[l.jobs.n++] = j;
    }
    return l;
}

static void put_lanes(FILE *out, const struct axis *x, const struct lanes *l)
{
    struct arena a = {0};

    if (!l->jobs.n)
        return;
    fputs("<ul class=\"lanes\">\n", out);
    for (size_t i = 0, n; i < l->jobs.n; i += n) {
        for (n = 1; i + n < l->jobs.n && l->jobs.v[i + n]->group == l->jobs.v[i]->group;)
            n++;
        if (l->groups > 1 || !l->told) {
            fputs("<li class=\"command\"><code>", out);
            put_escaped(out, text_command(&a, l->jobs.v[i]->command));
            fputs("</code></li>\n", out);
        }
        put_command(out, x, l->jobs.v + i, n);
    }
    fputs("</ul>", out);
    arena_free(&a);
}

/* "app1 app2", or how many. */
static const char *hosts_text(struct arena *a, const struct strs *hosts)
{
    return hosts->n > 6 ? text_count(a, hosts->n, "host") : strs_joined(a, hosts, " ");
}

static void put_track(const struct record *r, const struct stage_record *s, const struct axis *x,
                      FILE *out)
{
    struct arena a = {0};
    bool drawn = s->n_spans && s->state != EVENT_SKIPPED;

    begin_track(out, x,
                drawn ? html_times(&a, s->spans[0].begun_ms, s->spans[s->n_spans - 1].ended_ms)
                      : NULL);
    for (size_t i = 0; drawn && i < s->n_spans; i++) {
        const struct span *is = &s->spans[i];
        bool stopped = s->stopped && i + 1 == s->n_spans;
        put_bar(out, x,
                (struct bar){html_state_class(stopped ? EVENT_BEGUN : is->state), s->name,
                             is->begun_ms, is->ended_ms});
    }
    for (size_t i = 0; i < r->n_waits; i++)
        if (ui_same(r->waits[i].stage, s->name))
            put_bar(out, x,
                    (struct bar){"backup", r->waits[i].what, r->waits[i].begun_ms,
                                 r->waits[i].ended_ms});
    end_track(out);
    arena_free(&a);
}

static void put_stage(const struct record *r, const struct job_records *jobs,
                      const struct stage_record *s, const struct axis *x, FILE *out)
{
    struct arena a = {0};
    const char *word = s->word ? s->word : "";
    bool plain = s->state == EVENT_DONE || !*word;
    struct lanes lanes = lanes_of(&a, jobs, s);

    fprintf(out, "<li class=\"%s\"><span class=\"name\">",
            html_state_class(s->stopped ? EVENT_BEGUN : s->state));
    put_escaped(out, s->name);
    fputs(" <small>", out);
    put_escaped(out, hosts_text(&a, &s->hosts));
    fputs("</small></span>", out);
    put_track(r, s, x, out);
    fputs("<span class=\"took\">", out);
    put_escaped(out, s->state == EVENT_SKIPPED ? "" : html_took(&a, record_took(s, NULL)));
    fputs("</span><span class=\"detail\">", out);
    if (!plain)
        fprintf(out, "<b>%s</b>%s", word, s->detail && *s->detail ? ": " : "");
    if (!plain || lanes.groups < 2 || !lanes.told)
        put_escaped(out, s->detail);
    fputs("</span>", out);
    put_lanes(out, x, &lanes);
    fputs("</li>\n", out);
    arena_free(&a);
}

void html_stages(const struct record *r, FILE *out)
{
    struct axis x = axis_of_run(r);
    struct arena a = {0};
    struct job_records jobs = record_jobs(&a, r);

    if (!r->stages)
        return;
    fputs("<section><h2>Stages</h2>\n<div class=\"scale\"><span></span>", out);
    put_scale(out, &x);
    fputs("<span class=\"took\">UTC</span></div>\n<ol class=\"stages\">\n", out);
    for (const struct stage_record *s = r->stages; s; s = s->next)
        put_stage(r, &jobs, s, &x, out);
    fputs("</ol></section>\n", out);
    arena_free(&a);
}
