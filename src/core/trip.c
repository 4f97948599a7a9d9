/* trip.c -- builds what is sent to a host, sends it to all hosts at once, and judges the answers.
 * Every stage and every command that talks to hosts goes through here; the fleet does the
 * sending. */
#include "core/trip.h"

#include "base/limits.h"
#include "base/number.h"
#include "base/quote.h"
#include "base/text.h"
#include "core/chain.h"
#include "core/mark.h"
#include "core/script.h"
#include "core/upload.h"
#include "edge/digest.h"

#include <unistd.h>

enum { TRIP_MS = 15 * 60 * 1000, HOLDER_MS = 8000, PAYLOAD_IN_FRAME = 256 * 1024 };

/* Exit statuses of the scripts (host/prelude.sh). */
enum { SCRIPT_FAILED = 70, SCRIPT_CANNOT_SEE = 71, SCRIPT_FENCED = 72, SCRIPT_UNFINISHED = 74 };

/* What is sent to one host. */
struct shipment {
    size_t host;
    struct load load;
    /* The payload if it travels in the frame: its first part as text, or NULL, and the rest in base64. */
    const char *head;
    const char *small;
    bool framed; /* the text is for a frame */
};

static const char *text_with(struct run *r, const struct trip *t, const struct shipment *to,
                             const char *make(struct arena *a, const struct script *s))
{
    struct buf values = buf_make(SCRIPT_BYTES_MAX);

    buf_puts(&values, t->assignments ? t->assignments : "");
    buf_puts(&values, to->load.assignments ? to->load.assignments : "");
    /* Behind the load's own assignments, which say that there are none. */
    if (to->framed && to->small) {
        quote_assign(&values, "head", to->head ? to->head : "");
        quote_assign(&values, "payload", to->small);
    }
    if (t->values)
        t->values(r, t->about, to->host, &values);
    const struct script s = {.deploy_to = r->recipe->hosts[to->host].deploy_to,
                             .run = r->plan->what.run,
                             .epoch = r->epoch,
                             .release = r->plan->what.release,
                             .step = t->step,
                             .verb = t->verb,
                             .umask = r->recipe->umask,
                             .values = values.text,
                             .parts = {t->script}};
    const char *text = values.full ? NULL : make(r->arena, &s);
    buf_free(&values);
    return text;
}

const char *run_script_text(struct run *r, const struct trip *t, size_t host)
{
    return text_with(r, t, &(struct shipment){.host = host}, script_text);
}

const char *run_frame_text(struct run *r, const struct trip *t, size_t host)
{
    return text_with(r, t, &(struct shipment){.host = host}, script_frame);
}

static bool read_part(int fd, off_t from, off_t size, unsigned char *ret)
{
    off_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, ret + done, (size_t)(size - done), from + done);
        if (n <= 0)
            return false;
        done += n;
    }
    return true;
}

/* Reads a small payload; leaves it NULL when there is none, it is large, or it cannot be read: the transport then
 * says why. */
static void read_small(struct run *r, struct shipment *to)
{
    const struct load *l = &to->load;
    size_t head_size = (size_t)l->head_size;
    size_t size = (size_t)l->payload_size;

    if (l->payload < 0 || head_size + size > PAYLOAD_IN_FRAME)
        return;
    unsigned char *head = arena_alloc(r->arena, head_size + 1);
    unsigned char *bytes = arena_alloc(r->arena, size + 1);
    if (!read_part(l->head, 0, l->head_size, head) || memchr(head, '\0', head_size) ||
        !read_part(l->payload, l->payload_at, l->payload_size, bytes))
        return;
    to->head = arena_strndup(r->arena, (const char *)head, head_size);
    to->small = base64_encode(r->arena, bytes, size);
}

/* Adds what the host's session runs instead of the script.  A small payload is two values in it; with a large one,
 * the script has a channel of its own, so that heartbeats are read meanwhile. */
static void frame_it(struct run *r, const struct trip *t, const struct shipment *to,
                     const struct chain *chain, struct call *call)
{
    struct shipment framed = *to;

    if (to->load.payload >= 0 && (!to->small || !r->sites || !r->sites[call->host].has_base64))
        return;
    framed.framed = true;
    call->frame = text_with(r, t, &framed, script_frame);
    if (t->hold)
        call->keep = text_with(r, t, &framed, script_keep);
    if (call->frame && chain->n)
        call->frame = chain_frame(r, chain, call->frame, call->host);
}

