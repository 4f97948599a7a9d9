/* html_logs.c -- the output of the jobs, folded.  Called by html.c. */
#include "ui/report/writers.h"

#include "base/text.h"
#include "ui/reader.h"
#include "ui/report/escape.h"
#include "ui/report/html_track.h"

static void put_part(FILE *out, const struct buf *part)
{
    size_t at = 0;

    for (;;) {
        struct arena a = {0};
        const char *line;
        bool more = log_line(&a, part, &at, &line);
        if (more) {
            put_escaped(out, line);
            fputc('\n', out);
        }
        arena_free(&a);
        if (!more)
            return;
    }
}

static size_t lines_of(const struct buf *part)
{
    size_t n = part->len && part->text[part->len - 1] != '\n';

    for (size_t i = 0; i < part->len; i++)
        n += part->text[i] == '\n';
    return n;
}

/* "failed, 12 lines, 3.2 s". */
static const char *summary(struct arena *a, const struct job_record *j)
{
    struct strs parts = {0};
    const struct log *log = &j->log;
    size_t lines = lines_of(&log->head) + lines_of(&log->tail);
    const char *took = html_took(a, j->begun_ms && j->ended_ms ? j->ended_ms - j->begun_ms : 0);

    if (j->state != EVENT_DONE && *ui_state_word(j->state))
        strs_add(a, &parts, j->state == EVENT_BEGUN ? "not finished" : ui_state_word(j->state));
    strs_add(a, &parts,
             log->left_out ? text_size(a, log->head.len + log->tail.len + log->left_out)
             : lines       ? text_count(a, lines, "line")
                           : "no output");
    if (*took)
        strs_add(a, &parts, took);
    return strs_joined(a, &parts, ", ");
}

static void put_log(const struct record *r, const struct job_record *j, FILE *out)
{
    struct arena a = {0};
    const char *host = j->host ? j->host : "this machine";
    bool empty = !j->log.head.len && !j->log.tail.len;

    fprintf(out, "<details%s%s><summary>", j->state == EVENT_FAILED ? " class=\"failed\"" : "",
            j == record_failed_job(r) ? " open" : "");
    put_escaped(out, host);
    fputs(" <small>", out);
    put_escaped(out, summary(&a, j));
    fputs("</small></summary>", out);
    /* Can be scrolled by keyboard. */
    fputs("<div class=\"log\" tabindex=\"0\" role=\"region\" aria-label=\"", out);
    put_escapedf(out, "output on %s", host);
    fputs("\"><pre>", out);
    put_part(out, &j->log.head);
    if (j->log.left_out) {
        fputs("<span class=\"left\">", out);
        put_escapedf(out, "... %s left out; all of it is on the host",
                     text_size(&a, j->log.left_out));
        fputs("</span>\n", out);
    }
    put_part(out, &j->log.tail);
    fputs(empty ? "<small>no output</small></pre></div></details>\n" : "</pre></div></details>\n",
          out);
    arena_free(&a);
}

void html_logs(const struct record *r, FILE *out)
{
    struct arena a = {0};
    struct job_records jobs = record_jobs(&a, r);

    if (!jobs.n)
        return;
    fputs("<section><h2>Output of the jobs</h2>\n"
          "<p class=\"printed\">What is folded is not printed.</p>\n",
          out);
    for (size_t i = 0; i < jobs.n; i++) {
        const struct job_record *j = jobs.v[i];
        if (!i || jobs.v[i - 1]->group != j->group) {
            fputs("<h3>", out);
            put_escapedf(out, "%s%s", j->stage ? j->stage : "", j->stage ? ": " : "");
            fputs("<code>", out);
            put_escaped(out, text_command(&a, j->command));
            fputs("</code></h3>\n", out);
        }
        put_log(r, j, out);
    }
    fputs("</section>\n", out);
    arena_free(&a);
}
