/* cmd_freeze.c -- 'crelease freeze' and 'crelease thaw': writes or removes the file on every host that
 * makes deploys from all machines end with status 9 (frozen.c reads it). */
#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/trip.h"
#include "edge/clock.h"

EMBED(script_freeze, "host/freeze.sh");

enum { REASON_BYTES_MAX = 500, DAY_S = 24 * 60 * 60 };

/* On all hosts. */
static bool send(struct session *s, const char *text, struct reply **ret, struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    size_t n = s->recipe->n_hosts;
    size_t *hosts = arena_array(s->arena, n, sizeof *hosts);

    for (size_t h = 0; h < n; h++)
        hosts[h] = h;
    quote_assign(&b, "freeze", text);
    const struct trip t = {.script = script_freeze,
                           .step = "freeze",
                           .verb = "run",
                           .assignments = arena_strndup(s->arena, b.text, b.len),
                           .hosts = hosts,
                           .n_hosts = n,
                           .payload = -1};
    buf_free(&b);
    return run_scripts(&s->run, &t, ret, err);
}

/* A duration from now, or a time. */
static bool read_until(const char *text, long long now, long long *ret, struct err *err)
{
    long long ms;
    long long t = text_duration(text, &ms) ? now + ms / 1000 : clock_read(text, now);

    if (t < 0)
        return err_set(err, ERR_USAGE,
                       "--until is '%s', expected a time such as '2026-12-05 08:00' or 08:00, or a"
                       " duration such as 2h",
                       text_shown(err->arena, text));
    if (t <= now)
        return err_set(err, ERR_USAGE, "--until is '%s', which has passed",
                       text_shown(err->arena, text));
    *ret = t;
    return true;
}

static bool check_reason(const char *reason, struct err *err)
{
    if (!reason)
        return err_set(err, ERR_USAGE,
                       "--reason is missing: say why, for those who want to deploy");
    if (strlen(reason) > REASON_BYTES_MAX)
        return err_set(err, ERR_USAGE, "--reason is longer than %d bytes", REASON_BYTES_MAX);
    for (const char *c = reason; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return err_set(err, ERR_USAGE, "--reason must be one line without control characters");
    return true;
}

static void answer(struct session *s, const char *freeze, bool frozen)
{
    struct json *o = json_open_object();

    json_put_text(o, "application", s->recipe->application);
    json_put_text(o, "environment", s->recipe->environment);
    json_put_bool(o, "frozen", frozen);
    json_put_text(o, "message", freeze);
    session_answer(s, o);
    json_close(o);
}

static bool tell(struct session *s, const char *message, bool frozen)
{
    if (s->options.json)
        answer(s, message, frozen);
    else if (!s->options.quiet)
        printf("%s\n", message);
    return true;
}

/* " until tomorrow, 2026-12-05 08:00 UTC+01:00": an hour that has passed today means tomorrow's. */
static const char *until_text(struct arena *a, long long now, long long until)
{
    const char *today = clock_date(a, now * 1000);
    bool tomorrow = until && strncmp(clock_date(a, until * 1000), today, 10) != 0 &&
                    strncmp(clock_date(a, (until - DAY_S) * 1000), today, 10) == 0;

    return until ? arena_printf(a, " until %s%s", tomorrow ? "tomorrow, " : "",
                                clock_date_zoned(a, until * 1000))
                 : "";
}

/* What the first host that was frozen says about that; "" if none was. */
static const char *replaced(struct session *s, const struct reply *replies, long long now)
{
    struct arena *a = s->arena;

    for (size_t h = 0; h < s->recipe->n_hosts; h++) {
        const char *out = replies[h].out;
        const char *by = answer_value(a, out, "was_by");
        const char *why = answer_value(a, out, "was_reason");
        const char *end = answer_value(a, out, "was_until");
        long long until = 0;
        if (!by || (end && !number_read(end, NUMBER_SPAN_MAX, &until)) || (until && until <= now))
            continue;
        return arena_printf(a, "; this replaces the freeze by %s%s: %s", text_by(a, by),
                            until_text(a, now, until), why ? text_shown(a, why) : "");
    }
    return "";
}

bool cmd_freeze(struct session *s, struct err *err)
{
    long long now = clock_now_ms() / 1000;
    long long until = 0;
    struct reply *replies = NULL;

    if (!check_reason(s->options.reason, err) ||
        (s->options.until && !read_until(s->options.until, now, &until, err)))
        return false;
    const char *text =
        arena_printf(s->arena, "crelease-freeze 1\nby %s\nsince %lld\nuntil %lld\nreason %s",
                     session_by(s->arena), now, until, s->options.reason);
    if (!send(s, text, &replies, err))
        return false;
    return tell(s,
                arena_printf(s->arena, "deploys to %s are frozen on %s%s: %s%s",
                             s->recipe->environment,
                             text_count(s->arena, s->recipe->n_hosts, "host"),
                             until_text(s->arena, now, until),
                             text_shown(s->arena, s->options.reason), replaced(s, replies, now)),
                true);
}

bool cmd_thaw(struct session *s, struct err *err)
{
    struct reply *replies = NULL;
    size_t thawed = 0;

    if (!send(s, "", &replies, err))
        return false;
    for (size_t h = 0; h < s->recipe->n_hosts; h++)
        thawed += answer_value(s->arena, replies[h].out, "thawed") != NULL;
    return tell(
        s,
        thawed ? arena_printf(s->arena, "deploys to %s are allowed again", s->recipe->environment)
               : arena_printf(s->arena, "nothing to do: %s was not frozen", s->recipe->environment),
        false);
}
