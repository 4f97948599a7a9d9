/* cmd_history.c -- 'crelease history': past runs, from crelease's own history on the hosts and from
 * Capistrano's revisions.log. */
#include "base/embed.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/cmd.h"
#include "core/survey.h"
#include "core/trip.h"
#include "edge/clock.h"

EMBED(script_history, "host/history.sh");

/* A past run.  Times are 0 if unknown, as in a line of Capistrano's. */
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
    size_t order; /* in which it was read: later is newer */
};

struct pasts {
    struct past *v;
    size_t n;
    size_t room;
};

enum { LINES_MAX = 1000 }; /* of each of the two files of a host, the newest */

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

/* Skips a line that crelease cannot have written: history is a text file, which people may edit. */
static bool own_line(struct arena *a, const char *line, struct past *ret)
{
    struct past p = {0};

    p.run = word(a, &line);
    const char *ended = word(a, &line);
    p.outcome = word(a, &line);
    p.command = word(a, &line);
    p.release = word(a, &line);
    p.revision = known(word(a, &line));
    p.ref = known(text_of_word(a, word(a, &line)));
    const char *since = word(a, &line);
    p.by = line;
    if (!is_run_id(p.run) || !number_read(ended, NUMBER_UNIX_MAX, &p.ended) ||
        !number_read(since, NUMBER_UNIX_MAX, &p.since))
        return false;
    *ret = p;
    return true;
}

/* "Branch main (at 3f2a...) deployed as release 2026... by ann"; anything else is skipped.
 * Since a branch may have " (at " in its name, the last one counts. */
static bool capistrano_line(struct arena *a, const char *line, struct past *ret)
{
    static const char begin[] = "Branch ";
    static const char middle[] = " (at ";
    static const char end[] = ") deployed as release ";
    const char *ref = line + sizeof begin - 1;

    if (strncmp(line, begin, sizeof begin - 1) != 0)
        return false;
    const char *as = strstr(ref, end);
    const char *at = as;
    while (at && at > ref && strncmp(at, middle, sizeof middle - 1) != 0)
        at--;
    if (!at || at == ref)
        return false;
    const char *revision = at + sizeof middle - 1;
    const char *release = as + sizeof end - 1;
    const char *by = strstr(release, " by ");
    if (!by || revision > as)
        return false;
    *ret = (struct past){.command = "deploy",
                         .outcome = "done",
                         .ref = arena_strndup(a, ref, (size_t)(at - ref)),
                         .revision = arena_strndup(a, revision, (size_t)(as - revision)),
                         .release = arena_strndup(a, release, (size_t)(by - release)),
                         .by = by + 4};
    long long t = clock_release_time(ret->release);
    ret->since = t > 0 ? t : 0;
    return true;
}

/* Sorts lines of the same run together, and lines of Capistrano's by release; within a group in the
 * order in which they were read. */
static int by_identity(const void *x, const void *y)
{
    const struct past *p = x;
    const struct past *q = y;
    int order = strcmp(p->run ? p->run : "", q->run ? q->run : "");

    if (!order && !p->run)
        order = strcmp(p->release, q->release);
    return order ? order : p->order < q->order ? -1 : p->order > q->order;
}

static int by_release(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Keeps one line for each run: every host has it, and mostly both files. */
static void drop_doubles(struct arena *a, struct pasts *all)
{
    const char **deployed = arena_array(a, all->n + 1, sizeof *deployed);
    size_t n_deployed = 0;
    size_t n = 0;

    if (!all->n)
        return;
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].run && strcmp(all->v[i].command, "deploy") == 0)
            deployed[n_deployed++] = all->v[i].release;
    if (n_deployed)
        qsort(deployed, n_deployed, sizeof *deployed, by_release);
    qsort(all->v, all->n, sizeof *all->v, by_identity);
    for (size_t i = 0; i < all->n; i++) {
        const struct past *p = &all->v[i];
        const struct past *q = n ? &all->v[n - 1] : NULL;
        bool twice = q && (p->run ? q->run && strcmp(p->run, q->run) == 0
                                  : !q->run && strcmp(p->release, q->release) == 0);
        bool own = !p->run && n_deployed &&
                   bsearch(&p->release, deployed, n_deployed, sizeof *deployed, by_release);
        if (!twice && !own)
            all->v[n++] = *p;
    }
    all->n = n;
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

/* Room doubles, since the host decides how many lines there are. */
static void add(struct arena *a, struct pasts *all, struct past p)
{
    if (all->n == all->room) {
        struct past *more = arena_array(a, all->room ? all->room * 2 : 64, sizeof *more);
        if (all->n)
            memcpy(more, all->v, all->n * sizeof *more);
        all->v = more;
        all->room = all->room ? all->room * 2 : 64;
    }
    p.order = all->n;
    all->v[all->n++] = p;
}

/* False if the host sent more runs than it was asked for. */
static bool collect(struct arena *a, const char *answer, struct pasts *all)
{
    size_t runs = 0;
    size_t logs = 0;

    while (*answer) {
        size_t len = strcspn(answer, "\n");
        bool own = strncmp(answer, "run ", 4) == 0;
        bool log = !own && strncmp(answer, "log ", 4) == 0;
        struct past p;
        runs += own;
        logs += log;
        if (runs > LINES_MAX || logs > LINES_MAX)
            return false;
        if (own || log) {
            const char *line = arena_strndup(a, answer + 4, len - 4);
            if (own ? own_line(a, line, &p) : capistrano_line(a, line, &p))
                add(a, all, p);
        }
        answer += len + (answer[len] == '\n');
    }
    return true;
}

static void print_one(struct session *s, const struct past *p)
{
    struct arena *a = s->arena;
    long long when = p->ended ? p->ended : p->since;
    const char *ref = p->ref && !is_revision(p->ref) ? p->ref : NULL; /* not the commit again */

    printf("%s  %-8s %-8s %s  %.7s  %s%s%s\n",
           when ? clock_date(a, when * 1000) : "                ", text_shown(a, p->command),
           text_shown(a, p->outcome), text_shown(a, p->release),
           p->revision ? text_shown(a, p->revision) : "-", ref ? text_shown(a, ref) : "",
           ref ? "  by " : "by ", text_by(a, p->by));
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
        session_answer(s, o);
        json_close(o);
        return;
    }
    for (size_t i = 0; !s->options.quiet && i < n; i++)
        print_one(s, &all->v[i]);
    if (!n && !s->options.quiet)
        printf("no past runs on %s\n", s->recipe->environment);
}

static void history_values(struct run *r, const struct step *step, size_t host, struct buf *b)
{
    (void)step;
    (void)host;
    quote_assign(b, "count", arena_printf(r->arena, "%d", LINES_MAX));
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
    for (size_t h = 0; h < n; h++) {
        if (replies[h].kind == REPLY_EXIT && !collect(s->arena, replies[h].out, &all))
            run_warn(&s->run, s->recipe->hosts[h].name,
                     "the host sent more than %d runs; the rest of its history was ignored",
                     LINES_MAX);
        if (!survey_goes_on(&s->run, err))
            return false;
    }
    drop_doubles(s->arena, &all);
    if (all.n)
        qsort(all.v, all.n, sizeof *all.v, by_time);
    print_all(s, &all);
    return ok;
}
