/* times.c -- the times of steps (times.h).  walk.c adds them, the stage 'unlock' stores them and learns what is usual,
 * and the last event reports both. */
#include "core/times.h"

#include "base/number.h"
#include "base/text.h"
#include "core/run.h"

enum { RUNS_MIN = 3, RUNS_MAX = 20, STEPS_MAX = 200, TEXT_MAX = 3000 };

void times_add(struct run *r, const char *step, long long ms)
{
    struct times *t = &r->times;

    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->v[i].step, step) == 0) {
            t->v[i].ms += ms;
            return;
        }
    if (!t->v)
        t->v = arena_array(run_kept(r), STEPS_MAX, sizeof *t->v);
    if (t->n < STEPS_MAX)
        t->v[t->n++] =
            (struct step_time){.step = arena_strdup(run_kept(r), step), .ms = ms, .usual_ms = -1};
}

const char *times_text(struct run *r)
{
    const char *text = command_word(r->plan->what.command);

    for (size_t i = 0; i < r->times.n; i++)
        text = arena_printf(r->arena, "%s %s %lld", text, r->times.v[i].step, r->times.v[i].ms);
    return r->resumed || !r->times.n || strlen(text) > TEXT_MAX ? "" : text;
}

/* The next word of a line; "" at its end. */
static const char *word(struct arena *a, const char **line)
{
    *line += strspn(*line, " ");
    const char *is = arena_strndup(a, *line, strcspn(*line, " "));
    *line += strlen(is);
    return is;
}

/* The number behind the step in a line "RUN COMMAND STEP MS STEP MS ..."; -1: there is none. */
static long long time_in(struct arena *a, const char *line, const char *command, const char *step)
{
    word(a, &line);
    if (strcmp(word(a, &line), command) != 0)
        return -1;
    for (const char *is = word(a, &line); *is; is = word(a, &line)) {
        const char *ms = word(a, &line);
        if (strcmp(is, step) == 0)
            return number_or(ms, NUMBER_SPAN_MAX, -1);
    }
    return -1;
}

static int by_size(const void *x, const void *y)
{
    const long long *a = x;
    const long long *b = y;

    return (*a > *b) - (*a < *b);
}

static long long usual(struct run *r, const struct strs *lines, const char *step)
{
    const char *command = command_word(r->plan->what.command);
    long long found[RUNS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < lines->n && n < RUNS_MAX; i++) {
        long long ms = time_in(r->arena, lines->v[i], command, step);
        if (ms >= 0)
            found[n++] = ms;
    }
    if (n < RUNS_MIN)
        return -1;
    qsort(found, n, sizeof *found, by_size);
    return found[n / 2];
}

bool times_learn(struct run *r, const char *answer)
{
    static const char key[] = "times ";
    struct strs lines = {0};

    for (const char *at = answer; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (strncmp(at, key, sizeof key - 1) == 0 && lines.n < RUNS_MAX)
            strs_add(
                r->arena, &lines,
                arena_strndup(r->arena, at + sizeof key - 1, strcspn(at, "\n") - (sizeof key - 1)));
    for (size_t i = 0; i < r->times.n; i++)
        r->times.v[i].usual_ms = usual(r, &lines, r->times.v[i].step);
    return lines.n > 0;
}
