/* plain.c -- the log of a run: one line for each thing that happened, with the time of day, for CI
 * and cron.  ui.c hands it the events when standard output is not a terminal.
 *
 *     15:30:12 checkout app1 app2 db1: 35 of 2,004 files, 0.4 MB (0.6 s)
 *     15:30:14 app1 | Fetching gem metadata
 *
 * A stage or job that is over within a second has one line, that of its end.  The line of its start
 * is held back until then, and is printed when a second has passed, or before output of the job or
 * news about a wait.  In a CI job, output is held back until the stage has ended (groups.h).  When nothing
 * was printed for a minute, a line says what is running. */
#include "ui/changes.h"
#include "ui/reader.h"

#include "base/text.h"
#include "edge/clock.h"
#include "edge/loop.h"
#include "ui/groups.h"
#include "ui/last_backup.h"

enum {
    HOSTS_COLUMNS = 100,
    HOLD_MS = 1000,
    BEAT_MS = 60000, /* without a line, until one says what is running: */
    PATIENCE_MS = 15000,
    BEAT_LINES_MAX = 5,  /* commands at most */
    ANNOTATIONS_MAX = 10 /* that GitHub shows of one step */
};

/* A stage or a job that has started.  `line` is NULL once it was printed. */
struct started {
    struct started *next;
    struct arena texts;
    const char *stage;
    const char *host; /* NULL: the stage itself */
    const char *command;
    const char *detail;
    const char *line;
    long long loop_ms;
    long long unix_ms;
};

struct plain {
    struct started *started; /* in the order they started */
    struct last_backup backup;
    struct arena failed_text;
    struct strs failed;    /* jobs of the stage: "app2: 'make' ended with exit status 2" */
    long long last_ms;     /* time of the last line, which the next one is not before */
    long long said_ms;     /* the same by the loop's clock */
    struct groups *groups; /* NULL: nothing is folded */
    unsigned annotations;
};

static void *plain_open(struct ui *ui)
{
    struct plain *p = xcalloc(1, sizeof *p);

    p->said_ms = loop_now();
    if (ui->o.ci != UI_CI_NONE && !ui->o.verbose)
        p->groups = groups_open(ui->o.ci, ui->o.out);
    return p;
}

