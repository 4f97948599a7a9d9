/* ui.c -- opens the reader of events that the mode asks for, and has what the readers share: output
 * cut into lines, texts about runs and backups, and the block that closes a failure. */
#include "ui/ui.h"

#include "base/limits.h"
#include "base/text.h"
#include "ui/changes.h"
#include "ui/groups.h"
#include "ui/reader.h"
#include "ui/screen.h"
#include "edge/loop.h"

#include <unistd.h>

struct ui *ui_open(const struct ui_options *options)
{
    static const struct ui_reader *const readers[] = {
        [UI_TTY] = &ui_tty,
        [UI_PLAIN] = &ui_plain,
        [UI_JSON] = &ui_json,
    };
    struct ui *ui = xcalloc(1, sizeof *ui);

    ui->o = *options;
    ui->reader = readers[options->mode];
    ui->own = ui->reader->open ? ui->reader->open(ui) : NULL;
    return ui;
}

enum { PROGRESS_EVERY_MS = 60000, NAMED_HOSTS_MAX = 8, TIME_SHOWN_MS = 1000 };

/* Of the progress of a stage a log gets the first report, then one a minute. */
static bool is_for_log(struct ui *ui, const struct event *e)
{
    long long now = loop_now();

    if (!e->progress || ui->o.mode == UI_TTY)
        return true;
    if (ui_same(ui->progress_of, e->stage) && now - ui->progress_ms < PROGRESS_EVERY_MS)
        return false;
    arena_free(&ui->progress_text);
    ui->progress_of = e->stage ? arena_strdup(&ui->progress_text, e->stage) : NULL;
    ui->progress_ms = now;
    return true;
}

static void ui_tell(void *self, const struct event *e)
{
    struct ui *ui = self;

    if (ui->ended)
        return;
    ui->ended = e->kind == EVENT_END;
    if ((!ui->o.quiet || ui->o.mode == UI_JSON) && is_for_log(ui, e))
        ui->reader->tell(ui, e);
    if (ui->ended)
        ui_failure(ui, e);
}

struct watcher ui_watcher(struct ui *ui)
{
    return (struct watcher){.tell = ui_tell, .self = ui};
}

void ui_tick(void *self)
{
    struct ui *ui = self;

    if (!ui->o.quiet && ui->reader->tick)
        ui->reader->tick(ui);
}

void ui_pause(struct ui *ui)
{
    if (ui->reader->pause)
        ui->reader->pause(ui);
}

struct ui_stream {
    struct ui_stream *next;
    struct arena names;
    const char *stage;
    const char *host;
    struct buf line;
};

static void stream_close(struct ui_stream *s)
{
    buf_free(&s->line);
    arena_free(&s->names);
    free(s);
}

void ui_close(struct ui *ui)
{
    if (!ui)
        return;
    if (ui->reader->close)
        ui->reader->close(ui);
    while (ui->streams) {
        struct ui_stream *next = ui->streams->next;
        stream_close(ui->streams);
        ui->streams = next;
    }
    arena_free(&ui->progress_text);
    free(ui);
}

bool ui_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

const char *ui_state_word(enum event_state state)
{
    static const char *const words[EVENT_STATES] = {
        [EVENT_NONE] = "",
        [EVENT_BEGUN] = "started",
        [EVENT_DONE] = "done",
        [EVENT_SKIPPED] = "skipped",
        [EVENT_WAITING] = "waiting",
        [EVENT_FAILED] = "failed",
        [EVENT_UNDONE] = "rolled back",
    };

    return words[state];
}

const char *ui_event_word(const struct event *e)
{
    /* While it waits, it has not taken a time. */
    bool gave_up = e->kind == EVENT_STAGE && e->state == EVENT_WAITING && e->took_ms > 0;

    return e->state == EVENT_FAILED && e->stopped ? "stopped"
           : gave_up                              ? "gave up"
           : e->state == EVENT_NONE               ? ""
                                                  : ui_state_word(e->state);
}

bool ui_is_over(const struct event *e)
{
    return e->state != EVENT_NONE && e->state != EVENT_BEGUN && e->state != EVENT_WAITING;
}

static struct ui_stream *stream_of(struct ui *ui, const struct event *e)
{
    struct ui_stream **at = &ui->streams;

