/* junit.c -- the report as JUnit XML, which GitLab and Jenkins show: one suite, one case for each stage on
 * each host.  Called by report.c.  The elements and their order are those of Jenkins' schema
 * (tests/lib/junit.xsd). */
#include "ui/report/writers.h"

#include "base/text.h"
#include "edge/clock.h"
#include "ui/reader.h"
#include "ui/report/escape.h"

enum { OUTPUT_BYTES = 64 * 1024 }; /* of a failed job */

enum verdict { PASSED, FAILURE, ERROR, SKIPPED, VERDICTS };

struct test {
    const char *name;
    const char *host; /* NULL: the command as a whole */
    enum verdict verdict;
    const char *message;
    const struct stage_record *stage;
};

struct totals {
    size_t tests;
    size_t of[VERDICTS];
};

static struct test test_of(const struct record *r, const struct stage_record *s, const char *host)
{
    struct test t = {.name = s->name, .host = host, .stage = s};

    switch (record_host_state(r, s, host, &t.message)) {
    case EVENT_FAILED:
        t.verdict =
            r->code == ERR_NONE || r->code == ERR_FAILED || r->code == ERR_UNTIDY ? FAILURE : ERROR;
        break;
    case EVENT_WAITING:
        t.verdict = ERROR;
        break;
    case EVENT_BEGUN: /* interrupted, or lost with crelease */
        t.verdict = ERROR;
        t.message = r->ended && r->message ? r->message : "it has not ended";
        break;
    case EVENT_SKIPPED:
        t.verdict = SKIPPED;
        break;
    case EVENT_NONE:
        t.verdict = SKIPPED;
        t.message = "the stage failed on another host";
        break;
    case EVENT_DONE:
    case EVENT_UNDONE:
    case EVENT_STATES:
        t.verdict = PASSED;
        break;
    }
    return t;
}

/* What failed without a stage: before the first one, or after the last one. */
static struct test whole_of(const struct record *r)
{
    return (struct test){.name = r->command,
                         .verdict = r->ended && r->code == ERR_NONE ? PASSED : ERROR,
                         .message = r->ended ? r->message : "it has not ended"};
}

static bool is_whole_needed(const struct record *r, const struct totals *t)
{
    bool failed = !r->ended || r->code != ERR_NONE;

    return !t->tests || (failed && !t->of[FAILURE] && !t->of[ERROR]);
}

static void put_output(const struct record *r, const struct test *t, FILE *out)
{
    for (const struct job_record *j = r->jobs; t->stage && j; j = j->next) {
        if (!ui_same(j->stage, t->name) || !ui_same(j->host, t->host))
            continue;
        const struct buf *parts[] = {&j->log.head, &j->log.tail};
        size_t skip = j->log.head.len + j->log.tail.len;
        skip = skip > OUTPUT_BYTES ? skip - OUTPUT_BYTES : 0;
        fputs("<system-out>", out);
        for (size_t i = 0; i < 2; i++) {
            size_t at = skip < parts[i]->len ? skip : parts[i]->len;
            const char *line;
            struct arena a = {0};
            skip -= at;
            while (log_line(&a, parts[i], &at, &line)) {
                put_escaped(out, line);
                fputc('\n', out);
                arena_free(&a);
            }
            arena_free(&a);
        }
        fputs("</system-out>", out);
        return;
    }
}

/* The failure of the run.  On a host that failed besides, its lines are those of the other. */
static void put_details(const struct record *r, const struct test *t, FILE *out)
{
    const struct failure *f = &r->failure;
    const struct strs *lists[] = {&f->lines, &f->now, &f->next};
    bool own = !t->host || !f->host || ui_same(t->host, f->host);

    put_escaped(out, own ? r->message : t->message);
    for (size_t i = own ? 0 : 1; i < sizeof lists / sizeof *lists; i++)
        for (size_t k = 0; k < lists[i]->n; k++) {
            struct arena a = {0};
            const char *s = lists[i]->v[k];
            fputc('\n', out);
            put_escaped(out, i == 0 ? ui_output(&a, s, strlen(s)) : s);
            arena_free(&a);
        }
}

static void put_test(const struct record *r, const struct test *t, FILE *out)
{
    static const char *const elements[VERDICTS] = {NULL, "failure", "error", "skipped"};
    long long ms = t->stage ? record_took(t->stage, t->host) : r->took_ms;

    fputs("<testcase classname=\"", out);
    put_escapedf(out, "%s %s", r->command, r->environment);
    fputs("\" name=\"", out);
    put_escapedf(out, "%s%s%s", t->name, t->host ? " on " : "", t->host ? t->host : "");
    fprintf(out, "\" time=\"%.3f\"", (double)ms / 1000);
    if (t->verdict == PASSED) {
        fputs("/>\n", out);
        return;
    }
    fprintf(out, "><%s message=\"", elements[t->verdict]);
    put_escaped(out, t->message);
    if (t->verdict == SKIPPED) {
        fputs("\"/></testcase>\n", out);
        return;
    }
    fprintf(out, "\" type=\"%s\">", record_word(r));
    put_details(r, t, out);
    fprintf(out, "</%s>", elements[t->verdict]);
    put_output(r, t, out);
    fputs("</testcase>\n", out);
}

static void put_property(FILE *out, const char *name, const char *value)
{
    fprintf(out, "<property name=\"%s\" value=\"", name);
    put_escaped(out, value);
    fputs("\"/>\n", out);
}

static void put_totals(FILE *out, const struct record *r, const struct totals *t)
{
    fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"",
            t->tests, t->of[FAILURE], t->of[ERROR], t->of[SKIPPED], (double)r->took_ms / 1000);
}

static void put_begin(FILE *out, const struct record *r, const struct totals *t)
{
    struct arena a = {0};

    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"crelease\"", out);
    put_totals(out, r, t);
    fputs(">\n<testsuite name=\"", out);
    put_escapedf(out, "%s %s", r->command, r->environment);
    fputc('"', out);
    put_totals(out, r, t);
    fprintf(out, " timestamp=\"%.19s\">\n", clock_rfc3339(&a, r->begun_ms, false));
    if (r->begun) {
        fputs("<properties>\n", out);
        put_property(out, "run", r->run.id);
        put_property(out, "release", r->run.release);
        put_property(out, "revision", r->run.revision);
        put_property(out, "by", r->run.by);
        fputs("</properties>\n", out);
    }
    arena_free(&a);
}

void junit_write(const struct record *r, FILE *out)
{
    struct totals totals = {0};
    struct test whole = whole_of(r);

    for (const struct stage_record *s = r->stages; s; s = s->next)
        for (size_t i = 0; i < s->hosts.n; i++) {
            totals.tests++;
            totals.of[test_of(r, s, s->hosts.v[i]).verdict]++;
        }
    bool needed = is_whole_needed(r, &totals);
    totals.tests += needed;
    totals.of[whole.verdict] += needed;
    put_begin(out, r, &totals);
    for (const struct stage_record *s = r->stages; s; s = s->next)
        for (size_t i = 0; i < s->hosts.n; i++) {
            struct test t = test_of(r, s, s->hosts.v[i]);
            put_test(r, &t, out);
        }
    if (needed)
        put_test(r, &whole, out);
    fputs("</testsuite>\n</testsuites>\n", out);
}
