/* text.c -- targets: what reaches a terminal, a log, a report or a chat. */
#include "base/text.h"

#include "base/passwords.h"
#include "base/quote.h"
#include "base/redact.h"
#include "core/job/excerpt.h"
#include "edge/json.h"
#include "fuzz_targets.h"
#include "ui/notify/notify.h"
#include "ui/report/record.h"
#include "ui/report/writers.h"
#include "ui/ui.h"

#include <stdlib.h>

/* Whether there are no control characters besides line ends. */
static bool is_lines(const char *s)
{
    struct buf b = buf_make(strlen(s) * 4 + 1);

    text_visible(&b, s, strlen(s), true);
    bool same = strcmp(b.text, s) == 0;
    buf_free(&b);
    return same;
}

/* A word in single quotes, as a shell reads it: NULL if it is not one word. */
static const char *unquoted(struct arena *a, const char *s)
{
    struct buf b = buf_make(1 << 20);
    bool inside = false;

    for (; *s; s++)
        if (*s == '\'')
            inside = !inside;
        else if (!inside && *s == '\\' && s[1] == '\'')
            buf_add(&b, ++s, 1);
        else if (!inside)
            return NULL;
        else
            buf_add(&b, s, 1);
    const char *text = inside ? NULL : arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

void fuzz_text(const struct input *in)
{
    static const char *const names[] = {"deploy", "status", "rollback", NULL};
    struct arena *a = in->arena;
    struct buf b = buf_make(1 << 20);
    long long ms;

    HOLDS(is_shown(text_shown(a, in->text)));
    const char *word = text_word(a, in->text);
    HOLDS(!strpbrk(word, " \n\t") && strcmp(text_of_word(a, word), in->text) == 0);
    text_of_word(a, in->text);
    HOLDS(is_shown(text_shown(a, text_command(a, in->text))));
    HOLDS(!strchr(text_joined(a, in->text), '\n'));
    text_nearest(in->text, names);
    if (text_duration(in->text, &ms))
        HOLDS(ms >= 0 && text_span(a, ms));
    quote_word(&b, in->text);
    const char *back = unquoted(a, b.text);
    HOLDS(back && strcmp(back, in->text) == 0);
    buf_clear(&b);
    quote_typed(&b, in->text);
    buf_free(&b);
    const char *hidden = passwords_hidden(a, in->text);
    HOLDS(strcmp(passwords_hidden(a, hidden), hidden) == 0 || strlen(hidden) > 0);
    struct strs secrets = {0};
    const char *at = in->text;
    strs_add(a, &secrets, arena_strndup(a, at, strcspn(at, "\n")));
    const char *clean = redact(a, &secrets, in->text);
    if (*secrets.v[0] && !strstr("[secret]", secrets.v[0]) && !strpbrk(secrets.v[0], "[secrt]"))
        HOLDS(!strstr(clean, secrets.v[0]));
}

/* What is read is written, and what is written is read again as the same. */
void fuzz_json(const struct input *in)
{
    struct err err = {.arena = in->arena};
    struct json *v = json_read(in->bytes, in->len, &err);
    char *text[2] = {NULL, NULL};
    size_t len[2];

    for (int i = 0; i < 2 && v; i++) {
        FILE *to = open_memstream(&text[i], &len[i]);
        HOLDS(to && json_write(v, to, false) && fclose(to) == 0);
        HOLDS(is_lines(text[i]));
        json_close(v);
        v = i ? NULL : json_read(text[0], len[0], &err);
        HOLDS(i || v);
    }
    HOLDS(!text[0] || strcmp(text[0], text[1]) == 0);
    free(text[0]);
    free(text[1]);
    if (!text[0])
        holds_err(&err);
}

void fuzz_excerpt(const struct input *in)
{
    struct strs lines = excerpt(in->arena, in->text);

    HOLDS(lines.n <= 40);
    for (size_t i = 0; i < lines.n; i++)
        HOLDS(!strchr(lines.v[i], '\n'));
}

/* ---- readers of events ---- */

static const char *const hosts[] = {"app1", NULL};

/* A deploy that prints the input, waits for a backup with these texts, and fails with them. */
static void tell_all(const struct input *in, void (*tell)(void *to, const struct event *e),
                     void *to)
{
    const char *s = in->text;
    const char *run_id = "k7f2";
    struct run_info run = {.id = run_id,
                           .command = "deploy",
                           .application = "shop",
                           .environment = "production",
                           .release = "20261122153012",
                           .revision = "",
                           .ref = s,
                           .subject = s,
                           .by = s,
                           .hosts = 1,
                           .host_names = hosts};
    struct backup backup = {.kind = BACKUP_PG_DUMP,
                            .pid = 7,
                            .identity = {"3/271", "1"},
                            .database = s,
                            .user = s,
                            .application = s,
                            .query = s,
                            .eta_from = s,
                            .output = s,
                            .percent = (int)(in->len % 101),
                            .eta_s = (long long)in->len};
    struct blocker blocker = {.kind = s,
                              .vxid = s,
                              .start = s,
                              .user = s,
                              .application = s,
                              .state = s,
                              .query = s,
                              .waits_for = s};
    struct failure failure = {.stage = "build", .host = "app1", .command = s, .how = s, .log = s};
    struct strs migrations = {0};
    strs_add(in->arena, &failure.lines, s);
    strs_add(in->arena, &failure.now, s);
    strs_add(in->arena, &failure.next, s);
    strs_add(in->arena, &migrations, s);
    const size_t half = in->len / 2;
    const struct event all[] = {
        {.kind = EVENT_RUN, .run = &run, .fresh = true},
        {.kind = EVENT_STAGE, .state = EVENT_BEGUN, .stage = "build", .hosts = hosts},
        {.kind = EVENT_JOB, .state = EVENT_BEGUN, .stage = "build", .host = "app1", .command = s},
        {.kind = EVENT_OUTPUT, .stage = "build", .host = "app1", .bytes = in->bytes, .len = half},
        {.kind = EVENT_OUTPUT,
         .stage = "build",
         .host = "app1",
         .bytes = in->bytes + half,
         .len = in->len - half},
        {.kind = EVENT_JOB,
         .state = EVENT_FAILED,
         .stage = "build",
         .host = "app1",
         .command = s,
         .detail = s},
        {.kind = EVENT_STAGE,
         .state = EVENT_SKIPPED,
         .stage = "link",
         .hosts = hosts,
         .migrations = &migrations,
         .detail = s},
        {.kind = EVENT_BACKUP,
         .state = EVENT_WAITING,
         .stage = "backup-clear",
         .host = "app1",
         .backup = &backup,
         .detail = s},
        {.kind = EVENT_BLOCKER,
         .state = EVENT_BEGUN,
         .stage = "migrate",
         .host = "app1",
         .blocker = &blocker},
        {.kind = EVENT_WARNING, .host = "app1", .detail = s},
        {.kind = EVENT_END,
         .code = ERR_FAILED,
         .message = s,
         .run = &run,
         .failure = &failure,
         .took_ms = 1000},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct event e = all[i];
        e.unix_ms = 1795361412000 + (long long)i;
        e.run_id = run_id;
        tell(to, &e);
    }
}

/* Without what this program itself sends to a terminal: colors, movements of the cursor up, erasing, and the
 * progress bar. */
static const char *without_own(struct arena *a, const char *s)
{
    struct buf b = buf_make(1 << 24);

    while (*s) {
        if (strncmp(s, "\033[", 2) == 0) {
            const char *end = s + 2 + strspn(s + 2, "0123456789;?");
            HOLDS(strchr("mAJKGhl", *end) && *end);
            s = end + 1;
        } else if (strncmp(s, "\033]9;4;", 6) == 0) {
            s += 6 + strspn(s + 6, "0123456789;");
            HOLDS(*s == '\a' || strncmp(s, "\033\\", 2) == 0);
            s += *s == '\a' ? 1 : 2;
        } else {
            if (*s != '\r')
                buf_add(&b, s, 1);
            s++;
        }
    }
    const char *text = arena_strndup(a, b.text, b.len);
    buf_free(&b);
    return text;
}

static void tell_ui(void *to, const struct event *e)
{
    struct watcher w = ui_watcher(to);

    w.tell(w.self, e);
    ui_tick(to);
}

/* All readers, on a terminal with and without colors, in a log, for CI systems, as JSON. */
void fuzz_output(const struct input *in)
{
    static const struct ui_options all[] = {{.mode = UI_TTY, .color = true, .progress = true},
                                            {.mode = UI_TTY, .verbose = 1},
                                            {.mode = UI_PLAIN},
                                            {.mode = UI_PLAIN, .color = true, .verbose = 2},
                                            {.mode = UI_PLAIN, .ci = UI_CI_GITHUB},
                                            {.mode = UI_PLAIN, .ci = UI_CI_GITLAB},
                                            {.mode = UI_JSON},
                                            {.mode = UI_PLAIN, .quiet = true}};

    run_of(in, ""); /* its clock */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char *text = NULL;
        size_t len = 0;
        FILE *to = open_memstream(&text, &len);
        struct ui_options o = all[i];
        o.out = o.err = to;
        o.columns = 40 + (int)(in->len % 100);
        struct ui *ui = ui_open(&o);
        tell_all(in, tell_ui, ui);
        ui_close(ui);
        fclose(to);
        HOLDS(strlen(text) == len);
        HOLDS(is_lines(without_own(in->arena, text)));
        free(text);
    }
}

