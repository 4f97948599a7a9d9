#include "core/engine.h"

#include "core/job/jobs.h"
#include "core/left_out.h"

#include "base/quote.h"
#include "base/text.h"

enum { LOOK_MS = 8000 };

/* Those that take part; of these the ones that are not through with the run already. */
static const char **names_of(struct run *r, const struct step *s)
{
    const char **names = arena_array(r->arena, s->n_hosts + 1, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (run_takes_part(r, s->hosts[i]) && !run_is_through(r, s->hosts[i]))
            names[n++] = r->recipe->hosts[s->hosts[i]].name;
    bool all = n == 0;
    for (size_t i = 0; all && i < s->n_hosts; i++)
        if (run_takes_part(r, s->hosts[i]))
            names[n++] = r->recipe->hosts[s->hosts[i]].name;
    return names;
}

/* "app1, app2": of these hosts those that the run is not through with. */
static const char *names_between(struct run *r, size_t begin, size_t end)
{
    const char *text = "";

    for (size_t h = begin; h < end && h < r->recipe->n_hosts; h++)
        if (!run_is_through(r, h))
            text =
                arena_printf(r->arena, "%s%s%s", text, *text ? ", " : "", r->recipe->hosts[h].name);
    return text;
}

static void tell_step(struct run *r, const struct step *s, enum event_state state,
                      const char *detail, long long took_ms)
{
    run_tell(r, (struct event){.kind = EVENT_STAGE,
                               .state = state,
                               .stage = s->name,
                               .hosts = names_of(r, s),
                               .detail = detail,
                               .took_ms = took_ms});
}

static bool is_hook(const struct step *s)
{
    return strcmp(s->name, s->stage->name) != 0;
}

/* On the host that has it the stage was passed over, or all of the run is over. */
static bool was_passed_over(const struct run *r, const struct stage *stage)
{
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        if (s->stage == stage && !is_hook(s))
            return run_is_through(r, s->hosts[0]) ||
                   site_is_marked(&r->sites[s->hosts[0]], s->name, "skipped");
    }
    return false;
}

static bool act(struct run *r, const struct step *s, struct err *err)
{
    if (is_hook(s) && s->stage->if_pending &&
        (r->guard->nothing_pending || was_passed_over(r, s->stage))) {
        r->skipped = "nothing is pending";
        return true;
    }
    return is_hook(s) ? jobs_act(r, s, err) : s->stage->act(r, s, err);
}

/* With the hosts that are left, when those on which it failed may be left out. */
static bool act_on_hosts(struct run *r, const struct step *s, struct err *err)
{
    r->jobs_passed = 0;
    for (;;) {
        memset(r->mishaps, 0, r->recipe->n_hosts * sizeof *r->mishaps);
        if (act(r, s, err))
            return true;
        if (!left_out_may_go_on(r, s, err))
            return false;
        if (!run_hosts_left(r, s, NULL))
            return true;
    }
}

/* All or none: those that did it put it back; a host that is lost is looked at by resume. */
static void undo_here(struct run *r, const struct step *s)
{
    struct err back = {.arena = r->arena};

    if (!s->stage->undo(r, s, &back))
        run_warn(r, NULL, "could not put '%s' back everywhere: %s", s->name, back.msg);
}

static bool walk_step(struct run *r, const struct step *s, struct err *err)
{
    long long began = loop_now();

    if (!*names_of(r, s))
        return true;
    if (!run_hosts_left(r, s, NULL)) {
        tell_step(r, s, EVENT_DONE, "done before", 0);
        return true;
    }
    const char *where = arena_printf(r->arena, "before stage '%s'", s->name);
    if (r->batch_end)
        where = arena_printf(r->arena, "%s on %s", where,
                             names_between(r, r->batch_begin, r->batch_end));
    if (run_is_stopped(r, where, err))
        return false;
    tell_step(r, s, EVENT_BEGUN, s->about, 0);
    r->detail = NULL;
    r->skipped = NULL;
    if (!act_on_hosts(r, s, err)) {
        tell_step(r, s, err->code == ERR_BACKUP ? EVENT_WAITING : EVENT_FAILED, err->msg,
                  loop_now() - began);
        r->failure.stage = s->name;
        return false;
    }
    tell_step(r, s, r->skipped ? EVENT_SKIPPED : EVENT_DONE,
              r->skipped  ? r->skipped
              : r->detail ? r->detail
                          : s->about,
              loop_now() - began);
    return true;
}

