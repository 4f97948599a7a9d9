/* draw.c -- draws the lines of stages, jobs and the backup that is waited for (draw.h). */
#include "ui/draw.h"

#include "base/text.h"
#include "ui/reader.h"
#include "edge/loop.h"

enum {
    ROWS_MAX = 8,    /* live lines for the hosts of a stage */
    RIGHT_MAX = 100, /* the column of times on a wide screen */
    NARROW = 60,     /* a narrower screen has no column of hosts */
    NAME_COLUMNS = 14,
};

static const char *spinner(const struct drawing *d)
{
    static const char *const turns[] = {"|", "/", "-", "\\"};

    return turns[d->turn % 4];
}

static size_t right_edge(const struct drawing *d)
{
    size_t columns = screen_columns(d->screen);

    return columns <= RIGHT_MAX ? columns - 1 : RIGHT_MAX;
}

/* The columns left for a text that ends two columns before `end`. */
static size_t room_before(const struct line *l, size_t end)
{
    return end > l->width + 2 ? end - 2 - l->width : 0;
}

static void end_line(struct drawing *d, struct line *l, bool live)
{
    if (live)
        screen_live(d->screen, l);
    else
        screen_keep(d->screen, l);
}

static struct line begin_line(const struct drawing *d, const struct stage_line *s, size_t end)
{
    struct line l = line_make(d->screen);

    line_add(&l, s->mark_style, s->mark, 1);
    line_to(&l, 2);
    line_add(&l, s->style, s->name, room_before(&l, end));
    line_to(&l, l.width < 2 + NAME_COLUMNS ? 2 + NAME_COLUMNS : l.width + 1);
    return l;
}

/* Shortens paths, the longest first, until the text fits: "/srv/shop/releases/2026/app" becomes
 * "/srv/.../app", since the two ends of a path say most. */
static const char *shorten_paths(struct arena *a, const char *text, size_t columns)
{
    while (screen_width(text) > columns) {
        const char *path = NULL;
        size_t longest = 0;
        for (const char *at = text; *at; at += strspn(at, " \"'=")) {
            size_t len = strcspn(at, " \"'=");
            const char *first = memchr(at, '/', len);
            const char *second =
                first ? memchr(first + 1, '/', len - (size_t)(first + 1 - at)) : NULL;
            const char *last = at + len;
            while (second && *last != '/')
                last--;
            if (second && last - second > 4 && len > longest) {
                path = second;
                longest = len;
            }
            at += len;
        }
        if (!path)
            break;
        const char *end = path + strcspn(path, " \"'=");
        while (*end != '/')
            end--;
        text = arena_printf(a, "%.*s/...%s", (int)(path - text), text, end);
    }
    return text;
}

/* The whole detail, on as many lines as it takes, with the time in the first one. */
static void draw_wrapped(struct drawing *d, const struct stage_line *s, struct line *l, size_t end)
{
    struct arena a = {0};
    bool narrow = screen_columns(d->screen) < NARROW;
    size_t room = room_before(l, end);
    size_t n = narrow ? 0 : screen_break(s->detail, room);
    struct flow f = {.style = s->style, .indent = narrow ? 4 : l->width, .live = s->live};
    const char *rest = s->detail + n + (n && s->detail[n] == ' ');

    line_add(l, s->style, arena_strndup(&a, s->detail, n), room);
    if (*s->time) {
        line_to(l, end);
        line_add(l, STYLE_DIM, s->time, SIZE_MAX);
    }
    end_line(d, l, s->live);
    screen_flow(d->screen, &f, &(struct strs){&rest, 1});
    arena_free(&a);
}

