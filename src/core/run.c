#include "core/run.h"

#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/script.h"
#include "edge/clock.h"

#include <assert.h>
#include <signal.h>

enum { TRIP_MS = 15 * 60 * 1000 };

/* What the scripts end with (host/prelude.sh). */
enum {
    SCRIPT_FAILED = 70,
    SCRIPT_CANNOT_SEE = 71,
    SCRIPT_FENCED = 72,
    SCRIPT_LOCKED = 73,
    SCRIPT_UNFINISHED = 74
};

const char *run_redact(const struct run *r, const char *text)
{
    return redact(r->arena, &r->recipe->secrets, text);
}

void run_tell(struct run *r, struct event e)
{
    e.unix_ms = clock_now_ms();
    if (!e.run_id && *r->plan->what.run)
        e.run_id = r->plan->what.run;
    e.detail = run_redact(r, e.detail);
    e.message = run_redact(r, e.message);
    e.command = run_redact(r, e.command);
    if (r->watcher->tell)
        r->watcher->tell(r->watcher->self, &e);
}

void run_warn(struct run *r, const char *host, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    const char *text = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    run_tell(r, (struct event){.kind = EVENT_WARNING, .host = host, .detail = text});
}

struct run_info run_info(const struct run *r)
{
    const struct what *w = &r->plan->what;

    return (struct run_info){.id = w->run,
                             .command = command_word(w->command),
                             .application = w->application,
                             .environment = w->environment,
                             .release = w->release,
                             .revision = w->revision,
                             .ref = w->ref,
                             .subject = w->subject,
                             .by = w->by,
                             .since_unix = w->since_unix,
                             .hosts = r->recipe->n_hosts,
                             .host_names = w->hosts.v};
}

const char *run_hint(const struct run *r, const char *command, const char *more)
{
    struct called called = r->called ? *r->called : (struct called){0};

    called.environment = r->recipe->environment;
    return hint(r->arena, &called, command, more);
}

const char *run_folder(struct run *r, size_t host)
{
    return arena_printf(r->arena, "%s/releases/%s", r->recipe->hosts[host].deploy_to,
                        r->plan->what.release);
}

const char *run_host_names(struct run *r, const size_t *hosts, size_t n)
{
    struct strs names = {0};

    for (size_t i = 0; i < n; i++)
        strs_add(r->arena, &names, r->recipe->hosts[hosts[i]].name);
    return strs_joined(r->arena, &names, " ");
}

const char *run_script_text(struct run *r, const struct trip *t, size_t host)
{
    struct buf values = buf_make(SCRIPT_BYTES_MAX);

    if (t->values)
        t->values(r, t->about, host, &values);
    const struct script s = {.deploy_to = r->recipe->hosts[host].deploy_to,
                             .run = r->plan->what.run,
                             .epoch = r->epoch,
                             .release = r->plan->what.release,
                             .step = t->step,
                             .verb = t->verb,
                             .values = values.text,
                             .parts = {t->script}};
    const char *text = values.full ? NULL : script_text(r->arena, &s);
    buf_free(&values);
    return text;
}

bool run_is_stopped(struct run *r, const char *where, struct err *err)
{
    int signal = loop_signal(r->loop);

    if (!signal)
        return false;
    err_set(err, signal == SIGINT ? ERR_INTERRUPTED : ERR_TERMINATED, "stopped by %s %s",
            signal == SIGINT    ? "Ctrl-C"
            : signal == SIGTERM ? "SIGTERM"
                                : "SIGHUP",
            where);
    return true;
}

static const char *last_line(struct arena *a, const char *text)
{
    size_t len = strlen(text);

    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    size_t begin = len;
    while (begin && text[begin - 1] != '\n')
        begin--;
    return text_shown(a, arena_strndup(a, text + begin, len - begin));
}

/* 0 is also what a channel reads as that closes without a status, and what a forced command may end
 * with that does something more: then what the script itself says counts (prelude.sh). */
static int status_of(struct run *r, const struct reply *reply)
{
    const char *ended = reply->status ? NULL : answer_value(r->arena, reply->out, "ended");

    return ended ? (int)number_or(ended, 255, reply->status) : reply->status;
}