    while (*at && !(ui_same((*at)->stage, e->stage) && ui_same((*at)->host, e->host)))
        at = &(*at)->next;
    if (!*at) {
        struct ui_stream *s = xcalloc(1, sizeof *s);
        s->stage = e->stage ? arena_strdup(&s->names, e->stage) : NULL;
        s->host = e->host ? arena_strdup(&s->names, e->host) : NULL;
        s->line = buf_make(LINE_BYTES_MAX);
        *at = s;
    }
    return *at;
}

static void line_out(struct ui *ui, struct ui_stream *s, const struct event *e, ui_line *line)
{
    struct event of = {.kind = EVENT_OUTPUT, .unix_ms = e->unix_ms, .run_id = e->run_id};
    size_t len = s->line.len;

    of.stage = s->stage;
    of.host = s->host;
    while (len && s->line.text[len - 1] == '\r')
        len--;
    line(ui, &of, s->line.text, len);
    buf_clear(&s->line);
}

void ui_take_output(struct ui *ui, const struct event *e, ui_line *line)
{
    const char *p = e->bytes;
    const char *end = p ? p + e->len : NULL;

    if (!p || !e->len)
        return;
    struct ui_stream *s = stream_of(ui, e);
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        size_t room = LINE_BYTES_MAX - s->line.len;
        if (n > room) {
            buf_add(&s->line, p, room);
            p += room;
            line_out(ui, s, e, line);
            continue;
        }
        buf_add(&s->line, p, n);
        p += n;
        if (newline) {
            line_out(ui, s, e, line);
            p++;
        }
    }
}

void ui_end_output(struct ui *ui, const struct event *e, ui_line *line)
{
    struct ui_stream **at = &ui->streams;
    bool all = e->kind == EVENT_END;

    if (!all && !((e->kind == EVENT_JOB || e->kind == EVENT_STAGE) && ui_is_over(e)))
        return;
    while (*at) {
        struct ui_stream *s = *at;
        if (!all && ((e->stage && !ui_same(s->stage, e->stage)) ||
                     (e->host && !ui_same(s->host, e->host)))) {
            at = &s->next;
            continue;
        }
        if (s->line.len)
            line_out(ui, s, e, line);
        *at = s->next;
        stream_close(s);
    }
}

static bool given(const char *s)
{
    return s && *s;
}

static const char *revision_part(struct arena *a, const struct run_info *r)
{
    const char *subject = ui_shown(a, r->subject);
    size_t fit = screen_fit(subject, 50);
    const char *text = arena_printf(a, "%.7s", ui_shown(a, r->revision));

    if (*subject)
        text = arena_printf(a, "%s%s\"%.*s%s\"", text, *text ? " " : "", (int)fit, subject,
                            subject[fit] ? "..." : "");
    if (given(r->ref))
        text = arena_printf(a, "%s%s(%s)", text, *text ? " " : "", ui_shown(a, r->ref));
    return text;
}

struct strs ui_run_parts(struct arena *a, const struct event *e)
{
    static const struct run_info nothing;
    const struct run_info *r = e->run ? e->run : &nothing;
    const char *id = given(r->id) ? r->id : e->run_id;
    struct strs parts = {0};

    if (given(r->application) || given(r->environment))
        strs_add(
            a, &parts,
            arena_printf(a, "%s -> %s", ui_shown(a, r->application), ui_shown(a, r->environment)));
    strs_add(a, &parts, text_count(a, r->hosts, "host"));
    if (r->command && strcmp(r->command, "rollback") == 0)
        strs_add(a, &parts, arena_printf(a, "rollback to %s", ui_shown(a, r->release)));
    const char *revision = revision_part(a, r);
    if (*revision)
        strs_add(a, &parts, revision);
    if (given(id))
        strs_add(a, &parts,
                 arena_printf(a, "run %s%s", ui_shown(a, id), e->fresh ? "" : ", resumed"));
    if (given(r->by))
        strs_add(a, &parts, arena_printf(a, "by %s", text_by(a, r->by)));
    return parts;
}

