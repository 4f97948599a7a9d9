/* json.c -- the run as JSON, one object a line; config/event.schema.json describes it.
 *
 *     {"event":"stage","time":"2026-11-22T15:30:12.400Z","run":"k7f2","stage":"lock",...
 *     {"event":"end","status":0,"word":"done","time":... */
#include "ui/reader.h"

#include "edge/clock.h"
#include "edge/json.h"

static void put_given(struct json *o, const char *key, const char *s)
{
    if (s)
        json_put_text(o, key, s);
}

static void put_or_null(struct json *o, const char *key, const char *s)
{
    json_put_text(o, key, s && *s ? s : NULL);
}

static void put_known(struct json *o, const char *key, long long n)
{
    if (n >= 0)
        json_put_int(o, key, n);
    else
        json_put_null(o, key);
}

static void put_time(struct json *o, const char *key, long long unix_ms, bool ms)
{
    struct arena a = {0};

    json_put_text(o, key, clock_rfc3339(&a, unix_ms, ms));
    arena_free(&a);
}

static void put_texts(struct json *o, const char *key, const char *const *v, size_t n)
{
    struct json *list = json_put_array(o, key);

    for (size_t i = 0; v && i < n; i++)
        json_put_text(list, NULL, v[i] ? v[i] : "");
}

static void put_strs(struct json *o, const char *key, const struct strs *list)
{
    put_texts(o, key, list->v, list->n);
}

/* The members that most lines have. */
static void put_common(struct json *o, const struct event *e)
{
    put_time(o, "time", e->unix_ms ? e->unix_ms : clock_now_ms(), true);
    if (e->kind != EVENT_END)
        put_given(o, "run", e->run_id);
    put_given(o, "stage", e->stage);
    put_given(o, "host", e->host);
    put_given(o, "state", event_state_words[e->state]);
    put_given(o, "detail", e->detail);
}

static void put_run(struct json *o, const struct run_info *r, bool resumed)
{
    static const struct run_info nothing;

    r = r ? r : &nothing;
    put_or_null(o, "command", r->command);
    put_or_null(o, "application", r->application);
    put_or_null(o, "environment", r->environment);
    put_or_null(o, "release", r->release);
    put_or_null(o, "revision", r->revision);
    put_or_null(o, "ref", r->ref);
    put_or_null(o, "subject", r->subject);
    put_or_null(o, "by", r->by);
    if (r->since_unix > 0)
        put_time(o, "since", r->since_unix * 1000, false);
    put_texts(o, "hosts", r->host_names, r->hosts);
    json_put_bool(o, "resumed", resumed);
}

static void put_stage(struct json *o, const struct event *e)
{
    size_t n = 0;

    if (!e->host && e->hosts) {
        while (e->hosts[n])
            n++;
        put_texts(o, "hosts", e->hosts, n);
    }
    if (e->state == EVENT_DONE && (!e->host || e->took_ms > 0))
        json_put_int(o, "took_ms", e->took_ms);
}

static void put_backup(struct json *o, const struct event *e)
{
    static const struct backup nothing = {
        .since_unix = -1, .running_s = -1, .percent = -1, .eta_s = -1};
    const struct backup *b = e->backup ? e->backup : &nothing;

    put_or_null(o, "kind", backup_kind_word(b->kind));
    put_known(o, "pid", b->pid > 0 ? b->pid : -1);
    put_or_null(o, "database", b->database);
    put_or_null(o, "user", b->user);
    if (backup_is_lock(b))
        put_or_null(o, "application", b->application);
    if (b->since_unix >= 0)
        put_time(o, "since", b->since_unix * 1000, false);
    else
        json_put_null(o, "since");
    put_known(o, "running_s", b->running_s);
    put_known(o, "percent", b->percent);
    put_known(o, "eta_s", b->eta_s);
    put_known(o, "eta_low_s", b->eta_high_s > 0 ? b->eta_low_s : -1);
    put_known(o, "eta_high_s", b->eta_high_s > 0 ? b->eta_high_s : -1);
    put_known(o, "overdue_s", b->overdue_s > 0 ? b->overdue_s : -1);
    put_known(o, "stuck_s", b->stuck_s > 0 ? b->stuck_s : -1);
    put_or_null(o, "eta_from", b->eta_from);
    if (e->backup)
        json_put_bool(o, "blocks_migrations", b->blocks_migrations);
    else
        json_put_null(o, "blocks_migrations");
    put_known(o, "waited_s", e->waited_ms >= 0 ? e->waited_ms / 1000 : -1);
}

