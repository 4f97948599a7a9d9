/* chain.c -- sends the scripts of several steps at once (see chain.h).  Called by trip.c, and by walk.c
 * to know whether a step has been done before it was walked. */
#include "core/chain.h"

#include "base/limits.h"
#include "core/rolling.h"

/* A reply that came before its step was walked. */
struct early {
    struct early *next;
    const char *step;
    size_t host;
    struct reply reply;
};

static bool is_among(const size_t *hosts, size_t n, size_t host)
{
    for (size_t i = 0; i < n; i++)
        if (hosts[i] == host)
            return true;
    return false;
}

/* Whether the step's script may be sent with that of the step before, to the same hosts. */
static bool joins(struct run *r, size_t i, const struct trip *t)
{
    const struct step *s = &r->plan->steps[i];
    size_t *left;
    size_t n = run_hosts_left(r, s, &left);

    if (step_is_hook(s) || !s->stage->trip || s->stage->idle || rolling_group(r, i).rolls ||
        s->stage->joins == JOINS_NEVER)
        return false;
    if (s->stage->joins == JOINS_SAFELY && r->recipe->n_hosts > 1 &&
        r->plan->steps[i - 1].stage->on_fail != ON_FAIL_CARRY_ON)
        return false;
    for (size_t k = 0; k < t->n_hosts; k++)
        if (!is_among(left, n, t->hosts[k]))
            return false;
    return true;
}

void chain_find(struct run *r, const struct trip *t, struct chain *ret)
{
    const struct step *steps = r->plan->steps;
    size_t i = 0;

    ret->n = 0;
    while (i < r->plan->n_steps && &steps[i] != t->about)
        i++;
    if (i == r->plan->n_steps || !t->is_all || rolling_group(r, i).rolls)
        return;
    for (i++; i < r->plan->n_steps && ret->n < CHAIN_MAX && joins(r, i, t); i++) {
        struct trip *next = &ret->trips[ret->n];
        *next = (struct trip){.about = &steps[i], .after = t->about, .payload = -1};
        if (!steps[i].stage->trip(r, &steps[i], next))
            break;
        ret->n++;
    }
}

const char *chain_frame(struct run *r, const struct chain *c, const char *frame, size_t host)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);

    for (size_t i = 0; i < c->n; i++) {
        buf_printf(&b, "set -- 'chained %zu'%s\n%s\nends_well\n", i, i ? "" : " $frame_values",
                   frame);
        frame = run_frame_text(r, &c->trips[i], host);
        if (!frame)
            b.full = true;
        if (b.full)
            break;
    }
    buf_printf(&b, "set -- \"$whole_frame\"\n%s", frame ? frame : "");
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

/* The line of the chain's i-th link in an answer, by which its script has ended with 0; NULL when there is none. */
static const char *end_of(struct run *r, const char *out, size_t i)
{
    const char *line = arena_printf(r->arena, "chained %zu 0\n", i);
    const char *at = out;

    while ((at = strstr(at, line)) && at != out && at[-1] != '\n')
        at++;
    return at;
}

static void keep(struct run *r, const char *step, size_t host, const struct reply *reply)
{
    struct arena *a = run_kept(r);
    struct early *e = arena_alloc(a, sizeof *e);

    *e = (struct early){.next = r->early, .step = step, .host = host, .reply = *reply};
    e->reply.out = arena_strndup(a, reply->out, reply->out_len);
    e->reply.err_out = arena_strdup(a, reply->err_out);
    e->reply.why = reply->why ? arena_strdup(a, reply->why) : NULL;
    e->reply.signal = reply->signal ? arena_strdup(a, reply->signal) : NULL;
    r->early = e;
}

/* What the last script wrote to standard error. */
static const char *last_errors(const char *err_out)
{
    const char *at = err_out;

    for (const char *next; (next = strstr(at, "chained ")); at = next + strcspn(next, "\n"))
        if (next != err_out && next[-1] != '\n')
            return at;
    return at + (*at == '\n');
}

void chain_split(struct run *r, const struct chain *c, size_t host, struct reply *reply)
{
    struct reply rest = *reply;

    rest.err_out = last_errors(reply->err_out);
    for (size_t i = 0; i <= c->n; i++) {
        const char *end = i < c->n ? end_of(r, rest.out, i) : NULL;
        struct reply one = rest;
        if (end) {
            one = (struct reply){.kind = REPLY_EXIT, .err_out = ""};
            one.out_len = (size_t)(end - rest.out);
            one.out = arena_strndup(r->arena, rest.out, one.out_len);
            rest.out_len -= one.out_len;
            rest.out = end + strcspn(end, "\n");
            rest.out += *rest.out == '\n';
            rest.out_len = strlen(rest.out);
        }
        if (i == 0)
            *reply = one;
        else
            keep(r, c->trips[i - 1].step, host, &one);
        if (!end)
            break;
    }
}

bool chain_take(struct run *r, const char *step, size_t host, struct reply *ret)
{
    for (struct early **e = &r->early; *e; e = &(*e)->next)
        if ((*e)->host == host && strcmp((*e)->step, step) == 0) {
            *ret = (*e)->reply;
            *e = (*e)->next;
            return true;
        }
    return false;
}

bool chain_has(const struct run *r, const char *step)
{
    for (const struct early *e = r->early; e; e = e->next)
        if (strcmp(e->step, step) == 0)
            return true;
    return false;
}
