/* reading.c -- questions that several writers of reports ask a record (record.h). */
#include "ui/report/record.h"

#include "base/text.h"
#include "ui/reader.h"

#include <stdlib.h>

enum event_state record_host_state(const struct record *r, const struct stage_record *s,
                                   const char *host, const char **ret_detail)
{
    enum event_state state = EVENT_NONE;

    *ret_detail = NULL;
    for (size_t i = 0; i < s->n_spans; i++)
        if (strs_has(&s->spans[i].hosts, host))
            state = s->spans[i].state;
    /* What was told of the host itself says more than that the stage failed somewhere. */
    bool failed = state == EVENT_FAILED || state == EVENT_WAITING || state == EVENT_BEGUN;
    if (failed && ui_same(r->failure.stage, s->name) && ui_same(r->failure.host, host)) {
        *ret_detail = r->message;
        return EVENT_FAILED;
    }
    for (size_t i = 0; failed && i < s->n_notes; i++)
        if (ui_same(s->notes[i].host, host)) {
            *ret_detail = s->notes[i].detail;
            return s->notes[i].state;
        }
    *ret_detail = s->detail;
    return state == EVENT_FAILED && s->hosts.n > 1 && r->failure.host ? EVENT_NONE : state;
}

long long record_took(const struct stage_record *s, const char *host)
{
    long long ms = 0;

    for (size_t i = 0; i < s->n_spans; i++)
        if (s->spans[i].ended_ms && (!host || strs_has(&s->spans[i].hosts, host)))
            ms += s->spans[i].ended_ms - s->spans[i].begun_ms;
    return ms > 0 ? ms : 0;
}

const char *record_headline(struct arena *a, const struct record *r)
{
    const struct event e = {.kind = EVENT_END,
                            .run = r->begun ? &r->run : NULL,
                            .code = r->code,
                            .message = r->message,
                            .failure = &r->failure,
                            .took_ms = r->took_ms,
                            .behind_backup_ms = r->behind_backup_ms};

    if (!r->ended)
        return arena_printf(a,
                            "still running when this report was written; if crelease was killed,"
                            " '%s' continues the run",
                            ui_shown(a, arena_printf(a, "crelease resume %s", r->environment)));
    return r->code == ERR_NONE ? ui_success(a, &e) : ui_failed(a, &e);
}

const char *record_word(const struct record *r)
{
    return r->ended ? err_word(r->code) : "running";
}

static int by_group(const void *left, const void *right)
{
    const struct job_record *a = *(const struct job_record *const *)left;
    const struct job_record *b = *(const struct job_record *const *)right;

    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

struct job_records record_jobs(struct arena *a, const struct record *r)
{
    struct job_records jobs = {0};
    size_t n = 0;

    for (const struct job_record *j = r->jobs; j; j = j->next)
        n++;
    jobs.v = arena_array(a, n, sizeof *jobs.v);
    for (const struct job_record *j = r->jobs; j; j = j->next)
        jobs.v[jobs.n++] = j;
    if (n)
        qsort(jobs.v, n, sizeof *jobs.v, by_group);
    return jobs;
}

const struct job_record *record_failed_job(const struct record *r)
{
    const struct failure *f = &r->failure;

    for (const struct job_record *j = r->jobs; j; j = j->next)
        if (j->state == EVENT_FAILED && ui_same(j->stage, f->stage) && ui_same(j->host, f->host))
            return j;
    return NULL;
}

bool log_line(struct arena *a, const struct buf *part, size_t *at, const char **ret)
{
    if (*at >= part->len)
        return false;
    const char *line = part->text + *at;
    const char *end = memchr(line, '\n', part->len - *at);
    size_t len = end ? (size_t)(end - line) : part->len - *at;

    *at += len + 1;
    while (len && line[len - 1] == '\r')
        len--;
    *ret = ui_output(a, line, len);
    return true;
}