static bool ended_as(const struct run *r, size_t host, const char *outcome)
{
    const char *is = site_outcome(r->arena, &r->sites[host], r->plan->what.run);

    return is && strcmp(is, outcome) == 0;
}

const char *engine_ended_well(const struct run *r)
{
    const char *names = "";

    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (ended_as(r, h, "done"))
            names = arena_printf(r->arena, "%s%s%s", names, *names ? ", " : "",
                                 r->recipe->hosts[h].name);
    return names;
}

bool engine_is_turning_back(const struct run *r)
{
    for (size_t h = 0; h < r->recipe->n_hosts; h++)
        if (site_mark(&r->sites[h], TURNING_BACK) || ended_as(r, h, "aborted"))
            return true;
    return false;
}

static bool back(struct run *r, struct err *err);

/* After a failed step: what its row says.  True when the run goes on all the same. */
static bool after_failure(struct run *r, const struct step *s, struct err *err)
{
    bool interrupted = err->code != ERR_FAILED;
    struct err turned = {.arena = r->arena};
    struct failure cause = r->failure;

    switch (is_hook(s) && s->stage->on_fail != ON_FAIL_CARRY_ON ? ON_FAIL_STOP
                                                                : s->stage->on_fail) {
    case ON_FAIL_STOP:
        break;
    case ON_FAIL_UNDO:
        if (err->code != ERR_LOCKED)
            undo_here(r, s);
        break;
    case ON_FAIL_TURN_BACK:
        if (interrupted || r->recipe->health.on_failure != FAILURE_ROLLBACK)
            break;
        if (*engine_ended_well(r)) {
            run_warn(r, NULL, "not turning back: the run has ended well on %s",
                     engine_ended_well(r));
            break;
        }
        run_warn(r, NULL, "%s; turning back", err->msg);
        if (back(r, &turned))
            r->turned_back = true;
        else
            run_warn(r, NULL, "turning back stopped: %s", turned.msg);
        r->failure = cause;
        break;
    case ON_FAIL_CARRY_ON:
        if (interrupted)
            break;
        strs_add(r->arena, &r->untidy, arena_printf(r->arena, "stage '%s': %s", s->name, err->msg));
        err_clear(err);
        r->failure = (struct failure){0};
        return true;
    }
    return false;
}

/* What is undone after a failure is undone on all hosts, whichever batch is under way. */
static bool walk(struct run *r, const struct step *s, struct err *err)
{
    return walk_step(r, s, err) || after_failure(r, s, err);
}

/* ---- rolling stages, a batch of hosts after the other ---- */

/* Consecutive steps, walked for one batch after the other. */
struct group {
    const struct step *v;
    size_t n;
};

static void batch_set(struct run *r, size_t begin, size_t end)
{
    r->batch_begin = begin;
    r->batch_end = end < r->recipe->n_hosts ? end : r->recipe->n_hosts;
}

/* Whether one of these hosts has something to do yet. */
static bool is_left(struct run *r, const struct group *g, size_t begin, size_t end)
{
    struct run there = *r;

    batch_set(&there, begin, end);
    for (size_t i = 0; i < g->n; i++)
        if (run_hosts_left(&there, &g->v[i], NULL))
            return true;
    return false;
}

/* The next batch is the one that is set. */
static bool wait_between(struct run *r, struct err *err)
{
    long long began = loop_now();
    long long left = r->recipe->rolling.wait_ms;
    struct step s = r->plan->steps[0]; /* that has all hosts */

    if (!left)
        return true;
    s.name = ROLLING;
    tell_step(r, &s, EVENT_BEGUN,
              arena_printf(r->arena, "%s before the next hosts", text_span(r->arena, left)), 0);
    for (; left > 0 && !loop_signal(r->loop);
         left = began + r->recipe->rolling.wait_ms - loop_now()) {
        fleet_wait(r->fleet, left);
        loop_key(r->loop); /* one that was typed is no reason to go on */
    }
    const char *next = names_between(r, r->batch_begin, r->batch_end);
    if (run_is_stopped(r,
                       arena_printf(r->arena, "between two batches: %s done, %s to come",
                                    names_between(r, 0, r->batch_begin), next),
                       err)) {
        tell_step(r, &s, EVENT_FAILED, err->msg, loop_now() - began);
        return false;
    }
    tell_step(r, &s, EVENT_DONE, "waited before the next hosts", loop_now() - began);
    return true;
}

