/* message.c -- the text of a notification: JSON (config/notification.schema.json), or what Slack takes.
 *
 *     {"event":"end","on":"failed","application":"shop","environment":"production","status":1,...
 *     {"text":"shop production: release 20260822141503 is live (run k7f2, by ann@laptop)"} */
#include "ui/notify/notify.h"

#include "base/text.h"
#include "edge/clock.h"
#include "ui/json_parts.h"

#include <stdlib.h>

enum { REVISION_SHOWN = 12, BODY_MAX = 64 * 1024 };

static const char *message_of(const struct event *e)
{
    return e->kind == EVENT_END ? e->message : e->detail;
}

/* In Slack's messages these three begin links and mentions. */
static void put_escaped(struct buf *b, const char *s)
{
    for (; *s; s++)
        if (*s == '&')
            buf_puts(b, "&amp;");
        else if (*s == '<')
            buf_puts(b, "&lt;");
        else if (*s == '>')
            buf_puts(b, "&gt;");
        else
            buf_add(b, s, 1);
}

static const char *what_happened(struct arena *a, const struct notice *n)
{
    const struct event *e = n->event;
    const char *command = n->about->command;
    const char *release = n->release ? text_shown(a, n->release) : "";

    switch (n->on) {
    case NOTIFY_BEGUN:
        return arena_printf(a, "%s of release %s started", command, release);
    case NOTIFY_WAITING:
        return arena_printf(a, "%s is waiting at stage '%s'", command, e->stage ? e->stage : "");
    case NOTIFY_LIVE:
        return arena_printf(a, "release %s is live", release);
    case NOTIFY_ABORTED:
        return arena_printf(a, "release %s", release);
    case NOTIFY_FAILED:
        return arena_printf(a, "%s ended with status %d (%s)", command, err_status(e->code),
                            err_word(e->code));
    case NOTIFY_WORDS:
        break;
    }
    return "";
}

static const char *text_for_people(struct arena *a, const struct notice *n)
{
    const char *message = message_of(n->event);
    const char *text = arena_printf(a, "%s %s: %s", n->about->recipe->application,
                                    n->about->recipe->environment, what_happened(a, n));

    if (message && *message)
        text = arena_printf(a, "%s: %s", text, text_shown(a, message));
    text = arena_printf(a, "%s (", text);
    if (n->run && *n->run)
        text = arena_printf(a, "%srun %s, ", text, n->run);
    if (n->revision && *n->revision)
        text = arena_printf(a, "%srevision %.*s, ", text, REVISION_SHOWN, n->revision);
    return arena_printf(a, "%sby %s)", text, n->about->user);
}

static void put_slack(struct arena *a, struct json *o, const struct notice *n)
{
    struct buf b = buf_make(BODY_MAX);

    put_escaped(&b, text_for_people(a, n));
    json_put_bytes(o, "text", b.text, b.len);
    buf_free(&b);
}

static void put_json(struct json *o, const struct notice *n)
{
    const struct event *e = n->event;

    json_put_text(o, "event", event_kind_words[e->kind]);
    json_put_text(o, "on", notify_on_words[n->on]);
    ui_put_time(o, "time", e->unix_ms ? e->unix_ms : clock_now_ms(), true);
    json_put_text(o, "application", n->about->recipe->application);
    json_put_text(o, "environment", n->about->recipe->environment);
    json_put_text(o, "command", n->about->command);
    json_put_text(o, "user", n->about->user);
    ui_put_or_null(o, "run", n->run);
    ui_put_or_null(o, "release", n->release);
    ui_put_or_null(o, "revision", n->revision);
    ui_put_given(o, "stage", e->failure ? e->failure->stage : e->stage);
    ui_put_given(o, "host", e->failure ? e->failure->host : e->host);
    if (e->kind == EVENT_END) {
        json_put_int(o, "status", err_status(e->code));
        json_put_text(o, "word", err_word(e->code));
    }
    ui_put_or_null(o, "message", message_of(e));
}

const char *notice_body(struct arena *a, enum notify_format format, const struct notice *n)
{
    struct json *o = json_open_object();
    char *text = NULL;
    size_t len = 0;
    const char *body = "{}";
    FILE *to = open_memstream(&text, &len);

    if (format == NOTIFY_SLACK)
        put_slack(a, o, n);
    else
        put_json(o, n);
    bool written = to && json_write(o, to, false);
    if (to && fclose(to) == 0 && written)
        body = arena_strndup(a, text, len);
    free(text);
    json_close(o);
    return body;
}
