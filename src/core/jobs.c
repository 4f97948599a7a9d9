
#include "core/jobs.h"

#include "base/embed.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/excerpt.h"

EMBED(script_command, "host/command.sh");

enum {
    TAIL_BYTES = 64 * 1024,
    WHY_BYTES = 512 * 1024,
    PARTIAL_MAX = LINE_BYTES_MAX / 2,
    ATTEMPTS_MAX = 1000000,
    WHY_LINE_BYTES = 3980, /* job.sh cuts the lines that say why a little behind that */
    SHOWN_MAX = 1000,      /* of a line that is repeated when the job has failed */
    LOOK_MS = 60000,
    STOP_MS = 5 * 60000, /* several attempts, each with its grace */
};

/* What comes from one host while its job is followed. */
struct follower {
    struct run *run;
    const struct job_call *call;
    const char *host;
    size_t *going; /* how many hosts have not come to an end; theirs in common */
    bool ended;
    struct buf line;    /* of the job's output, not yet ended */
    struct buf word;    /* line of the protocol, not yet ended */
    struct buf control; /* the protocol's lines, for judging */
    struct buf tail;
    bool tail_is_cut; /* it begins in the middle of a line */
    size_t raw_left;  /* bytes of output still to come */
    char place[32];   /* where these end, as the host said it: it is told when they were shown */
    struct buf why;   /* of the whole log: what excerpt.h reads */
    struct buf say;
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

/* The last bytes. */
static void keep_tail(struct follower *f, const char *bytes, size_t len)
{
    while (len) {
        if (f->tail.len == TAIL_BYTES) {
            buf_drop(&f->tail, TAIL_BYTES / 2);
            f->tail_is_cut = true;
        }
        size_t n = len < TAIL_BYTES - f->tail.len ? len : TAIL_BYTES - f->tail.len;
        buf_add(&f->tail, bytes, n);
        bytes += n;
        len -= n;
    }
}

/* Whole lines are shown at once, so that a secret is never cut in two. */
static void take_text(struct follower *f, const char *bytes, size_t len)
{
    keep_tail(f, bytes, len);
    while (len) {
        const char *end = memchr(bytes, '\n', len);
        size_t n = end ? (size_t)(end - bytes) + 1 : len;
        bool is_whole = end && n <= PARTIAL_MAX - f->line.len;
        if (!is_whole && n > PARTIAL_MAX - f->line.len)
            n = PARTIAL_MAX - f->line.len;
        buf_add(&f->line, bytes, n);
        if (is_whole)
            show(f, 0);
        else if (f->line.len >= PARTIAL_MAX)
            show(f, redact_carry(&f->run->recipe->secrets));
        bytes += n;
        len -= n;
    }
}

/* NULs would end a C string and are of no use to a reader. */
static void take_output(struct follower *f, const char *bytes, size_t len)
{
    while (len) {
        const char *nul = memchr(bytes, '\0', len);
        size_t n = nul ? (size_t)(nul - bytes) : len;
        take_text(f, bytes, n);
        n += nul != NULL;
        bytes += n;
        len -= n;
    }
}

/* What follows is not what the line would have gone on with: its end may be half of a secret. */
static void cut_line(struct follower *f)
{
    const struct strs *secrets = &f->run->recipe->secrets;
    struct arena scratch = {0};

    show(f, redact_carry(secrets));
    buf_clear(&f->line);
    const char *text = redact(&scratch, secrets, arena_strdup(&scratch, f->tail.text));
    size_t len = strlen(text) - redact_end(secrets, text);
    buf_clear(&f->tail);
    keep_tail(f, text, len);
    arena_free(&scratch);
}

static void take_word(struct follower *f)
{
    const char *word = f->word.text;
    bool attached = strncmp(word, "attached ", 9) == 0;

    if (strncmp(word, "out ", 4) == 0) {
        size_t len = strcspn(word + 4, " ");
        /* Behind a count that is none, nothing is taken for the protocol. */
        long long bytes = NUMBER_BYTES_MAX;
        number_part(word + 4, len, NUMBER_BYTES_MAX, &bytes);
        f->raw_left = (size_t)bytes;
        snprintf(f->place, sizeof f->place, "%s", word[4 + len] ? word + 4 + len + 1 : "");
    } else if (strncmp(word, "cut ", 4) == 0)
        cut_line(f);
    else if (strncmp(word, "watch ", 6) == 0) {
        if (f->call->watched)
            f->call->watched(f->call->watched_arg, word + 6);
    } else if (strncmp(word, "why ", 4) == 0)
        buf_printf(&f->why, "%s\n", word + 4);
    else
        buf_printf(&f->control, "%s\n", word);
    if (attached || strncmp(word, "attempt ", 8) == 0)
        run_tell(f->run, (struct event){.kind = EVENT_JOB,
                                        .state = EVENT_BEGUN,
                                        .stage = f->call->step->name,
                                        .host = f->host,
                                        .command = f->call->job->name,
                                        .detail = attached ? "taken up where it was" : NULL});
    if (!f->ended && strncmp(word, "ended ", 6) == 0) {
        f->ended = true;
        --*f->going;
    }
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
            if (!f->raw_left) {
                buf_clear(&f->say);
                buf_printf(&f->say, "%s\n", f->place);
            }
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

/* The others may go on for hours. */
static void lost(void *arg, const char *why)
{
    struct follower *f = arg;

    if (f->ended)
        return;
    f->ended = true;
    if (--*f->going == 0)
        return;
    run_warn(f->run, NULL, "%s: %s; '%s' may still run there, the other hosts go on", f->host, why,
             f->call->job->name);
}

void variable_assign(struct buf *b, const struct variable *v)
{
    if (v->shell)
        buf_printf(b, "%s=%s\n", v->name, v->shell);
    else
        quote_assign(b, v->name, v->value);
}

static void export_all(const struct variable *v, size_t n, struct buf *b)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, "export ");
        variable_assign(b, &v[i]);
    }
}