static bool judge_exit(struct run *r, const struct reply *reply, struct err *err)
{
    const char *said = answer_value(r->arena, reply->out, "error");
    const char *fenced = answer_value(r->arena, reply->out, "fenced");
    int status = status_of(r, reply);

    said = said ? text_shown(r->arena, said) : NULL;
    switch (status) {
    case 0:
        if (answer_value(r->arena, reply->out, "ended") ||
            answer_value(r->arena, reply->out, "held"))
            return true;
        return err_set(err, ERR_UNCERTAIN,
                       "the script stopped without a word; what it was told to do may have"
                       " happened");
    case SCRIPT_FAILED:
        return err_set(err, ERR_FAILED, "%s", said ? said : "failed");
    case SCRIPT_CANNOT_SEE:
        return err_set(err, ERR_UNCERTAIN, "%s", said ? said : "cannot see what was done");
    case SCRIPT_FENCED:
        return err_set(err, ERR_LOCKED,
                       "this run does not hold the site any more: it was taken over%s%s",
                       fenced && strcmp(fenced, "nobody") != 0 ? " by " : " or ended",
                       fenced && strcmp(fenced, "nobody") != 0 ? text_shown(r->arena, fenced) : "");
    case SCRIPT_LOCKED:
        return err_set(err, ERR_LOCKED, "%s", said ? said : "another run holds the site");
    case SCRIPT_UNFINISHED:
        return err_set(err, ERR_UNFINISHED, "%s", said ? said : "an earlier run is unfinished");
    default:
        return err_set(err, ERR_FAILED, "the script ended with exit status %d%s%s", status,
                       *reply->err_out ? ": " : "", last_line(r->arena, reply->err_out));
    }
}

void run_turn_begin(struct run *r, struct turn *turn)
{
    *turn = (struct turn){.outer = r->arena};
    r->kept = run_kept(r);
    r->arena = &turn->arena;
}

void run_turn_end(struct run *r, struct turn *turn, bool keep)
{
    assert(r->arena == &turn->arena);
    r->arena = turn->outer;
    if (r->arena == r->kept)
        r->kept = NULL;
    if (keep)
        arena_adopt(r->arena, &turn->arena);
    else
        arena_free(&turn->arena);
}

struct arena *run_kept(const struct run *r)
{
    return r->kept ? r->kept : r->arena;
}

bool run_is_out(const struct run *r, size_t host)
{
    return r->out && r->out[host];
}

bool run_takes_part(const struct run *r, size_t host)
{
    return !run_is_out(r, host) &&
           (!r->batch_end || (host >= r->batch_begin && host < r->batch_end));
}

bool run_is_through(const struct run *r, size_t host)
{
    return run_is_out(r, host) || site_has_ended(&r->sites[host], r->plan->what.run);
}

void run_note(struct run *r, size_t host, enum err_code code, const char *why)
{
    if (r->mishaps && r->mishaps[host].code == ERR_NONE)
        r->mishaps[host] = (struct mishap){code, arena_strdup(run_kept(r), why)};
}

bool run_judge(struct run *r, size_t host, const struct reply *reply, struct err *err)
{
    bool ok = false;

    switch (reply->kind) {
    case REPLY_EXIT:
        ok = judge_exit(r, reply, err);
        break;
    case REPLY_SIGNAL:
        err_set(err, ERR_FAILED, "the script was ended by signal %s", reply->signal);
        break;
    case REPLY_STOPPED:
        if (!run_is_stopped(r, "in the middle of a step", err))
            err_set(err, ERR_UNCERTAIN, "stopped in the middle of a step");
        break;
    case REPLY_LOST:
    case REPLY_TIMEOUT:
        err_set(err, ERR_UNCERTAIN, "%s; what it was told to do may have happened", reply->why);
        break;
    case REPLY_UNREACHED:
        /* A connection that was being made is given up at a signal. */
        if (!run_is_stopped(r, "before a host was reached", err))
            err_set(err, r->begun ? ERR_UNCERTAIN : ERR_UNREACHABLE, "%s", reply->why);
        break;
    }
    if (!ok)
        run_note(r, host, err->code, err->msg);
    if (!ok && r->recipe->n_hosts > 1)
        err_in(err, "%s", r->recipe->hosts[host].name);
    if (!ok && !r->failure.host)
        r->failure.host = r->recipe->hosts[host].name;
    return ok;
}

/* ---- how far what is sent has come ---- */

enum {
    UPLOAD_BYTES_MIN = 1000 * 1000, /* below that nothing is told, */
    UPLOAD_MS_MIN = 1000,           /* and before that */
    RATE_SAMPLES = 10,
};

struct upload {
    struct run *run;
    const struct step *step;
    const char **hosts;
    size_t n_hosts;
    long long began_ms;
    struct sample {
        long long at_ms;
        long long sent;
    } samples[RATE_SAMPLES]; /* one a second: the rate is that of the last of them */
    size_t n;
};

/* Bytes a second. */
static long long upload_rate(struct upload *u, long long now, long long sent)
{
    const struct sample *last = u->n ? &u->samples[(u->n - 1) % RATE_SAMPLES] : NULL;

    if (!last || now - last->at_ms >= 1000)
        u->samples[u->n++ % RATE_SAMPLES] = (struct sample){now, sent};
    const struct sample *first = &u->samples[u->n > RATE_SAMPLES ? u->n % RATE_SAMPLES : 0];
    return now > first->at_ms ? (sent - first->sent) * 1000 / (now - first->at_ms) : 0;
}