const char *ui_hosts(struct arena *a, const struct event *e, size_t columns)
{
    if (e->host)
        return ui_shown(a, e->host);
    if (!e->hosts || !*e->hosts)
        return "";
    struct buf b = buf_make(columns * 4 + 1);
    size_t n = 0;
    for (; e->hosts[n]; n++) {
        if (n)
            buf_puts(&b, " ");
        buf_puts(&b, ui_shown(a, e->hosts[n]));
    }
    bool fits = !b.full && screen_width(b.text) <= columns;
    const char *names = fits || n == 1 ? arena_strdup(a, b.text) : text_count(a, n, "host");
    if (b.full && n == 1)
        names = ui_shown(a, e->hosts[0]);
    buf_free(&b);
    return names;
}

const char *ui_backup_what(struct arena *a, const struct backup *b, long long passed_ms)
{
    const char *text = b->kind ? backup_kind_word(b->kind) : "a backup";

    if (given(b->database))
        text = arena_printf(a, "%s of %s", text, ui_shown(a, b->database));
    if (given(b->user))
        text = arena_printf(a, "%s by %s", text, ui_shown(a, b->user));
    if (backup_is_lock(b) && given(b->application))
        text = arena_printf(a, "%s as %s", text, ui_shown(a, b->application));
    if (b->pid > 0)
        text = arena_printf(a, "%s, pid %ld", text, b->pid);
    if (b->running_s >= 0)
        text = arena_printf(a, "%s, for %s", text, text_span(a, b->running_s * 1000 + passed_ms));
    return text;
}

enum { OVERDUE_MS = 60000 }; /* until then it "should end any moment" */

/* "about 2 h 20 min left (2 h 05 min to 2 h 50 min)" */
static const char *left_text(struct arena *a, const struct backup *b, long long left,
                             long long passed_ms)
{
    const char *text = arena_printf(a, "about %s left", text_span(a, left));
    long long low = b->eta_low_s * 1000 - passed_ms;
    long long high = b->eta_high_s * 1000 - passed_ms;

    if (b->eta_high_s <= 0 || b->eta_low_s > b->eta_s || b->eta_high_s < b->eta_s)
        return text;
    if (low < 1000)
        return arena_printf(a, "%s (at most %s)", text, text_span(a, high));
    return arena_printf(a, "%s (%s to %s)", text, text_span(a, low), text_span(a, high));
}

struct strs ui_backup_left(struct arena *a, const struct backup *b, long long passed_ms)
{
    long long left = b->eta_s * 1000 - passed_ms;
    long long over = b->overdue_s > 0 ? b->overdue_s * 1000 + passed_ms : -left;
    bool from = b->eta_s >= 0 && given(b->eta_from);
    bool is_to_come = b->kind && !b->pid;
    const char *text = b->stuck_s > 0 ? arena_printf(a, "stuck: no progress for %s",
                                                     text_span(a, b->stuck_s * 1000 + passed_ms))
                       : b->eta_s < 0 ? (is_to_come ? "not started yet" : "expected end unknown")
                       : left > 0     ? left_text(a, b, left, passed_ms)
                       : b->overdue_s > 0 || over >= OVERDUE_MS
                           ? arena_printf(a, "overdue by %s", text_span(a, over))
                           : "should end any moment";
    struct strs parts = {0};

    strs_add(a, &parts, arena_printf(a, "%s%s", text, from ? "," : ""));
    if (from)
        strs_add(a, &parts, arena_printf(a, "from %s", ui_shown(a, b->eta_from)));
    return parts;
}

const char *ui_backup_expected(struct arena *a, const struct backup *b)
{
    struct strs parts = ui_backup_left(a, b, 0);
    const char *text = "";

    for (size_t i = 0; i < parts.n; i++)
        text = arena_printf(a, "%s%s%s", text, i ? " " : "", parts.v[i]);
    return text;
}

const char *ui_live(struct arena *a, const struct event *e)
{
    const struct run_info *r = e->run;
    const char *names = "";

    if (e->code != ERR_NONE || !r || !e->changes || !given(r->revision))
        return NULL;
    for (size_t i = 0; r->host_names && i < r->hosts && r->hosts <= NAMED_HOSTS_MAX; i++)
        names = arena_printf(a, "%s%s%s", names, i ? " " : "", ui_shown(a, r->host_names[i]));
    return arena_printf(a, "%.7s on %s: %s", ui_shown(a, r->revision),
                        *names ? names : text_count(a, r->hosts, "host"),
                        changes_summary(a, e->changes));
}

