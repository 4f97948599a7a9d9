/* json_parts.c -- parts of JSON objects that lines of the event stream and reports have in common.  Used
 * by json.c and report/report_json.c. */
#include "ui/json_parts.h"

#include "edge/clock.h"

void ui_put_given(struct json *o, const char *key, const char *s)
{
    if (s)
        json_put_text(o, key, s);
}

void ui_put_or_null(struct json *o, const char *key, const char *s)
{
    json_put_text(o, key, s && *s ? s : NULL);
}

void ui_put_known(struct json *o, const char *key, long long n)
{
    if (n >= 0)
        json_put_int(o, key, n);
    else
        json_put_null(o, key);
}

void ui_put_time(struct json *o, const char *key, long long unix_ms, bool ms)
{
    struct arena a = {0};

    json_put_text(o, key, clock_rfc3339(&a, unix_ms, ms));
    arena_free(&a);
}

void ui_put_texts(struct json *o, const char *key, const char *const *v, size_t n)
{
    struct json *list = json_put_array(o, key);

    for (size_t i = 0; v && i < n; i++)
        json_put_text(list, NULL, v[i] ? v[i] : "");
}

void ui_put_strs(struct json *o, const char *key, const struct strs *list)
{
    ui_put_texts(o, key, list->v, list->n);
}

void ui_put_run(struct json *o, const struct run_info *r)
{
    static const struct run_info nothing;

    r = r ? r : &nothing;
    ui_put_or_null(o, "command", r->command);
    ui_put_or_null(o, "application", r->application);
    ui_put_or_null(o, "environment", r->environment);
    ui_put_or_null(o, "release", r->release);
    ui_put_or_null(o, "revision", r->revision);
    ui_put_or_null(o, "ref", r->ref);
    ui_put_or_null(o, "subject", r->subject);
    ui_put_or_null(o, "by", r->by);
    if (r->since_unix > 0)
        ui_put_time(o, "since", r->since_unix * 1000, false);
    ui_put_texts(o, "hosts", r->host_names, r->hosts);
}

void ui_put_backup(struct json *o, const struct backup *b)
{
    static const struct backup nothing = {
        .since_unix = -1, .running_s = -1, .percent = -1, .eta_s = -1};
    bool is_given = b != NULL;

    b = b ? b : &nothing;

    ui_put_or_null(o, "kind", backup_kind_word(b->kind));
    ui_put_known(o, "pid", b->pid > 0 ? b->pid : -1);
    ui_put_or_null(o, "database", b->database);
    ui_put_or_null(o, "user", b->user);
    if (backup_is_lock(b))
        ui_put_or_null(o, "application", b->application);
    if (b->since_unix >= 0)
        ui_put_time(o, "since", b->since_unix * 1000, false);
    else
        json_put_null(o, "since");
    ui_put_known(o, "running_s", b->running_s);
    ui_put_known(o, "percent", b->percent);
    ui_put_known(o, "eta_s", b->eta_s);
    ui_put_known(o, "eta_low_s", b->eta_high_s > 0 ? b->eta_low_s : -1);
    ui_put_known(o, "eta_high_s", b->eta_high_s > 0 ? b->eta_high_s : -1);
    ui_put_known(o, "overdue_s", b->overdue_s > 0 ? b->overdue_s : -1);
    ui_put_known(o, "stuck_s", b->stuck_s > 0 ? b->stuck_s : -1);
    ui_put_or_null(o, "eta_from", b->eta_from);
    if (is_given)
        json_put_bool(o, "blocks_migrations", b->blocks_migrations);
    else
        json_put_null(o, "blocks_migrations");
}

void ui_put_error(struct json *o, const struct failure *f)
{
    static const struct failure nothing;
    struct json *error = json_put_object(o, "error");

    f = f ? f : &nothing;
    json_put_text(error, "stage", f->stage);
    json_put_text(error, "host", f->host);
    json_put_text(error, "command", f->command);
    json_put_text(error, "how", f->how);
    ui_put_strs(error, "lines", &f->lines);
    ui_put_strs(error, "now", &f->now);
    ui_put_strs(error, "next", &f->next);
}

static void put_commits(struct json *o, const char *key, const struct commits *c)
{
    struct json *list = json_put_array(o, key);

    for (size_t i = 0; i < c->n; i++) {
        struct json *one = json_put_object(list, NULL);
        json_put_text(one, "revision", c->v[i].sha);
        json_put_text(one, "author", c->v[i].author);
        json_put_text(one, "subject", c->v[i].subject);
    }
}

void ui_put_changes(struct json *o, const struct changes *c)
{
    struct json *changes = json_put_object(o, "changes");

    ui_put_or_null(changes, "from", c->from);
    json_put_bool(changes, "known", c->known);
    put_commits(changes, "added", &c->added);
    json_put_int(changes, "more_added", (long long)c->added.more);
    put_commits(changes, "removed", &c->removed);
    json_put_int(changes, "more_removed", (long long)c->removed.more);
    ui_put_known(changes, "files", c->files);
    ui_put_strs(changes, "migrations", &c->migrations);
    json_put_int(changes, "more_migrations", (long long)c->more_migrations);
}