static void tell_upload(void *arg, long long sent, long long total)
{
    struct upload *u = arg;
    struct arena a = {0};
    long long now = loop_now();
    long long rate = upload_rate(u, now, sent);
    const char *to =
        u->n_hosts > 1 ? arena_printf(&a, " to %s", text_count(&a, u->n_hosts, "host")) : "";
    const char *all = text_size(&a, (unsigned long long)total);
    const char *detail;

    if (total < UPLOAD_BYTES_MIN || now - u->began_ms < UPLOAD_MS_MIN) {
        arena_free(&a);
        return;
    }
    if (sent >= total)
        detail = arena_printf(&a, "%s sent%s, unpacking", all, to);
    else if (rate <= 0)
        detail =
            arena_printf(&a, "%s of %s sent%s", text_size(&a, (unsigned long long)sent), all, to);
    else
        detail = arena_printf(&a, "%s of %s sent%s, %s/s, about %s left",
                              text_size(&a, (unsigned long long)sent), all, to,
                              text_size(&a, (unsigned long long)rate),
                              text_span(&a, (total - sent) / rate * 1000 + 1000));
    run_tell(u->run, (struct event){.kind = EVENT_STAGE,
                                    .state = EVENT_WAITING,
                                    .stage = u->step->name,
                                    .hosts = u->hosts,
                                    .detail = detail,
                                    .progress = true});
    arena_free(&a);
}

static struct upload upload_of(struct run *r, const struct trip *t)
{
    struct upload u = {.run = r, .step = t->about, .n_hosts = t->n_hosts, .began_ms = loop_now()};

    u.hosts = arena_array(r->arena, t->n_hosts + 1, sizeof *u.hosts);
    for (size_t i = 0; i < t->n_hosts; i++)
        u.hosts[i] = r->recipe->hosts[t->hosts[i]].name;
    return u;
}

bool run_scripts(struct run *r, const struct trip *t, struct reply **ret, struct err *err)
{
    struct call *calls = arena_array(r->arena, t->n_hosts, sizeof *calls);
    struct reply *replies = arena_array(r->arena, t->n_hosts, sizeof *replies);
    bool ok = true;

    for (size_t i = 0; i < t->n_hosts; i++) {
        const char *text = run_script_text(r, t, t->hosts[i]);
        if (!text)
            return err_set(err, ERR_FAILED, "the script for '%s' would be larger than %d bytes",
                           t->step, SCRIPT_BYTES_MAX);
        calls[i] = (struct call){.host = t->hosts[i],
                                 .script = text,
                                 .head = t->head,
                                 .head_size = t->head_size,
                                 .payload = t->payload,
                                 .payload_size = t->payload_size,
                                 .timeout_ms = t->timeout_ms ? t->timeout_ms : TRIP_MS,
                                 .hold = t->hold};
    }
    struct upload upload;
    if (t->payload >= 0 && t->about) {
        upload = upload_of(r, t);
        fleet_watch(r->fleet, tell_upload, &upload);
    }
    fleet_run(r->fleet, r->arena, calls, t->n_hosts, replies);
    fleet_watch(r->fleet, NULL, NULL);
    if (ret)
        *ret = replies;
    for (size_t i = 0; i < t->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        if (run_judge(r, t->hosts[i], &replies[i], ok ? err : &one))
            continue;
        if (!ok)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
}

static bool is_done(struct run *r, const struct step *s, size_t host)
{
    const struct site *site = &r->sites[host];

    if (site_has_ended(site, r->plan->what.run))
        return true;
    if (!site_is_marked(site, s->name, "done") && !site_is_marked(site, s->name, "skipped"))
        return false;
    return !s->stage->until || site_is_marked(site, s->stage->until, "done") ||
           site_is_marked(site, s->stage->until, "skipped");
}

size_t run_hosts_left(struct run *r, const struct step *s, size_t **ret)
{
    size_t *left = arena_array(r->arena, s->n_hosts, sizeof *left);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (run_takes_part(r, s->hosts[i]) && !is_done(r, s, s->hosts[i]))
            left[n++] = s->hosts[i];
    if (ret)
        *ret = left;
    return n;
}

static void mark_values(struct run *r, const struct step *s, size_t host, struct buf *b)
{
    const char *pending = strs_joined(r->arena, &r->guard->to_migrate, "\n");

    (void)s;
    (void)host;
    quote_assign(b, "to", r->mark_to);
    buf_puts(b, "error='' migrated=''\n");
    quote_assign(b, "pending", run_redact(r, pending));
}

struct reply run_ask(struct run *r, const struct call *call)
{
    struct reply reply;

    fleet_impatient(r->fleet, true);
    fleet_run(r->fleet, r->arena, call, 1, &reply);
    fleet_impatient(r->fleet, false);
    return reply;
}

struct reply run_look(struct run *r, size_t host, struct buf *values, const char *script,
                      long long timeout_ms)
{
    const struct script s = {.deploy_to = r->recipe->hosts[host].deploy_to,
                             .verb = "look",
                             .values = values->text,
                             .parts = {script}};
    const struct call call = {.host = host,
                              .script = values->full ? NULL : script_text(r->arena, &s),
                              .payload = -1,
                              .timeout_ms = timeout_ms};

    buf_free(values);
    if (!call.script)
        return (struct reply){.kind = REPLY_UNREACHED,
                              .out = "",
                              .err_out = "",
                              .why = "the script that looks at the host is too long to be sent"};
    return run_ask(r, &call);
}

bool run_put_mark(struct run *r, const struct step *s, const char *state, struct err *err)
{
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);
    size_t n = 0;

    for (size_t i = 0; i < s->n_hosts; i++)
        if (!run_is_through(r, s->hosts[i]))
            hosts[n++] = s->hosts[i];
    struct trip t = {.script = r->mark_script,
                     .step = s->name,
                     .verb = "run",
                     .values = mark_values,
                     .about = s,
                     .hosts = hosts,
                     .n_hosts = n,
                     .payload = -1};

    r->mark_to = state;
    if (!run_scripts(r, &t, NULL, err))
        return false;
    for (size_t i = 0; i < n; i++)
        site_set_mark(r->arena, &r->sites[hosts[i]], s->name, state);
    return true;
}