/* The status of the script.  Status 0 is also reported for a channel that closes without a status,
 * and by a forced command that does more than run the script, so the script's own last line counts
 * (prelude.sh). */
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
                       "the script ended without reporting a result; its change may have"
                       " been made");
    case SCRIPT_FAILED:
        return err_set(err, ERR_FAILED, "%s", said ? said : "failed");
    case SCRIPT_CANNOT_SEE:
        return err_set(err, ERR_UNCERTAIN, "%s", said ? said : "its result could not be checked");
    case SCRIPT_FENCED:
        return err_set(err, ERR_LOCKED, "this run no longer holds the lock: it was taken over%s%s",
                       fenced && strcmp(fenced, "nobody") != 0 ? " by " : " or ended",
                       fenced && strcmp(fenced, "nobody") != 0 ? text_shown(r->arena, fenced) : "");
    case SCRIPT_LOCKED:
        return err_set(err, ERR_LOCKED, "%s", said ? said : "another run holds the lock");
    case SCRIPT_UNFINISHED:
        return err_set(err, ERR_UNFINISHED, "%s",
                       said ? said : "an earlier run was never finished");
    default:
        return err_set(err, ERR_FAILED, "the script ended with exit status %d%s%s", status,
                       *reply->err_out ? ": " : "",
                       text_shown(r->arena, text_last_line(r->arena, reply->err_out)));
    }
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
        err_set(err, ERR_UNCERTAIN, "%s; its change may have been made", reply->why);
        break;
    case REPLY_UNREACHED:
        /* A signal interrupts a connection that is being established. */
        if (!run_is_stopped(r, "before a host was reached", err))
            err_set(err, r->begun ? ERR_UNCERTAIN : ERR_UNREACHABLE, "%s", reply->why);
        break;
    }
    if (!ok)
        left_out_note(r, host, err->code, err->msg);
    if (!ok && r->recipe->n_hosts > 1)
        err_in(err, "%s", r->recipe->hosts[host].name);
    if (!ok && !r->failure.host)
        r->failure.host = r->recipe->hosts[host].name;
    return ok;
}

/* The shipments of a trip.  Hosts with the same load share its text. */
static struct shipment *shipments_of(struct run *r, const struct trip *t)
{
    struct shipment *list = arena_array(r->arena, t->n_hosts, sizeof *list);

    for (size_t i = 0; i < t->n_hosts; i++) {
        struct shipment *to = &list[i];
        const struct load all = {.head = t->head,
                                 .head_size = t->head_size,
                                 .payload = t->payload,
                                 .payload_size = t->payload_size};
        *to = (struct shipment){.host = t->hosts[i], .load = t->loads ? *t->loads[i] : all};
        size_t same = 0;
        while (list[same].load.head != to->load.head ||
               list[same].load.payload != to->load.payload ||
               list[same].load.payload_at != to->load.payload_at)
            same++;
        if (same == i)
            read_small(r, to);
        to->head = list[same].head;
        to->small = list[same].small;
    }
    return list;
}

/* Fills the call for one host; false when the script is too large. */
static bool fill_call(struct run *r, const struct trip *t, const struct shipment *to,
                      const struct chain *chain, struct call *ret)
{
    *ret = (struct call){.host = to->host,
                         .script = text_with(r, t, to, script_text),
                         .head = to->load.head,
                         .head_size = to->load.head_size,
                         .payload = to->load.payload,
                         .payload_at = to->load.payload_at,
                         .payload_size = to->load.payload_size,
                         .timeout_ms = t->timeout_ms ? t->timeout_ms : TRIP_MS,
                         .hold = t->hold};
    frame_it(r, t, to, chain, ret);
    return ret->script != NULL;
}