static void tell_record(void *to, const struct event *e)
{
    record_tell(to, e);
}

void fuzz_report(const struct input *in)
{
    static void (*const writers[])(const struct record *r, FILE *out) = {
        html_write, junit_write, markdown_write, report_json_write};
    struct record *r = record_open("deploy", "production");

    tell_all(in, tell_record, r);
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        struct err err = {.arena = in->arena};
        char *text = NULL;
        size_t len = 0;
        FILE *to = open_memstream(&text, &len);
        writers[i](r, to);
        HOLDS(fclose(to) == 0 && strlen(text) == len && is_lines(text));
        HOLDS((writers[i] != html_write && writers[i] != junit_write) || !strstr(text, "<script"));
        if (writers[i] == report_json_write) {
            struct json *v = json_read(text, len, &err);
            HOLDS(v);
            json_close(v);
        }
        free(text);
    }
    record_close(r);
}

void fuzz_notice(const struct input *in)
{
    static const struct recipe recipe = {.application = "shop", .environment = "production"};
    const struct notify_about about = {&recipe, "deploy", "ann@laptop"};
    const struct event e = {
        .kind = EVENT_END, .code = ERR_FAILED, .message = in->text, .stage = in->text};
    const struct notice n = {.about = &about,
                             .on = NOTIFY_FAILED,
                             .event = &e,
                             .run = "k7f2",
                             .release = in->text,
                             .revision = ""};

    for (int format = NOTIFY_JSON; format <= NOTIFY_SLACK; format++) {
        struct err err = {.arena = in->arena};
        const char *body = notice_body(in->arena, (enum notify_format)format, &n);
        struct json *v = json_read(body, strlen(body), &err);
        HOLDS(v && is_lines(body));
        if (format == NOTIFY_SLACK)
            HOLDS(!strpbrk(json_get_text(json_get(v, "text")), "<>"));
        json_close(v);
    }
}