bool stage_script_act(struct run *r, const struct step *s, struct err *err)
{
    struct trip t = {.script = s->stage->script,
                     .step = s->name,
                     .verb = "run",
                     .values = s->stage->values,
                     .about = s,
                     .payload = -1};
    size_t *hosts;

    t.n_hosts = run_hosts_left(r, s, &hosts);
    t.hosts = hosts;
    struct reply *replies = NULL;
    bool ok = run_scripts(r, &t, &replies, err);
    for (size_t i = 0; replies && i < t.n_hosts; i++)
        site_set_mark(r->arena, &r->sites[hosts[i]], s->name,
                      replies[i].kind == REPLY_EXIT && replies[i].status == 0 ? "done" : "begun");
    for (size_t i = 0; ok && !r->detail && i < t.n_hosts; i++)
        r->detail = answer_value(r->arena, replies[i].out, "detail");
    return ok;
}

bool stage_script_undo(struct run *r, const struct step *s, struct err *err)
{
    struct trip t = {.script = s->stage->script,
                     .step = s->name,
                     .verb = "undo",
                     .values = s->stage->values,
                     .about = s,
                     .payload = -1};
    size_t *hosts = arena_array(r->arena, s->n_hosts, sizeof *hosts);

    for (size_t i = 0; i < s->n_hosts; i++) {
        const char *mark = site_mark(&r->sites[s->hosts[i]], s->name);
        if (mark && strcmp(mark, "undone") != 0 && !run_is_out(r, s->hosts[i]))
            hosts[t.n_hosts++] = s->hosts[i];
    }
    t.hosts = hosts;
    if (!t.n_hosts)
        return true;
    struct reply *replies = NULL;
    bool ok = run_scripts(r, &t, &replies, err);
    for (size_t i = 0; replies && i < t.n_hosts; i++) {
        if (replies[i].kind != REPLY_EXIT || replies[i].status != 0)
            continue;
        const char *gone = answer_value(r->arena, replies[i].out, "stays");
        if (gone)
            run_warn(r, r->recipe->hosts[hosts[i]].name,
                     "%s, which was live before, is gone: there is nothing to go back to, "
                     "and release %s stays",
                     text_shown(r->arena, gone), r->plan->what.release);
        const char *warning = answer_value(r->arena, replies[i].out, "warning");
        if (warning)
            run_warn(r, r->recipe->hosts[hosts[i]].name, "%s", text_shown(r->arena, warning));
        if (answer_value(r->arena, replies[i].out, "nowhere"))
            r->sites[hosts[i]].current = NULL;
        site_set_mark(r->arena, &r->sites[hosts[i]], s->name, "undone");
    }
    if (!ok)
        return false;
    run_tell(r, (struct event){.kind = EVENT_STAGE,
                               .state = EVENT_UNDONE,
                               .stage = s->name,
                               .detail = run_host_names(r, hosts, t.n_hosts)});
    return true;
}

bool stage_undo_nothing(struct run *r, const struct step *s, struct err *err)
{
    (void)r;
    (void)s;
    (void)err;
    return true;
}