static bool walk_batches(struct run *r, const struct group *g, struct err *err)
{
    size_t n = r->recipe->n_hosts;
    size_t size = recipe_batch(r->recipe);
    bool wait = false;
    bool ok = true;

    for (size_t at = 0; ok && at < n; at += size) {
        bool left = is_left(r, g, at, at + size);
        if (!*names_between(r, at, at + size))
            continue;
        batch_set(r, at, at + size);
        ok = !left || !wait || wait_between(r, err);
        for (size_t i = 0; ok && i < g->n; i++)
            ok = walk(r, &g->v[i], err);
        wait = wait || left;
    }
    r->batch_end = 0;
    return ok;
}

/* The steps from there on that roll; at least the first one. */
static struct group group_from(const struct run *r, size_t i)
{
    const struct plan *p = r->plan;
    struct group g = {.v = &p->steps[i], .n = 1};

    while (i + g.n < p->n_steps && g.v[0].stage->rolls && p->steps[i + g.n].stage->rolls)
        g.n++;
    return g;
}

bool engine_forward(struct run *r, struct err *err)
{
    bool rolls = recipe_batch(r->recipe) < r->recipe->n_hosts;
    struct group g;

    r->mishaps = arena_array(r->arena, r->recipe->n_hosts, sizeof *r->mishaps);
    r->out = arena_array(r->arena, r->recipe->n_hosts, sizeof *r->out);
    for (size_t i = 0; i < r->plan->n_steps; i += g.n) {
        g = group_from(r, i);
        if (!rolls)
            g.n = 1;
        if (rolls && g.v[0].stage->rolls ? !walk_batches(r, &g, err) : !walk(r, &g.v[0], err))
            return false;
    }
    if (!left_out_end(r, err))
        return false;
    if (!r->untidy.n)
        return true;
    return err_set(err, ERR_UNTIDY, "%s", r->untidy.v[0]);
}

static const struct step *first_step(const struct run *r)
{
    return &r->plan->steps[0];
}

/* The decision is on every host before the first undo. */
static bool decide(struct run *r, struct err *err)
{
    struct step s = *first_step(r);

    s.name = TURNING_BACK;
    return run_put_mark(r, &s, "done", err);
}

static bool undo_step(struct run *r, const struct step *s, struct err *err)
{
    r->failure.stage = s->name;
    if (s->jobs && !jobs_stop(r, s, err))
        return false;
    return is_hook(s) || s->stage->undo(r, s, err);
}

/* Expects the lock to be held. */
static bool back(struct run *r, struct err *err)
{
    if (!decide(r, err))
        return false;
    for (size_t i = r->plan->n_steps; i-- > 1;) {
        if (!undo_step(r, &r->plan->steps[i], err))
            return false;
        if (run_is_stopped(r, "while turning back", err))
            return false;
    }
    r->failure.stage = NULL;
    return first_step(r)->stage->undo(r, first_step(r), err);
}

/* Whether a host that the run is not through with has begun what is done on all or on none. */
static bool has_switched(const struct run *r)
{
    for (size_t i = 0; i < r->plan->n_steps; i++) {
        const struct step *s = &r->plan->steps[i];
        for (size_t k = 0; s->stage->on_fail == ON_FAIL_UNDO && !is_hook(s) && k < s->n_hosts;
             k++) {
            const char *mark = site_mark(&r->sites[s->hosts[k]], s->name);
            if (mark && strcmp(mark, "undone") != 0 && !run_is_through(r, s->hosts[k]))
                return true;
        }
    }
    return false;
}

bool engine_back(struct run *r, struct err *err)
{
    const struct step *lock = first_step(r);

    if (*engine_ended_well(r) && has_switched(r))
        return err_set(err, ERR_FAILED,
                       "the run has ended well on %s already and cannot be given up: resume it",
                       engine_ended_well(r));
    if (!lock->stage->act(r, lock, err)) {
        r->failure.stage = lock->name;
        return false;
    }
    return back(r, err);
}

