/* One line for each thing that happened, with the time of day: for logs of CI and cron.
 *
 *     15:30:12 checkout app1 app2 db1: 35 of 2,004 files, 0.4 MB (0.6 s)
 *     15:30:14 app1 | Fetching gem metadata */
#include "ui/reader.h"

#include "base/text.h"
#include "edge/clock.h"

enum { BACKUP_EVERY_MS = 60000, HOSTS_COLUMNS = 100 };

/* The backup of which the last line was, so that waiting hours does not fill a log. */
struct plain {
    struct arena names;
    const char *host;
    const char *identity;
    const char *detail;
    long pid;
    enum event_state state;
    long long waited_ms;
    bool told;
};

static void *plain_open(struct ui *ui)
{
    (void)ui;
    return xcalloc(1, sizeof(struct plain));
}

static void plain_close(struct ui *ui)
{
    struct plain *p = ui->own;

    arena_free(&p->names);
    free(p);
}

static void say(struct ui *ui, struct arena *a, const struct event *e, const char *text)
{
    long long when = e->unix_ms ? e->unix_ms : clock_now_ms();

    fprintf(ui->o.out, "%s %s\n", clock_of_day(a, when), text);
    fflush(ui->o.out);
}

static void plain_line(struct ui *ui, const struct event *e, const char *line, size_t len)
{
    struct arena a = {0};
    const char *who = ui_shown(&a, e->host ? e->host : e->stage);

    say(ui, &a, e, arena_printf(&a, "%s%s| %s", who, *who ? " " : "", ui_output(&a, line, len)));
    arena_free(&a);
}

/* "build app1: ", of what there is. */
static const char *where(struct arena *a, const struct event *e, const char *what)
{
    const char *hosts = ui_hosts(a, e, HOSTS_COLUMNS);
    const char *name = e->stage ? ui_shown(a, e->stage) : what;

    return arena_printf(a, "%s%s%s", name, *name && *hosts ? " " : "", hosts);
}

static const char *state_text(struct arena *a, const struct event *e)
{
    const char *detail = ui_shown(a, e->detail);
    const char *word = e->state == EVENT_NONE ? "" : event_state_words[e->state];

    if ((e->state == EVENT_DONE || e->progress) && *detail)
        return detail;
    return arena_printf(a, "%s%s%s", word, *word && *detail ? ": " : "", detail);
}

static void tell_stage(struct ui *ui, struct arena *a, const struct event *e)
{
    bool ordinary = e->state == EVENT_NONE || e->state == EVENT_BEGUN || e->state == EVENT_DONE;

    if (e->host && ordinary && !ui->o.verbose)
        return;
    const char *took = e->state == EVENT_DONE && e->took_ms > 0
                           ? arena_printf(a, " (%s)", text_span(a, e->took_ms))
                           : "";
    say(ui, a, e, arena_printf(a, "%s: %s%s", where(a, e, "stage"), state_text(a, e), took));
}

static void tell_job(struct ui *ui, struct arena *a, const struct event *e)
{
    const char *command = e->command ? ui_shown(a, e->command) : "job";
    const char *detail = ui_shown(a, e->detail);

    if (e->state == EVENT_BEGUN && !*detail)
        say(ui, a, e, arena_printf(a, "%s: %s", where(a, e, "job"), command));
    else
        say(ui, a, e, arena_printf(a, "%s: %s: %s", where(a, e, "job"), command, state_text(a, e)));
}

static bool backup_is_news(struct plain *p, const struct event *e)
{
    const struct backup *b = e->backup;
    const char *identity = b ? b->identity : NULL;
    long pid = b ? b->pid : 0;
    bool news = !p->told || p->state != e->state || p->pid != pid ||
                !ui_same(p->identity, identity) || !ui_same(p->detail, e->detail) ||
                !ui_same(p->host, e->host) || e->waited_ms - p->waited_ms >= BACKUP_EVERY_MS ||
                e->waited_ms < p->waited_ms;

    if (!news)
        return false;
    arena_free(&p->names);
    *p = (struct plain){.told = true, .state = e->state, .pid = pid, .waited_ms = e->waited_ms};
    p->identity = identity ? arena_strdup(&p->names, identity) : NULL;
    p->detail = e->detail ? arena_strdup(&p->names, e->detail) : NULL;
    p->host = e->host ? arena_strdup(&p->names, e->host) : NULL;
    return true;
}

static void tell_backup(struct ui *ui, struct arena *a, const struct event *e)
{
    const struct backup *b = e->backup;
    const char *hosts = ui_hosts(a, e, HOSTS_COLUMNS);

    if (!backup_is_news(ui->own, e))
        return;
    const char *text = arena_printf(a, "backup%s%s:", *hosts ? " " : "", hosts);
    if (b)
        text = arena_printf(a, "%s %s", text, ui_backup_what(a, b, 0));
    if (!ui_is_over(e)) {
        if (b && b->percent >= 0)
            text = arena_printf(a, "%s, %d %%", text, b->percent);
        struct strs left = b ? ui_backup_left(a, b, 0) : (struct strs){0};
        for (size_t i = 0; i < left.n; i++)
            text = arena_printf(a, "%s%s %s", text, i ? "" : ",", left.v[i]);
    } else {
        text = arena_printf(a, "%s%s %s", text, b ? ":" : "", event_state_words[e->state]);
    }
    if (e->waited_ms > 0)
        text = arena_printf(a, "%s, waited %s", text, text_span(a, e->waited_ms));
    if (e->detail)
        text = arena_printf(a, "%s: %s", text, ui_shown(a, e->detail));
    say(ui, a, e, text);
}

static const char *run_text(struct arena *a, const struct event *e)
{
    struct strs parts = ui_run_parts(a, e);
    const char *text = "";

    for (size_t i = 0; i < parts.n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", parts.v[i]);
    return text;
}

static void plain_tell(struct ui *ui, const struct event *e)
{
    struct arena a = {0};

    ui_end_output(ui, e, plain_line);
    switch (e->kind) {
    case EVENT_RUN:
        say(ui, &a, e, run_text(&a, e));
        break;
    case EVENT_STAGE:
        tell_stage(ui, &a, e);
        break;
    case EVENT_JOB:
        tell_job(ui, &a, e);
        break;
    case EVENT_BACKUP:
        tell_backup(ui, &a, e);
        break;
    case EVENT_BLOCKER:
        say(ui, &a, e,
            arena_printf(&a, "blocker %s: %s", e->host ? ui_shown(&a, e->host) : "",
                         ui_shown(&a, e->detail)));
        break;
    case EVENT_OUTPUT:
        ui_take_output(ui, e, plain_line);
        break;
    case EVENT_WARNING:
        say(ui, &a, e,
            arena_printf(&a, "warning: %s%s%s", e->host ? ui_shown(&a, e->host) : "",
                         e->host ? ": " : "", ui_shown(&a, e->detail)));
        break;
    case EVENT_END:
        if (e->code == ERR_NONE)
            say(ui, &a, e, ui_success(&a, e));
        break;
    case EVENT_KINDS:
        break;
    }
    arena_free(&a);
}

const struct ui_reader ui_plain = {
    .open = plain_open,
    .tell = plain_tell,
    .close = plain_close,
};