static void export_ours(const struct run *r, size_t host, struct buf *b)
{
    const struct what *w = &r->plan->what;
    const struct variable ours[] = {
        {.name = "CRELEASE_APPLICATION", .value = w->application},
        {.name = "CRELEASE_ENVIRONMENT", .value = w->environment},
        {.name = "CRELEASE_RELEASE", .value = w->release},
        {.name = "CRELEASE_REVISION", .value = w->revision},
        {.name = "CRELEASE_RUN", .value = w->run},
        {.name = "CRELEASE_HOST", .value = r->recipe->hosts[host].name},
    };

    export_all(ours, sizeof ours / sizeof *ours, b);
}

void jobs_environment(const struct run *r, size_t host, struct buf *b)
{
    const struct host *h = &r->recipe->hosts[host];

    export_ours(r, host, b);
    export_all(h->env.v, h->env.n, b);
}

void jobs_command(const struct run *r, size_t host, const char *command, const char *extra_env,
                  struct buf *b)
{
    const struct host *h = &r->recipe->hosts[host];
    struct buf env = buf_make(SCRIPT_BYTES_MAX);

    export_all(h->env.v, h->env.n, &env);
    buf_puts(&env, extra_env ? extra_env : "");
    quote_assign(b, "command", command);
    quote_assign(b, "environment", env.text);
    buf_puts(b, "job_env() {\n");
    export_ours(r, host, b);
    buf_puts(b, "}\n");
    b->full = b->full || env.full;
    buf_free(&env);
}

/* The whole script for one of the call's hosts; NULL with err when it is too long. */
static const char *job_script(struct run *r, const struct job_call *c, size_t i, const char *verb,
                              struct err *err)
{
    struct buf b = buf_make(SCRIPT_BYTES_MAX);
    size_t host = c->hosts[i];
    char timeout[32];