const char *ui_times(struct arena *a, const struct event *e)
{
    const char *text = NULL;

    for (size_t i = 0; e->times && i < e->times->n; i++) {
        const struct step_time *t = &e->times->v[i];
        if (t->ms < TIME_SHOWN_MS && t->usual_ms < TIME_SHOWN_MS)
            continue;
        text = arena_printf(a, "%s%s %s",
                            text ? arena_printf(a, "%s, ", text) : "took: ", ui_shown(a, t->step),
                            text_span(a, t->ms));
        if (t->usual_ms >= 0)
            text = arena_printf(a, "%s (usually %s)", text, text_span(a, t->usual_ms));
    }
    return text;
}

const char *ui_success(struct arena *a, const struct event *e)
{
    const struct run_info *r = e->run;

    if (given(e->message))
        return ui_shown(a, e->message);
    if (!r)
        return "done";
    bool back = r->command && strcmp(r->command, "rollback") == 0;
    const char *text =
        arena_printf(a, "%s on %s in %s",
                     back ? arena_printf(a, "rolled back to %s", ui_shown(a, r->release)) : "live",
                     text_count(a, r->hosts, "host"), text_span(a, e->took_ms));
    if (e->behind_backup_ms > 0)
        text = arena_printf(a, "%s, %s of it waiting for the backup", text,
                            text_span(a, e->behind_backup_ms));
    return text;
}

const char *ui_failed(struct arena *a, const struct event *e)
{
    const struct failure *f = e->failure;

    if (given(e->message))
        return ui_shown(a, e->message);
    if (!f || !f->stage)
        return err_meaning(e->code);
    const char *text = arena_printf(a, "stage '%s'", ui_shown(a, f->stage));
    if (f->host)
        text = arena_printf(a, "%s on %s", text, ui_shown(a, f->host));
    if (f->command)
        text = arena_printf(a, "%s: '%s'", text, ui_shown(a, text_command(a, f->command)));
    else if (f->how)
        text = arena_printf(a, "%s:", text);
    return arena_printf(a, "%s %s", text, f->how ? ui_shown(a, f->how) : err_word(e->code));
}

/* What happened, what users see and what to type next. */
static void annotate(struct ui *ui, struct arena *a, const struct event *e)
{
    const struct failure *f = e->failure;
    const char *text = ui_failed(a, e);

    for (size_t i = 0; f && i < f->now.n; i++)
        text = arena_printf(a, "%s\n%s", text, ui_shown(a, f->now.v[i]));
    for (size_t i = 0; f && i < f->next.n; i++)
        text = arena_printf(a, "%s\n%s%s", text, i ? "" : "next: ", ui_shown(a, f->next.v[i]));
    groups_annotate(ui->o.err, ui->o.ci, "error",
                    e->run ? arena_printf(a, "%s %s: %s", ui_shown(a, e->run->command),
                                          ui_shown(a, e->run->environment), err_word(e->code))
                           : arena_printf(a, "crelease: %s", err_word(e->code)),
                    text);
}

/* A line of the block that closes a failure. */
static void put_line(struct ui *ui, struct arena *a, const char *indent, const char *text)
{
    groups_put(ui->o.err, ui->o.ci, arena_printf(a, "%s%s", indent, text));
}

void ui_failure(struct ui *ui, const struct event *e)
{
    struct arena a = {0};
    const struct failure *f = ui->o.quiet ? NULL : e->failure;

    if (e->code == ERR_NONE)
        return;
    fflush(ui->o.out);
    if (!ui->o.quiet)
        annotate(ui, &a, e);
    bool red = ui->o.color && ui->o.mode == UI_TTY && isatty(fileno(ui->o.err));
    fprintf(ui->o.err, "%screlease:%s %s\n", red ? "\033[31m" : "", red ? "\033[0m" : "",
            ui_failed(&a, e));
    for (size_t i = 0; f && i < f->lines.n; i++)
        put_line(ui, &a, "  | ",
                 f->lines.v[i] ? ui_output(&a, f->lines.v[i], strlen(f->lines.v[i])) : "");
    for (size_t i = 0; f && i < f->now.n; i++)
        put_line(ui, &a, "  ", ui_shown(&a, f->now.v[i]));
    for (size_t i = 0; f && i < f->next.n; i++)
        put_line(ui, &a, i ? "        " : "  next: ", ui_shown(&a, f->next.v[i]));
    fflush(ui->o.err);
    arena_free(&a);
}
