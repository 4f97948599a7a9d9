/* json.c -- the run as JSON, one object a line; config/event.schema.json describes it.
 *
 *     {"event":"stage","time":"2026-11-22T15:30:12.400Z","run":"k7f2","stage":"lock",...
 *     {"event":"end","status":0,"word":"done","time":... */
#include "ui/reader.h"

#include "edge/clock.h"
#include "ui/json_parts.h"

/* The members that most lines have. */
static void put_common(struct json *o, const struct event *e)
{
    ui_put_time(o, "time", e->unix_ms ? e->unix_ms : clock_now_ms(), true);
    if (e->kind != EVENT_END)
        ui_put_given(o, "run", e->run_id);
    ui_put_given(o, "stage", e->stage);
    /* A backup has the name that the server knows; a line of output may be told after its event. */
    if (e->kind != EVENT_BACKUP && e->kind != EVENT_OUTPUT)
        ui_put_given(o, "database", e->database);
    ui_put_given(o, "host", e->host);
    ui_put_given(o, "state", event_state_words[e->state]);
    ui_put_given(o, "detail", e->detail);
}

static void put_stage(struct json *o, const struct event *e)
{
    size_t n = 0;

    if (!e->host && e->hosts) {
        while (e->hosts[n])
            n++;
        ui_put_texts(o, "hosts", e->hosts, n);
    }
    if (e->state == EVENT_DONE && (!e->host || e->took_ms > 0))
        json_put_int(o, "took_ms", e->took_ms);
    if (e->migrations && e->migrations->n)
        ui_put_strs(o, "migrations", e->migrations);
}

static void put_blocker(struct json *o, const struct event *e)
{
    static const struct blocker nothing = {.running_s = -1, .pid = -1, .behind = -1};
    const struct blocker *b = e->blocker ? e->blocker : &nothing;

    ui_put_or_null(o, "kind", b->kind);
    ui_put_known(o, "pid", b->pid > 0 ? b->pid : -1);
    ui_put_or_null(o, "user", b->user);
    ui_put_or_null(o, "application", b->application);
    ui_put_or_null(o, "session_state", b->state);
    ui_put_known(o, "running_s", b->running_s);
    ui_put_or_null(o, "query", b->query);
    ui_put_or_null(o, "waits_for", b->waits_for);
    ui_put_known(o, "queued_behind", b->behind);
    ui_put_known(o, "waited_s", e->waited_ms >= 0 ? e->waited_ms / 1000 : -1);
}

static void put_times(struct json *o, const struct times *times)
{
    struct json *list = json_put_array(o, "stages");

    for (size_t i = 0; i < times->n; i++) {
        struct json *j = json_put_object(list, NULL);
        json_put_text(j, "stage", times->v[i].step);
        json_put_int(j, "took_ms", times->v[i].ms);
        ui_put_known(j, "usual_ms", times->v[i].usual_ms);
    }
}

static void put_end(struct json *o, const struct event *e)
{
    const struct run_info *r = e->run;

    ui_put_or_null(o, "run", r && r->id && *r->id ? r->id : e->run_id);
    ui_put_or_null(o, "release", r ? r->release : NULL);
    ui_put_or_null(o, "revision", r ? r->revision : NULL);
    ui_put_or_null(o, "message", e->message);
    json_put_int(o, "took_ms", e->took_ms);
    if (e->times)
        put_times(o, e->times);
    json_put_int(o, "behind_backup_ms", e->behind_backup_ms);
    if (e->code != ERR_NONE)
        ui_put_error(o, e->failure);
}

static void put_kind(struct json *o, const struct event *e)
{
    switch (e->kind) {
    case EVENT_RUN:
        ui_put_run(o, e->run);
        json_put_bool(o, "resumed", !e->fresh);
        if (e->changes)
            ui_put_changes(o, e->changes);
        if (e->upcoming && e->upcoming->n)
            ui_put_strs(o, "upcoming_backups", e->upcoming);
        break;
    case EVENT_STAGE:
        put_stage(o, e);
        break;
    case EVENT_JOB:
        ui_put_or_null(o, "command", e->command);
        break;
    case EVENT_BACKUP:
        ui_put_backup(o, e->backup);
        ui_put_known(o, "waited_s", e->waited_ms >= 0 ? e->waited_ms / 1000 : -1);
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
