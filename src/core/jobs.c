#include "core/jobs.h"

#include "base/limits.h"
#include "base/quote.h"
#include "base/text.h"

enum { TAIL_BYTES = 64 * 1024, PARTIAL_MAX = LINE_BYTES_MAX / 2 };

/* What comes from one host while its job is followed. */
struct follower {
    struct run *run;
    const struct job_call *call;
    const char *host;
    struct buf line;    /* of the job's output, not yet ended */
    struct buf word;    /* line of the protocol, not yet ended */
    struct buf control; /* the protocol's lines, for judging */
    struct buf tail;
    size_t raw_left; /* bytes of output still to come */
};

/* All of the line but its last `keep` bytes, which may be the beginning of a secret. */
static void show(struct follower *f, size_t keep)
{
    struct arena scratch = {0};
    const char *text = redact(&scratch, &f->run->recipe->secrets, f->line.text);
    size_t len = strlen(text);
    size_t n = len > keep ? len - keep : 0;

    if (n && !f->call->quiet)
        run_tell(f->run, (struct event){.kind = EVENT_OUTPUT,
                                        .stage = f->call->step->name,
                                        .host = f->host,
                                        .bytes = text,
                                        .len = n});
    struct buf rest = buf_make(LINE_BYTES_MAX);
    buf_add(&rest, text + n, len - n);
    buf_free(&f->line);
    f->line = rest;
    arena_free(&scratch);
}

static size_t longest_secret(const struct recipe *r)
{
    size_t longest = 1;

    for (size_t i = 0; i < r->secrets.n; i++)
        if (strlen(r->secrets.v[i]) > longest)
            longest = strlen(r->secrets.v[i]);
    return longest;
}

/* The last bytes; NULs would end a C string and are of no use to a reader. */
static void keep_tail(struct follower *f, char byte)
{
    if (!byte)
        return;
    if (f->tail.len == TAIL_BYTES)
        buf_drop(&f->tail, TAIL_BYTES / 2);
    buf_add(&f->tail, &byte, 1);
}

/* Whole lines are shown at once, so that a secret is never cut in two. */
static void take_output(struct follower *f, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        keep_tail(f, bytes[i]);
        if (bytes[i])
            buf_add(&f->line, bytes + i, 1);
        if (bytes[i] == '\n')
            show(f, 0);
        else if (f->line.len >= PARTIAL_MAX)
            show(f, longest_secret(f->run->recipe) - 1);
    }
}

static void take_word(struct follower *f)
{
    const char *word = f->word.text;
    bool attached = strncmp(word, "attached ", 9) == 0;

    if (strncmp(word, "out ", 4) == 0)
        f->raw_left = (size_t)strtoul(word + 4, NULL, 10);
    else
        buf_printf(&f->control, "%s\n", word);
    if (attached || strncmp(word, "attempt ", 8) == 0)
        run_tell(f->run, (struct event){.kind = EVENT_JOB,
                                        .state = EVENT_BEGUN,
                                        .stage = f->call->step->name,
                                        .host = f->host,
                                        .command = f->call->job->name,
                                        .detail = attached ? "taken up where it was" : NULL});
    buf_clear(&f->word);
}

static void take(void *arg, const char *bytes, size_t len)
{
    struct follower *f = arg;

    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = f->raw_left ? (len < f->raw_left ? len : f->raw_left)
                   : end       ? (size_t)(end - bytes)
                               : len;
        if (f->raw_left) {
            take_output(f, bytes, n);
            f->raw_left -= n;
        } else {
            buf_add(&f->word, bytes, n);
            if (end) {
                take_word(f);
                n++;
            }
        }
        bytes += n;
        len -= n;
    }
}

void jobs_environment(const struct run *r, size_t host, struct buf *b)
{
    const struct host *h = &r->recipe->hosts[host];
    const struct what *w = &r->plan->what;
    const struct variable ours[] = {
        {"CRELEASE_APPLICATION", w->application}, {"CRELEASE_ENVIRONMENT", w->environment},
        {"CRELEASE_RELEASE", w->release},         {"CRELEASE_REVISION", w->revision},
        {"CRELEASE_RUN", w->run},                 {"CRELEASE_HOST", h->name},
    };

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        buf_puts(b, "export ");
        quote_assign(b, ours[i].name, ours[i].value);
    }
    for (size_t i = 0; i < h->env.n; i++) {
        buf_puts(b, "export ");
        quote_assign(b, h->env.v[i].name, h->env.v[i].value);
    }
}

