#include "cli/cmd.h"

#include "base/quote.h"
#include "base/text.h"
#include "edge/clock.h"
#include "stages/scripts.h"

/* One past run.  Times are 0 when they are not known (a line of Capistrano's). */
struct past {
    const char *run;
    const char *command;
    const char *release;
    const char *revision;
    const char *ref;
    const char *by;
    const char *outcome;
    long long since;
    long long ended;
    size_t order; /* as it was read: later is newer */
};

struct pasts {
    struct past *v;
    size_t n;
};

static const char *word(struct arena *a, const char **s)
{
    size_t len = strcspn(*s, " ");
    const char *w = arena_strndup(a, *s, len);

    *s += len;
    *s += strspn(*s, " ");
    return w;
}

static const char *known(const char *s)
{
    return strcmp(s, "-") == 0 || !*s ? NULL : s;
}

static struct past own_line(struct arena *a, const char *line)
{
    struct past p = {0};

    p.run = word(a, &line);
    p.ended = strtoll(word(a, &line), NULL, 10);
    p.outcome = word(a, &line);
    p.command = word(a, &line);
    p.release = word(a, &line);
    p.revision = known(word(a, &line));
    p.ref = known(word(a, &line));
    p.since = strtoll(word(a, &line), NULL, 10);
    p.by = line;
    return p;
}

/* "Branch main (at 3f2a...) deployed as release 2026... by ann"; anything else is passed over. */
static bool capistrano_line(struct arena *a, const char *line, struct past *ret)
{
    const char *at = strstr(line, " (at ");
    const char *as = strstr(line, ") deployed as release ");
    const char *by = as ? strstr(as, " by ") : NULL;

    if (strncmp(line, "Branch ", 7) != 0 || !at || !as || !by || as < at)
        return false;
    *ret = (struct past){.command = "deploy",
                         .outcome = "done",
                         .ref = arena_strndup(a, line + 7, (size_t)(at - line) - 7),
                         .revision = arena_strndup(a, at + 5, (size_t)(as - at) - 5),
                         .release = arena_strndup(a, as + 22, (size_t)(by - as) - 22),
                         .by = by + 4};
    long long t = clock_release_time(ret->release);
    ret->since = t > 0 ? t : 0;
    return true;
}

static bool has_run(const struct pasts *all, const struct past *p)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct past *q = &all->v[i];
        if (p->run && q->run && strcmp(p->run, q->run) == 0)
            return true;
        if (!p->run && strcmp(p->release, q->release) == 0 && strcmp(q->command, "deploy") == 0)
            return true;
    }
    return false;
}

static int by_time(const void *x, const void *y)
{
    const struct past *p = x;
    const struct past *q = y;
    long long a = p->ended ? p->ended : p->since;
    long long b = q->ended ? q->ended : q->since;

    if (a != b)
        return a < b ? 1 : -1;
    return p->order < q->order ? 1 : p->order > q->order ? -1 : 0;
}

static void collect(struct session *s, const char *answer, bool own, struct pasts *all)
{
    const char *prefix = own ? "run " : "log ";

    while (*answer) {
        size_t len = strcspn(answer, "\n");
        struct past p;
        if (strncmp(answer, prefix, 4) == 0) {
            const char *line = arena_strndup(s->arena, answer + 4, len - 4);
            bool good = true;
            if (own)
                p = own_line(s->arena, line);
            else
                good = capistrano_line(s->arena, line, &p);
            p.order = all->n;
            if (good && !has_run(all, &p))
                all->v[all->n++] = p;
        }
        answer += len + (answer[len] == '\n');
    }
}

static void print_one(struct session *s, const struct past *p)
{
    struct arena *a = s->arena;
    long long when = p->ended ? p->ended : p->since;

    printf("%s  %-8s %-8s %s  %.7s  %s%s%s\n",
           when ? clock_date(a, when * 1000) : "                ", text_shown(a, p->command),
           text_shown(a, p->outcome), text_shown(a, p->release),
           p->revision ? text_shown(a, p->revision) : "-", p->ref ? text_shown(a, p->ref) : "",
           p->ref ? "  by " : "by ", text_shown(a, p->by));
}

static void put_one(struct session *s, struct json *runs, const struct past *p)
{
    struct json *o = json_put_object(runs, NULL);

    json_put_text(o, "run", p->run);
    json_put_text(o, "command", p->command);
    json_put_text(o, "outcome", p->outcome);
    json_put_text(o, "release", p->release);
    json_put_text(o, "revision", p->revision);
    json_put_text(o, "ref", p->ref);
    json_put_text(o, "by", p->by);
    json_put_text(o, "since", p->since ? clock_rfc3339(s->arena, p->since * 1000, false) : NULL);
    json_put_text(o, "ended", p->ended ? clock_rfc3339(s->arena, p->ended * 1000, false) : NULL);
}

static void print_all(struct session *s, const struct pasts *all)
{
    size_t n = all->n < (size_t)s->options.count ? all->n : (size_t)s->options.count;

    if (s->options.json) {
        struct json *o = json_open_object();
        json_put_text(o, "application", s->recipe->application);
        json_put_text(o, "environment", s->recipe->environment);
        struct json *runs = json_put_array(o, "runs");
        for (size_t i = 0; i < n; i++)
            put_one(s, runs, &all->v[i]);
        json_write(o, stdout, true);
        json_close(o);
        return;
    }
    for (size_t i = 0; !s->options.quiet && i < n; i++)
        print_one(s, &all->v[i]);
    if (!n && !s->options.quiet)
        printf("no run has ended on %s yet\n", s->recipe->environment);
}

static void history_values(struct run *r, const struct step *step, size_t host, struct buf *b)
{
    (void)r;
    (void)step;
    (void)host;
    quote_assign(b, "count", "1000");
}

bool cmd_history(struct session *s, struct err *err)
{
    size_t n = s->recipe->n_hosts;
    size_t *hosts = arena_array(s->arena, n, sizeof *hosts);
    struct trip t = {.script = script_history,
                     .step = "look",
                     .verb = "look",
                     .values = history_values,
                     .hosts = hosts,
                     .n_hosts = n,
                     .payload = -1,
                     .timeout_ms = 60000};
    struct reply *replies;
    struct pasts all = {0};

    for (size_t h = 0; h < n; h++)
        hosts[h] = h;
    bool ok = run_scripts(&s->run, &t, &replies, err);
    all.v = arena_array(s->arena, n * 2000 + 1, sizeof *all.v);
    for (int own = 1; own >= 0; own--)
        for (size_t h = 0; h < n; h++)
            if (replies[h].kind == REPLY_EXIT)
                collect(s, replies[h].out, own, &all);
    qsort(all.v, all.n, sizeof *all.v, by_time);
    print_all(s, &all);
    return ok;
}