static const char *copy(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

static void forget(struct started **at)
{
    struct started *s = *at;

    *at = s->next;
    arena_free(&s->texts);
    free(s);
}

static void plain_close(struct ui *ui)
{
    struct plain *p = ui->own;

    while (p->started)
        forget(&p->started);
    last_backup_clear(&p->backup);
    arena_free(&p->failed_text);
    groups_close(p->groups);
    free(p);
}

/* The line with the time of day, which never goes back. */
static const char *timed(struct plain *p, struct arena *a, long long unix_ms, const char *text)
{
    long long when = unix_ms ? unix_ms : clock_now_ms();

    p->last_ms = when > p->last_ms ? when : p->last_ms;
    return arena_printf(a, "%s %s", clock_of_day(a, p->last_ms), text);
}

static void say(struct ui *ui, long long unix_ms, const char *text)
{
    struct plain *p = ui->own;
    struct arena a = {0};

    groups_put(ui->o.out, ui->o.ci, timed(p, &a, unix_ms, text));
    fflush(ui->o.out);
    p->said_ms = loop_now();
    arena_free(&a);
}

/* In a CI job the line is printed when its stage has ended. */
static void say_of(struct ui *ui, const char *stage, long long unix_ms, const char *text)
{
    struct plain *p = ui->own;
    struct arena a = {0};

    if (p->groups && stage)
        groups_hold(p->groups, stage, unix_ms, timed(p, &a, unix_ms, text));
    else
        say(ui, unix_ms, text);
    arena_free(&a);
}

/* ---- starts that are held back ---- */

static void hold(struct plain *p, const struct event *e, const char *line)
{
    struct started **at = &p->started;
    struct started *s = xcalloc(1, sizeof *s);

    s->stage = copy(&s->texts, e->stage);
    s->host = e->kind == EVENT_JOB ? copy(&s->texts, e->host ? e->host : "") : NULL;
    s->command = copy(&s->texts, e->command);
    s->detail = copy(&s->texts, e->detail);
    s->line = arena_strdup(&s->texts, line);
    s->loop_ms = loop_now();
    s->unix_ms = e->unix_ms;
    while (*at)
        at = &(*at)->next;
    *at = s;
}

static void print_start(struct ui *ui, struct started *s)
{
    if (s->line)
        say_of(ui, s->host ? s->stage : NULL, s->unix_ms, s->line);
    s->line = NULL;
}

/* Prints what e is news about: its stage, and on its host the job. */
static void print_starts_of(struct ui *ui, const struct event *e)
{
    struct plain *p = ui->own;

    for (struct started *s = p->started; s; s = s->next)
        if (ui_same(s->stage, e->stage) && (!s->host || ui_same(s->host, e->host)))
            print_start(ui, s);
}

static void print_old_starts(struct ui *ui)
{
    struct plain *p = ui->own;

    for (struct started *s = p->started; s; s = s->next)
        if (loop_now() - s->loop_ms >= HOLD_MS)
            print_start(ui, s);
}

/* What e is the end of; NULL: its start was not told. */
static struct started **started_of(struct plain *p, const struct event *e)
{
    bool job = e->kind == EVENT_JOB;

    for (struct started **at = &p->started; *at; at = &(*at)->next)
        if (ui_same((*at)->stage, e->stage) && job == ((*at)->host != NULL) &&
            (!job ||
             (ui_same((*at)->host, e->host ? e->host : "") && ui_same((*at)->command, e->command))))
            return at;
    return NULL;
}

/* With the jobs of it of which no end was told. */
static void forget_stage(struct plain *p, const char *stage)
{
    struct started **at = &p->started;

    while (*at)
        if (ui_same((*at)->stage, stage))
            forget(at);
        else
            at = &(*at)->next;
}

/* A held start of a stage would come after the end of its first job, which says as much. */
static void drop_stage_start(struct plain *p, const char *stage)
{
    for (struct started *s = p->started; s; s = s->next)
        if (!s->host && ui_same(s->stage, stage))
            s->line = NULL;
}

/* ---- lines ---- */

static void plain_line(struct ui *ui, const struct event *e, const char *line, size_t len)
{
    struct arena a = {0};
    const char *who = ui_shown(&a, e->host ? e->host : e->stage);

    say_of(ui, e->stage, e->unix_ms,
           arena_printf(&a, "%s%s| %s", who, *who ? " " : "", ui_output(&a, line, len)));
    arena_free(&a);
}

/* "build app1", of what there is. */
static const char *where(struct arena *a, const struct event *e, const char *what)
{
    const char *hosts = ui_hosts(a, e, HOSTS_COLUMNS);
    const char *name = e->stage ? ui_shown(a, e->stage) : what;

    return arena_printf(a, "%s%s%s", name, *name && *hosts ? " " : "", hosts);
}

static const char *state_text(struct arena *a, const struct event *e)
{
    const char *detail = ui_shown(a, e->detail);
    const char *word = ui_event_word(e);

    if ((e->state == EVENT_DONE || e->progress) && *detail)
        return detail;
    return arena_printf(a, "%s%s%s", word, *word && *detail ? ": " : "", detail);
}

/* " (0.4 s)" */
static const char *took_text(struct arena *a, const struct event *e)
{
    return (e->state == EVENT_DONE || e->state == EVENT_FAILED) && e->took_ms > 0
               ? arena_printf(a, " (%s)", text_span(a, e->took_ms))
               : "";
}

static void tell_stage_end(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    struct started **at = started_of(p, e);
    struct event end = *e;

    print_old_starts(ui); /* of other stages */
    /* What the line of the start says is not repeated; why it failed is in the closing block. */
    if (e->state == EVENT_FAILED ||
        (e->state == EVENT_DONE && at && !(*at)->line && ui_same((*at)->detail, e->detail)))
        end.detail = NULL;
    forget_stage(p, e->stage);
    arena_free(&p->failed_text);
    p->failed = (struct strs){0};
    bool well = e->state != EVENT_FAILED && e->state != EVENT_WAITING;
    const char *line =
        arena_printf(a, "%s: %s%s", where(a, e, "stage"), state_text(a, &end), took_text(a, e));
    if (p->groups && groups_print(p->groups, timed(p, a, e->unix_ms, line), well, e->unix_ms) &&
        well)
        p->said_ms = loop_now(); /* its title is the line */
    else
        say(ui, e->unix_ms, line);
}

static void tell_stage(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    bool ordinary = e->state == EVENT_NONE || e->state == EVENT_BEGUN || e->state == EVENT_DONE;
    const char *line = arena_printf(a, "%s: %s", where(a, e, "stage"), state_text(a, e));

    if (e->host && ordinary && !ui->o.verbose)
        return;
    if (!e->host && e->state == EVENT_BEGUN) {
        hold(p, e, line);
    } else if (!e->host && ui_is_over(e)) {
        tell_stage_end(ui, a, e);
    } else if (e->progress && started_of(p, e) && (*started_of(p, e))->line) {
        return; /* it may be over in a moment */
    } else {
        print_starts_of(ui, e);
        say(ui, e->unix_ms, arena_printf(a, "%s%s", line, took_text(a, e)));
    }
}

static void tell_job(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    struct started **at = started_of(p, e);
    const char *command = e->command ? ui_shown(a, e->command) : "job";
    const char *line =
        e->state == EVENT_BEGUN && !e->detail
            ? arena_printf(a, "%s: %s: %s", where(a, e, "job"), command, ui_state_word(e->state))
            : arena_printf(a, "%s: %s: %s", where(a, e, "job"), command, state_text(a, e));

    if (e->state == EVENT_BEGUN) {
        hold(p, e, line);
        return;
    }
    if (!ui_is_over(e) || (at && !(*at)->line))
        print_starts_of(ui, e);
    if (at && ui_is_over(e))
        forget(at);
    if (ui_is_over(e))
        drop_stage_start(p, e->stage);
    if (e->state == EVENT_FAILED && e->host && e->command && e->detail)
        strs_add(&p->failed_text, &p->failed,
                 arena_printf(&p->failed_text, "%s: '%s' %s", e->host, e->command, e->detail));
    say_of(ui, ui_is_over(e) ? e->stage : NULL, e->unix_ms,
           arena_printf(a, "%s%s", line, took_text(a, e)));
}

static void tell_warning(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    const char *text = arena_printf(a, "%s%s%s", e->host ? e->host : "", e->host ? ": " : "",
                                    e->detail ? e->detail : "");

    if (strs_has(&p->failed, text)) /* said when the job failed */
        return;
    print_old_starts(ui);
    if (p->annotations < ANNOTATIONS_MAX &&
        groups_annotate(ui->o.out, ui->o.ci, "warning", "crelease", ui_shown(a, text)))
        p->annotations++;
    else
        say(ui, e->unix_ms, arena_printf(a, "warning: %s", ui_shown(a, text)));
}

/* ---- the whole ---- */

static void tell_backup(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    const char *hosts = ui_hosts(a, e, HOSTS_COLUMNS);

    if (!last_backup_is_news(&p->backup, e))
        return;
    print_starts_of(ui, e);
    say(ui, e->unix_ms,
        arena_printf(a, "backup%s%s: %s", *hosts ? " " : "", hosts, last_backup_line(a, e)));
}

static const char *run_text(struct arena *a, const struct event *e)
{
    struct strs parts = ui_run_parts(a, e);
    const char *text = "";

    for (size_t i = 0; i < parts.n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? ", " : "", parts.v[i]);
    return text;
}

/* What goes live, once. */
static void tell_changes(struct ui *ui, struct arena *a, const struct event *e)
{
    struct strs lines = {0};

    if (e->fresh && e->changes)
        lines = changes_lines(a, e->changes);
    for (size_t i = 0; i < lines.n; i++)
        say(ui, e->unix_ms, lines.v[i]);
    for (size_t i = 0; e->upcoming && i < e->upcoming->n; i++)
        say(ui, e->unix_ms, ui_shown(a, e->upcoming->v[i]));
}

static void plain_tell(struct ui *ui, const struct event *e)
{
    struct arena a = {0};

    ui_end_output(ui, e, plain_line);
    switch (e->kind) {
    case EVENT_RUN:
        say(ui, e->unix_ms, run_text(&a, e));
        tell_changes(ui, &a, e);
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
        print_starts_of(ui, e);
        say(ui, e->unix_ms,
            arena_printf(&a, "blocker%s%s: %s", e->host ? " " : "", ui_shown(&a, e->host),
                         ui_shown(&a, e->detail)));
        break;
    case EVENT_OUTPUT:
        print_starts_of(ui, e);
        ui_take_output(ui, e, plain_line);
        break;
    case EVENT_WARNING:
        tell_warning(ui, &a, e);
        break;
    case EVENT_END:
        if (((struct plain *)ui->own)->groups)
            groups_print(((struct plain *)ui->own)->groups, "", false, e->unix_ms);
        if (ui_live(&a, e))
            say(ui, e->unix_ms, ui_live(&a, e));
        if (ui_times(&a, e))
            say(ui, e->unix_ms, ui_times(&a, e));
        if (e->code == ERR_NONE)
            say(ui, e->unix_ms, ui_success(&a, e));
        break;
    case EVENT_KINDS:
        break;
    }
    arena_free(&a);
}

/* "build app1 app2: npm ci: running for 2 min 00 s" */
static void say_running(struct ui *ui, const struct started *s)
{
    struct plain *p = ui->own;
    struct arena a = {0};
    const char *last = p->groups && s->stage ? groups_last(p->groups, s->stage) : NULL;
    struct strs hosts = {0};

    for (const struct started *other = s; other; other = other->next)
        if (s->host && other->host && *other->host && ui_same(other->stage, s->stage) &&
            ui_same(other->command, s->command))
            strs_add(&a, &hosts, other->host);
    strs_add(&a, &hosts, NULL);
    const struct event e = {.stage = s->stage, .hosts = hosts.v};
    const char *line = where(&a, &e, "job");
    if (s->command)
        line = arena_printf(&a, "%s: %s", line, ui_shown(&a, s->command));
    line = arena_printf(&a, "%s: running for %s", line, text_span(&a, loop_now() - s->loop_ms));
    if (last) /* which has its time of day in front */
        line = arena_printf(&a, "%s; last line: %.*s", line, (int)strcspn(last, "\n"), last);
    say(ui, 0, line);
    arena_free(&a);
}

/* Whether an earlier entry of the list has said it. */
static bool is_said(const struct started *first, const struct started *s)
{
    for (; first != s; first = first->next)
        if (ui_same(first->stage, s->stage) && ui_same(first->command, s->command))
            return true;
    return false;
}

static bool has_jobs(const struct started *first, const char *stage)
{
    for (; first; first = first->next)
        if (first->host && ui_same(first->stage, stage))
            return true;
    return false;
}

/* So that nobody takes the log for dead. */
static void beat(struct ui *ui)
{
    struct plain *p = ui->own;
    struct arena a = {0};
    long long silent = loop_now() - p->said_ms;
    int n = 0;

    /* A wait for a backup has a line of its own each minute. */
    if (silent < (p->backup.told && !p->backup.over ? BEAT_MS + PATIENCE_MS : BEAT_MS))
        return;
    for (const struct started *s = p->started; s && n < BEAT_LINES_MAX; s = s->next) {
        if (is_said(p->started, s) || (!s->host && has_jobs(p->started, s->stage)))
            continue;
        say_running(ui, s);
        n++;
    }
    if (!n)
        say(ui, 0, arena_printf(&a, "still waiting; no news for %s", text_span(&a, silent)));
    arena_free(&a);
}

static void plain_tick(struct ui *ui)
{
    print_old_starts(ui);
    beat(ui);
}

const struct ui_reader ui_plain = {
    .open = plain_open,
    .tell = plain_tell,
    .tick = plain_tick,
    .close = plain_close,
};