/* What users see: the hosts are asked, and told the error for those who look later. */
static void error_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    (void)s;
    (void)host;
    buf_puts(b, "to='' migrated='' pending=''\n");
    quote_assign(b, "error", r->detail ? r->detail : "");
}

static const char *where_current_is(struct run *r, const struct reply *reply)
{
    const char *is =
        reply->kind == REPLY_EXIT ? answer_value(r->arena, reply->out, "current") : NULL;

    if (!is)
        return "not known (the host did not answer)";
    const char *live = answer_value(r->arena, reply->out, "live");
    return *is ? arena_printf(r->arena, "current is %s", text_shown(r->arena, live ? live : is))
               : "nothing is live";
}

static void look_now(struct run *r, const char *error)
{
    size_t n = r->recipe->n_hosts;
    const char **is = arena_array(r->arena, n, sizeof *is);
    struct call *calls = arena_array(r->arena, n, sizeof *calls);
    struct reply *replies = arena_array(r->arena, n, sizeof *replies);
    struct trip t = {.script = r->mark_script,
                     .step = "look",
                     .verb = error ? "run" : "look",
                     .values = error_values,
                     .payload = -1};

    bool same_as_before = !r->resumed;

    r->detail = error;
    for (size_t h = 0; h < n; h++) {
        calls[h] = (struct call){
            .host = h, .script = run_script_text(r, &t, h), .payload = -1, .timeout_ms = LOOK_MS};
        if (!calls[h].script)
            return;
    }
    fleet_run(r->fleet, r->arena, calls, n, replies);
    for (size_t h = 0; h < n; h++) {
        is[h] = where_current_is(r, &replies[h]);
        const char *now = replies[h].kind == REPLY_EXIT
                              ? answer_value(r->arena, replies[h].out, "current")
                              : NULL;
        const char *then = r->sites[h].current ? r->sites[h].current : "";
        same_as_before = same_as_before && now && strcmp(now, then) == 0;
    }
    for (size_t h = 0; h < n; h++) {
        const char *names = "";
        size_t same = 0;
        bool told = false;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(is[k], is[h]) != 0)
                continue;
            told = told || k < h;
            names = arena_printf(r->arena, "%s%s%s", names, same++ ? ", " : "",
                                 r->recipe->hosts[k].name);
        }
        if (told)
            continue;
        strs_add(r->arena, &r->failure.now,
                 arena_printf(
                     r->arena, "users see%s: %s on %s", same_as_before ? " no change" : "", is[h],
                     same == n && n > 1 ? arena_printf(r->arena, "all %zu hosts", n) : names));
    }
}

/* "stage 'build' on web2: what happened": each of them said once. */
static const char *whole_message(struct run *r, const struct err *err)
{
    const struct failure *f = &r->failure;
    const char *msg = err->msg;
    size_t len = f->host ? strlen(f->host) : 0;

    if (!f->stage || r->partly)
        return msg;
    if (len && strncmp(msg, f->host, len) == 0 && strncmp(msg + len, ": ", 2) == 0)
        msg += len + 2;
    return arena_printf(r->arena, "stage '%s'%s%s: %s", f->stage, len ? " on " : "",
                        len ? f->host : "", msg);
}

void engine_end(struct run *r, const struct err *err, const char *message, bool note,
                long long began_ms)
{
    struct run_info info = run_info(r);

    /* A usage error touches no host, and one that nobody has looked at yet is left alone. */
    if (r->sites && err->code != ERR_NONE && err->code != ERR_UNREACHABLE && err->code != ERR_USAGE)
        look_now(r, note ? arena_printf(r->arena, "%s %s",
                                        err_word(r->quit ? ERR_INTERRUPTED : err->code),
                                        text_shown(r->arena, run_redact(r, err->msg)))
                         : NULL);
    run_tell(r, (struct event){.kind = EVENT_END,
                               .run = r->begun ? &info : NULL,
                               .run_id = r->begun ? info.id : NULL,
                               .code = err->code,
                               .message = err->code == ERR_NONE ? message : whole_message(r, err),
                               .failure = err->code == ERR_NONE ? NULL : &r->failure,
                               .took_ms = loop_now() - began_ms,
                               .behind_backup_ms = r->guard->behind_backup_ms});
}