    snprintf(timeout, sizeof timeout, "%lld", (c->job->timeout_ms + 999) / 1000);
    buf_puts(&b, "job_dir=''\n");
    quote_assign(&b, "job", c->name);
    quote_assign(&b, "where",
                 c->where ? c->where
                 : c->in_current
                     ? arena_printf(r->arena, "%s/current", r->recipe->hosts[host].deploy_to)
                 : c->step->early ? r->recipe->hosts[host].deploy_to
                                  : run_folder(r, host));
    quote_assign(&b, "timeout", timeout);
    quote_assign(&b, "last", c->last && c->last[i] ? "yes" : "");
    quote_assign(&b, "alone", c->alone ? "yes" : "");
    quote_assign(&b, "again", c->again ? "yes" : "");
    quote_assign(&b, "watch", c->watch ? c->watch : "");
    quote_assign(&b, "gate", c->gate ? c->gate : "");
    jobs_command(r, host, c->job->run, c->extra_env, &b);
    buf_puts(&b, r->job_script);
    struct trip t = {.script = b.text, .step = c->step->name, .verb = verb, .payload = -1};
    const char *text = b.full ? NULL : run_script_text(r, &t, host);
    buf_free(&b);
    if (!text)
        err_set(err, ERR_FAILED, "'%.60s...' with its environment is too long to be sent",
                run_redact(r, c->job->name));
    return text;
}

static const char *how_it_ended(struct run *r, const struct job_call *c, int status)
{
    static const char *const signals[] = {
        [1] = "HUP", [2] = "INT",  [3] = "QUIT",  [4] = "ILL",   [6] = "ABRT",  [7] = "BUS",
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
        return arena_printf(r->arena, "was ended by signal %s (exit status %d)", signals[n],
                            status);
    return arena_printf(r->arena, "ended with exit status %d", status);
}

/* What is no status is not taken for one. */
static int status_of(struct run *r, const char *control)
{
    const char *exit = answer_value(r->arena, control, "exit");

    if (!exit)
        return JOB_UNKNOWN;
    if (strcmp(exit, "lost") == 0)
        return JOB_LOST;
    if (strcmp(exit, "timeout") == 0)
        return JOB_TIMEOUT;
    return (int)number_or(exit, 255, JOB_UNKNOWN);
}

/* Of output that was cut the first line may begin inside a secret. */
static const char *tail_of(struct run *r, const struct follower *f)
{
    const char *text = run_redact(r, arena_strdup(r->arena, f->tail.text));
    const char *newline = strchr(text, '\n');

    if (f->tail_is_cut)
        text = newline ? newline + 1 : text + redact_begin(&r->recipe->secrets, text);
    return text;
}

/* Which one it was that ended, 0 when the host did not say. */
static long attempt_of(struct run *r, const char *control)
{
    const char *n = answer_value(r->arena, control, "attempt");

    if (!n)
        n = answer_value(r->arena, control, "attached");
    return n ? (long)number_or(n, ATTEMPTS_MAX, 0) : 0;
}

static void end_of(struct run *r, struct follower *f, size_t host, const struct reply *reply,
                   struct job_end *end)
{
    /* Of a line that may go on, resume shows all. */
    if (reply->kind == REPLY_EXIT)
        show(f, 0);
    *end = (struct job_end){
        .host = host,
        .status = status_of(r, f->control.text),
        .output = tail_of(r, f),
        .why = arena_strndup(r->arena, f->why.text, f->why.len),
        .attempt = attempt_of(r, f->control.text),
        .refused = answer_value(r->arena, f->control.text, "refused"),
        .attached = answer_value(r->arena, f->control.text, "attached") != NULL,
    };
    if (reply->kind == REPLY_EXIT && reply->status == 0 && end->status != JOB_UNKNOWN)
        run_tell(r,
                 (struct event){.kind = EVENT_JOB,
                                .state = end->status == 0 ? EVENT_DONE : EVENT_FAILED,
                                .stage = f->call->step->name,
                                .host = f->host,
                                .command = f->call->job->name,
                                .detail = end->status == 0 ? NULL
                                          : end->refused   ? "has not begun"
                                                         : how_it_ended(r, f->call, end->status)});
}

/* Ends one job on all of its hosts at once; further failures are told as warnings. */
static bool stop_job(struct run *r, const struct job_call *c, struct err *err)
{
    struct call *calls = arena_array(r->arena, c->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, c->n_hosts, sizeof *replies);
    bool ok = true;

    for (size_t i = 0; i < c->n_hosts; i++) {
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = job_script(r, c, i, "stop", err),
                                 .payload = -1,
                                 .timeout_ms = STOP_MS};
        if (!calls[i].script)
            return false;
    }
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        if (run_judge(r, c->hosts[i], &replies[i], ok ? err : &one))
            continue;
        if (!ok)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
}

/* A person who stops is asked what becomes of the job; without one it is let go of at once, lives
 * on, and is taken up again by resume. */
