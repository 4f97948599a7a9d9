/* tty.c -- a run on a terminal: one screen that grows from the top.  What has ended is printed once and
 * stays; what is in progress is a block of live lines below it.
 *
 *     my_project -> production   3 hosts   3f2a91c "Add notes to events" (main)   run k7f2
 *
 *       lock          app1 app2 db1                                             0.4 s
 *     / build         app1 app2       bundle install                            8.1 s
 *         / app1  Fetching gem metadata                                         8.0 s
 *         / app2  Using rake 13.0.6                                             8.0 s */
#include "ui/changes.h"
#include "ui/reader.h"
#include "ui/draw.h"

#include "base/text.h"
#include "edge/loop.h"

struct tty {
    struct drawing d;
    bool paused; /* the screen shows something else until the next event */
};

static void *tty_open(struct ui *ui)
{
    struct tty *t = xcalloc(1, sizeof *t);

    t->d.screen = screen_open(ui->o.out, ui->o.columns, ui->o.color);
    t->d.progress = ui->o.progress;
    t->d.hosts_columns = screen_columns(t->d.screen) / 4;
    return t;
}

static void keep_blank(struct drawing *d)
{
    screen_flow(d->screen, &(struct flow){0}, &(struct strs){0});
}

/* Prints a text in full, on as many lines as it takes. */
static void keep_text(struct drawing *d, enum style style, size_t indent, const char *shown)
{
    struct flow f = {.style = style, .indent = indent};

    screen_flow(d->screen, &f, &(struct strs){&shown, 1});
}

/* -v: output of a host. */
static void keep_output(struct drawing *d, const char *host, const char *shown)
{
    struct arena a = {0};
    const char *line = arena_printf(&a, "%s | %s", ui_shown(&a, host), shown);

    keep_text(d, STYLE_DIM, 4, line);
    arena_free(&a);
}

static void tell_run(struct drawing *d, struct arena *a, const struct event *e)
{
    struct strs parts = ui_run_parts(a, e);
    size_t limit = screen_columns(d->screen) / 4;
    size_t joined = 0;

    for (size_t i = 0; e->run && e->run->host_names && i < e->run->hosts; i++)
        joined += screen_width(ui_shown(a, e->run->host_names[i])) + (i > 0);
    if (joined > limit) /* then it is "12 hosts" */
        joined = strlen("999 hosts");
    d->hosts_columns = joined ? joined : limit;
    screen_flow(d->screen, &(struct flow){.style = STYLE_BOLD, .gap = 3}, &parts);
    struct strs lines = e->fresh && e->changes ? changes_lines(a, e->changes) : (struct strs){0};
    for (size_t i = 0; i < lines.n; i++)
        keep_text(d, STYLE_DIM, 2 + strspn(lines.v[i], " "), lines.v[i] + strspn(lines.v[i], " "));
    for (size_t i = 0; e->upcoming && i < e->upcoming->n; i++)
        keep_text(d, STYLE_DIM, 2, ui_shown(a, e->upcoming->v[i]));
    keep_blank(d);
}