static const char *job_script(struct run *r, const struct job_call *c, size_t i)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    size_t host = c->hosts[i];
    char timeout[32];

    snprintf(timeout, sizeof timeout, "%lld", (c->job->timeout_ms + 999) / 1000);
    quote_assign(&b, "job", c->name);
    quote_assign(&b, "command", c->job->run);
    quote_assign(&b, "where",
                 c->where         ? c->where
                 : c->in_current  ? arena_printf(r->arena, "%s/current", r->recipe->hosts[host].deploy_to)
                 : c->step->early ? r->recipe->hosts[host].deploy_to
                                  : run_folder(r, host));
    quote_assign(&b, "timeout", timeout);
    quote_assign(&b, "last", c->last && c->last[i] ? "yes" : "");
    quote_assign(&b, "watch", c->watch ? c->watch : "");
    buf_puts(&b, "job_env() {\n");
    jobs_environment(r, host, &b);
    if (c->extra_env)
        buf_puts(&b, c->extra_env);
    buf_puts(&b, "}\n");
    buf_puts(&b, r->job_script);
    const char *text = b.full ? NULL : arena_strndup(r->arena, b.text, b.len);
    buf_free(&b);
    return text;
}

static const char *how_it_ended(struct run *r, const struct job_call *c, int status)
{
    static const char *const signals[] = {
        [1] = "HUP", [2] = "INT", [3] = "QUIT", [4] = "ILL",   [6] = "ABRT", [7] = "BUS",
        [8] = "FPE", [9] = "KILL", [11] = "SEGV", [13] = "PIPE", [14] = "ALRM", [15] = "TERM"};
    int n = status - 128;

    if (status == JOB_LOST)
        return "was started and its end was not recorded (was the host restarted?)";
    if (status == JOB_UNKNOWN)
        return "ended without telling how";
    if (status == JOB_TIMEOUT)
        return arena_printf(r->arena, "was ended after its time limit of %s",
                            text_span(r->arena, c->job->timeout_ms));
    if (status == 127)
        return "ended with exit status 127 (command not found)";
    if (status == 126)
        return "ended with exit status 126 (not executable)";
    if (n > 0 && n < (int)(sizeof signals / sizeof *signals) && signals[n])
        return arena_printf(r->arena, "was ended by signal %s (exit status %d)", signals[n], status);
    return arena_printf(r->arena, "ended with exit status %d", status);
}

/* What is no status is not taken for one. */
static int status_of(struct run *r, const char *control)
{
    const char *exit = answer_value(r->arena, control, "exit");
    size_t len = exit ? strlen(exit) : 0;

    if (!exit)
        return JOB_UNKNOWN;
    if (strcmp(exit, "lost") == 0)
        return JOB_LOST;
    if (strcmp(exit, "timeout") == 0)
        return JOB_TIMEOUT;
    if (len < 1 || len > 3 || strspn(exit, "0123456789") != len)
        return JOB_UNKNOWN;
    return (int)strtol(exit, NULL, 10);
}

/* Of output that was cut the first line may begin inside a secret. */
static const char *tail_of(struct run *r, const struct follower *f)
{
    const char *text = f->tail.text;
    const char *newline = strchr(text, '\n');

    if (f->tail.len > TAIL_BYTES / 2 && newline)
        text = newline + 1;
    return run_redact(r, arena_strdup(r->arena, text));
}

static void end_of(struct run *r, struct follower *f, size_t host, const struct reply *reply,
                   struct job_end *end)
{
    show(f, 0);
    *end = (struct job_end){
        .host = host,
        .status = status_of(r, f->control.text),
        .output = tail_of(r, f),
        .watched = answer_value(r->arena, f->control.text, "watched") != NULL,
        .attached = answer_value(r->arena, f->control.text, "attached") != NULL,
    };
    if (reply->kind == REPLY_EXIT && reply->status == 0 && end->status != JOB_UNKNOWN)
        run_tell(r, (struct event){.kind = EVENT_JOB,
                                   .state = end->status == 0 ? EVENT_DONE : EVENT_FAILED,
                                   .stage = f->call->step->name,
                                   .host = f->host,
                                   .command = f->call->job->name,
                                   .detail = end->status == 0 ? NULL : how_it_ended(r, f->call, end->status)});
}

static bool stop_call(struct run *r, const struct job_call *c, struct err *err)
{
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct trip t = {.script = job_script(r, c, i),
                         .step = c->step->name,
                         .verb = "stop",
                         .hosts = &c->hosts[i],
                         .n_hosts = 1,
                         .payload = -1,
                         .timeout_ms = 60000};
        if (!run_scripts(r, &t, NULL, err))
            return false;
    }
    return true;
}

/* A person who stops is asked what becomes of the job; without one it is let go of at once, lives
 * on, and is taken up again by resume. */