void draw_stage(struct drawing *d, const struct stage_line *s)
{
    struct arena a = {0};

    size_t right = right_edge(d);
    size_t time = screen_width(s->time);
    size_t end = time && right > time + 2 ? right - time : right + 2;
    struct line l = begin_line(d, s, end);

    if (screen_columns(d->screen) >= NARROW) {
        size_t next = l.width + d->hosts_columns + 2;
        line_add(&l, s->style, s->hosts, room_before(&l, end));
        line_to(&l, l.width + 2 < next ? next : l.width + 2);
    }
    const char *detail = shorten_paths(&a, s->detail, room_before(&l, end));
    if (!s->live && screen_width(detail) > room_before(&l, end)) {
        draw_wrapped(d, s, &l, end);
        arena_free(&a);
        return;
    }
    line_add(&l, s->style, detail, room_before(&l, end));
    if (time) {
        line_to(&l, end);
        line_add(&l, STYLE_DIM, s->time, time);
    }
    end_line(d, &l, s->live);
    arena_free(&a);
}

size_t draw_stage_whole(struct drawing *d, const struct stage_line *s)
{
    struct line l = begin_line(d, s, right_edge(d) + 2);
    struct flow f = {.style = s->style, .live = s->live, .begun = &l};

    line_add(&l, s->style, s->hosts, room_before(&l, right_edge(d) + 2));
    if (*s->hosts)
        line_to(&l, l.width + 2);
    f.indent = l.width;
    if (screen_columns(d->screen) < NARROW) {
        end_line(d, &l, s->live);
        f.indent = 4;
        f.begun = NULL;
    }
    screen_flow(d->screen, &f, &(struct strs){(const char *[]){s->detail}, 1});
    return f.indent;
}

static void draw_row(struct drawing *d, const struct row *r, size_t host_columns,
                     const char *command)
{
    struct arena a = {0};
    struct line l = line_make(d->screen);
    const char *time = text_span(&a, loop_now() - r->begun_ms);
    size_t right = right_edge(d);
    size_t end = right > screen_width(time) + 2 ? right - screen_width(time) : right;
    bool failed = r->state == EVENT_FAILED;
    const char *own = r->command && !ui_same(r->command, command) ? r->command : "";
    const char *text = r->detail ? r->detail : r->last ? r->last : own;

    line_to(&l, 4);
    line_add(&l, failed ? STYLE_RED : STYLE_YELLOW, failed ? "x" : spinner(d), 1);
    line_to(&l, 6);
    line_add(&l, failed ? STYLE_RED : STYLE_PLAIN, ui_shown(&a, r->host), host_columns);
    line_to(&l, 6 + host_columns + 2);
    const char *shown = ui_shown(&a, text);
    if (r->detail && screen_width(shown) > room_before(&l, end)) {
        /* Why it waits or has failed: in full, without the time. */
        struct flow f = {
            .style = failed ? STYLE_RED : STYLE_DIM, .indent = l.width, .live = true, .begun = &l};
        screen_flow(d->screen, &f, &(struct strs){&shown, 1});
        arena_free(&a);
        return;
    }
    if (text == own)
        shown = shorten_paths(&a, shown, room_before(&l, end));
    line_add(&l, failed ? STYLE_RED : STYLE_DIM, shown, room_before(&l, end));
    if (!failed) {
        line_to(&l, end);
        line_add(&l, STYLE_DIM, time, right - end);
    }
    screen_live(d->screen, &l);
    arena_free(&a);
}

static void draw_rows(struct drawing *d, const struct live_stage *s)
{
    struct arena a = {0};
    size_t widest = 0;
    size_t live = 0;

    for (size_t i = 0; i < s->n_rows; i++) {
        size_t width = screen_width(ui_shown(&a, s->rows[i]->host));
        live += s->rows[i]->job;
        widest = s->rows[i]->job && width > widest ? width : widest;
    }
    size_t host_columns = widest < 24 ? widest : 24;
    /* Leaves room for the line of the stage, the one for the rest, and the cursor. */
    size_t rows = screen_rows(d->screen) > 4 ? screen_rows(d->screen) - 3 : 1;
    size_t max = rows < ROWS_MAX ? rows : ROWS_MAX;
    size_t shown = 0;
    for (size_t i = 0; i < s->n_rows && shown < max; i++)
        if (s->rows[i]->job) {
            draw_row(d, s->rows[i], host_columns, s->command);
            shown++;
        }
    if (live > shown) {
        struct line l = line_make(d->screen);
        line_to(&l, 6);
        line_add(&l, STYLE_DIM, arena_printf(&a, "and %zu more", live - shown), SIZE_MAX);
        screen_live(d->screen, &l);
    }
    arena_free(&a);
}

