/* plain.c -- the log of a run: one line for each thing that happened, with the time of day, for CI
 * and cron.  ui.c hands it the events when standard output is not a terminal.
 *
 *     15:30:12 checkout app1 app2 db1: 35 of 2,004 files, 0.4 MB (0.6 s)
 *     15:30:14 app1 | Fetching gem metadata
 *
 * A stage or job that is over within a second has one line, that of its end.  The line of its start
 * is held back until then, and is printed when a second has passed, or before output of the job or
 * news about a wait. */
#include "ui/reader.h"

#include "base/text.h"
#include "edge/clock.h"
#include "edge/loop.h"

enum { BACKUP_EVERY_MS = 60000, HOSTS_COLUMNS = 100, HOLD_MS = 1000 };

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

/* The backup that the last line was about, so that a wait of hours does not fill the log. */
struct last_backup {
    struct arena names;
    const char *host;
    const char *transaction; /* of the identity of the backup */
    const char *start;
    const char *detail;
    long pid;
    bool over;
    long long waited_ms;
    bool told;
};

struct plain {
    struct started *started; /* in the order they started */
    struct last_backup backup;
    struct arena failed_text;
    struct strs failed; /* jobs of the stage: "app2: 'make' ended with exit status 2" */
    long long last_ms;  /* time of the last line, which the next one is not before */
};

static void *plain_open(struct ui *ui)
{
    (void)ui;
    return xcalloc(1, sizeof(struct plain));
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
    arena_free(&p->backup.names);
    arena_free(&p->failed_text);
    free(p);
}

static void say(struct ui *ui, long long unix_ms, const char *text)
{
    struct plain *p = ui->own;
    struct arena a = {0};
    long long when = unix_ms ? unix_ms : clock_now_ms();

    p->last_ms = when > p->last_ms ? when : p->last_ms;
    fprintf(ui->o.out, "%s %s\n", clock_of_day(&a, p->last_ms), text);
    fflush(ui->o.out);
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
        say(ui, s->unix_ms, s->line);
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

/* ---- lines ---- */

static void plain_line(struct ui *ui, const struct event *e, const char *line, size_t len)
{
    struct arena a = {0};
    const char *who = ui_shown(&a, e->host ? e->host : e->stage);

    say(ui, e->unix_ms,
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
    const char *word = e->state == EVENT_NONE ? "" : ui_state_word(e->state);

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
    say(ui, e->unix_ms,
        arena_printf(a, "%s: %s%s", where(a, e, "stage"), state_text(a, &end), took_text(a, e)));
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
    if (e->state == EVENT_FAILED && e->host && e->command && e->detail)
        strs_add(&p->failed_text, &p->failed,
                 arena_printf(&p->failed_text, "%s: '%s' %s", e->host, e->command, e->detail));
    say(ui, e->unix_ms, arena_printf(a, "%s%s", line, took_text(a, e)));
}

static void tell_warning(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    const char *text = arena_printf(a, "%s%s%s", e->host ? e->host : "", e->host ? ": " : "",
                                    e->detail ? e->detail : "");

    if (strs_has(&p->failed, text)) /* said when the job failed */
        return;
    print_old_starts(ui);
    say(ui, e->unix_ms, arena_printf(a, "warning: %s", ui_shown(a, text)));
}

/* ---- backups ---- */

static bool backup_is_news(struct last_backup *last, const struct event *e)
{
    const struct backup *b = e->backup;
    const struct backup_identity identity =
        b ? b->identity : (struct backup_identity){.transaction = NULL};
    long pid = b ? b->pid : 0;
    bool news = !last->told || last->over != ui_is_over(e) || last->pid != pid ||
                !ui_same(last->transaction, identity.transaction) ||
                !ui_same(last->start, identity.start) || !ui_same(last->detail, e->detail) ||
                !ui_same(last->host, e->host) ||
                e->waited_ms - last->waited_ms >= BACKUP_EVERY_MS || e->waited_ms < last->waited_ms;

    if (!news)
        return false;
    arena_free(&last->names);
    *last = (struct last_backup){
        .told = true, .over = ui_is_over(e), .pid = pid, .waited_ms = e->waited_ms};
    last->transaction = copy(&last->names, identity.transaction);
    last->start = copy(&last->names, identity.start);
    last->detail = copy(&last->names, e->detail);
    last->host = copy(&last->names, e->host);
    return true;
}

/* "pg_dump of my_database by postgres, pid 12345: ended by itself, waited 2 h" */
static const char *backup_end(struct arena *a, const struct event *e)
{
    struct backup b = e->backup ? *e->backup : (struct backup){0};
    const char *how = e->detail ? ui_shown(a, e->detail) : ui_state_word(e->state);

    b.running_s = -1;
    return e->backup ? arena_printf(a, "%s: %s", ui_backup_what(a, &b, 0), how) : how;
}

static const char *backup_text(struct arena *a, const struct event *e)
{
    const struct backup *b = e->backup;
    const char *text = b ? ui_backup_what(a, b, 0) : "";

    if (b && b->percent >= 0)
        text = arena_printf(a, "%s, %d %%", text, b->percent);
    struct strs left = b ? ui_backup_left(a, b, 0) : (struct strs){0};
    for (size_t i = 0; i < left.n; i++)
        text = arena_printf(a, "%s%s %s", text, i ? "" : ",", left.v[i]);
    return text;
}

static void tell_backup(struct ui *ui, struct arena *a, const struct event *e)
{
    struct plain *p = ui->own;
    const char *hosts = ui_hosts(a, e, HOSTS_COLUMNS);

    if (!backup_is_news(&p->backup, e))
        return;
    print_starts_of(ui, e);
    const char *text = ui_is_over(e) ? backup_end(a, e) : backup_text(a, e);
    if (e->waited_ms > 0)
        text =
            arena_printf(a, "%s%swaited %s", text, *text ? ", " : "", text_span(a, e->waited_ms));
    if (e->detail && !ui_is_over(e))
        text = arena_printf(a, "%s%s%s", text, *text ? ": " : "", ui_shown(a, e->detail));
    say(ui, e->unix_ms, arena_printf(a, "backup%s%s: %s", *hosts ? " " : "", hosts, text));
}

/* ---- the whole ---- */

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
        say(ui, e->unix_ms, run_text(&a, e));
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
        if (e->code == ERR_NONE)
            say(ui, e->unix_ms, ui_success(&a, e));
        break;
    case EVENT_KINDS:
        break;
    }
    arena_free(&a);
}

static void plain_tick(struct ui *ui)
{
    print_old_starts(ui);
}

const struct ui_reader ui_plain = {
    .open = plain_open,
    .tell = plain_tell,
    .tick = plain_tick,
    .close = plain_close,
};