struct leave {
    struct run *run;
    const struct job_call *call;
    bool asked;
    bool end; /* the job is ended, too */
    const char *told; /* what became of it; NULL before that is known */
};

static bool has_to_leave(void *arg)
{
    struct leave *l = arg;
    struct loop *loop = l->run->loop;
    int signals = loop_signal_count(loop);
    int key = loop_key(loop);

    if (!signals || !l->run->interactive)
        return signals > 0;
    if (!l->asked)
        run_warn(l->run, NULL, "stopping when the command of '%s' has ended; Ctrl-C again ends it now, l leaves"
                 " it running and stops here", l->call->step->name);
    l->asked = true;
    l->end = signals > 1;
    return l->end || key == 'l';
}

/* False when nobody asked to stop. */
static bool left(struct run *r, struct leave *l, struct err *err)
{
    struct err ignored = {.arena = r->arena};
    const struct job_call *c = l->call;
    const char *name = run_redact(r, text_shown(r->arena, c->job->name));

    if (!run_is_stopped(r, "", err))
        return false;
    if (!l->told) {
        bool ended = l->end && stop_call(r, c, &ignored);
        l->told = ended    ? arena_printf(r->arena, "stopped, and '%s' was ended", name)
                  : l->end ? arena_printf(r->arena, "stopped; '%s' could not be ended: %s", name, ignored.msg)
                           : arena_printf(r->arena, "stopped; '%s' goes on on the host%s", name,
                                          c->n_hosts > 1 ? "s" : "");
    }
    err->msg = l->told;
    return true;
}

bool jobs_run(struct run *r, const struct job_call *c, struct job_end **ends, struct err *err)
{
    struct call *calls = arena_array(r->arena, c->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, c->n_hosts, sizeof *replies);
    struct follower *followers = arena_array(r->arena, c->n_hosts, sizeof *followers);
    bool ok = true;

    *ends = arena_array(r->arena, c->n_hosts, sizeof **ends);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct trip t = {.script = job_script(r, c, i), .step = c->step->name, .verb = "run", .payload = -1};
        const char *script = t.script ? run_script_text(r, &t, c->hosts[i]) : NULL;
        if (!script)
            return err_set(err, ERR_FAILED, "'%.60s...' with its environment is too long to be sent",
                           run_redact(r, c->job->name));
        calls[i].script = script;
    }
    for (size_t i = 0; i < c->n_hosts; i++) {
        followers[i] = (struct follower){.run = r,
                                         .call = c,
                                         .host = r->recipe->hosts[c->hosts[i]].name,
                                         .line = buf_make(LINE_BYTES_MAX),
                                         .word = buf_make(LINE_BYTES_MAX),
                                         .control = buf_make(LINE_BYTES_MAX),
                                         .tail = buf_make(TAIL_BYTES)};
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = calls[i].script,
                                 .payload = -1,
                                 .output = take,
                                 .arg = &followers[i]};
    }
    struct leave leave = {.run = r, .call = c};
    if (r->interactive)
        loop_keys(r->loop, true);
    fleet_stop_when(r->fleet, has_to_leave, &leave);
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    fleet_stop_when(r->fleet, NULL, NULL);
    loop_keys(r->loop, false);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        replies[i].out = arena_strndup(r->arena, followers[i].control.text, followers[i].control.len);
        end_of(r, &followers[i], c->hosts[i], &replies[i], &(*ends)[i]);
        buf_free(&followers[i].line);
        buf_free(&followers[i].word);
        buf_free(&followers[i].control);
        buf_free(&followers[i].tail);
        bool stopped = replies[i].kind == REPLY_STOPPED && left(r, &leave, &one);
        if (stopped)
            run_note(r, c->hosts[i], one.code, one.msg);
        else if (run_judge(r, c->hosts[i], &replies[i], &one))
            continue;
        if (ok)
            *err = one;
        else if (!stopped)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
}

static void last_lines(struct run *r, const char *text)
{
    const char *at = text + strlen(text);
    size_t lines = 0;

    while (at > text && at[-1] == '\n')
        at--;
    const char *end = at;
    while (at > text && lines < TAIL_LINES)
        if (*--at == '\n')
            lines++;
    if (*at == '\n' && at < end)
        at++;
    while (at < end) {
        size_t n = strcspn(at, "\n");
        if (at + n > end)
            n = (size_t)(end - at);
        strs_add(r->arena, &r->failure.lines, arena_strndup(r->arena, at, n));
        at += n + 1;
    }
}

static enum err_code code_of(const struct job_end *end)
{
    return end->status == JOB_LOST || end->status == JOB_UNKNOWN ? ERR_UNCERTAIN : ERR_FAILED;
}