static void draw_live_stage(struct drawing *d, const struct live_stage *s)
{
    struct arena a = {0};
    struct event e = {.hosts = s->hosts};
    const char *detail = s->command ? s->command : s->detail;

    if (!s->hosts && s->n_rows == 1)
        e.host = s->rows[0]->host;
    struct stage_line parts = {.mark = spinner(d),
                               .mark_style = STYLE_YELLOW,
                               .name = ui_shown(&a, s->name),
                               .hosts = ui_hosts(&a, &e, d->hosts_columns),
                               .detail = ui_shown(&a, detail),
                               .time = text_span(&a, loop_now() - s->begun_ms),
                               .live = true};
    draw_stage(d, &parts);
    draw_rows(d, s);
    arena_free(&a);
}

/* "[#######-----]  31 %", or a piece that moves to and fro if the percentage is unknown. */
static const char *bar(const struct drawing *d, struct arena *a, int percent)
{
    enum { SIZE = 24, PIECE = 4 };
    char text[SIZE + 1] = {0};
    unsigned way = d->turn % (2 * (SIZE - PIECE));
    unsigned from = way <= SIZE - PIECE ? way : 2 * (SIZE - PIECE) - way;

    for (unsigned i = 0; i < SIZE; i++) {
        bool on = percent < 0 ? i >= from && i < from + PIECE : (int)i * 100 < percent * SIZE;
        text[i] = on ? '#' : '-';
    }
    return percent < 0 ? arena_printf(a, "[%s]", text)
                       : arena_printf(a, "[%s] %3d %%", text, percent > 100 ? 100 : percent);
}

static void draw_backup(struct drawing *d)
{
    struct arena a = {0};
    const struct live_backup *b = d->live.backup;
    long long passed = loop_now() - b->told_ms;
    struct strs left = ui_backup_left(&a, &b->b, passed);
    struct strs end = {0};
    struct strs rest = {0};
    struct stage_line parts = {.mark = spinner(d),
                               .mark_style = STYLE_YELLOW,
                               .name = "backup",
                               .hosts = ui_shown(&a, b->host),
                               .live = true,
                               .detail = ui_backup_what(&a, &b->b, passed)};

    struct flow f = {.indent = draw_stage_whole(d, &parts), .gap = 1, .live = true};
    if (b->detail)
        screen_flow(d->screen, &f, &(struct strs){(const char *[]){ui_shown(&a, b->detail)}, 1});
    strs_add(&a, &end, arena_printf(&a, "%s ", bar(d, &a, b->b.percent)));
    for (size_t i = 0; i < left.n; i++)
        strs_add(&a, &end, left.v[i]);
    screen_flow(d->screen, &f, &end);
    strs_add(&a, &rest, arena_printf(&a, "waited %s", text_span(&a, b->waited_ms + passed)));
    if (b->can_ask) {
        strs_add(&a, &rest, "w wait");
        if (b->can_stop)
            strs_add(&a, &rest, "k kill");
        strs_add(&a, &rest, "q stop, resume later");
    }
    f.gap = 3;
    screen_flow(d->screen, &f, &rest);
    arena_free(&a);
}

/* While a backup is waited for, the progress is the backup's. */
static void draw_progress(struct drawing *d)
{
    const struct live_backup *b = d->live.backup;

    if (b && b->b.percent >= 0)
        screen_progress(d->screen, PROGRESS_WAITING, b->b.percent);
    else if (b || d->live.stages)
        screen_progress(d->screen, PROGRESS_ANY, -1);
}

void draw(struct drawing *d)
{
    bool drawn = false;

    if (d->progress)
        draw_progress(d);

    for (struct live_stage *s = d->live.stages; s; s = s->next) {
        if (d->live.backup && ui_same(d->live.backup->stage, s->name)) {
            draw_backup(d);
            drawn = true;
        } else {
            draw_live_stage(d, s);
        }
    }
    if (d->live.backup && !drawn)
        draw_backup(d);
    screen_show(d->screen);
}
