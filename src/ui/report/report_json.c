/* report_json.c -- the report as one JSON document; config/report.schema.json describes it.  Called by
 * report.c.  Runs, backups, changes and errors are as in the event stream. */
#include "ui/report/writers.h"

#include "edge/clock.h"
#include "ui/json_parts.h"
#include "ui/reader.h"

static void put_when(struct json *o, const char *key, long long unix_ms)
{
    if (unix_ms)
        ui_put_time(o, key, unix_ms, true);
    else
        json_put_null(o, key);
}

static void put_state(struct json *o, enum event_state state)
{
    json_put_text(o, "state", event_state_words[state]);
}

static void put_stages(const struct record *r, struct json *o)
{
    struct json *list = json_put_array(o, "stages");

    for (const struct stage_record *s = r->stages; s; s = s->next) {
        struct json *stage = json_put_object(list, NULL);
        json_put_text(stage, "stage", s->name);
        put_state(stage, s->state);
        json_put_text(stage, "detail", s->detail);
        json_put_int(stage, "took_ms", record_took(s, NULL));
        struct json *spans = json_put_array(stage, "spans");
        for (size_t i = 0; i < s->n_spans; i++) {
            struct json *span = json_put_object(spans, NULL);
            ui_put_strs(span, "hosts", &s->spans[i].hosts);
            put_state(span, s->spans[i].state);
            put_when(span, "begun", s->spans[i].begun_ms);
            put_when(span, "ended", s->spans[i].ended_ms);
        }
        struct json *hosts = json_put_array(stage, "hosts");
        for (size_t i = 0; i < s->hosts.n; i++) {
            struct json *host = json_put_object(hosts, NULL);
            const char *detail;
            json_put_text(host, "host", s->hosts.v[i]);
            put_state(host, record_host_state(r, s, s->hosts.v[i], &detail));
        }
    }
}

static void put_jobs(const struct record *r, struct json *o)
{
    struct json *list = json_put_array(o, "jobs");

    for (const struct job_record *j = r->jobs; j; j = j->next) {
        struct json *job = json_put_object(list, NULL);
        struct buf all = buf_make(j->log.head.len + j->log.tail.len);
        json_put_text(job, "stage", j->stage);
        json_put_text(job, "host", j->host);
        json_put_text(job, "command", j->command);
        put_state(job, j->state);
        json_put_text(job, "detail", j->detail);
        json_put_int(job, "attempts", j->attempts);
        put_when(job, "begun", j->begun_ms);
        put_when(job, "ended", j->ended_ms);
        buf_add(&all, j->log.head.text, j->log.head.len);
        size_t cut = all.len;
        buf_add(&all, j->log.tail.text, j->log.tail.len);
        json_put_bytes(job, "output", all.text, all.len);
        json_put_int(job, "left_out", (long long)j->log.left_out);
        if (j->log.left_out)
            json_put_int(job, "left_out_at", (long long)cut);
        buf_free(&all);
    }
}

static void put_estimates(struct json *o, const struct wait_record *w)
{
    struct json *list = json_put_array(o, "estimates");

    for (size_t i = 0; i < w->n_samples; i++) {
        const struct sample *s = &w->samples[i];
        const struct backup *b = &s->estimate;
        struct json *one = json_put_object(list, NULL);
        put_when(one, "time", s->unix_ms);
        ui_put_known(one, "percent", b->percent);
        ui_put_known(one, "eta_s", b->eta_s);
        ui_put_known(one, "eta_low_s", b->eta_high_s > 0 ? b->eta_low_s : -1);
        ui_put_known(one, "eta_high_s", b->eta_high_s > 0 ? b->eta_high_s : -1);
        ui_put_known(one, "overdue_s", b->overdue_s > 0 ? b->overdue_s : -1);
        ui_put_known(one, "stuck_s", b->stuck_s > 0 ? b->stuck_s : -1);
        ui_put_or_null(one, "eta_from", b->eta_from);
        json_put_text(one, "detail", s->detail);
    }
}

static void put_waits(const struct record *r, struct json *o)
{
    struct json *list = json_put_array(o, "waits");

    for (size_t i = 0; i < r->n_waits; i++) {
        const struct wait_record *w = &r->waits[i];
        struct json *wait = json_put_object(list, NULL);
        json_put_text(wait, "host", w->host);
        json_put_text(wait, "what", w->what);
        ui_put_or_null(wait, "kind", backup_kind_word(w->backup.kind));
        ui_put_known(wait, "pid", w->backup.pid > 0 ? w->backup.pid : -1);
        ui_put_or_null(wait, "database", w->backup.database);
        ui_put_or_null(wait, "user", w->backup.user);
        put_state(wait, w->state);
        json_put_text(wait, "detail", w->detail);
        put_when(wait, "begun", w->begun_ms);
        put_when(wait, "ended", w->ended_ms);
        json_put_int(wait, "waited_ms", w->waited_ms);
        put_estimates(wait, w);
    }
}

static void put_migrations(const struct record *r, struct json *o)
{
    struct json *list = json_put_array(o, "migrations");

    for (size_t i = 0; i < r->n_migrations; i++) {
        struct json *one = json_put_object(list, NULL);
        json_put_text(one, "name", r->migrations[i].name);
        put_when(one, "first_output", r->migrations[i].first_ms);
        put_when(one, "last_output", r->migrations[i].last_ms);
    }
    list = json_put_array(o, "blockers");
    for (size_t i = 0; i < r->n_blockers; i++) {
        const struct blocker_record *b = &r->blockers[i];
        struct json *one = json_put_object(list, NULL);
        json_put_text(one, "host", b->host);
        ui_put_or_null(one, "kind", b->kind);
        ui_put_known(one, "pid", b->pid > 0 ? b->pid : -1);
        json_put_text(one, "text", b->text);
        put_when(one, "first", b->first_ms);
        put_when(one, "last", b->last_ms);
    }
}

static void put_warnings(const struct record *r, struct json *o)
{
    struct json *list = json_put_array(o, "warnings");

    for (size_t i = 0; i < r->n_warnings; i++) {
        struct json *one = json_put_object(list, NULL);
        put_when(one, "time", r->warnings[i].unix_ms);
        json_put_text(one, "host", r->warnings[i].host);
        json_put_text(one, "detail", r->warnings[i].text);
    }
}

void report_json_write(const struct record *r, FILE *out)
{
    struct json *o = json_open_object();

    json_put_int(o, "report", 1);
    json_put_text(o, "command", r->command);
    ui_put_or_null(o, "environment", r->environment);
    if (r->ended)
        json_put_int(o, "status", err_status(r->code));
    else
        json_put_null(o, "status");
    json_put_text(o, "word", record_word(r));
    ui_put_or_null(o, "message", r->message);
    put_when(o, "begun", r->begun_ms);
    put_when(o, "ended", r->ended ? r->last_ms : 0);
    json_put_int(o, "took_ms", r->took_ms);
    json_put_int(o, "behind_backup_ms", r->behind_backup_ms);
    if (r->begun) {
        struct json *run = json_put_object(o, "run");
        json_put_text(run, "run", r->run.id);
        ui_put_run(run, &r->run);
        json_put_bool(run, "resumed", !r->fresh);
    } else {
        json_put_null(o, "run");
    }
    if (r->changes)
        ui_put_changes(o, r->changes);
    put_stages(r, o);
    put_jobs(r, o);
    put_waits(r, o);
    put_migrations(r, o);
    put_warnings(r, o);
    if (r->ended && r->code != ERR_NONE)
        ui_put_error(o, &r->failure);
    json_write(o, out, true);
    json_close(o);
}