/* The commands of a stage that has nothing else to say. */
static const char *commands_of(struct arena *a, const struct live_stage *s)
{
    const char *text = "";

    for (size_t i = 0; i < s->commands.n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", ui_shown(a, s->commands.v[i]));
    return text;
}

static const char *stage_detail(struct arena *a, const struct event *e, const struct live_stage *s)
{
    const char *detail = ui_shown(a, e->detail);

    switch (e->state) {
    case EVENT_FAILED: /* the closing block says why */
        return ui_event_word(e);
    case EVENT_SKIPPED:
    case EVENT_UNDONE:
        return arena_printf(a, "%s%s%s", ui_state_word(e->state), *detail ? ": " : "", detail);
    case EVENT_NONE:
    case EVENT_BEGUN:
    case EVENT_DONE:
    case EVENT_WAITING:
    case EVENT_STATES:
        break;
    }
    bool news = *detail && !(s && ui_same(e->detail, s->detail));
    return !news && s && s->commands.n ? commands_of(a, s) : detail;
}

static void keep_stage(struct drawing *d, struct arena *a, const struct event *e)
{
    const struct live_stage *s = live_stage_find(&d->live, e->stage);
    struct event where = {.host = e->host, .hosts = e->hosts};
    bool failed = e->state == EVENT_FAILED;
    const char *detail = stage_detail(a, e, s);

    if (s && s->backup_kept && e->state == EVENT_DONE && !*detail)
        return;
    if (!e->host && !e->hosts && s)
        where.hosts = s->hosts;
    if (failed && !e->host && s && s->failed_on.n) {
        struct strs on = s->failed_on;
        strs_add(a, &on, NULL);
        where.hosts = on.v;
    }
    struct stage_line line = {
        .mark = failed ? "x" : " ",
        .mark_style = failed ? STYLE_RED : STYLE_PLAIN,
        .name = ui_shown(a, e->stage),
        .hosts = ui_hosts(a, &where, d->hosts_columns),
        .detail = detail,
        .time = e->took_ms > 0 ? text_span(a, e->took_ms) : "",
        .style = failed                      ? STYLE_RED
                 : e->state == EVENT_SKIPPED ? STYLE_DIM
                                             : STYLE_PLAIN,
    };
    draw_stage(d, &line);
}

/* A backup that is no longer waited for; `end` says how it ended, as far as known. */
struct backup_line {
    const char *stage;
    const char *host;
    const struct backup *b;
    const char *end;
    long long waited_ms;
};

static void keep_backup(struct drawing *d, struct arena *a, const struct backup_line *of)
{
    struct live_stage *s = live_stage_find(&d->live, of->stage);
    struct backup b = of->b ? *of->b : (struct backup){0};
    const char *waited = "";

    b.running_s = -1;
    if (of->waited_ms > 0)
        waited = arena_printf(a, "%s waited %s", *of->end ? "," : "", text_span(a, of->waited_ms));
    struct stage_line line = {
        .mark = " ",
        .name = "backup",
        .hosts = ui_shown(a, of->host),
        .detail = arena_printf(a, "%s:%s%s%s", ui_backup_what(a, &b, 0), *of->end ? " " : "",
                               of->end, *of->end || *waited ? waited : " seen"),
    };
    draw_stage_whole(d, &line);
    if (s)
        s->backup_kept = true;
    live_backup_close(&d->live);
}

/* The stage has ended and so has the wait, whose end no event has told: only its length is known. */
static void keep_live_backup(struct drawing *d, struct arena *a, const char *stage)
{
    const struct live_backup *b = d->live.backup;

    if (!b || !ui_same(b->stage, stage))
        return;
    long long waited = b->waited_ms + loop_now() - b->told_ms;
    keep_backup(d, a, &(struct backup_line){b->stage, b->host, &b->b, "", waited});
}

static void tell_stage_on_host(struct ui *ui, struct arena *a, const struct event *e)
{
    struct tty *t = ui->own;
    struct live_stage *s = live_stage_of(&t->d.live, e);
    struct row *r = live_row_of(s, e->host);

    if (e->state == EVENT_FAILED) {
        strs_add(&s->texts, &s->failed_on, arena_strdup(&s->texts, e->host));
    } else if (e->state == EVENT_WAITING) {
        live_row_show(r);
        live_row_detail(r, e->detail);
    } else if (ui_is_over(e)) {
        live_row_clear(r);
    }
    if (ui->o.verbose && e->detail && e->state != EVENT_BEGUN)
        keep_output(&t->d, e->host, ui_shown(a, e->detail));
}

static void tell_stage(struct ui *ui, struct arena *a, const struct event *e)
{
    struct tty *t = ui->own;

    if (e->host) {
        tell_stage_on_host(ui, a, e);
    } else if (!ui_is_over(e)) {
        live_stage_detail(live_stage_of(&t->d.live, e), e->detail);
    } else {
        keep_live_backup(&t->d, a, e->stage);
        keep_stage(&t->d, a, e);
        live_stage_close(&t->d.live, live_stage_find(&t->d.live, e->stage));
    }
}

static void tell_job(struct drawing *d, const struct event *e)
{
    struct live_stage *s = live_stage_of(&d->live, e);
    struct row *r = live_row_of(s, e->host);

    switch (e->state) {
    case EVENT_NONE:
    case EVENT_BEGUN:
        live_row_clear(r);
        live_row_show(r);
        r->command = e->command ? arena_strdup(&r->texts, e->command) : NULL;
        live_row_detail(r, e->detail);
        live_stage_command(s, e->command);
        break;
    case EVENT_WAITING:
    case EVENT_FAILED:
        live_row_show(r);
        live_row_detail(r, e->detail ? e->detail : ui_state_word(e->state));
        break;
    case EVENT_DONE:
    case EVENT_SKIPPED:
    case EVENT_UNDONE:
    case EVENT_STATES:
        live_row_clear(r);
        break;
    }
    r->state = e->state;
}

static void tty_line(struct ui *ui, const struct event *e, const char *line, size_t len)
{
    struct tty *t = ui->own;
    struct arena a = {0};
    const char *shown = ui_output(&a, line, len);

    live_row_output(live_row_of(live_stage_of(&t->d.live, e), e->host), shown);
    if (ui->o.verbose)
        keep_output(&t->d, e->host, shown);
    arena_free(&a);
}

static void tell_backup(struct drawing *d, struct arena *a, const struct event *e)
{
    if (!ui_is_over(e)) {
        live_backup_keep(&d->live, e);
        return;
    }
    const struct live_backup *live = d->live.backup;
    const char *end = e->detail ? ui_shown(a, e->detail) : ui_state_word(e->state);
    const struct backup *b = e->backup ? e->backup : live ? &live->b : NULL;

    keep_backup(d, a, &(struct backup_line){e->stage, e->host, b, end, e->waited_ms});
}

/* What was in progress when the run ended stays on the screen, too. */
static void close_stages(struct drawing *d, struct arena *a, const struct event *e)
{
    while (d->live.stages) {
        struct live_stage *s = d->live.stages;
        struct event of = {.kind = EVENT_STAGE, .stage = s->name, .detail = "not finished"};
        of.state = s->failed_on.n ? EVENT_FAILED : EVENT_NONE;
        of.took_ms = loop_now() - s->begun_ms;
        keep_live_backup(d, a, s->name);
        if (s->name && e->code != ERR_NONE)
            keep_stage(d, a, &of);
        live_stage_close(&d->live, s);
    }
    live_backup_close(&d->live);
}

static void tell_end(struct drawing *d, struct arena *a, const struct event *e)
{
    close_stages(d, a, e);
    if (e->run)
        keep_blank(d);
    if (ui_live(a, e))
        keep_text(d, STYLE_PLAIN, 0, ui_live(a, e));
    if (ui_times(a, e))
        keep_text(d, STYLE_DIM, 0, ui_times(a, e));
    if (e->code == ERR_NONE)
        keep_text(d, STYLE_GREEN, 0, ui_success(a, e));
}

static void tty_tell(struct ui *ui, const struct event *e)
{
    struct tty *t = ui->own;
    struct drawing *d = &t->d;
    struct arena a = {0};

    t->paused = false;
    if (loop_was_continued())
        screen_forget(d->screen);
    screen_begin(d->screen);
    ui_end_output(ui, e, tty_line);
    switch (e->kind) {
    case EVENT_RUN:
        tell_run(d, &a, e);
        break;
    case EVENT_STAGE:
        tell_stage(ui, &a, e);
        break;
    case EVENT_JOB:
        tell_job(d, e);
        break;
    case EVENT_BACKUP:
        tell_backup(d, &a, e);
        break;
    case EVENT_BLOCKER:
        keep_text(d, STYLE_YELLOW, 2,
                  arena_printf(&a, "%s%s%s", e->host ? ui_shown(&a, e->host) : "",
                               e->host ? ": " : "", ui_shown(&a, e->detail)));
        break;
    case EVENT_OUTPUT:
        ui_take_output(ui, e, tty_line);
        break;
    case EVENT_WARNING:
        keep_text(d, STYLE_YELLOW, 2,
                  arena_printf(&a, "warning: %s%s%s", e->host ? ui_shown(&a, e->host) : "",
                               e->host ? ": " : "", ui_shown(&a, e->detail)));
        break;
    case EVENT_END:
        tell_end(d, &a, e);
        break;
    case EVENT_KINDS:
        break;
    }
    /* Output comes fast; the next tick draws it. */
    if (e->kind != EVENT_OUTPUT || ui->o.verbose)
        draw(d);
    arena_free(&a);
}

static void tty_tick(struct ui *ui)
{
    struct tty *t = ui->own;

    if (t->paused)
        return;
    t->d.turn++;
    if (loop_was_continued())
        screen_forget(t->d.screen);
    screen_begin(t->d.screen);
    draw(&t->d);
}

static void tty_pause(struct ui *ui)
{
    struct tty *t = ui->own;

    screen_erase(t->d.screen);
    t->paused = true;
}

static void tty_close(struct ui *ui)
{
    struct tty *t = ui->own;

    screen_erase(t->d.screen);
    live_clear(&t->d.live);
    screen_close(t->d.screen);
    free(t);
}

const struct ui_reader ui_tty = {
    .open = tty_open,
    .tell = tty_tell,
    .tick = tty_tick,
    .pause = tty_pause,
    .close = tty_close,
};