/* Sends the script to the hosts that have not run it yet. */
static bool send_all(struct run *r, const struct trip *t, struct reply *replies, struct err *err)
{
    struct call *calls = arena_array(r->arena, t->n_hosts, sizeof *calls);
    struct reply *came = arena_array(r->arena, t->n_hosts, sizeof *came);
    size_t *at = arena_array(r->arena, t->n_hosts, sizeof *at);
    const struct shipment *to = shipments_of(r, t);
    struct chain chain;
    size_t n = 0;

    chain_find(r, t, &chain);
    for (size_t i = 0; i < t->n_hosts; i++) {
        if (chain_take(r, t->step, t->hosts[i], &replies[i]))
            continue;
        if (!fill_call(r, t, &to[i], &chain, &calls[n]))
            return err_set(err, ERR_FAILED, "the script for '%s' would be larger than %d bytes",
                           t->step, SCRIPT_BYTES_MAX);
        at[n++] = i;
    }
    struct upload upload;
    if ((t->payload >= 0 || t->loads) && t->about) {
        upload = upload_of(r, t);
        fleet_watch(r->fleet, upload_tell, &upload);
    }
    fleet_run(r->fleet, r->arena, calls, n, came);
    fleet_watch(r->fleet, NULL, NULL);
    for (size_t i = 0; i < n; i++) {
        chain_split(r, &chain, calls[i].host, &came[i]);
        replies[at[i]] = came[i];
    }
    return true;
}

/* Whether the answer says that the lock is another's.  That there is none proves nothing after the script
 * that takes it or the one that releases it. */
static bool is_fenced(struct run *r, const struct trip *t, const struct reply *reply)
{
    const char *by =
        reply->kind == REPLY_EXIT ? answer_value(r->arena, reply->out, "fenced") : NULL;
    struct chain chain;

    if (!by || strcmp(by, "nobody") != 0)
        return by;
    chain_find(r, t, &chain);
    return !chain.n && t->about && t->about != &r->plan->steps[0] &&
           t->about != &r->plan->steps[r->plan->n_steps - 1];
}

/* A run that takes over ends the shell of the run before, which then hears of a lost connection only. Asks the
 * hosts that were lost whether that is the reason. */
static void ask_who_holds(struct run *r, const struct trip *t, struct reply *replies)
{
    const struct trip look = {.script = script_mark,
                              .step = "look",
                              .verb = "look",
                              .assignments = mark_assignments(r, &(struct new_mark){0}),
                              .payload = -1};
    struct call *calls = arena_array(r->arena, t->n_hosts, sizeof *calls);
    struct reply *came = arena_array(r->arena, t->n_hosts, sizeof *came);
    size_t *at = arena_array(r->arena, t->n_hosts, sizeof *at);
    size_t n = 0;

    for (size_t i = 0; i < t->n_hosts; i++) {
        if (replies[i].kind != REPLY_LOST)
            continue;
        calls[n] = (struct call){.host = t->hosts[i],
                                 .script = run_script_text(r, &look, t->hosts[i]),
                                 .payload = -1,
                                 .timeout_ms = HOLDER_MS};
        if (!look.assignments || !calls[n].script)
            return;
        at[n++] = i;
    }
    if (!n)
        return;
    fleet_run(r->fleet, r->arena, calls, n, came);
    for (size_t i = 0; i < n; i++)
        if (is_fenced(r, t, &came[i])) {
            replies[at[i]] = came[i];
            replies[at[i]].status = SCRIPT_FENCED;
        }
}

bool run_scripts(struct run *r, const struct trip *t, struct reply **ret, struct err *err)
{
    struct reply *replies = arena_array(r->arena, t->n_hosts, sizeof *replies);
    bool ok = true;

    if (!send_all(r, t, replies, err))
        return false;
    if (r->begun)
        ask_who_holds(r, t, replies);
    if (ret)
        *ret = replies;
    for (size_t i = 0; i < t->n_hosts; i++) {
        struct err one = {.arena = r->arena};
        if (t->passes && replies[i].kind == REPLY_EXIT && replies[i].status == t->passes)
            continue;
        if (run_judge(r, t->hosts[i], &replies[i], ok ? err : &one))
            continue;
        if (!ok)
            run_warn(r, NULL, "%s", one.msg);
        ok = false;
    }
    return ok;
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
                              .frame = values->full ? NULL : script_frame(r->arena, &s),
                              .payload = -1,
                              .timeout_ms = timeout_ms};

    buf_free(values);
    if (!call.script)
        return (struct reply){.kind = REPLY_UNREACHED,
                              .out = "",
                              .err_out = "",
                              .why = "the script that reads the host's state is too long to send"};
    return run_ask(r, &call);
}
