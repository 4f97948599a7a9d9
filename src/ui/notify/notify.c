/* notify.c -- sends the notifications of the recipe (notify.h).  Called by session.c and report.c of cli.
 * One is sent as soon as its event is told, beside the run; the last ones are waited for at the end. */
#include "ui/notify/notify.h"

#include "edge/webhook.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 50,
    SENT_MAX = 64, /* in one command; a recipe has at most NOTIFY_MAX notifications */
    WAITS_MAX = 32,
};

/* One that was sent. */
struct sent {
    const struct notification *to;
    size_t number; /* its place in the recipe, from 1 */
    enum notify_on on;
    struct webhook hook;
};

struct notifier {
    struct arena a;
    struct notify_about about;
    struct loop *loop;
    struct watcher first;
    const char *run;
    const char *release;
    const char *revision;
    bool aborting;
    struct sent *sent;
    size_t n_sent;
    const char *waits[WAITS_MAX]; /* stages whose wait was told */
    size_t n_waits;
    const char *failure;
};

struct notifier *notifier_open(const struct notify_about *about, struct loop *loop)
{
    struct notifier *n = xcalloc(1, sizeof *n);

    n->about = *about;
    n->loop = loop;
    n->aborting = strcmp(about->command, "abort") == 0;
    n->sent = arena_array(&n->a, SENT_MAX, sizeof *n->sent);
    return n;
}

void notifier_close(struct notifier *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n_sent; i++)
        webhook_stop(&n->sent[i].hook, "");
    arena_free(&n->a);
    free(n);
}

void notifier_is_aborting(struct notifier *n)
{
    if (n)
        n->aborting = true;
}

const char *notifier_failure(const struct notifier *n)
{
    return n ? n->failure : NULL;
}

/* A wait tells many events, of which the first counts.  It may take a day, so nothing is allocated for
 * the others. */
static bool is_first_wait(struct notifier *n, const char *stage)
{
    for (size_t i = 0; i < n->n_waits; i++)
        if (strcmp(n->waits[i], stage) == 0)
            return false;
    if (n->n_waits == WAITS_MAX)
        return false;
    n->waits[n->n_waits++] = arena_strdup(&n->a, stage);
    return true;
}

/* What the event is to the recipe; NOTIFY_WORDS: nothing. */
static enum notify_on meaning(struct notifier *n, const struct event *e)
{
    if (e->kind == EVENT_RUN)
        return NOTIFY_BEGUN;
    if (e->kind != EVENT_END) {
        bool waits = e->state == EVENT_WAITING && e->stage;
        return waits && is_first_wait(n, e->stage) ? NOTIFY_WAITING : NOTIFY_WORDS;
    }
    if (e->code == ERR_USAGE)
        return NOTIFY_WORDS;
    if (e->code != ERR_NONE && e->code != ERR_UNTIDY)
        return NOTIFY_FAILED;
    if (!e->run) /* there was nothing to do */
        return NOTIFY_WORDS;
    return n->aborting ? NOTIFY_ABORTED : NOTIFY_LIVE;
}

static void note_run(struct notifier *n, const struct run_info *run)
{
    if (!run || n->run)
        return;
    n->run = arena_strdup(&n->a, run->id ? run->id : "");
    n->release = arena_strdup(&n->a, run->release ? run->release : "");
    n->revision = arena_strdup(&n->a, run->revision ? run->revision : "");
}

static void send_all(struct notifier *n, enum notify_on on, const struct event *e)
{
    const struct recipe *r = n->about.recipe;
    const struct notice notice = {.about = &n->about,
                                  .on = on,
                                  .event = e,
                                  .run = n->run,
                                  .release = n->release,
                                  .revision = n->revision};
    struct arena a = {0};

    for (size_t i = 0; i < r->n_notify && n->n_sent < SENT_MAX; i++) {
        const struct notification *to = &r->notify[i];
        if (!strs_has(&to->on, notify_on_words[on]))
            continue;
        struct sent *sent = &n->sent[n->n_sent++];
        *sent = (struct sent){.to = to, .number = i + 1, .on = on};
        webhook_start(&sent->hook, to->url, notice_body(&a, to->format, &notice));
    }
    arena_free(&a);
}

static bool are_over(struct notifier *n)
{
    bool over = true;

    for (size_t i = 0; i < n->n_sent; i++)
        over = webhook_is_over(&n->sent[i].hook) && over;
    return over;
}

/* A signal ends the wait, too. */
static void wait_for_all(struct notifier *n)
{
    long long until = loop_now() + WEBHOOK_MS;
    int signals = loop_signal_count(n->loop);

    while (!are_over(n) && loop_now() < until && loop_signal_count(n->loop) == signals)
        loop_turn(n->loop, loop_now() + LOOK_MS);
    for (size_t i = 0; i < n->n_sent; i++)
        webhook_stop(&n->sent[i].hook, loop_signal_count(n->loop) == signals
                                           ? "no answer in time"
                                           : "interrupted before it was delivered");
}

static void warn(struct notifier *n, const struct event *e, const char *text)
{
    n->first.tell(n->first.self, &(struct event){.kind = EVENT_WARNING,
                                                 .unix_ms = e->unix_ms,
                                                 .run_id = e->run_id,
                                                 .detail = text});
}

/* Returns the first failure, NULL if all were delivered. */
static const char *report_failures(struct notifier *n, const struct event *e)
{
    const char *first = NULL;

    for (size_t i = 0; i < n->n_sent; i++) {
        const struct sent *s = &n->sent[i];
        if (!*s->hook.why)
            continue;
        const char *text = arena_printf(
            &n->a, "notification %zu of the recipe (%s, '%s') was not delivered: %s", s->number,
            notify_format_words[s->to->format], notify_on_words[s->on], s->hook.why);
        warn(n, e, text);
        first = first ? first : text;
    }
    return first;
}

static void tell_end(struct notifier *n, const struct event *e)
{
    static const struct failure nothing = {0};
    struct event end = *e;

    wait_for_all(n);
    const char *why = report_failures(n, e);
    if (why && e->code == ERR_NONE && e->run && !n->aborting) {
        n->failure = arena_printf(&n->a, "release %s is live, but %s", n->release, why);
        end.code = ERR_UNTIDY;
        end.message = n->failure;
        end.failure = &nothing;
    }
    n->first.tell(n->first.self, &end);
}

static void tell(void *self, const struct event *e)
{
    struct notifier *n = self;

    if (e->kind != EVENT_END)
        n->first.tell(n->first.self, e);
    if (e->kind == EVENT_RUN || e->kind == EVENT_END)
        note_run(n, e->run);
    enum notify_on on = meaning(n, e);
    if (on != NOTIFY_WORDS)
        send_all(n, on, e);
    if (e->kind == EVENT_END)
        tell_end(n, e);
}

struct watcher notifier_watcher(struct notifier *n, const struct watcher *first)
{
    n->first = *first;
    return (struct watcher){.tell = tell, .self = n};
}