static void put_blocker(struct json *o, const struct event *e)
{
    static const struct blocker nothing = {.running_s = -1, .pid = -1, .behind = -1};
    const struct blocker *b = e->blocker ? e->blocker : &nothing;

    put_or_null(o, "kind", b->kind);
    put_known(o, "pid", b->pid > 0 ? b->pid : -1);
    put_or_null(o, "user", b->user);
    put_or_null(o, "application", b->application);
    put_or_null(o, "session_state", b->state);
    put_known(o, "running_s", b->running_s);
    put_or_null(o, "query", b->query);
    put_or_null(o, "waits_for", b->waits_for);
    put_known(o, "queued_behind", b->behind);
    put_known(o, "waited_s", e->waited_ms >= 0 ? e->waited_ms / 1000 : -1);
}

static void put_error(struct json *o, const struct failure *f)
{
    static const struct failure nothing;
    struct json *error = json_put_object(o, "error");

    f = f ? f : &nothing;
    json_put_text(error, "stage", f->stage);
    json_put_text(error, "host", f->host);
    json_put_text(error, "command", f->command);
    json_put_text(error, "how", f->how);
    put_strs(error, "lines", &f->lines);
    put_strs(error, "now", &f->now);
    put_strs(error, "next", &f->next);
}

static void put_end(struct json *o, const struct event *e)
{
    const struct run_info *r = e->run;

    put_or_null(o, "run", r && r->id && *r->id ? r->id : e->run_id);
    put_or_null(o, "release", r ? r->release : NULL);
    put_or_null(o, "revision", r ? r->revision : NULL);
    put_or_null(o, "message", e->message);
    json_put_int(o, "took_ms", e->took_ms);
    json_put_int(o, "behind_backup_ms", e->behind_backup_ms);
    if (e->code != ERR_NONE)
        put_error(o, e->failure);
}

static void put_kind(struct json *o, const struct event *e)
{
    switch (e->kind) {
    case EVENT_RUN:
        put_run(o, e->run, !e->fresh);
        break;
    case EVENT_STAGE:
        put_stage(o, e);
        break;
    case EVENT_JOB:
        put_or_null(o, "command", e->command);
        break;
    case EVENT_BACKUP:
        put_backup(o, e);
        break;
    case EVENT_BLOCKER:
        put_blocker(o, e);
        break;
    case EVENT_OUTPUT:
        json_put_bytes(o, "data", e->bytes ? e->bytes : "", e->bytes ? e->len : 0);
        break;
    case EVENT_END:
        put_end(o, e);
        break;
    case EVENT_WARNING:
    case EVENT_KINDS:
        break;
    }
}

static void write_event(struct ui *ui, const struct event *e)
{
    struct json *o = json_open_object();

    json_put_text(o, "event", event_kind_words[e->kind]);
    if (e->kind == EVENT_END) {
        json_put_int(o, "status", err_status(e->code));
        json_put_text(o, "word", err_word(e->code));
    }
    put_common(o, e);
    put_kind(o, e);
    json_write(o, ui->o.out, false);
    fflush(ui->o.out);
    json_close(o);
}

static void json_line(struct ui *ui, const struct event *e, const char *line, size_t len)
{
    struct event one = *e;

    one.bytes = line;
    one.len = len;
    write_event(ui, &one);
}

static void json_tell(struct ui *ui, const struct event *e)
{
    if (e->kind == EVENT_OUTPUT && !ui->o.document) {
        ui_take_output(ui, e, json_line);
        return;
    }
    /* A command with one document writes the end only if it has failed to write that. */
    if (!ui->o.document || e->kind == EVENT_END) {
        ui_end_output(ui, e, json_line);
        write_event(ui, e);
    }
    if (e->kind == EVENT_WARNING && !ui->o.quiet) {
        struct arena a = {0};
        fprintf(ui->o.err, "crelease: warning: %s%s%s\n", e->host ? ui_shown(&a, e->host) : "",
                e->host ? ": " : "", ui_shown(&a, e->detail));
        arena_free(&a);
    }
}

const struct ui_reader ui_json = {.tell = json_tell};