/* "'make' ended with exit status 2" */
static const char *note_end(struct run *r, const struct job_call *c, const struct job_end *end)
{
    const char *why = arena_printf(r->arena, "'%s' %s", run_redact(r, text_shown(r->arena, c->job->name)),
                                   how_it_ended(r, c, end->status));

    run_note(r, end->host, code_of(end), why);
    return why;
}

bool jobs_fail(struct run *r, const struct job_call *c, const struct job_end *end, struct err *err)
{
    const char *host = r->recipe->hosts[end->host].name;

    r->failure.host = host;
    r->failure.command = run_redact(r, c->job->run);
    r->failure.how = how_it_ended(r, c, end->status);
    last_lines(r, end->output);
    return err_set(err, code_of(end), "%s: %s", host, note_end(r, c, end));
}

/* The hosts of one job of a step, and whether it is their last one. */
static size_t hosts_of_job(struct run *r, const struct step *s, size_t j, const size_t *left,
                           size_t n_left, size_t *hosts, bool *last)
{
    size_t n = 0;

    for (size_t i = 0; i < n_left; i++) {
        if (!step_job_is_for(s, r->recipe, j, left[i]))
            continue;
        hosts[n] = left[i];
        last[n] = true;
        for (size_t k = j + 1; k < s->jobs->n; k++)
            if (step_job_is_for(s, r->recipe, k, left[i]))
                last[n] = false;
        n++;
    }
    return n;
}

/* ok: each could be followed to its end; of one that could not be its status tells nothing. */
static bool all_ended_well(struct run *r, const struct job_call *c, const struct job_end *ends, bool ok,
                           struct err *err)
{
    bool followed = ok;

    for (size_t i = 0; i < c->n_hosts; i++) {
        if (ends[i].status == 0 || (!followed && ends[i].status == JOB_UNKNOWN))
            continue;
        if (ok)
            ok = jobs_fail(r, c, &ends[i], err);
        else
            run_warn(r, NULL, "%s: %s", r->recipe->hosts[ends[i].host].name, note_end(r, c, &ends[i]));
    }
    return ok;
}

bool jobs_act(struct run *r, const struct step *s, struct err *err)
{
    size_t *left;
    size_t n_left = run_hosts_left(r, s, &left);
    size_t *hosts = arena_array(r->arena, n_left, sizeof *hosts);
    bool *last = arena_array(r->arena, n_left, sizeof *last);

    for (size_t j = r->jobs_passed; j < s->jobs->n; j++) {
        struct job_call c = {.step = s,
                             .job = &s->jobs->v[j],
                             .name = arena_printf(r->arena, "%s.%zu", s->name, j),
                             .hosts = hosts,
                             .last = last};
        struct job_end *ends;
        c.n_hosts = hosts_of_job(r, s, j, left, n_left, hosts, last);
        if (!c.n_hosts)
            continue;
        if (run_is_stopped(r, arena_printf(r->arena, "before '%s'", c.job->name), err))
            return false;
        bool ok = jobs_run(r, &c, &ends, err);
        /* What died with its host is known not to run any more: it is started again, once. */
        for (size_t i = 0; ok && i < c.n_hosts; i++)
            if (ends[i].status == JOB_LOST && ends[i].attached) {
                run_warn(r, r->recipe->hosts[ends[i].host].name, "'%s' did not live to its end; started again",
                         c.job->name);
                ok = jobs_run(r, &c, &ends, err);
                break;
            }
        ok = all_ended_well(r, &c, ends, ok, err);
        for (size_t i = 0; i < c.n_hosts; i++)
            site_set_mark(r->arena, &r->sites[hosts[i]], s->name,
                          ends[i].status != 0 ? "failed" : last[i] ? "done" : "begun");
        if (!ok) {
            r->jobs_passed = j + 1; /* by those on which it ended well */
            return false;
        }
    }
    return true;
}

bool jobs_stop(struct run *r, const struct step *s, struct err *err)
{
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);

    for (size_t j = 0; s->jobs && j < s->jobs->n; j++) {
        struct job_call c = {.step = s,
                             .job = &s->jobs->v[j],
                             .name = arena_printf(r->arena, "%s.%zu", s->name, j),
                             .hosts = hosts};
        for (size_t i = 0; i < s->n_hosts; i++) {
            const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
            if (mark && strcmp(mark, "begun") == 0 && !run_is_out(r, s->hosts[i]))
                hosts[c.n_hosts++] = s->hosts[i];
        }
        if (!stop_call(r, &c, err))
            return false;
    }
    return true;
}