struct leave {
    struct run *run;
    const struct job_call *call;
    bool asked;
    bool end;         /* the job is ended, too */
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
        run_warn(l->run, NULL,
                 "stopping when the command of '%s' has ended; Ctrl-C again ends it now, "
                 "l leaves it running and stops here",
                 l->call->step->name);
    /* Until there is something to answer, what is typed is not ours. */
    if (!l->asked)
        loop_keys(loop, true);
    l->asked = true;
    l->end = signals > 1;
    return l->end || key == 'l';
}

/* False when nobody asked to stop. */
static bool left(struct run *r, struct leave *l, struct err *err)
{
    struct err ignored = {.arena = r->arena};
    const struct job_call *c = l->call;
    const char *name = text_shown(r->arena, run_redact(r, c->job->name));

    if (!run_is_stopped(r, "", err))
        return false;
    if (!l->told) {
        bool ended = l->end && stop_job(r, c, &ignored);
        l->told = ended    ? arena_printf(r->arena, "stopped, and '%s' was ended", name)
                  : l->end ? arena_printf(r->arena, "stopped; '%s' could not be ended: %s", name,
                                          ignored.msg)
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
    size_t going = c->n_hosts;
    bool ok = true;

    *ends = arena_array(r->arena, c->n_hosts, sizeof **ends);
    for (size_t i = 0; i < c->n_hosts; i++) {
        calls[i].script = job_script(r, c, i, "run", err);
        if (!calls[i].script)
            return false;
    }
    for (size_t i = 0; i < c->n_hosts; i++) {
        followers[i] = (struct follower){.run = r,
                                         .call = c,
                                         .host = r->recipe->hosts[c->hosts[i]].name,
                                         .going = &going,
                                         .line = buf_make(LINE_BYTES_MAX),
                                         .word = buf_make(LINE_BYTES_MAX),
                                         .control = buf_make(LINE_BYTES_MAX),
                                         .tail = buf_make(TAIL_BYTES),
                                         .why = buf_make(WHY_BYTES),
                                         .say = buf_make(LINE_BYTES_MAX)};
        calls[i] = (struct call){.host = c->hosts[i],
                                 .script = calls[i].script,
                                 .payload = -1,
                                 .say = &followers[i].say,
                                 .output = take,
                                 .lost = lost,
                                 .arg = &followers[i]};
    }
    struct leave leave = {.run = r, .call = c};
    fleet_stop_when(r->fleet, has_to_leave, &leave);
    fleet_run(r->fleet, r->arena, calls, c->n_hosts, replies);
    fleet_stop_when(r->fleet, NULL, NULL);
    loop_keys(r->loop, false);
    for (size_t i = 0; i < c->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        replies[i].out =
            arena_strndup(r->arena, followers[i].control.text, followers[i].control.len);
        end_of(r, &followers[i], c->hosts[i], &replies[i], &(*ends)[i]);
        buf_free(&followers[i].line);
        buf_free(&followers[i].word);
        buf_free(&followers[i].control);
        buf_free(&followers[i].tail);
        buf_free(&followers[i].why);
        buf_free(&followers[i].say);
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

/* Without the log the last of what was seen of it.  Of a line that is very long the beginning. */
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
        strs_add(r->arena, &r->failure.lines,
                 n > SHOWN_MAX ? arena_printf(r->arena, "%.*s...", SHOWN_MAX, at)
                               : arena_strndup(r->arena, at, n));
        at += n + 1;
    }
}

/* What the log says of the reason. */
static void tell_lines(struct run *r, const struct job_end *end)
{
    struct strs lines = excerpt(r->arena, end->why ? end->why : "");

    if (!lines.n)
        last_lines(r, end->output);
    for (size_t i = 0; i < lines.n; i++) {
        const char *text = run_redact(r, lines.v[i]);
        if (strlen(lines.v[i]) >= WHY_LINE_BYTES)
            text =
                arena_strndup(r->arena, text, strlen(text) - redact_end(&r->recipe->secrets, text));
        strs_add(r->arena, &r->failure.lines,
                 strlen(text) > SHOWN_MAX ? arena_printf(r->arena, "%.*s...", SHOWN_MAX, text)
                                          : text);
    }
}

/* The command that shows the whole log, as it is to be typed here. */
static const char *log_command(struct run *r, const struct job_call *c, const struct job_end *end)
{
    const struct host *h = &r->recipe->hosts[end->host];
    struct buf cat = buf_make(LINE_BYTES_MAX);
    struct buf b = buf_make(LINE_BYTES_MAX);

    buf_puts(&cat, "cat ");
    quote_typed(&cat, arena_printf(r->arena, "%s/.crelease/runs/%s/jobs/%s/%ld/log", h->deploy_to,
                                   r->plan->what.run, c->name, end->attempt));
    if (r->recipe->transport == TRANSPORT_LOCAL) {
        buf_puts(&b, cat.text);
    } else {
        buf_puts(&b, "ssh ");
        if (h->port && h->port != 22)
            buf_printf(&b, "-p %d ", h->port);
        if (h->identity) {
            buf_puts(&b, "-i ");
            quote_typed(&b, h->identity);
            buf_puts(&b, " ");
        }
        quote_typed(&b,
                    h->user ? arena_printf(r->arena, "%s@%s", h->user, h->address) : h->address);
        buf_puts(&b, " ");
        /* ssh joins its words, and the host's shell reads them again. */
        if (strchr(cat.text, '"') || strchr(cat.text, '\\'))
            quote_typed(&b, cat.text);
        else
            buf_puts(&b, cat.text);
    }
    const char *text = text_shown(r->arena, b.text);
    buf_free(&cat);
    buf_free(&b);
    return text;
}

static enum err_code code_of(const struct job_end *end)
{
    return end->status == JOB_LOST || end->status == JOB_UNKNOWN ? ERR_UNCERTAIN : ERR_FAILED;
}

/* "'make' ended with exit status 2" */
static const char *note_end(struct run *r, const struct job_call *c, const struct job_end *end)
{
    const char *why =
        arena_printf(r->arena, "'%s' %s", text_shown(r->arena, run_redact(r, c->job->name)),
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
    tell_lines(r, end);
    r->failure.log = end->attempt ? log_command(r, c, end) : NULL;
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
static bool all_ended_well(struct run *r, const struct job_call *c, const struct job_end *ends,
                           bool ok, struct err *err)
{
    bool followed = ok;

    for (size_t i = 0; i < c->n_hosts; i++) {
        if (ends[i].status == 0 || (!followed && ends[i].status == JOB_UNKNOWN))
            continue;
        if (ok)
            ok = jobs_fail(r, c, &ends[i], err);
        else
            run_warn(r, NULL, "%s: %s", r->recipe->hosts[ends[i].host].name,
                     note_end(r, c, &ends[i]));
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
                run_warn(r, r->recipe->hosts[ends[i].host].name,
                         "'%s' did not live to its end; started again", c.job->name);
                ok = jobs_run(r, &c, &ends, err);
                break;
            }
        ok = all_ended_well(r, &c, ends, ok, err);
        for (size_t i = 0; i < c.n_hosts; i++)
            site_set_mark(r->arena, &r->sites[hosts[i]], s->name,
                          ends[i].status != 0 ? "failed"
                          : last[i]           ? "done"
                                              : "begun");
        if (!ok) {
            r->jobs_passed = j + 1; /* by those on which it ended well */
            return false;
        }
    }
    return true;
}

bool jobs_look(struct run *r, const struct job_call *c, bool *ret_runs, struct err *err)
{
    struct call call = {.host = c->hosts[0], .payload = -1, .timeout_ms = LOOK_MS};
    struct reply reply;

    call.script = job_script(r, c, 0, "look", err);
    if (!call.script)
        return false;
    fleet_run(r->fleet, r->arena, &call, 1, &reply);
    if (!run_judge(r, call.host, &reply, err))
        return false;
    const char *is = answer_value(r->arena, reply.out, "is");
    *ret_runs = is && (strcmp(is, "running") == 0 || strcmp(is, "new") == 0);
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
            if (mark && (strcmp(mark, "begun") == 0 || strcmp(mark, "failed") == 0) &&
                !run_is_out(r, s->hosts[i]))
                hosts[c.n_hosts++] = s->hosts[i];
        }
        if (c.n_hosts && !stop_job(r, &c, err))
            return false;
    }
    return true;
}
